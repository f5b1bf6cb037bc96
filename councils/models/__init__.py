"""The product's tables, one file per aggregate."""

from councils.models.audit import AppendOnly, AuditEntry, AuditVerb
from councils.models.budget import AtLimit, Budget, BudgetAccount, BudgetHold, BudgetPeriod
from councils.models.cache import CachedResponse, CacheGeneration, CacheKind, CacheStatistic
from councils.models.conversation import Conversation, ConversationType, Message, MessageRole
from councils.models.council import ChairmanFallback, ChairmanModeChoice, CouncilConfiguration, CouncilMember, VotingChoice
from councils.models.draft import CouncilDraft, Side, Trial, TrialRun
from councils.models.health import EngineSign, HealthRecord, HealthState, ScheduledJob
from councils.models.judgement import AnswerPick, Feedback, PickOutcome, Thumb
from councils.models.ledger import CallStatus, EntryKind, LedgerEntry, ModelCall
from councils.models.limits import RateLimitLog
from councils.models.price import ModelPrice, PriceSource
from councils.models.prompt import PromptStage, PromptTemplate
from councils.models.provider import ModelInfo, Provider, ProviderEndpoint, ProviderKind
from councils.models.question import QuestionSet, SavedQuestion
from councils.models.run import CouncilRun, Opinion, Review, RunEvent, RunOrigin, RunPrompt, RunStep, Synthesis
from councils.models.user import ApiKey, User

__all__ = [
    "AnswerPick",
    "ApiKey",
    "AppendOnly",
    "AtLimit",
    "AuditEntry",
    "AuditVerb",
    "Budget",
    "BudgetAccount",
    "BudgetHold",
    "BudgetPeriod",
    "CacheGeneration",
    "CacheKind",
    "CacheStatistic",
    "CachedResponse",
    "CallStatus",
    "ChairmanFallback",
    "ChairmanModeChoice",
    "Conversation",
    "ConversationType",
    "CouncilConfiguration",
    "CouncilDraft",
    "CouncilMember",
    "CouncilRun",
    "EngineSign",
    "EntryKind",
    "Feedback",
    "HealthRecord",
    "HealthState",
    "LedgerEntry",
    "Message",
    "MessageRole",
    "ModelCall",
    "ModelInfo",
    "ModelPrice",
    "Opinion",
    "PickOutcome",
    "PriceSource",
    "PromptStage",
    "PromptTemplate",
    "Provider",
    "ProviderEndpoint",
    "ProviderKind",
    "QuestionSet",
    "RateLimitLog",
    "Review",
    "RunEvent",
    "RunOrigin",
    "RunPrompt",
    "RunStep",
    "SavedQuestion",
    "ScheduledJob",
    "Side",
    "Synthesis",
    "Thumb",
    "Trial",
    "TrialRun",
    "User",
    "VotingChoice",
]
