"""A fake model provider over real sockets: OpenAI, Ollama and Anthropic on one port, fast, honest, and as faulty as ordered.

    python benchmarks/fake_provider.py --port 9100 --log calls.jsonl

prints ``listening on http://127.0.0.1:9100`` (``--port 0`` takes a free port). Paths: ``/v1/chat/completions``, ``/api/chat``,
``/v1/messages``, ``/v1/models``, ``/api/tags``, ``/health``. Any key is accepted. The text depends on model and prompt only. A request
with a JSON schema gets an instance of it; where the schema names the labels of answers (``agent_id`` with an ``enum``), or the prompt shows
the form of a ballot, that is a valid ballot with different scores.

The model's name says how it behaves: ``fake:key=value,key=value``. Any other name gets the defaults. An unknown key is a 400.

=============== ======= ======================================================================================================
key             default meaning
=============== ======= ======================================================================================================
``tokens``      20      events with text in an answer
``rate``        0       tokens a second; 0 sends all at once
``ttft``        0       seconds before the first token
``fault``               one of the faults below
``after``       2       tokens sent before a fault that strikes in the middle
``fail_first``  0       the fault strikes only the first N requests to this very name
``retry_after`` 1       seconds for ``429``, ``429_date`` and ``503``
``every``       0.05    seconds between the bytes of ``drip`` and the comments of ``comments``
``usage``       true    ``true missing null negative string bool absurd lying`` (seven times what was written)
``vote``        chance  order of a ballot: ``chance``, or ``agree`` (by the text of the answers: all reviewers the same)
``slow_every``  0       every Nth request is slower ...
``slow_by``     10      ... by this factor
``name``                anything; makes two models of one behaviour different
=============== ======= ======================================================================================================

Faults with a status: ``400 401 402 403 404 413 422 429 429_bare 429_date 429_garbage 429_huge 500 502 503 529``, ``context`` (prompt too
long), ``structure`` (no structured output), ``redirect`` (to a metadata address), ``echo_key`` (401 that repeats the key).
Without one: ``reset``, ``hang``, ``no_http``. After ``after`` tokens: ``reset_mid``, ``cut`` (connection closed inside the body), ``eof``
(body ends well, no terminal event), ``hang_headers`` (nothing after the head), ``drip``, ``comments``, ``malformed_flood``,
``error_event``, ``oversize`` (20 MB of text), ``empty``, and ``gzip_bomb`` (200 MB in 195 KB). Whole answers with something odd:
``malformed`` (two bad events), ``no_choices``, ``null_content``, ``other_model``, ``length``, ``filter``, ``refusal``, ``json`` (one piece
although a stream was asked for), ``echo_key_text``, ``reasoning`` (hidden thoughts first), ``no_done``.

The log has one JSON line for each chat request, written when its answer ends: ``time asked call_id model dialect outcome fault status
tokens``. ``asked`` is when the whole request was here; ``call_id`` is the header ``X-Client-Request-Id``; ``outcome`` is ``completed``
(odd or not), ``aborted`` (the client left first) or ``fault``.
"""

import argparse
import asyncio
import contextlib
import signal
import sys
from pathlib import Path

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.fake.server import DEFAULT_MODELS, Office, serve


async def listen(host: str, port: int, log: Path | None, models: list[str]) -> None:
    """Serve until SIGTERM or SIGINT."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(log.open("a", buffering=1, encoding="utf-8")) if log else None
        server = await serve(Office(models=models or DEFAULT_MODELS, log=file), host=host, port=port)
        print(f"listening on http://{host}:{server.sockets[0].getsockname()[1]}", flush=True)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await stop.wait()
        server.close()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description="A fake model provider; its manual is the docstring of this file.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9100, help="0 takes a free port and prints it")
    parser.add_argument("--log", type=Path, help="append one JSON line for each request to this file")
    parser.add_argument("--model", action="append", default=[], help="a name to list; may be repeated")
    arguments = parser.parse_args()
    asyncio.run(listen(arguments.host, arguments.port, arguments.log, arguments.model))


if __name__ == "__main__":
    main()
