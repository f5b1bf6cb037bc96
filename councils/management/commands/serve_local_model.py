"""Serve the small local model on loopback, in the foreground."""

import os
import signal
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from councils.local_model import READY, LocalModelError, serve


class Command(BaseCommand):
    help = "Serve the small local model over an OpenAI-compatible API on 127.0.0.1 until it is interrupted."
    # It serves a file and needs nothing of the site.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=0, help="port to listen on; a free one by default")
        parser.add_argument(
            "--until-stdin-closes", action="store_true", help="end with the process that holds the other end of standard input"
        )

    def handle(self, *, port: int, until_stdin_closes: bool, **_: Any) -> None:
        try:
            server = serve(port)
        except LocalModelError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{READY}{server.listening_address}")
        self.stdout.flush()
        if until_stdin_closes:
            # Whatever the library still prints goes to the log: nobody reads our standard output any more.
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
            sys.stdin.buffer.read()
        else:
            signal.pause()
