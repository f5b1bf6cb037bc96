"""What operators are told and given holds: the documents' commands, a row for each alert, the systemd unit, the backup script."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands

from deploy.compose import ROOT, read_compose

UNIT = ROOT / "deploy/systemd/llm-council.service"
HOME = "/srv/council"
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = {file.name: file.read_text() for file in DOCUMENTS}


def test_every_alert_has_a_row_that_says_what_to_do() -> None:
    groups = yaml.safe_load((ROOT / "deploy/prometheus/rules.yml").read_text())["groups"]
    alerts = [rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule]
    section = TEXT["operations.md"].partition("### Alerts\n")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \|$", section, flags=re.MULTILINE)

    assert [name for name, *_ in rows] == alerts
    assert all(len(steps) > 40 for *_, steps in rows)


@pytest.mark.parametrize("name", TEXT)
def test_every_command_of_the_documents_exists(name: str) -> None:
    asked = set(re.findall(r"manage\.py ([a-z][a-z_]+)", TEXT[name]))

    assert asked <= set(get_commands())


@pytest.mark.parametrize("name", TEXT)
def test_every_service_and_file_that_the_documents_name_is_there(name: str) -> None:
    services = set(read_compose()["services"])
    exec_or_run = re.findall(r"docker compose (?:exec|run)(?: -\S+)* ([a-z][a-z_-]*)", TEXT[name].replace("--rm ", ""))
    files = re.findall(r"\bdeploy/[\w./-]+\w", TEXT[name])

    assert set(exec_or_run) <= services
    assert all((ROOT / file).exists() for file in files)


def test_the_unit_gives_the_site_time_to_end_and_one_folder_to_write_in() -> None:
    service = dict(re.findall(r"^(\w+)=(.*)$", UNIT.read_text(), flags=re.MULTILINE))

    assert float(service["TimeoutStopSec"]) > settings.SHUTDOWN_GRACE_S + 10
    assert (service["KillSignal"], service["KillMode"]) == ("SIGTERM", "mixed")
    assert service["ReadWritePaths"] == f"{HOME}/var"
    assert service["User"] == service["Group"] == "council"
    assert {service["WorkingDirectory"], service["ExecStart"].partition("/.venv")[0]} == {HOME}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    there = tmp_path / UNIT.name
    # Programs that it names must exist.
    there.write_text(UNIT.read_text().replace(f"{HOME}/.venv/bin/python", "/bin/true").replace(HOME, str(tmp_path)))
    verified = subprocess.run(["systemd-analyze", "verify", there], capture_output=True, text=True, check=False)

    assert (verified.returncode, UNIT.name in verified.stderr) == (0, False), verified.stderr


def backup(folder: Path, command: str, keep: int = 2) -> subprocess.CompletedProcess[str]:
    script = [str(ROOT / "deploy/backup.sh"), str(folder), str(keep)]
    environment = {"PATH": "/usr/bin:/bin", "MANAGE": command}
    return subprocess.run(script, env=environment, capture_output=True, text=True, check=False)


def test_a_scheduled_backup_keeps_the_newest_and_a_failed_one_costs_none(tmp_path: Path) -> None:
    old = [tmp_path / f"council-2026-01-0{day}T030000Z.backup" for day in (1, 2, 3)]
    for file in old:
        file.write_text("old")

    failed = backup(tmp_path, "ls /nowhere/at/all")
    assert failed.returncode == 1
    assert "the older ones are kept" in failed.stderr
    assert sorted(tmp_path.iterdir()) == old

    assert backup(tmp_path, "echo").returncode == 0
    kept = sorted(tmp_path.iterdir())
    assert kept[0] == old[-1]
    assert [file.read_text() for file in kept[1:]] == ["backup -\n"]
    assert kept[1].stat().st_mode & 0o077 == 0
