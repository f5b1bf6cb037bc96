"""Whether the model that answered is the one that was asked, although providers name it in many ways."""

import re

# "openai/gpt-4.1" behind a gateway, "models/gemini-2.5-flash", a file's path.
_PREFIX = re.compile(r"^.*/")
# A release of the same model: a day (2025-04-14, 20251001), a month (2506), or a counter of the year's days (0613), after "-" or "@".
_RELEASE = re.compile(r"[-@](?:20\d{2}-\d{2}(?:-\d{2})?|20\d{6}|\d{4})$")
# What says "the newest", and the variants of one model that gateways sell (":free", ":nitro").
_NEWEST = re.compile(r"(?:[:-]latest|:(?:free|nitro|floor|online|beta|extended|thinking))$")
_FILE = re.compile(r"\.gguf$")
# Names of routers: whoever asks them leaves the choice to them.
_ROUTERS = frozenset({"auto", "router", "default"})


def is_same_model(asked: str, reported: str) -> bool:
    """Whether ``reported`` may be called ``asked``. A provider that reports nothing is believed."""
    if not reported or not asked:
        return True
    wanted, got = _core(asked), _core(reported)
    return wanted == got or wanted in _ROUTERS


def _core(name: str) -> str:
    core = _PREFIX.sub("", name.strip().lower())
    core = _FILE.sub("", core)
    core = _NEWEST.sub("", core)
    return _RELEASE.sub("", core)
