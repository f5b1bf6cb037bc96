"""Every page of the site in every state worth looking at: one table for accessibility, layout and screenshots.

Needs ``ROOT_URLCONF`` to be ``councils.tests.browser.broken_urls``, which has the error pages too.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from councils.engine.carrying import Course
from councils.engine.types import RunStatus, StepStatus
from councils.models import (
    AnswerPick,
    Budget,
    Conversation,
    CouncilConfiguration,
    CouncilMember,
    CouncilRun,
    Feedback,
    ModelInfo,
    PickOutcome,
    PromptTemplate,
    Side,
    Thumb,
    Trial,
    TrialRun,
    User,
)
from councils.tests import scenes
from councils.tests.blind import make_blind_run
from councils.tests.browser.support import PlayedSocket
from councils.tests.factories import RunPlan, make_council, make_run, make_user

DRAFT = "I would not discount at all yet. You do not know why people leave, and an annual plan hides the problem for a year. Ask twenty"
MEMBERS = (
    ("qwen2.5:14b", "You are an analyst. Count first, and say what the figures do not tell."),
    ("llama3.3:70b", "You doubt. Find what is missing in the question before you answer it."),
    ("mistral-small:24b", "You speak for the customers: what they see, understand and tell others."),
    ("gemma3:27b", "You have to carry it out. Think of invoices, refunds and support."),
)
UNFOLD = "(chosen) => document.querySelectorAll(chosen).forEach((fold) => (fold.open = true))"
STRANGER = ""
OFFICE_WALK = ("office-today", "office-councils", "office-council", "office-run", "office-difference", "office-try")
BY_SWAGGER = ("region:", "nested-interactive:", "heading-order:", 'is out of sight when it has the focus: <button class=""')


def do_nothing(_page: Page) -> None:
    """Look at the page as it comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One page in one state.

    ``who`` looks at it: a user name, or nobody who is known. ``opened`` are the folds to unfold, as a selector; ``act`` is done on the page
    before one looks; ``while_`` something holds that no other page must meet. ``excused`` are faults of a library that makes the page, as
    they begin. Without ``colours`` it has none that other places lack, in far more text. ``office`` is the back office, whose theme is a
    class and whose parts are a library's. Every test run looks at ``walked`` places; the others are only photographed.
    """

    name: str
    path: str
    who: str = "ada"
    opened: str = ""
    act: Callable[[Page], None] = do_nothing
    while_: Callable[[], AbstractContextManager[None]] = nullcontext
    excused: tuple[str, ...] = ()
    colours: bool = True
    office: bool = False
    walked: bool = True


@dataclass(slots=True)
class Gallery:
    """The places, and the sessions of the people who look at them."""

    places: list[Place] = field(default_factory=list)
    sessions: dict[str, str] = field(default_factory=dict)

    def admit(self, user: User) -> None:
        session = SessionStore()
        session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session.save()
        self.sessions[user.username] = str(session.session_key)

    def visitor(self, browser: Browser, base: str, who: str, *, width: int = 1440, height: int = 900) -> BrowserContext:
        """A browser in which this person is signed in. The server's side of the sockets is played."""
        context = browser.new_context(base_url=base, viewport=ViewportSize(width=width, height=height), reduced_motion="reduce")
        if who:
            context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": self.sessions[who], "url": base}])
        socket = PlayedSocket(context)
        socket.drafts = {key: {"attempt": 1, "text": DRAFT * times} for key, times in {"opinion:agent_2": 1, "synthesis": 3}.items()}
        return context


@contextmanager
def shown(place: Place, page: Page) -> Iterator[Page]:
    """The page as the place describes it."""
    with place.while_():
        page.goto(place.path)
        place.act(page)
        if place.opened:
            page.evaluate(UNFOLD, place.opened)
        yield page


@transaction.atomic
def hang() -> Gallery:
    """Make the rows of all places."""
    gallery = Gallery()
    ada, root, newcomer = make_user("ada"), make_user("root", is_staff=True, is_superuser=True), make_user("newcomer")
    for user in (ada, root, newcomer):
        gallery.admit(user)
    council = make_council(description="Prices, packaging and what customers will say about them.", is_default=True)
    _dress(council)
    make_council(name="Second reader", seats=3, description="Finds what is wrong with a text.")
    Budget.objects.create(user=ada, limit_usd=Decimal(5))
    gallery.places += [*_doors(), *_judgements(ada, council), *_lists(ada, council), *_conversations(ada, council)]
    gallery.places += [*_runs(ada, council), *_errors(), *_asking(), *_office(ada, council)]
    return gallery


def _dress(council: CouncilConfiguration) -> None:
    """Members as people would set them up."""
    for member, (model, persona) in zip(council.members.order_by("position"), MEMBERS, strict=True):
        ModelInfo.objects.filter(pk=member.model_id).update(label=model)
        CouncilMember.objects.filter(pk=member.pk).update(persona=persona)


