"""The engine stands alone: it is loaded here as a stranger would load it."""

import subprocess
import sys
from pathlib import Path

ENGINE = Path(__file__).parents[2] / "engine"
FOREIGN = ("django", "httpx", "asgiref", "channels", "celery", "councils.models", "councils.providers")


def test_the_engine_loads_without_the_rest_of_the_product() -> None:
    modules = [f"councils.engine.{path.stem}" for path in sorted(ENGINE.glob("*.py")) if path.stem != "__init__"]
    script = f"import importlib, sys\nfor name in {modules}: importlib.import_module(name)\nprint(*sys.modules)"

    loaded = subprocess.run(
        [sys.executable, "-c", script], cwd=ENGINE.parents[1], capture_output=True, text=True, check=True
    ).stdout.split()

    assert set(modules) <= set(loaded)
    assert not [name for name in loaded if name.startswith(FOREIGN)]


def test_the_engine_reads_no_clock_and_throws_no_dice() -> None:
    forbidden = ("import time", "import random", "import secrets", "datetime", "uuid", "open(", "os.environ")

    assert not [(path.name, word) for path in ENGINE.glob("*.py") for word in forbidden if word in path.read_text(encoding="utf-8")]
