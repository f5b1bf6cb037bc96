"""Judges HTML by parsing it: what is in it that should not be."""

from html.parser import HTMLParser
from urllib.parse import urlsplit

from councils.markdown import CLASSES, TAGS

ATTRIBUTES = {
    "a": {"href", "title", "target", "rel"},
    "ol": {"start"},
    "div": {"class", "tabindex", "role", "aria-label"},
    "span": {"class"},
    "li": {"class"},
}
FIXED = {("div", "tabindex"): "0", ("div", "role"): "region", ("div", "aria-label"): "Table"}
SCHEMES = {"http", "https", "mailto"}
REL = {"noopener", "noreferrer", "nofollow"}


class Judge(HTMLParser):
    """Collects everything outside the allow-list."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.faults.append(f"tag {tag}")
        given = {name: value or "" for name, value in attrs}
        self.faults += [f"attribute {name} of {tag}" for name in given if name not in ATTRIBUTES.get(tag, set())]
        self.faults += [f"{name} {value} of {tag}" for name, value in given.items() if FIXED.get((tag, name), value) != value]
        self.faults += [f"class {name} of {tag}" for name in given.get("class", "").split() if name not in CLASSES.get(tag, ())]
        if "href" in given:
            self.links.append(given["href"])
            self._judge_link(given)

    def handle_comment(self, data: str) -> None:
        self.faults.append("comment")

    def handle_decl(self, decl: str) -> None:
        self.faults.append("declaration")

    def handle_pi(self, data: str) -> None:
        self.faults.append("processing instruction")

    def _judge_link(self, given: dict[str, str]) -> None:
        if urlsplit(given["href"].strip()).scheme.lower() not in SCHEMES:
            self.faults.append(f"link to {given['href']}")
        if given.get("target") != "_blank" or set(given.get("rel", "").split()) != REL:
            self.faults.append(f"link without its guards: {given}")


def faults_of(html: str) -> list[str]:
    """What this piece of HTML holds outside the allow-list; empty when it is safe."""
    judge = Judge()
    judge.feed(html)
    judge.close()
    return judge.faults


def links_of(html: str) -> list[str]:
    judge = Judge()
    judge.feed(html)
    judge.close()
    return judge.links