def _doors() -> Iterator[Place]:
    yield Place(name="sign-in", path="/sign-in/", who=STRANGER)
    yield Place(name="sign-in-refused", path="/sign-in/", who=STRANGER, act=_sign_in_wrongly)
    yield Place(name="sign-up", path="/sign-up/", who=STRANGER)
    yield Place(name="sign-up-refused", path="/sign-up/", who=STRANGER, act=_sign_up_wrongly)
    yield Place(name="settings", path="/settings/")
    yield Place(name="usage", path="/usage/")
    yield Place(name="usage-none", path="/usage/", who="newcomer")
    yield Place(name="settings-saved", path="/settings/", act=_save)
    yield Place(name="password", path="/settings/password/")
    yield Place(name="password-refused", path="/settings/password/", act=_change_password_wrongly)
    yield Place(name="api-docs", path="/api/docs/", who=STRANGER, act=_wait_for_operations, excused=BY_SWAGGER)


def _lists(ada: User, council: CouncilConfiguration) -> Iterator[Place]:
    scenes.many_conversations(ada, council)
    shelved = [Conversation(owner=ada, title=title, archived_at=timezone.now()) for title in ("Tide tables", "")]
    paged = [Conversation(owner=ada, title=f"Harbour, part {number}") for number in range(1, 31)]
    Conversation.objects.bulk_create([*shelved, *paged])
    Conversation.objects.filter(pk__in=[thread.pk for thread in paged]).update(updated_at=timezone.now() - timedelta(days=40))
    Conversation.objects.create(owner=ada, title="An old idea", deleted_at=timezone.now())
    yield Place(name="conversations", path="/conversations/")
    yield Place(name="conversations-tools", path="/conversations/", opened="li:first-child details.tools")
    yield Place(name="conversations-last-page", path="/conversations/?page=2")
    yield Place(name="conversations-found", path="/conversations/?q=annual+plan")
    yield Place(name="conversations-not-found", path="/conversations/?q=zebra")
    yield Place(name="conversations-archived", path="/conversations/?show=archived")
    yield Place(name="conversations-failures", path="/conversations/?show=failures")
    yield Place(name="conversations-deleted", path="/conversations/?show=deleted")
    yield Place(name="conversations-message", path="/conversations/?q=harbour", act=_delete_the_first)
    yield Place(name="conversations-none", path="/conversations/", who="newcomer")


def _conversations(ada: User, council: CouncilConfiguration) -> Iterator[Place]:
    for name, thread in {
        "conversation": scenes.long_conversation(ada, council),
        "conversation-free": make_run(owner=ada, council=council, answer=scenes.ANSWER).conversation,
        "conversation-failed": scenes.failed(ada, council).conversation,
        "conversation-empty": Conversation.objects.create(owner=ada, council=council),
    }.items():
        yield Place(name=name, path=f"/conversations/{thread.public_id}/")


def _runs(ada: User, council: CouncilConfiguration) -> Iterator[Place]:
    done = scenes.usual(ada, council)
    extreme = scenes.extreme(ada)
    for name, run, opened in (
        ("run-queued", make_run(owner=ada, council=council, status=RunStatus.QUEUED, plan=RunPlan()), ""),
        ("run-live", scenes.live(ada, council), ""),
        ("run-reviewing", scenes.reviewing(ada, council), ""),
        ("run-synthesis", scenes.synthesising(ada, council), ""),
        ("run-done", done, ""),
        ("run-done-open", done, "main details"),
        ("run-contested", scenes.contested(ada, council), "main details"),
        ("run-failed", scenes.failed(ada, council), "main details"),
        ("run-cancelled", scenes.cancelled(ada, council), "main details"),
        ("run-extreme", extreme, "#opinions, #voting, #voting details, #costs"),
    ):
        yield Place(name=name, path=f"/runs/{run.public_id}/", opened=opened, colours=run is not extreme)
    root = User.objects.get(username="root")
    tried = scenes.usual(root, council, trial=True)
    TrialRun.objects.create(trial=Trial.objects.create(council=council, by=root), run=tried, side=Side.PUBLISHED)
    yield Place(name="run-trial", path=f"/runs/{tried.public_id}/", who="root")
    yield Place(name="conversation-extreme", path=f"/conversations/{extreme.conversation.public_id}/", colours=False)


