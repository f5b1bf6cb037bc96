"""The figures in the admin: lists of roll-ups, and reports of usage."""

from analytics.admin import conversations, models

__all__ = ["conversations", "models"]
