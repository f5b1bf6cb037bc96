"""Whatever is written into any field is text on every page: nothing opens, nothing runs, nothing is asked elsewhere, no rule is broken."""

from collections.abc import Sequence
from io import StringIO
from urllib.parse import quote

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.db import transaction
from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, expect
from pytest_django.live_server_helper import LiveServer

from councils.engine.types import StepStatus
from councils.models import (
    AuditEntry,
    CachedResponse,
    Conversation,
    CouncilConfiguration,
    CouncilDraft,
    CouncilRun,
    Feedback,
    PromptTemplate,
    Provider,
    ProviderEndpoint,
    QuestionSet,
    RateLimitLog,
    RunStep,
    SavedQuestion,
    Trial,
    TrialRun,
    User,
)
from councils.services.drafting import document_of, keep_draft
from councils.tests import scenes
from councils.tests.admin.test_pages import write_everything
from councils.tests.browser.conftest import visitor
from councils.tests.browser.gallery import UNFOLD
from councils.tests.browser.poison import PAYLOADS, fill, poison, tables
from councils.tests.browser.support import Faults, PlayedSocket, wait_for
from councils.tests.factories import RunPlan, make_council, make_run

DONE = StepStatus.DONE
PLAN = RunPlan(
    opinions=[DONE, DONE, StepStatus.FAILED, DONE],
    reviews=[DONE, StepStatus.INVALID, DONE, DONE],
    orders={1: (4, 2), 3: (2, 1), 4: (1, 2)},
    counted=True,
    synthesis=DONE,
)

# Nothing of this is in a page of ours, and hostile text would bring it in.
FOREIGN = """() => {
  const name = (one) => one.outerHTML.slice(0, 160);
  const faults = [...document.querySelectorAll("base, object, embed, iframe, frame, math, xmp, marquee")].map(name);
  for (const one of document.querySelectorAll("*")) {
    for (const { name: attribute, value } of one.attributes) {
      const address = ["href", "src", "action", "formaction", "xlink:href", "ping", "srcset", "poster"].includes(attribute);
      if (attribute.startsWith("on") || (address && /^\\s*(javascript|vbscript|file):/i.test(value))) faults.push(name(one));
      const link = one.matches("main a[rel~=noopener]") && attribute === "href";
      if (address && !link && new URL(value, location.href).origin !== location.origin) faults.push(name(one));
    }
  }
  const inline = [...document.scripts].filter((one) => !one.src && one.type !== "application/json");
  return [...faults, ...inline.map(name)];
}"""


def visit(tab: Page, paths: Sequence[str]) -> None:
    """Open these pages with everything in them unfolded. Fails for what is not ours in them."""
    found = []
    for path in paths:
        tab.goto(path)
        tab.evaluate(UNFOLD, "details")
        found += [f"{path}: {fault}" for fault in tab.evaluate(FOREIGN)]
    assert found == []


@pytest.fixture
def runs(ada: User) -> list[CouncilRun]:
    """As many runs as there are payloads, in a few conversations; a row in every table; every free field filled with payloads."""
    with transaction.atomic():
        runs = _write(ada)
    assert [model.__name__ for model in tables() if not model._default_manager.exists()] == []
    return runs


