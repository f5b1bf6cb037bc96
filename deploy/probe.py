"""probe.py PATH [PORT]: whether a server of this container answers PATH with 200. For health checks: quick to start, no package needed.

It asks as the site's own proxy would: by a name that the site knows, and as if by https.
"""

import http.client
import os
import sys

TIMEOUT_S = 4.0


def status_of(path: str, port: int, host: str) -> int:
    """The status of the answer. Raises ``OSError`` or ``HTTPException`` where there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path, headers={"Host": host, "X-Forwarded-Proto": "https"})
        return connection.getresponse().status
    finally:
        connection.close()


def known_host(allowed: str) -> str:
    """A name that ``ALLOWED_HOSTS`` admits: its first. ``.example.org`` admits the bare domain, ``*`` anything."""
    first = allowed.partition(",")[0].strip().removeprefix(".")
    return first if first and first != "*" else "localhost"


def main() -> int:
    """0 if the server answers with 200, else 1, with the reason on standard error: the container's state shows it."""
    path = sys.argv[1]
    port = int(sys.argv[2] if len(sys.argv) > 2 else os.environ.get("PORT", "8000"))
    try:
        status = status_of(path, port, known_host(os.environ.get("ALLOWED_HOSTS", "")))
    except (OSError, http.client.HTTPException) as error:
        print(f"no answer: {error}", file=sys.stderr)
        return 1
    if status != http.client.OK:
        print(f"answered {status}", file=sys.stderr)
    return int(status != http.client.OK)


if __name__ == "__main__":
    sys.exit(main())
