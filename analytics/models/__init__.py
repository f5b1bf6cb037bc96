"""The roll-ups, one file per aggregate. They can be made again from what they sum up."""

from analytics.models.conversation import ConversationAnalytics
from analytics.models.hour import HourAnalytics
from analytics.models.mark import AggregationMark
from analytics.models.model import ModelAnalytics
from analytics.models.usage import SeatUsage, UserUsage

__all__ = ["AggregationMark", "ConversationAnalytics", "HourAnalytics", "ModelAnalytics", "SeatUsage", "UserUsage"]
