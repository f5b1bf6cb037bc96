"""Background work by real workers and a real beat: hand-overs, lost messages, the schedule, a hundred runs in one process."""

import contextlib
import signal
import time
from collections.abc import Iterator
from functools import partial

import pytest

from benchmarks.fake.server import Running
from councils.tests.full.stack import Access, Process, Stack, installation, until

pytestmark = pytest.mark.full

ENDLESS = "tokens=2000,rate=5"
MANY = 100

ASK_MANY = """
import django, sys
django.setup()
from councils.models import CouncilConfiguration, User
from councils.services.asking import ask_council
council, user = CouncilConfiguration.objects.get(slug=sys.argv[1]), User.objects.get(username="viewer")
for number in range(int(sys.argv[2])):
    ask_council(by=user, council=council, question=f"Question {number}: which is best?")
"""

# A worker that looks for unowned runs once, at its start, and then only does what it is told.
WORKER_WITHOUT_A_SCAN = """
import django, sys
django.setup()
from councils.runner import host
host.SCAN_S = 3600.0
sys.argv = ["celery", "-A", "council_site", "worker", "-P", "threads", "-c", "20", "-n", "told@%h", "-l", "warning"]
from celery.__main__ import main
main()
"""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with installation("background") as stack, stack.web():
        yield stack


@pytest.fixture(scope="module")
def access(stack: Stack, fake_provider: Running) -> Access:
    stack.stage(fake_provider.url, slug="endless", behaviour=ENDLESS)
    return stack.stage(fake_provider.url)


def owner_of(stack: Stack, run_id: str) -> str:
    """``host:pid`` of who drives a run; empty while nobody does."""
    return str(stack.rows("SELECT worker FROM councils_councilrun WHERE public_id = %s", run_id)[0][0])


def signed(stack: Stack) -> int:
    """Workers that have said that they work."""
    return int(stack.rows("SELECT count(*) FROM councils_enginesign")[0][0])


def health(stack: Stack) -> dict[str, str]:
    answer = stack.get("/healthz")
    assert answer.status_code == 200, answer.text
    return {name: part["status"] for name, part in answer.json()["components"].items()}


def test_a_worker_that_is_told_to_stop_hands_its_runs_over_warm_and_cold(stack: Stack, access: Access, fake_provider: Running) -> None:
    endless = stack.stage(fake_provider.url, slug="handed", behaviour=ENDLESS)
    # With such a lease no owner is ever taken for dead: who takes a run over was given it.
    with contextlib.ExitStack() as started:
        workers = [started.enter_context(stack.worker(name, RUN_LEASE_TTL_S="600")) for name in ("a", "b", "c")]
        by_pid = {process.pid: process for process in workers}
        until(lambda: signed(stack) == len(workers), "the workers work")
        run_id = stack.start_run(endless)
        for epoch, number in enumerate((signal.SIGTERM, signal.SIGQUIT), start=1):
            until(lambda: owner_of(stack, run_id), "somebody drives the run")
            owner = owner_of(stack, run_id)
            leaving = by_pid[int(owner.rpartition(":")[2])]
            leaving.send_signal(number)
            # A second one must do no harm.
            leaving.send_signal(signal.SIGTERM)
            until(partial(_drives_another, stack, run_id, owner), "another worker drives the run")
            leaving.wait(60)
            assert stack.rows("SELECT epoch, barren_deaths FROM councils_councilrun WHERE public_id = %s", run_id) == [(epoch + 1, 0)]
        assert signed(stack) == 1
        stack.rows("UPDATE councils_councilrun SET status = 'cancelled', finished_at = now() WHERE status = 'running'")


def _drives_another(stack: Stack, run_id: str, than: str) -> bool:
    return owner_of(stack, run_id) not in {"", than}


def test_a_run_whose_message_is_lost_is_sent_again_by_beat_to_a_worker_that_does_not_look(stack: Stack, access: Access) -> None:
    stack.rows("DELETE FROM councils_enginesign")
    with stack.process("-c", WORKER_WITHOUT_A_SCAN, RUN_LEASE_TTL_S="2"), stack.beat():
        until(lambda: signed(stack) == 1, "it has looked once")
        stack.redis.flush()
        stack.rows("UPDATE django_celery_beat_periodictask SET enabled = true WHERE name = 'resend_unowned_runs'")
        run_id = _start_without_a_message(stack, access)
        record = stack.ended(access, run_id)

    assert record["status"] == "succeeded"
    assert stack.get(f"/api/v1/tasks/{run_id}/", access).json()["result"] == f"/api/v1/runs/{run_id}/"


