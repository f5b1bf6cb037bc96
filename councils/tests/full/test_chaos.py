"""A whole installation is hurt: PostgreSQL crashes, everything is restarted. The benchmarks do the same, longer.

Workers that are killed are met in ``test_stack`` and, by the dozen, in ``councils/tests/durability/test_kills``.
"""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.full

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("fault", "happened"),
    [
        (["postgres", "--crashes", "2", "--runs", "5", "--workers", "1"], "crashes"),
        (["rolling", "--runs", "6", "--workers", "1"], "restarts, web"),
    ],
    ids=["postgres", "rolling"],
)
def test_nothing_is_lost_and_nothing_is_paid_twice(fault: list[str], happened: str) -> None:
    done = subprocess.run([sys.executable, "-m", "benchmarks.chaos", *fault], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    counts = {name: int(number) for number, _, name in (line.strip().partition("  ") for line in done.stdout.splitlines())}
    assert counts[happened] > 0
    assert counts["runs succeeded"] > 0
