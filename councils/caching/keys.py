"""When two calls are identical: when nothing that can change the answer differs."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from councils.engine.prompts import PreparedCall
from councils.engine.types import CompletionRequest
from councils.snapshot import ModelTarget

FORMAT = 3
"""Counts up when what is kept of an answer, or how it is made, changes."""


def call_key(target: ModelTarget, prepared: PreparedCall, request: CompletionRequest) -> str:
    """SHA-256 (64 hex digits) over provider, model, options, the whole request and the step.

    The step is in it because a seat is a sample of its own: the same model in two seats, asked the same, shall answer twice. Where a call
    happened to be sent (one of several endpoints), its id and its time limits do not change an answer.
    """
    return _digest(
        {
            "format": FORMAT,
            "step": prepared.key,
            "kind": target.kind,
            "provider": target.provider_id,
            "address": target.endpoints[0].base_url,
            "options": dict(target.options),
            "model": request.model,
            "messages": _messages(request),
            "temperature": request.temperature,
            "max_tokens": request.max_tokens,
            "max_chars": request.max_chars,
            "schema": request.schema,
            "schema_name": request.schema_name,
            "structured": request.structured.value,
        }
    )


def _messages(request: CompletionRequest) -> list[dict[str, str]]:
    return [asdict(message) for message in request.messages]


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()
