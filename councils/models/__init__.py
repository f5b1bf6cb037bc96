"""The product's tables, one file per aggregate."""

from councils.models.conversation import Conversation, ConversationType, Message, MessageRole
from councils.models.council import ChairmanFallback, ChairmanModeChoice, CouncilConfiguration, CouncilMember, VotingChoice
from councils.models.ledger import AtLimit, Budget, BudgetPeriod, CallStatus, EntryKind, LedgerEntry, ModelCall
from councils.models.prompt import PromptStage, PromptTemplate
from councils.models.provider import ModelInfo, Provider, ProviderKind
from councils.models.run import CouncilRun, Opinion, Review, RunEvent, RunOrigin, RunStep, Synthesis
from councils.models.user import ApiKey, User

__all__ = [
    "ApiKey",
    "AtLimit",
    "Budget",
    "BudgetPeriod",
    "CallStatus",
    "ChairmanFallback",
    "ChairmanModeChoice",
    "Conversation",
    "ConversationType",
    "CouncilConfiguration",
    "CouncilMember",
    "CouncilRun",
    "EntryKind",
    "LedgerEntry",
    "Message",
    "MessageRole",
    "ModelCall",
    "ModelInfo",
    "Opinion",
    "PromptStage",
    "PromptTemplate",
    "Provider",
    "ProviderKind",
    "Review",
    "RunEvent",
    "RunOrigin",
    "RunStep",
    "Synthesis",
    "User",
    "VotingChoice",
]
