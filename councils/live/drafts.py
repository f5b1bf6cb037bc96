"""The text so far of seats that are writing, for viewers who come late: from memory where the run is driven, else from the cache."""

import logging
from collections.abc import Mapping
from typing import Any

from django.core.cache import cache, caches
from django.core.cache.backends.locmem import LocMemCache
from redis.exceptions import RedisError

from councils.live.broadcast import broadcast_here
from councils.live.messages import Draft

logger = logging.getLogger(__name__)

DRAFT_TTL_S = 900


def _draft_key(run_id: str) -> str:
    return f"drafts:{run_id}"


def drafts_are_shared() -> bool:
    """Whether other processes read this cache. If not, keeping drafts in it serves nobody: those of this process are in memory."""
    return not isinstance(caches["default"], LocMemCache)


def keep_drafts(drafts: Mapping[str, Mapping[str, Draft]]) -> None:
    """Store the text so far of several runs, for viewers at other processes who come late."""
    cache.set_many({_draft_key(run_id): dict(texts) for run_id, texts in drafts.items()}, DRAFT_TTL_S)


def read_drafts(run_id: str) -> dict[str, Draft]:
    """The text so far by step key; empty when there is none or the cache is away."""
    local = broadcast_here(run_id)
    if local is not None:
        return local.drafts()
    try:
        return _readable(cache.get(_draft_key(run_id)))
    except (RedisError, OSError) as error:  # A cache that fails means "no draft"; the next delta brings the viewer back.
        logger.warning("drafts not read: %s", error, extra={"run": run_id})
        return {}


def _readable(stored: Any) -> dict[str, Draft]:
    """The drafts among whatever a cache holds."""
    drafts = stored if isinstance(stored, dict) else {}
    return {
        key: {"attempt": draft["attempt"], "text": draft["text"]}
        for key, draft in drafts.items()
        if isinstance(draft, dict) and isinstance(draft.get("attempt"), int) and isinstance(draft.get("text"), str)
    }
