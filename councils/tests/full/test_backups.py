"""Backup and restore by their commands, on both databases: what comes back is what was there, and runs in flight wait."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

pytestmark = pytest.mark.full

ROOT = Path(__file__).resolve().parents[3]
KEY, OTHER_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY="
SECRET = "sk-a-secret-of-the-provider"

# All in one process: starting one takes longer than everything that is done here.
STORY = """
import django, io, json, sys
from pathlib import Path
django.setup()
from django.conf import settings
from django.core.management import CommandError, call_command
from councils.models import CouncilRun, Provider, User
from councils.tests.factories import make_run, make_user

def said(*command):
    out = io.StringIO()
    try:
        call_command(*command, stdout=out, stderr=out)
    except CommandError as refusal:
        return f"refused: {refusal}"
    return out.getvalue()

def there():
    runs = [[run.status, run.held, run.worker, run.epoch] for run in CouncilRun.objects.order_by("pk")]
    return {"users": sorted(User.objects.filter(username__in=["keeper", "late"]).values_list("username", flat=True)), "runs": runs}

folder, secret, other_key = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
file, found = folder / "site.backup", {}
call_command("migrate", verbosity=0, interactive=False)
make_user("keeper")
live, ended = make_run(), make_run()
CouncilRun.objects.filter(pk=live.pk).update(status="running", worker="old:1", epoch=3)
CouncilRun.objects.filter(pk=ended.pk).update(status="succeeded", epoch=1)
provider = Provider.objects.first()
provider.set_api_key(secret)
provider.save()

found["backup"] = said("backup", str(file))
found["mode"] = file.stat().st_mode & 0o777
found["holds the secret"] = secret.encode() in file.read_bytes()
make_user("late")
found["second backup"] = said("backup", str(file))
found["restore without yes"] = said("restore", str(file))
whole = file.read_bytes()
(folder / "half").write_bytes(whole[: len(whole) // 2])
(folder / "no tail").write_bytes(whole[:-200])
(folder / "other").write_text("some text that is no backup")
found["wrong"] = [said("restore", str(folder / name), "--yes") for name in ("half", "no tail", "other", "missing")]
found["before"] = there()
found["restore"] = said("restore", str(file), "--yes")
found["after"] = there()
found["backup of the restored"] = said("backup", str(file), "--yes")
settings.FIELD_ENCRYPTION_KEYS = [other_key]
found["restore with another ring"] = said("restore", str(file), "--yes")
found["at last"] = there()
print(json.dumps(found))
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'site.sqlite3'}"
        return
    server, _, base = os.environ["TEST_DATABASE_URL"].rpartition("/")
    drop = f"DROP DATABASE IF EXISTS {base}_backups WITH (FORCE)".encode()
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin, contextlib.ExitStack() as ends:
        admin.execute(drop)
        ends.callback(admin.execute, drop)
        admin.execute(f"CREATE DATABASE {base}_backups".encode())
        yield f"{server}/{base}_backups"


def test_what_was_backed_up_comes_back_and_runs_in_flight_wait_for_staff(url: str, tmp_path: Path) -> None:
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "council_site.settings",
        "SITE_PROFILE": "local",
        "ENV_FILE": os.devnull,
        "DATABASE_URL": url,
        "REDIS_URL": "",
        "FIELD_ENCRYPTION_KEYS": KEY,
    }
    command = [sys.executable, "-c", STORY, str(tmp_path), SECRET, OTHER_KEY]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)

    assert "FIELD_ENCRYPTION_KEYS" in found["backup"]
    assert (found["mode"], found["holds the secret"]) == (0o600, False)
    # Not over an older backup and not over a database that is in use, unless that is meant; not from half a backup or from anything else.
    assert "is there already" in found["second backup"]
    assert "not empty" in found["restore without yes"]
    assert all(said.startswith("refused: ") for said in found["wrong"])
    assert "the database is as it was" in found["wrong"][0]
    if url.startswith("postgres"):
        assert all("The backup is damaged or cut off: take another copy." in said for said in found["wrong"][:2]), found["wrong"]
    assert found["before"] == {"users": ["keeper", "late"], "runs": [["running", False, "old:1", 3], ["succeeded", False, "", 1]]}
    restored = {"users": ["keeper"], "runs": [["running", True, "", 1003], ["succeeded", False, "", 1]]}
    assert "1 runs were in flight and wait for staff" in found["restore"]
    assert found["after"] == restored
    # What was restored can be backed up and restored again. With another ring of keys it says so.
    assert found["at last"] == restored
    assert "does not fit the keys of:" in found["restore with another ring"]
    assert "does not fit" not in found["restore"]
