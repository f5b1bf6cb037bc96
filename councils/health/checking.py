"""One round of the health check: ask, judge, keep."""

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from councils.health.asking import Answers, ask_all
from councils.health.judging import Answered, Finding, judge_address, judge_model
from councils.models import HealthRecord, HealthState, ModelInfo, Provider
from councils.models.health import BAD, GOOD


def check_health() -> dict[str, int]:
    """Ask every active provider, and keep what is found. Counts active models: ``healthy``, ``unhealthy``, ``unknown``.

    Two rounds at once do no harm: each finding is kept once or twice.
    """
    providers = list(Provider.objects.active().prefetch_related("endpoints", "served_models"))
    listed = set(HealthRecord.objects.of_models().filter(state__in=(*GOOD, HealthState.MISSING)).values_list("model_id", flat=True))
    states: list[str] = []
    for provider, answers in zip(providers, ask_all(providers).values(), strict=True):
        _keep_addresses(provider, answers)
        for model in provider.served_models.all():
            if model.is_active:
                called = answers.calls.get(model.pk)
                finding = judge_model(model.name, answers.addresses, called=called, was_listed=model.pk in listed)
                _keep(finding, provider=provider, model=model)
                states.append(finding.state)
    return {
        "healthy": sum(state in GOOD for state in states),
        "unhealthy": sum(state in BAD for state in states),
        "unknown": states.count(HealthState.UNKNOWN),
    }


def keep_answer(provider: Provider, answer: Answered) -> None:
    """Keep what one address said outside a round, when staff tested it. What is switched off is not checked, so it has no state."""
    if provider.is_active:
        _keep(judge_address(answer), provider=provider, base_url=answer.base_url)


def _keep_addresses(provider: Provider, answers: Answers) -> None:
    for answer in answers.addresses:
        _keep(judge_address(answer), provider=provider, base_url=answer.base_url)
    failing = [answer.base_url for answer in answers.addresses if not answer.works]
    refused = next((answer.problem for answer in answers.addresses if answer.key_refused), "")
    if refused:
        Provider.objects.mark(provider.pk, refused)
    elif provider.problem and _has_noted(provider).exclude(base_url__in=failing).exists():
        # What the check itself has noted, it takes back. A run's complaint stays: many lists are shown without a key.
        Provider.objects.clear(provider.pk)
    addresses = [answer.base_url for answer in answers.addresses]
    gone = HealthRecord.objects.of_addresses().current().filter(provider=provider).exclude(base_url__in=addresses)
    gone.update(is_current=False)


def _has_noted(provider: Provider) -> QuerySet[HealthRecord]:
    """Past records of addresses that tell of the trouble that is noted at their provider."""
    return HealthRecord.objects.of_addresses().filter(provider=provider, is_current=False, problem=provider.problem)


def _keep(finding: Finding, *, provider: Provider, model: ModelInfo | None = None, base_url: str = "") -> None:
    """Go on with the current record where it says the same; else it is past, and a new one begins.

    So does one that tells of the noted trouble and now fails for another reason: that it was noted by a check must not be forgotten.
    """
    now = timezone.now()
    seen = {"checked_at": now, "latency_ms": finding.latency_ms, "problem": finding.problem}
    current = HealthRecord.objects.current().filter(provider=provider, model=model, base_url=base_url)
    same = current.filter(state=finding.state)
    if provider.problem and finding.problem != provider.problem:
        same = same.exclude(problem=provider.problem)
    if same.update(**seen, checks=F("checks") + 1):
        return
    try:
        with transaction.atomic():
            current.update(is_current=False)
            HealthRecord.objects.create(provider=provider, model=model, base_url=base_url, state=finding.state, since=now, **seen)
    except IntegrityError:
        # Another round was quicker, or staff deleted the provider meanwhile.
        return
