"""Untrusted text inside a prompt: made harmless, and fenced with a nonce that its author cannot know.

A block reads::

    <<answer T7K 5be0c1d2a3f49687>>
    what the member wrote
    <<end T7K 5be0c1d2a3f49687>>

Whatever the text holds, the prompt parses back to exactly the blocks that were put in: the sanitiser breaks everything that looks like a
fence, and the nonce is one that occurs in none of the texts.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

_NONCE_LENGTH = 16

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# Beyond these: format characters (zero-width, bidirectional, tags), fillers that show as nothing, variation selectors that can carry
# hidden bytes, private use.
_HIDDEN = re.compile(
    "[\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff\ue000-\uf8ff]"
)
_LINE_ENDS = re.compile("\r\n?|[\u2028\u2029\x0b\x0c\x85]")

_LESS, _GREATER = "<＜﹤〈《«‹≪⟨⟪〈", ">＞﹥〉》»›≫⟩⟫〉"
# An opening run of brackets, one of our words, and a closing run on the same line. Shifts and streams in code stay as they are.
_LOOK_ALIKE = re.compile(
    rf"(?<![{_LESS}])[{_LESS}]{{2,}}(?=[\s/\\]{{0,9}}(?:answer|end|question|conversation|critiques|own)\b[^\n]{{0,99}}?[{_GREATER}]{{2}})",
    re.IGNORECASE,
)
# None of these holds a space, so that putting a space in their place cannot make a new one.
_CHAT_TOKENS = re.compile(
    r"<[|｜][^\s<>|｜]{1,64}[|｜]>|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS)\]|<</?SYS>>|</?(?:s|bos|eos|unk|pad)>"
    r"|</?(?:start_of_turn|end_of_turn|think|thinking|tool_call|tool_response)>",
    re.IGNORECASE,
)
_BLOCK = re.compile(
    r"^<<(?P<kind>[a-z]+)(?: (?P<label>[\w.-]+))? (?P<nonce>[0-9a-f]{16})>>\n(?P<text>.*?)\n<<end(?: (?P=label))? (?P=nonce)>>$",
    re.MULTILINE | re.DOTALL,
)

_FENCE = re.compile(r"<<(?:[a-z]+)(?: [\w.-]+)? [0-9a-f]{16}>>[ \t]*\n?")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced piece of a prompt. ``label`` is empty where there is only one of the kind."""

    kind: str
    label: str
    text: str


def without_controls(text: str) -> str:
    """The text without control characters and lone surrogates, which no database and no page can hold; line ends become line feeds."""
    return _CONTROLS.sub("", _LINE_ENDS.sub("\n", text))


def printable(text: str) -> str:
    """The text without any character that does not show: zero-width, bidirectional and hidden ones too.

    For text that is judged. Emoji sequences and some scripts need joiners, so text that people read keeps them.
    """
    return _HIDDEN.sub("", without_controls(text))


def sanitise(text: str) -> str:
    """The text with nothing in it that could pass for a fence or for a token of a chat template."""
    # An opening bracket instead of nothing: removing could join what stands around it to a new fence.
    return _LOOK_ALIKE.sub("(", _CHAT_TOKENS.sub(" ", printable(text))).strip()


def pick_nonce(seed: str, key: str, texts: Sequence[str]) -> str:
    """A nonce for one prompt: fixed by the run's seed, and found in none of the texts."""
    number = 0
    while True:
        nonce = sha256(f"{seed}:fence:{key}:{number}".encode()).hexdigest()[:_NONCE_LENGTH]
        if not any(nonce in text for text in texts):
            return nonce
        number += 1


def fence(block: Block, nonce: str) -> str:
    """The block between its fences; its text must be sanitised."""
    label = f"{block.label} " if block.label else ""
    return f"<<{block.kind} {label}{nonce}>>\n{block.text}\n<<end {label}{nonce}>>"


def parse_fences(prompt: str) -> tuple[Block, ...]:
    """The blocks of a prompt, in order. Text outside the fences is skipped."""
    return tuple(Block(found["kind"], found["label"] or "", found["text"]) for found in _BLOCK.finditer(prompt))


def without_fences(text: str) -> str:
    """The text of a model that copied the fences of its prompt along with what stood between them."""
    return _FENCE.sub("", text)
