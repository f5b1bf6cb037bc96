"""How values look in the admin; templates call the same functions, without loading the admin."""

from councils.showing import (
    EXCERPT_CHARS,
    LINK,
    NOTHING,
    STATUS_LABELS,
    duration,
    excerpt,
    json_block,
    link_to,
    link_to_list,
    list_address,
    moment,
    text_block,
    yes_or_no,
)

__all__ = [
    "EXCERPT_CHARS",
    "LINK",
    "NOTHING",
    "STATUS_LABELS",
    "duration",
    "excerpt",
    "json_block",
    "link_to",
    "link_to_list",
    "list_address",
    "moment",
    "text_block",
    "yes_or_no",
]
