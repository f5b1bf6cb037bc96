"""How quick the admin is on a long history: the first page, every list, the filters and searches that people use, the hourly sums.

    DATABASE_URL=postgres://postgres@127.0.0.1/council_long python -m benchmarks.admin
    DATABASE_URL=... python -m benchmarks.admin --seed        # first writes a million calls into an empty database

Pages are asked for in this process, by Django's test client, with an eye on this process's own CPU time too: other work on the machine
lengthens the wall time. It reads the database that ``DATABASE_URL`` names, and adds one user for the time of the measurement.
"""

import argparse
import logging
import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus

import django

os.environ.setdefault("SITE_PROFILE", "local")
# One reader asks for more pages than anybody reads in an hour.
os.environ["RATE_LIMIT_READ_REQUESTS"] = "0"
os.environ["DJANGO_SETTINGS_MODULE"] = "council_site.settings"
django.setup()

# Only now: these import models, which need the settings above.
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from analytics.aggregation import aggregate
from councils.models import CouncilRun, ModelCall, ModelInfo, User

REQUESTS = 20
USER = "benchmark-of-the-admin"
ADMIN_TARGET_MS, LIST_TARGET_MS = 300, 500
SLICES = (
    ("councilrun", "status__exact=failed&day=yesterday"),
    ("councilrun", "attention=needed"),
    ("councilrun", "cost=1"),
    ("councilrun", "ballots=invalid"),
    ("councilrun", "status__exact=partial"),
    ("councilrun", "mark=contested"),
    ("councilrun", "held=yes"),
    ("councilrun", "council__id__exact=1"),
    ("councilrun", "owner__id__exact=7"),
    ("councilrun", "model={model}"),
    ("councilrun", "q=reader7"),
    ("councilrun", "q=no-such-thing"),
    ("councilrun", "p=150"),
    ("councilrun", "o=-7"),
    ("modelcall", "q=timeout"),
    ("modelcall", "o=-8"),
    ("modelcall", "o=-9"),
    ("modelcall", "cost=unknown"),
    ("modelcall", "model={model}"),
    ("modelcall", "error_kind__exact=broken_stream&day=30"),
    ("modelcall", "q=no-such-thing"),
    ("message", "q=both+sides"),
    ("ledgerentry", "q=reader7"),
)


@contextmanager
def signed_in() -> Iterator[Client]:
    user, _ = User.objects.get_or_create(username=USER, defaults={"is_staff": True, "is_superuser": True})
    client = Client()
    client.force_login(user)
    try:
        yield client
    finally:
        user.delete()


def addresses() -> Iterator[str]:
    """The first page, the list of every table of the product, and slices of the long ones."""
    yield reverse("admin:index")
    for model in sorted(apps.get_models(), key=lambda model: model.__name__):
        if admin.site.is_registered(model) and model._meta.app_label in {"councils", "analytics"}:
            yield reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    asked = ModelInfo.objects.order_by("pk").values_list("pk", flat=True)
    for name, query in SLICES:
        yield f"{reverse(f'admin:councils_{name}_changelist')}?{query.format(model=asked[len(asked) // 2])}"


def count_queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        client.get(address)
    return len(queries)


def measure(client: Client, address: str, requests: int) -> tuple[float, float, float, int, int]:
    """Median and 95th percentile of the wall time and median CPU time in ms, queries, bytes. The first answer fills caches."""
    client.get(address)
    # Now and then an answer also writes down how often it was asked for: that is no part of the page.
    asked = min(count_queries(client, address) for _ in range(3))
    walls, cpus = [], []
    for _ in range(requests):
        wall, cpu = time.perf_counter(), time.process_time()
        answer = client.get(address)
        walls.append((time.perf_counter() - wall) * 1000)
        cpus.append((time.process_time() - cpu) * 1000)
        if answer.status_code != HTTPStatus.OK:
            raise SystemExit(f"{address} answered {answer.status_code}.")
    slow = sorted(walls)[max(int(len(walls) * 0.95) - 1, 0)]
    return statistics.median(walls), slow, statistics.median(cpus), asked, len(answer.content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", action="store_true", help="write a million calls first, into an empty database")
    parser.add_argument("--requests", type=int, default=REQUESTS, help="answers of each page (default: %(default)s)")
    options = parser.parse_args()
    logging.disable(logging.INFO)
    settings.ALLOWED_HOSTS.append("testserver")
    if options.seed:
        call_command("migrate", verbosity=0)
        call_command("seed_history", runs=100_000, calls=1_000_000, conversations=5_000)
    if not CouncilRun.objects.exists():
        raise SystemExit("This database holds no runs. Name another one in DATABASE_URL, or add --seed.")
    began = time.perf_counter()
    aggregate()
    caught_up = time.perf_counter() - began
    began, cpu = time.perf_counter(), time.process_time()
    day = aggregate(since=timezone.now() - timedelta(days=1))
    took, worked = time.perf_counter() - began, time.process_time() - cpu
    print(f"{ModelCall.objects.count():,} calls in {CouncilRun.objects.count():,} runs, {connection.vendor}; load {os.getloadavg()[0]:.1f}")
    span = f"{day.hours} hours and {day.conversations} conversations"
    print(f"sums caught up in {caught_up:.1f} s; a day of {span} in {took:.1f} s, CPU {worked:.1f} s")
    print(f"{'median ms':>10}{'p95 ms':>8}{'CPU ms':>8}{'queries':>9}{'kB':>6}  page")
    with signed_in() as client:
        for address in addresses():
            median, slow, cpu_ms, queries, size = measure(client, address, options.requests)
            target = ADMIN_TARGET_MS if address == reverse("admin:index") else LIST_TARGET_MS
            mark = "" if slow <= target else f"  over {target} ms"
            print(f"{median:10.0f}{slow:8.0f}{cpu_ms:8.0f}{queries:9}{size / 1000:6.0f}  {address}{mark}")
            sys.stdout.flush()
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
