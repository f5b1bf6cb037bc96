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

# Format characters (zero-width, bidirectional, tags), fillers that show as nothing, variation selectors that can carry hidden bytes,
# private use, lone surrogates, and control characters other than tab and line feed.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0e\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff\ue000-\uf8ff]"
)
_LINE_ENDS = re.compile("\r\n?|[\u2028\u2029\x0b\x0c\x85]")
_ANGLES = "<＜﹤〈《«‹≪⟨⟪〈"
_LOOK_ALIKE = re.compile(rf"[{_ANGLES}]{{2,}}(?=[\s/\\]*(?:answer|end|question|conversation|critiques|own)\b)", re.IGNORECASE)
_CHAT_TOKENS = re.compile(
    r"<[|｜][^<>|｜\n]{0,64}[|｜]>|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS)\]|<</?SYS>>|</?(?:s|bos|eos|unk|pad)>"
    r"|</?(?:start_of_turn|end_of_turn|think|thinking|tool_call|tool_response)>",
    re.IGNORECASE,
)
_BLOCK = re.compile(
    r"^<<(?P<kind>[a-z]+)(?: (?P<label>[\w.-]+))? (?P<nonce>[0-9a-f]{16})>>\n(?P<text>.*?)\n<<end(?: (?P=label))? (?P=nonce)>>$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced piece of a prompt. ``label`` is empty where there is only one of the kind."""

    kind: str
    label: str
    text: str


def printable(text: str) -> str:
    """The text without characters that do not show: control, format, zero-width, bidirectional, hidden tags, lone surrogates."""
    return _HIDDEN.sub("", _LINE_ENDS.sub("\n", text))


def sanitise(text: str) -> str:
    """The text with nothing in it that could pass for a fence or for a token of a chat template."""
    text = printable(text)
    while (cleaned := _CHAT_TOKENS.sub(" ", text)) != text:
        text = cleaned
    # An opening bracket instead of nothing: removing could join what stands around it to a new fence.
    return _LOOK_ALIKE.sub("(", text).strip()


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
