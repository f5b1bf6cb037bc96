"""Pages of lists, with limits that hold."""

from rest_framework import serializers
from rest_framework.pagination import PageNumberPagination

from councils.api.fields import StrictSerializer

DEFAULT_SIZE = 25
MAX_SIZE = 100
MAX_PAGE = 100_000


class PageQuery(StrictSerializer):
    """The query of a list: out of bounds is refused with a sentence, never mended in silence. Lists with filters add fields."""

    page = serializers.IntegerField(min_value=1, max_value=MAX_PAGE, default=1)
    page_size = serializers.IntegerField(min_value=1, max_value=MAX_SIZE, default=DEFAULT_SIZE)


class StrictPagination(PageNumberPagination):
    """``?page=2&page_size=50``, checked by ``PageQuery`` before it comes here."""

    page_size = DEFAULT_SIZE
    page_size_query_param = "page_size"
    max_page_size = MAX_SIZE