def _start_without_a_message(stack: Stack, access: Access) -> str:
    """As if the broker had lost it between the commit and the worker."""
    script = (
        "import django, sys; django.setup(); from councils import tasks; tasks.start = lambda run: None;"
        "from councils.models import CouncilConfiguration, User; from councils.services.asking import ask_council;"
        "council, user = CouncilConfiguration.objects.get(slug='stack'), User.objects.get(username='viewer');"
        "print(ask_council(by=user, council=council, question=sys.argv[1])[0].public_id)"
    )
    return stack.run("-c", script, f"Lost at {time.monotonic_ns()}?").strip()


def test_beat_sends_what_staff_have_put_on_the_schedule_also_after_a_restart(stack: Stack, access: Access) -> None:
    with stack.worker("checker"):
        with stack.beat():
            until(lambda: _interval(stack), "the schedule is entered")
            stack.rows("INSERT INTO django_celery_beat_intervalschedule (every, period) VALUES (1, 'seconds')")
            stack.rows(
                "UPDATE django_celery_beat_periodictask SET interval_id ="
                " (SELECT id FROM django_celery_beat_intervalschedule WHERE every = 1) WHERE name = 'health_check_models'"
            )
            stack.rows("UPDATE django_celery_beat_periodictasks SET last_update = now()")
            until(lambda: health(stack)["llm_providers"] == "ok", "the health check has run")
        assert _interval(stack) == 1
        before = _checks(stack)
        with stack.beat():
            # One may have been on its way when beat was stopped.
            until(lambda: _checks(stack) > before + 1, "it is run again")

    assert _interval(stack) == 1


def _interval(stack: Stack) -> int | None:
    """The seconds between two health checks on the schedule."""
    query = "SELECT i.every FROM django_celery_beat_periodictask t JOIN django_celery_beat_intervalschedule i ON i.id = t.interval_id"
    found = stack.rows(f"{query} WHERE t.name = 'health_check_models'")
    return int(found[0][0]) if found else None


def _checks(stack: Stack) -> int:
    return int(stack.rows("SELECT coalesce(max(checks), 0) FROM councils_healthrecord WHERE is_current")[0][0])


def test_one_worker_drives_a_hundred_runs_and_still_answers(stack: Stack, access: Access) -> None:
    stack.run("-c", ASK_MANY, "endless", str(MANY))
    with stack.worker("many", concurrency=MANY) as worker:
        until(lambda: _driven_by(stack, worker) == MANY, "all runs are driven at the same time")
        assert stack.pings("many")
        assert health(stack)["celery"] == "ok"
        # Other work is not kept waiting by them.
        assert stack.run("-c", CLEAN).strip() == "{'deleted_count': 0}"
        worker.send_signal(signal.SIGTERM)
        worker.wait(60)

    assert _driven_by(stack, worker) == 0
    assert worker.returncode == 0
    stack.rows("UPDATE councils_councilrun SET status = 'cancelled', finished_at = now() WHERE status = 'running'")


CLEAN = "from council_site.celery import app; print(app.send_task('councils.tasks.cleanup_expired_cache').get(timeout=60))"


def _driven_by(stack: Stack, worker: Process) -> int:
    return int(stack.rows("SELECT count(*) FROM councils_councilrun WHERE status = 'running' AND worker LIKE %s", f"%:{worker.pid}")[0][0])


def test_load_balancers_are_answered_whatever_becomes_of_workers_and_redis(stack: Stack, access: Access) -> None:
    stack.rows("UPDATE councils_enginesign SET seen_at = now() - interval '1 hour'")
    until(lambda: health(stack)["celery"] == "degraded", "nobody works")
    assert health(stack)["redis"] == "ok"
    run_id = stack.start_run(access)
    stack.redis.freeze()
    try:
        until(lambda: health(stack)["redis"] == "degraded", "Redis does not answer")
        assert stack.get("/health").json() == {"status": "ok"}
        stack.redis.thaw()
        stack.redis.flush()
        until(lambda: health(stack)["redis"] == "ok", "Redis answers again")
    finally:
        stack.redis.thaw()
    # An empty Redis has changed nothing of what is known of the run.
    assert stack.get(f"/api/v1/tasks/{run_id}/", access).json()["status"] == "queued"
