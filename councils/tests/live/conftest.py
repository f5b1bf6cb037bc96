"""The real site in a process of its own, on a real port, on the test's database."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from django.db import connection

from benchmarks.fake.server import Running
from benchmarks.kill import settings_of
from benchmarks.killing import Server
from councils.models import CouncilRun, User
from councils.tests.live.tab import Tab, cookie_of, open_socket, signed_in

OpenTab = Callable[..., AbstractContextManager[Tab]]


def database_url() -> str:
    facts = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{facts['NAME']}"
    return f"postgres://{facts['USER']}:{facts['PASSWORD']}@{facts['HOST']}:{facts['PORT']}/{facts['NAME']}"


# Not longer than a module: its engine takes whatever run it finds, also those of other tests.
@pytest.fixture(scope="module")
def _server(django_db_setup: None, fake_provider: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    # The keys are those of the test settings, so that a session made here is one there.
    kept = {name: os.environ[name] for name in ("SECRET_KEY", "FIELD_ENCRYPTION_KEYS")}
    environment = os.environ | settings_of(database_url()) | kept
    server = Server(tmp_path_factory.mktemp("site") / "server.log", environment=environment)
    yield server
    server.send(signal.SIGTERM)
    server.close()


@pytest.fixture
def site(_server: Server, transactional_db: None) -> Server:
    """The site, listening. A test may kill it; the next one finds it running again."""
    if not _server.running:
        _server.start()
    return _server


@pytest.fixture
def open_tab(site: Server, asker: User) -> OpenTab:
    """Open a tab of the asker's on a run."""

    @contextmanager
    def opened(run: CouncilRun, *, like: Tab | None = None) -> Iterator[Tab]:
        with open_socket(site.port, cookie=cookie_of(signed_in(asker))) as socket:
            tab = Tab(socket, run)
            if like is not None:
                tab.events, tab.drafts, tab.written = list(like.events), dict(like.drafts), dict(like.written)
            tab.subscribe()
            yield tab

    return opened
