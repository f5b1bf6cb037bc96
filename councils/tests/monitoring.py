"""What dashboards and rules ask of Prometheus, read from the files that ship."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings

DEPLOY = Path(settings.BASE_DIR) / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yml"
DASHBOARDS = sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
# What Grafana puts in before it asks.
FILLED_IN = {"$__rate_interval": "1m", "$__range": "1h"}
_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')
_LABELS = re.compile(r"\{[^{}]*\}|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)")
# A name that no bracket follows is that of a metric; functions have one.
_NAME = re.compile(r"\b[a-z_][a-z0-9_:]*\b(?!\s*\()")
_WORDS = frozenset({"and", "or", "unless", "by", "without", "on", "ignoring", "bool", "offset"})
_NUMBER_AND_UNIT = re.compile(r"\[[^\]]*\]")


def dashboard(file: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(file.read_text())
    return loaded


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def panels(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def questions() -> Iterator[tuple[str, str]]:
    """Every expression that ships, ready to be asked, and where it stands."""
    for rule in rules():
        yield f"rule {rule.get('alert') or rule['record']}", rule["expr"]
    for file in DASHBOARDS:
        board = dashboard(file)
        for panel in panels(board):
            for target in panel["targets"]:
                yield f"{file.stem}: {panel['title']}", filled_in(target["expr"], board)


def filled_in(expression: str, board: Mapping[str, Any]) -> str:
    for variable in board["templating"]["list"]:
        expression = expression.replace(f"${variable['name']}", ".*")
    for name, value in FILLED_IN.items():
        expression = expression.replace(name, value)
    return expression


def metrics_in(expression: str) -> set[str]:
    """The names of the metrics in an expression."""
    bare = _STRINGS.sub('""', expression)
    bare = _LABELS.sub(" ", _NUMBER_AND_UNIT.sub(" ", bare))
    return {name for name in _NAME.findall(bare) if name not in _WORDS}
