"""Code as HTML with classes for its parts. The languages and the classes are those listed here, and long code stays plain.

Lexers are regular expressions, and those of some languages take time that grows with the square of a line's length or of a run of
empty lines. So lines and blocks have limits, and languages in the manner of C share a plain lexer of ours whose time is linear.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, ClassVar, Final

from django.utils.html import escape
from pygments.lexer import Lexer, RegexLexer
from pygments.lexers import get_lexer_by_name
from pygments.token import Comment, Generic, Keyword, Name, Number, Operator, String, Text, _TokenType
from pygments.util import ClassNotFound

MAX_CHARS: Final = 8_000
MAX_LINE: Final = 500
LIKE_C: Final = frozenset({"c", "c#", "c++", "cpp", "cs", "csharp", "java", "kotlin", "objective-c", "php", "scala", "swift"})
LANGUAGES: Final = LIKE_C | {
    *(
        "bash",
        "css",
        "diff",
        "docker",
        "dockerfile",
        "go",
        "golang",
        "html",
        "ini",
        "javascript",
        "js",
        "json",
        "jsx",
        "lua",
        "py",
        "python",
    ),
    *("r", "rb", "ruby", "rs", "rust", "sh", "shell", "sql", "toml", "ts", "tsx", "typescript", "xml", "yaml", "yml", "zsh"),
}
WORDS: Final = (
    "abstract as async auto await boolean bool break case catch char class const continue data def default delegate delete do double else "
    "enum extends extension false final finally fix float fn for foreach fun func function guard if implements import in include init int "
    "interface internal is let long match mutable namespace new nil null nullptr object open operator override package private protected "
    "public readonly ref return sealed self short signed sizeof static string struct super switch template this throw throws trait true "
    "try typedef typename union unsigned using val var virtual void volatile when where while with yield"
)


class LikeC(RegexLexer):
    """Words, texts, numbers and comments of languages with braces. Each rule looks at a character once."""

    tokens: ClassVar[dict[str, list[Any]]] = {
        "root": [
            (r"//[^\n]*", Comment),
            (r"/\*", Comment, "comment"),
            (r'"(?:[^"\\\n]|\\.)*"?', String),
            (r"'(?:[^'\\\n]|\\.)*'?", String),
            (rf"(?:{WORDS.replace(' ', '|')})\b", Keyword),
            (r"[#@][a-zA-Z]+", Keyword),
            (r"\d\w*(?:\.\d\w*)?", Number),
            (r"[^\W\d]\w*(?=\()", Name.Function),
            (r"[^\W\d]\w*", Text),
            (r"[\s\S]", Text),
        ],
        "comment": [(r"[^*]+", Comment), (r"\*/", Comment, "#pop"), (r"\*", Comment)],
    }


# The first that a token's type belongs to counts. As many as readers tell apart, not as many as lexers do.
PARTS: Final[Mapping[_TokenType, str]] = {
    Comment: "hl-comment",
    String: "hl-text",
    Number: "hl-number",
    Keyword: "hl-word",
    Operator.Word: "hl-word",
    Name.Tag: "hl-word",
    Name.Builtin: "hl-name",
    Name.Function: "hl-name",
    Name.Class: "hl-name",
    Name.Decorator: "hl-name",
    Name.Attribute: "hl-name",
    Generic.Deleted: "hl-out",
    Generic.Inserted: "hl-in",
    Generic.Heading: "hl-name",
    Generic.Subheading: "hl-comment",
}
CLASSES: Final = frozenset(PARTS.values())


def highlight(code: str, language: str) -> str:
    """HTML of the code with its parts in spans; empty where the language is not known, or the code too long or not read whole."""
    if len(code) > MAX_CHARS or max(map(len, code.split("\n"))) > MAX_LINE:
        return ""
    lexer = _lexer(language.lower()) if language.lower() in LANGUAGES else None
    if lexer is None:
        return ""
    pieces = list(lexer.get_tokens(code))
    # What people copy must be what was written.
    if "".join(text for _type, text in pieces) != code:
        return ""
    return "".join(_spans(pieces))


@lru_cache(maxsize=len(LANGUAGES))
def _lexer(language: str) -> Lexer | None:
    options = {"stripnl": False, "ensurenl": False}
    if language in LIKE_C:
        return LikeC(**options)
    try:
        return get_lexer_by_name(language, **options)
    except ClassNotFound:
        return None


def _spans(pieces: Iterable[tuple[_TokenType, str]]) -> Iterable[str]:
    """Neighbours of one kind go into one span."""
    kind, gathered = "", ""
    for token_type, text in pieces:
        here = _part(token_type)
        if here != kind and text.strip():
            yield _span(kind, gathered)
            kind, gathered = here, ""
        gathered += text
    yield _span(kind, gathered)


@lru_cache(maxsize=256)
def _part(token_type: _TokenType) -> str:
    return next((name for part, name in PARTS.items() if token_type[: len(part)] == part), "")


def _span(kind: str, text: str) -> str:
    return f'<span class="{kind}">{escape(text)}</span>' if kind else str(escape(text))