def _write(ada: User) -> list[CouncilRun]:
    write_everything("plain")
    runs: list[CouncilRun] = []
    for number in range(len(PAYLOADS)):
        council = make_council(seats=4, name=f"Council {number}", description="What it is for.")
        thread = runs[-1].conversation if number % 10 else None
        runs.append(make_run(owner=ada, council=council, plan=PLAN, conversation=thread, reason="Because."))
        Feedback.objects.create(run=runs[-1], by=ada, verdict="up", reason="Good.")
        Conversation.objects.create(owner=ada, title=f"Number {number}")
    now = timezone.now()
    ProviderEndpoint.objects.create(provider=Provider.objects.earliest("pk"), base_url="https://second.example.com")
    RateLimitLog.objects.create(identifier="ip:10.0.0.1", endpoint="GET ask", window_start=now, window_end=now)
    moments = {"created_at": now, "last_used_at": now, "expires_at": now}
    CachedResponse.objects.create(kind="llm", cache_key="k", response_data={"text": "An answer."}, **moments)
    of = str(Provider.objects.earliest("pk").pk)
    told = {"actor_name": "ada", "object_name": "Council", "changes": {"name": ["One", "Two"]}, "note": "Why."}
    AuditEntry.objects.create(door="admin", verb="changed", kind="councils.provider", object_id=of, **told)
    document = {"name": "Council", "seats": [{"name": "Analyst"}]}
    draft = CouncilDraft.objects.create(council=council, name="Warmer", document=document)
    Trial.objects.create(council=draft.council, draft=draft, draft_name="Warmer")
    SavedQuestion.objects.create(question_set=QuestionSet.objects.create(name="Hard ones", description="Why."), text="Which is best?")
    # By its name, since analytics read councils and never the other way round.
    call_command("aggregate_model_analytics", stdout=StringIO())
    for model in tables():
        if not model._default_manager.exists():
            fill(model)
    poison()
    return runs


def test_stored_text_is_text_on_the_pages(tab: Page, runs: list[CouncilRun], faults: Faults) -> None:
    threads = dict.fromkeys(f"/conversations/{run.conversation.public_id}/" for run in runs)
    visit(tab, ["/", "/conversations/", "/conversations/?page=2", *threads, *(f"/runs/{run.public_id}/" for run in runs)])

    assert faults.seen == []
    tab.goto(f"/runs/{runs[0].public_id}/")
    runs[0].message.refresh_from_db()
    assert runs[0].message.text in PAYLOADS
    expect(tab.locator("main")).to_contain_text(runs[0].message.text)


@pytest.fixture
def office(browser: Browser, live_server: LiveServer, ada: User) -> BrowserContext:
    """A browser in which somebody who runs the place is signed in."""
    return visitor(browser, live_server.url, User.objects.create_superuser("root", password="correct horse battery"))


