"""Ask a council from the terminal and watch it deliberate."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper
from rich.console import Console

from councils.engine.types import RunStatus
from councils.local_model import LocalModelError, start_local_model
from councils.management.board import Board
from councils.management.following import follow
from councils.management.screens import JsonScreen, LiveScreen, PlainScreen, Print, Screen
from councils.models import CouncilConfiguration, Provider, RunOrigin, User
from councils.runner import host
from councils.services.asking import ask_council, cancel_run
from councils.services.errors import Rejected
from councils.services.standing import default_council
from councils.services.starter_documents import LOCAL_SLUG
from councils.snapshot import take_snapshot

FAILED, INTERRUPTED = 1, 130
ANSWERED = frozenset({RunStatus.SUCCEEDED.value, RunStatus.PARTIAL.value})


class Command(BaseCommand):
    help = "Ask a council and watch it deliberate. The exit code is 0 when there is an answer, 1 when the run fails, 130 after Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("question", nargs="?", help="The question; left out, it is read from standard input.")
        parser.add_argument("--council", metavar="SLUG", help="Which council (default: the default one).")
        parser.add_argument("--user", metavar="NAME", help="In whose name (default: the first superuser).")
        parser.add_argument("--json", action="store_true", dest="as_json", help="Print the run's events, one JSON object a line.")

    def handle(self, *args: Any, **options: Any) -> None:
        user = _user(options["user"])
        council = _council(options["council"], user)
        question = sys.stdin.read() if options["question"] is None else options["question"]
        try:
            with local_model_for(council), _engine():
                status = self._ask(user, council, question, self._screen(options))
        except LocalModelError as error:
            raise CommandError(str(error)) from error
        except Rejected as error:
            raise CommandError(error.message) from error
        except KeyboardInterrupt:
            raise CommandError("Cancelled.", returncode=INTERRUPTED) from None
        if status not in ANSWERED:
            raise CommandError("There is no answer.", returncode=FAILED)

    def _ask(self, user: User, council: CouncilConfiguration, question: str, screen: Screen) -> str:
        """Ask, show the run until it ends, and return its status. Ctrl-C cancels the run."""
        run, _ = ask_council(by=user, council=council, question=question, origin=RunOrigin.CLI)
        board = Board.of(run.spec_seats())
        try:
            with screen:
                end = asyncio.run(follow(run, board, screen))
                screen.finish(board, end)
        except KeyboardInterrupt:
            cancel_run(run=run, by=user)
            raise
        return str(end["status"])

    def _screen(self, options: dict[str, Any]) -> Screen:
        if options["as_json"]:
            return JsonScreen(_line_by_line(self.stdout))
        if self.stdout.isatty():
            return LiveScreen(Console(no_color=options["no_color"]))
        return PlainScreen(_line_by_line(self.stdout), _line_by_line(self.stderr))


def _line_by_line(stream: OutputWrapper) -> Print:
    """Whoever reads a pipe sees each line when it is written, without the red of errors."""

    def write(line: str) -> None:
        stream.write(line, style_func=str)
        stream.flush()

    return write


def _user(name: str | None) -> User:
    if name is not None:
        found = User.objects.filter(username=name, is_active=True).first()
        if found is None:
            raise CommandError(f"There is no user {name!r} who may sign in.")
        return found
    found = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    if found is None:
        raise CommandError("There is no superuser to ask in the name of. Make one with: manage.py createsuperuser")
    return found


def _council(slug: str | None, user: User) -> CouncilConfiguration:
    found = default_council(user) if slug is None else CouncilConfiguration.objects.visible_to(user).filter(slug=slug).first()
    if found is None:
        known = ", ".join(CouncilConfiguration.objects.active().values_list("slug", flat=True)) or "none"
        wrong = "There is no default council." if slug is None else f"There is no council {slug!r}."
        raise CommandError(f"{wrong} Choose one with --council: {known}.")
    return found


@contextlib.contextmanager
def _engine() -> Iterator[None]:
    """An engine in this process, so that nobody needs to serve. Beside a serving process it does no harm: one of them claims the run."""
    if settings.RUN_ENGINE != "embedded" or host.current().running:
        yield
        return
    host.current().start()
    try:
        yield
    finally:
        host.current().stop()


@contextlib.contextmanager
def local_model_for(council: CouncilConfiguration) -> Iterator[None]:
    """The small local model, if this council asks it and nobody serves it yet."""
    port = _local_port(council)
    if port is None or _is_served(port):
        yield
        return
    with start_local_model(port):
        yield


def _local_port(council: CouncilConfiguration) -> int | None:
    snapshot = take_snapshot(CouncilConfiguration.objects.with_details().get(pk=council.pk), seed="")
    asked = {target.provider_id for target in snapshot.models.values()}
    local = Provider.objects.filter(slug=LOCAL_SLUG, pk__in=asked).first()
    return urlsplit(local.base_url).port if local else None


def _is_served(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
