"""The server's side of the live view as a test plays it, and what must never happen in a browser."""

import json
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Page, Request, WebSocketRoute

TELL_VIOLATIONS = """document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sample }) => {
  console.error(`policy: ${violatedDirective} ${blockedURI} ${sample}`);
});"""

# How a browser says that a server went away: before the connection, on it, before the answer's first byte or within it.
LOST_CONNECTION = ("ERR_CONNECTION_", "ERR_EMPTY_RESPONSE", "ERR_SOCKET_NOT_CONNECTED", "ERR_INCOMPLETE_CHUNKED", "ERR_CONTENT_LENGTH_")


class Faults:
    """Collects dialogs, uncaught errors, policy reports and requests to other places."""

    def __init__(self, context: BrowserContext, home: str) -> None:
        self.seen: list[str] = []
        self._home = home
        context.add_init_script(TELL_VIOLATIONS)
        context.on("dialog", self._dialog)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.seen.append(f"error: {error.error}"))
        context.on("request", self._request)

    def beside_lost_connections(self) -> list[str]:
        """What a browser says of a server that was killed is true, and not a fault of the page."""
        return [fault for fault in self.seen if not any(word in fault for word in LOST_CONNECTION)]

    def _dialog(self, dialog: Dialog) -> None:
        self.seen.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.seen.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self._home, "data:", "blob:")):
            self.seen.append(f"request: {request.url}")


class PlayedSocket:
    """Every socket that the pages of a browser open.

    ``asked`` are the messages that came in; ``drafts``, ``seq`` and ``status`` are what a snapshot will say.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.asked: list[dict[str, Any]] = []
        self.routes: list[WebSocketRoute] = []
        self.drafts: dict[str, dict[str, Any]] = {}
        self.seq = 0
        self.status = "running"
        self.answers = True
        context.route_web_socket("**/ws/", self._open)

    def _open(self, route: WebSocketRoute) -> None:
        self.routes.append(route)
        route.on_message(lambda message: self._receive(route, str(message)))

    def _receive(self, route: WebSocketRoute, text: str) -> None:
        asked = json.loads(text)
        self.asked.append(asked)
        if self.answers and asked["type"] == "subscribe":
            seq = max(self.seq, asked["after"])
            state = {"seq": seq, "status": self.status, "steps": [], "drafts": self.drafts, "totals": {}}
            route.send(json.dumps({"type": "snapshot", "run": asked["run"], **state}))

    @property
    def run(self) -> str:
        return str(self.asked[-1]["run"])

    def send_to_all(self, message: dict[str, Any]) -> None:
        for route in self.routes:
            route.send(json.dumps({"run": self.run, **message}))

    def send(self, message: dict[str, Any]) -> None:
        """To the newest socket."""
        self.routes[-1].send(json.dumps({"run": self.run, **message}))

    def event(self, seq: int, kind: str, key: str = "") -> None:
        self.send({"type": "event", "event": {"seq": seq, "type": kind, "key": key}})

    def delta(self, *items: tuple[str, int, int, str]) -> None:
        self.send({"type": "delta", "items": items})

    def drop(self, code: int = 3000) -> None:
        """Close the newest socket. The code of a real loss, 1006, cannot be played; to the page any unknown code is the same."""
        self.routes[-1].close(code=code)


def wait_for(page: Page, condition: Any, *, tries: int = 1200) -> None:
    """Let the page live until the condition holds."""
    for _ in range(tries):
        if condition():
            return
        page.wait_for_timeout(50)
    raise AssertionError("It did not happen.")