def address_of(model: type[Model], page: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def test_stored_text_is_text_in_the_admin(office: BrowserContext, live_server: LiveServer, runs: list[CouncilRun]) -> None:
    faults = Faults(office, live_server.url)
    ours = [model for model in admin.site._registry if model._meta.app_label == "councils"]
    records = {model: row for model in ours if (row := model._default_manager.last())}
    changes = [address_of(model, "change", row.pk) for model, row in records.items()]
    told = AuditEntry.objects.latest("pk")
    run = records[CouncilRun]
    changes += [address_of(Provider, "history", told.object_id), address_of(CouncilRun, "prompt", run.pk, "synthesis")]
    changes += [address_of(CouncilRun, "deed", run.pk, "cancel"), f"{reverse('admin:analytics_modelanalytics_usage')}?by=council"]

    visit(office.new_page(), ["/admin/", *(address_of(model, "changelist") for model in ours), *changes])

    assert faults.seen == []
    office.close()


def test_stored_text_is_text_on_the_admins_other_pages(office: BrowserContext, live_server: LiveServer, runs: list[CouncilRun]) -> None:
    """Where staff compare, try, publish, put away and switch off: both what fits and what is refused with all its faults."""
    faults = Faults(office, live_server.url)
    council = runs[-1].council
    assert council is not None
    trial = Trial.objects.get()
    for place, (run, side) in enumerate(zip(runs[-4:], ("draft", "published") * 2, strict=True)):
        TrialRun.objects.create(trial=trial, run=run, side=side, place=place // 2)
    misfit = CouncilDraft.objects.get()
    fit = keep_draft(council=council, document=document_of(council) | {"description": "Other."}, by=None, name=PAYLOADS[3][:100])
    prompt = PromptTemplate.objects.latest("pk")
    seat = council.members.earliest("pk")
    drafts = [address_of(CouncilDraft, page, draft.pk) for draft in (fit, misfit) for page in ("change", "publish")]
    model, provider = seat.model, seat.model.provider
    CouncilConfiguration.objects.filter(pk=council.pk).update(archived_at=None, is_active=True)

    visit(
        office.new_page(),
        [
            *drafts,
            f"{address_of(CouncilConfiguration, 'change', council.pk)}?draft={fit.pk}",
            f"{address_of(CouncilConfiguration, 'try', council.pk)}?draft={fit.pk}",
            f"{address_of(CouncilConfiguration, 'archive')}?id={council.pk}",
            address_of(CouncilConfiguration, "import"),
            address_of(Trial, "change", trial.pk),
            address_of(PromptTemplate, "compare", prompt.pk),
            f"{address_of(type(model), 'switch_off')}?id={model.pk}",
            f"{address_of(Provider, 'switch_off')}?id={provider.pk}",
            address_of(Provider, "models", provider.pk),
        ],
    )

    assert faults.seen == []
    office.close()


def test_text_that_is_given_back_is_text(tab: Page, ada: User, council: CouncilConfiguration, faults: Faults) -> None:
    """What a search looked for, what a message repeats, what a refused form keeps."""
    Conversation.objects.create(owner=ada, title="Harbour")
    some = [" ".join(PAYLOADS[start : start + 4])[:190] for start in range(0, len(PAYLOADS), 4)]
    visit(tab, [f"/conversations/?q={quote(text)}" for text in some])
    tab.goto("/conversations/")
    for text in (PAYLOADS[0], PAYLOADS[4], PAYLOADS[13]):
        tab.locator("details.tools summary").first.click()
        tab.locator("input[name=title]").first.fill(text)
        tab.keyboard.press("Enter")
        expect(tab.get_by_role("status").first).to_contain_text(text)
        assert tab.evaluate(FOREIGN) == []
    tab.goto("/")
    tab.locator("#id_question").fill("\n".join(PAYLOADS[:28]))
    tab.evaluate("const form = document.querySelector('form.ask'); form.querySelector('[name=nonce]').value = ''; form.requestSubmit()")
    tab.wait_for_load_state()
    assert tab.evaluate(FOREIGN) == []
    assert faults.seen == []


def test_streamed_text_is_text(tab: Page, ada: User, council: CouncilConfiguration, socket: PlayedSocket, faults: Faults) -> None:
    """As drafts of a snapshot, as pieces of text, and where the server's messages name steps and kinds."""
    run = scenes.synthesising(ada, council)
    RunStep.objects.filter(run=run, key="opinion:agent_2").update(status=StepStatus.RUNNING.value, text="")
    whole = "\n".join(PAYLOADS)
    socket.drafts = {"synthesis": {"attempt": 1, "text": whole}}
    tab.goto(f"/runs/{run.public_id}/")
    wait_for(tab, lambda: tab.locator('[data-draft="synthesis"]').text_content() == whole)
    seq = run.next_seq
    for number, payload in enumerate(PAYLOADS, start=1):
        socket.delta(("synthesis", number + 1, 0, payload), ("opinion:agent_2", number, 0, payload), (payload, 1, 0, payload))
        socket.event(seq + 2 * number, payload, payload)
    wait_for(tab, lambda: tab.locator('[data-draft="synthesis"]').text_content() == PAYLOADS[-1])

    assert tab.evaluate(FOREIGN) == []
    assert faults.seen == []


def test_each_payload_alone_does_nothing_when_it_is_swapped_in(tab: Page, ada: User, council: CouncilConfiguration, faults: Faults) -> None:
    run = make_run(owner=ada, council=council)
    tab.goto(f"/runs/{run.public_id}/")
    for payload in PAYLOADS:
        RunStep.objects.filter(run=run, key="opinion:agent_1").update(text=payload)
        tab.evaluate(
            """async (path) => {
                const html = await (await fetch(path)).text();
                const arrived = new DOMParser().parseFromString(html, "text/html").body.firstElementChild;
                document.querySelector('[data-part="opinion:agent_1"]').replaceWith(document.adoptNode(arrived));
            }""",
            f"/runs/{run.public_id}/parts/opinion:agent_1/",
        )
        assert tab.evaluate(FOREIGN) == []
    assert faults.seen == []
