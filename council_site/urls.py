"""Where each door of the site is."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("api/", include("councils.api.urls")),
    path("", include("councils.web.urls")),
]
