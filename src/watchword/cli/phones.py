"""Where the demo's codes go: an HTTP server on this machine, in a text-message provider's place.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from typing import Any, Self

from watchword.errors import Error

__all__ = ["Phones"]

SECONDS_MAX = 10.0  # that a code may take


class Phones:
    """Every phone that a code is sent to. A context: closed at its end."""

    def __init__(self) -> None:
        came: SimpleQueue[dict[str, Any]] = SimpleQueue()

        class Provider(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                came.put(json.loads(self.rfile.read(length)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._came = came
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def code(self) -> str:
        """The next code that comes. Errors: Error, when none does."""
        try:
            while (came := self._came.get(timeout=SECONDS_MAX))["kind"] != "sms":
                pass  # a phone is told to look, and looks anyway
            return str(came["code"])
        except Empty:
            raise Error("no code was delivered") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
