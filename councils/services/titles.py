"""Titles made from questions."""

import re

TITLE_LENGTH = 80
READ = 4_000
"""As much of a question is looked at: titles are made while somebody waits, and questions may be long and odd."""

SHORTEST = 12
"""A first sentence with fewer characters says too little alone; the next one joins it."""

_CODE = re.compile(r"^ {0,3}(```|~~~).*?(?:^ {0,3}\1[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)
_LINKS = re.compile(r"!?\[([^\]\n]*)\]\([^)\n]*\)")
_LINE_MARKS = re.compile(
    r"^[ \t]*(?:(?:[-*_=][ \t]*){3,}$|(?:#{1,6}[ \t]+|>[ \t]?|[-*+][ \t]+|\d{1,3}[.)][ \t]+)+(?:\[[ xX]\][ \t]+)?)", re.MULTILINE
)
# At the edges of words alone: between them the same signs are arithmetic and names, and __so__ are names of Python.
_EMPHASIS = re.compile(r"(?<![\w*`])(?!__\w+__)(\*{1,3}|_{1,3}|~~|`{1,2})(?=\S)(.+?)(?<=\S)\1(?![\w*`])")
_LEFT_OVER = re.compile(r"(?<!\w)\*\*+(?=\w)|(?<=\S)\*\*+(?!\w)")
_GREETING = re.compile(
    r"(?:hi|hello|hey|dear all|good (?:morning|afternoon|evening)|bonjour|bonsoir|salut)"
    r"(?: (?:there|all|everybody|everyone|team|council|folks|à tous))?[ ]*[,.!:\n–-]+\s*",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[.!?…]+[\"'”’»)]*(?=\s)|[。！？]|\n")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|etc|vs|approx|no|mr|mrs|ms|dr|prof|st|p\. ?ex|env|cf)|\b\w)\.$", re.IGNORECASE)


def make_title(text: str) -> str:
    """The first sentence of a question as a title: one line of at most 80 characters and the mark of a cut.

    Greetings, blocks of code and the marks of Markdown are left out. A text of nothing else gives its own beginning.
    """
    prose = without_marks(_CODE.sub("\n", text[:READ]))
    prose = _GREETING.sub("", prose, count=1) if _GREETING.match(prose) else prose
    return _cut(_first_sentence(prose)) or _cut(text[:READ])


def without_marks(text: str) -> str:
    """The text without the marks of Markdown, for where it is one line and not rendered."""
    plain = _LINE_MARKS.sub("", _LINKS.sub(r"\1", text))
    return _LEFT_OVER.sub("", _EMPHASIS.sub(r"\2", _EMPHASIS.sub(r"\2", plain))).strip()


def _first_sentence(text: str) -> str:
    for end in _SENTENCE.finditer(text):
        sentence = text[: end.end()].strip()
        if len(sentence) >= SHORTEST and not _ABBREVIATION.search(sentence):
            return sentence.rstrip(".:")
    return text


def _cut(text: str) -> str:
    """The text on one line, cut at a word."""
    line = " ".join(text.split())
    if len(line) <= TITLE_LENGTH:
        return line
    return line[:TITLE_LENGTH].rsplit(" ", 1)[0].rstrip(" ,.;:") + "…"