def _judgements(ada: User, council: CouncilConfiguration) -> Iterator[Place]:
    """Blind runs before and after the pick, thumbs, versions of one answer."""
    running = RunPlan(opinions=[StepStatus.DONE, StepStatus.RUNNING, StepStatus.DONE, StepStatus.DONE])
    picked = make_blind_run(ada)
    AnswerPick.objects.create(run=picked, by=ada, outcome=PickOutcome.PICKED, candidate="agent_2", shown=["agent_1", "agent_2"])
    blind = [make_blind_run(ada, plan=running, status=RunStatus.RUNNING), make_blind_run(ada)]
    # One council of this name is enough to choose from.
    CouncilConfiguration.objects.filter(name=council.name).exclude(pk=council.pk).update(is_active=False)
    praised = scenes.usual(ada, council)
    Feedback.objects.create(run=praised, by=ada, verdict=Thumb.DOWN, reason="It forgot the customers who pay by invoice.")
    first = scenes.contested(ada, council)
    second = make_run(owner=ada, council=council, conversation=first.conversation, answer=scenes.ANSWER)
    CouncilRun.objects.filter(pk=second.pk).update(message=first.message, based_on=first, course=Course.SYNTHESIS.value)
    for name, run in {
        "run-blind-live": blind[0],
        "run-blind": blind[1],
        "run-blind-picked": picked,
        "run-thumbs": praised,
        "run-version": first,
    }.items():
        yield Place(name=name, path=f"/runs/{run.public_id}/")
    yield Place(name="conversation-versions", path=f"/conversations/{first.conversation.public_id}/")


def _errors() -> Iterator[Place]:
    for kind in ("400", "403", "csrf", "404", "429", "500", "503"):
        yield Place(name=f"error-{kind}", path=f"/broken/{kind}/")
    yield Place(name="error-404-stranger", path="/nothing-here/", who=STRANGER)


def _asking() -> Iterator[Place]:
    yield Place(name="ask", path="/")
    yield Place(name="ask-staff", path="/", who="root")
    yield Place(name="ask-how", path="/", opened="main details")
    yield Place(name="ask-first", path="/", who="newcomer")
    yield Place(name="ask-refused", path="/", act=_ask_nothing)
    yield Place(name="ask-keys", path="/", act=_show_keys)
    yield Place(name="ask-no-council", path="/", who="newcomer", while_=_no_council)
    yield Place(name="ask-no-council-staff", path="/", who="root", while_=_no_council)


def _office(ada: User, council: CouncilConfiguration) -> Iterator[Place]:
    """The pages of the back office that staff look at most."""
    first, second = (
        PromptTemplate.objects.add_version(stage="opinions", name="brief", text=f"Be {how}.\nSay what you know.\n{{question}}")
        for how in ("brief", "very brief, and calm")
    )
    many = make_council(name="Nine seats", seats=9, stage1_prompt_template=first)
    run = scenes.contested(ada, council)
    for name, path in {
        "office-today": "",
        "office-councils": "councils/councilconfiguration/",
        "office-nothing": "councils/questionset/",
        "office-council": f"councils/councilconfiguration/{council.pk}/change/",
        "office-council-nine": f"councils/councilconfiguration/{many.pk}/change/",
        "office-council-new": "councils/councilconfiguration/add/",
        "office-run": f"councils/councilrun/{run.pk}/change/",
        "office-provider": f"councils/provider/{council.chairman_model.provider_id}/change/",
        "office-prompt": f"councils/prompttemplate/{second.pk}/change/",
        "office-difference": f"councils/prompttemplate/{second.pk}/compare/",
        "office-try": f"councils/councilconfiguration/{council.pk}/try/",
    }.items():
        yield Place(name=name, path=f"/admin/{path}", who="root", office=True, walked=name in OFFICE_WALK)


@contextmanager
def _no_council() -> Iterator[None]:
    everyone: QuerySet[CouncilConfiguration] = CouncilConfiguration.objects.filter(is_active=True)
    before = list(everyone.values_list("pk", "is_default"))
    everyone.update(is_active=False, is_default=False)
    yield
    for pk, is_default in before:
        CouncilConfiguration.objects.filter(pk=pk).update(is_active=True, is_default=is_default)


def _sign_in_wrongly(page: Page) -> None:
    page.locator("input[name=username]").fill("ada")
    page.locator("input[name=password]").fill("wrong")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()


def _sign_up_wrongly(page: Page) -> None:
    page.locator("input[name=username]").fill("ada")
    for box in page.locator("input[type=password]").all():
        box.fill("1234")
    page.keyboard.press("Enter")
    page.locator(".error").first.wait_for()


def _save(page: Page) -> None:
    page.locator("main form button").click()
    page.get_by_role("status").first.wait_for()


def _change_password_wrongly(page: Page) -> None:
    for box in page.locator("input[type=password]").all():
        box.fill("1234")
    page.keyboard.press("Enter")
    page.locator(".error").first.wait_for()


def _wait_for_operations(page: Page) -> None:
    page.locator(".opblock").first.wait_for()


def _show_keys(page: Page) -> None:
    page.locator("h1").click()
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()


def _ask_nothing(page: Page) -> None:
    """The browser would not send an empty question; another might."""
    page.evaluate("const form = document.querySelector('form.ask'); form.noValidate = true; form.requestSubmit()")
    page.get_by_role("alert").wait_for()


def _delete_the_first(page: Page) -> None:
    page.locator("details.tools summary").first.click()
    page.locator("button[formaction$='/delete/']").first.click()
    page.get_by_role("status").first.wait_for()
