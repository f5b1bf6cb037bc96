"""Everything that can go wrong in a deliberation, as one tree.

CouncilError
├── InvalidSpec                  the council cannot deliberate as configured
├── BudgetUsedUp                 no further paid call may begin
└── ProviderError                the provider could not answer            retryable  fallback
    ├── ConnectFailed            refused, DNS, TLS, reset before headers      yes       yes
    ├── RateLimited              429; may carry ``retry_after_s``             yes       yes
    ├── ProviderUnavailable      5xx                                          yes       yes
    ├── AnswerTimeout            total, first-token or idle deadline          yes       yes
    ├── BrokenStream             ended early, or not the protocol             yes       yes
    ├── AuthenticationFailed     401, 403                                     no        yes
    ├── BadRequest               400, 404, 405, 422, redirects                no        yes
    │   ├── ContextTooLong       the prompt does not fit                      no        yes
    │   └── StructureUnsupported the asked structured mode is not offered     no        yes
    ├── EmptyAnswer              finished without text                        no        yes
    │   └── OutOfTokens          the token limit came before the first word   no        yes
    ├── Refused                  the model declined                           no        yes
    │   └── ContentFiltered      the provider's filter declined               no        yes
    ├── EndpointUnavailable      left alone after failures; nothing was sent  yes       yes
    └── EgressDenied             the address is not allowed                   no        no

The docstring of a class is the message that people read. ``detail`` holds what the provider said, shortened and without secrets.
"""

from collections.abc import Mapping
from typing import ClassVar

from councils.engine.types import Usage

DETAIL_LIMIT = 500


class CouncilError(Exception):
    """The council could not do this."""

    kind: ClassVar[str] = "council_error"

    def __init__(self, detail: str = "") -> None:
        self.detail = detail[:DETAIL_LIMIT]
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """One sentence for people: what the class means, then what the provider said."""
        meaning = (type(self).__doc__ or "").strip().splitlines()[0]
        return f"{meaning} {self.detail}".strip()


class InvalidSpec(CouncilError):
    """This council cannot deliberate as it is configured."""

    kind = "invalid_spec"


class BudgetUsedUp(CouncilError):
    """A budget cannot pay for this call, so it was not made."""

    kind = "budget_used_up"


class ProviderError(CouncilError):
    """The provider could not answer."""

    kind = "provider_error"
    retryable: ClassVar[bool] = False
    # Whether another model may be asked instead: the fault lies with this model or provider, not with us.
    fallback: ClassVar[bool] = True
    # What the failed call consumed, where the provider told (an empty answer and a refusal are paid like any other).
    usage: Usage | None = None


class ConnectFailed(ProviderError):
    """The provider could not be reached."""

    kind = "connect_failed"
    retryable = True

    def __init__(self, detail: str = "", *, sent: bool = False) -> None:
        super().__init__(detail)
        # Whether the request may have arrived: then the provider may have worked, and charges for it.
        self.sent = sent


class RateLimited(ProviderError):
    """The provider asks us to slow down."""

    kind = "rate_limited"
    retryable = True

    def __init__(self, detail: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class ProviderUnavailable(ProviderError):
    """The provider has a fault of its own."""

    kind = "provider_unavailable"
    retryable = True

    def __init__(self, detail: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class AnswerTimeout(ProviderError):
    """The answer did not come in time."""

    kind = "timeout"
    retryable = True


class BrokenStream(ProviderError):
    """The answer broke off or was not in the provider's protocol."""

    kind = "broken_stream"
    retryable = True


class AuthenticationFailed(ProviderError):
    """The provider does not accept our key."""

    kind = "authentication_failed"


class BadRequest(ProviderError):
    """The provider does not accept this request."""

    kind = "bad_request"


class ContextTooLong(BadRequest):
    """The prompt is longer than the model can read."""

    kind = "context_too_long"


class StructureUnsupported(BadRequest):
    """The model does not offer this structured-output mode."""

    kind = "structure_unsupported"


class EmptyAnswer(ProviderError):
    """The model finished without an answer."""

    kind = "empty_answer"


class OutOfTokens(EmptyAnswer):
    """The token limit was reached before the first word."""

    kind = "out_of_tokens"


class Refused(ProviderError):
    """The model declined to answer."""

    kind = "refused"


class ContentFiltered(Refused):
    """The provider's content filter declined the question or the answer."""

    kind = "content_filtered"


class EndpointUnavailable(ProviderError):
    """The provider failed several times in a row and is left alone for a while."""

    kind = "endpoint_unavailable"
    retryable = True


class EgressDenied(ProviderError):
    """This address may not be contacted."""

    kind = "egress_denied"
    fallback = False


def _meanings(of: type[CouncilError]) -> dict[str, str]:
    meanings = {of.kind: (of.__doc__ or "").strip().splitlines()[0]}
    for one in of.__subclasses__():
        meanings |= _meanings(one)
    return meanings


MEANINGS: Mapping[str, str] = _meanings(CouncilError)
"""What each kind of error means, in one sentence."""


def without_detail(kind: str, message: str) -> str:
    """What may be told to everybody of an error: what it means. A provider's own words may hold addresses and names of ours."""
    return MEANINGS.get(kind, message)
