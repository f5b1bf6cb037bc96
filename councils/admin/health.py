"""How providers and models are, as the health checks and the running engines see it: badges for lists and forms, and the records."""

from collections.abc import Iterable
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from councils.admin.base import ReadOnlyAdmin, display, register
from councils.admin.large import CappedPaginator
from councils.admin.show import NOTHING, duration, json_block, link_to, link_to_list, moment
from councils.models import EngineSign, HealthRecord, HealthState, ModelInfo, Provider
from councils.models.health import BAD

# Worst first: a provider is as well as its worst address.
ORDER = (HealthState.FAILING, HealthState.MISSING, HealthState.SLOW, HealthState.UNKNOWN, HealthState.HEALTHY)
HEALTH_LABELS = {
    HealthState.HEALTHY.value: "success",
    HealthState.SLOW.value: "warning",
    HealthState.FAILING.value: "danger",
    HealthState.MISSING.value: "danger",
    HealthState.UNKNOWN.value: "",
    "": "",
}
NOT_CHECKED = ("", "not checked yet")


def prefetch_health() -> Prefetch[Any]:
    """The present records of the rows of a list, in one query; read by ``badge``."""
    return Prefetch("health_records", queryset=HealthRecord.objects.current(), to_attr="present_health")


def badge(row: Provider | ModelInfo) -> tuple[str, str]:
    """The state for the label's colour, and its words."""
    records: list[HealthRecord] = getattr(row, "present_health", [])
    if isinstance(row, Provider):
        records = [record for record in records if record.model_id is None]
    worst = min(records, key=lambda record: ORDER.index(HealthState(record.state)), default=None)
    if worst is None:
        return NOT_CHECKED
    since = f" since {moment(worst.since)}" if worst.state in BAD else ""
    return worst.state, f"{worst.get_state_display()}{since}"


def in_words(row: Provider | ModelInfo) -> SafeString | str:
    """All that is known now, line by line, with the way to what was before."""
    if not row.pk:
        return NOTHING
    records = row.health_records.current().select_related("model")
    if isinstance(row, Provider):
        records = records.of_addresses()
    field = "provider" if isinstance(row, Provider) else "model"
    lines: list[object] = [_line(record) for record in records.order_by("base_url")] or ["Not checked yet."]
    lines += _left_alone(row)
    lines.append(link_to_list(HealthRecord, "History", **{f"{field}__id__exact": row.pk}))
    return format_html_join("", "<div>{}</div>", ((line,) for line in lines))


def _line(record: HealthRecord) -> str:
    where = f"{record.base_url}: " if record.base_url else ""
    took = f", {duration(record.latency_ms)}" if record.latency_ms is not None else ""
    why = f" {record.problem}" if record.problem else ""
    return f"{where}{record.get_state_display()} since {moment(record.since)} (last check {moment(record.checked_at)}{took}).{why}"


def _left_alone(row: Provider | ModelInfo) -> list[str]:
    """What the engines that run now ask no more for a while. Each learns by itself, so that they may differ."""
    engines = list(EngineSign.objects.alive())
    counts: dict[str, int] = {}
    for line in (line for engine in engines for line in engine.left_alone):
        if _is_about(line, row):
            what = f"{line['address']}{' for ' + line['model'] if line['model'] else ''}"
            counts[what] = counts.get(what, 0) + 1
    return [f"Left alone for now by {n} of {len(engines)} engines: {what}." for what, n in sorted(counts.items())]


def _is_about(line: dict[str, Any], row: Provider | ModelInfo) -> bool:
    if isinstance(row, Provider):
        return bool(line["provider"] == row.pk)
    return bool(line["provider"] == row.provider_id and line["model"] in {"", row.name})


class HealthFilter(SimpleListFilter):
    """Rows by what the last check found."""

    title = "health"
    parameter_name = "health"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(state.value, str(state.label)) for state in HealthState]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in HealthState.values:
            return queryset
        records = HealthRecord.objects.current().filter(state=self.value())
        if queryset.model is Provider:
            return queryset.filter(pk__in=records.of_addresses().values("provider"))
        return queryset.filter(pk__in=records.of_models().values("model"))


@register(HealthRecord)
class HealthRecordAdmin(ReadOnlyAdmin[HealthRecord]):
    """What the checks have found, newest first."""

    paginator = CappedPaginator
    list_display = ("what", "provider_link", "state_label", "is_current", "since", "checked_at", "checks", "took")
    list_filter = ("is_current", "state", "provider")
    list_select_related = ("provider", "model", "model__provider")
    search_fields = ("provider__name", "model__name", "base_url")
    ordering = ("-is_current", "-since")
    fields = ("what", "provider_link", "state_label", "is_current", "since", "checked_at", "checks", "took", "problem")
    readonly_fields = ("what", "provider_link", "state_label", "took")

    @display(description="what")
    def what(self, record: HealthRecord) -> str:
        return record.model.display_name if record.model else record.base_url

    @display(description="provider", ordering="provider__name")
    def provider_link(self, record: HealthRecord) -> SafeString | str:
        return link_to(record.provider)

    @display(description="state", ordering="state", label=HEALTH_LABELS)
    def state_label(self, record: HealthRecord) -> tuple[str, str]:
        return record.state, str(record.get_state_display())

    @display(description="answered in", ordering="latency_ms")
    def took(self, record: HealthRecord) -> str:
        return duration(record.latency_ms)


@register(EngineSign)
class EngineSignAdmin(ReadOnlyAdmin[EngineSign]):
    """Processes that drive runs. One that has not been seen for a while has died."""

    list_display = ("worker", "kind", "alive", "runs", "started_at", "seen_at")
    fields = ("worker", "kind", "alive", "runs", "started_at", "seen_at", "shown_left_alone")
    readonly_fields = ("alive", "shown_left_alone")

    def get_queryset(self, request: HttpRequest) -> QuerySet[EngineSign]:
        return EngineSign.objects.with_alive()

    @display(description="state", label={"works": "success", "silent": "danger"})
    def alive(self, sign: EngineSign) -> str:
        return "works" if getattr(sign, "is_alive", False) else "silent"

    @display(description="asked no more for now")
    def shown_left_alone(self, sign: EngineSign) -> SafeString | str:
        return json_block(sign.left_alone) if sign.left_alone else NOTHING
