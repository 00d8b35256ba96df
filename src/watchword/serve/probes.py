"""The operators' port: /metrics for Prometheus, /healthz and /readyz for whoever keeps us running.

    /healthz    200 while the process lives and its loop comes by; 503 when it is stuck
    /readyz     200 while logins are decided; 503 while the store recovers, the clock is doubted,
                the disk is almost full or the engine has ended: the reasons are its lines

The rule: HTTP by the standard library, on threads of its own, off the loop that answers logins. The
port tells refusals apart, so that it is of this machine alone; nobody can change anything by it.
"""

import ipaddress
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from watchword.errors import Error, InvalidArgument
from watchword.serve import limits
from watchword.serve.metrics import registry

if TYPE_CHECKING:
    from watchword.serve.vitals import Vitals

__all__ = ["Probes", "probes_address"]

PLAIN = "text/plain; charset=utf-8"


def probes_address(text: object) -> tuple[str, int] | None:
    """The host and port of the setting `metrics`; None: nobody listens. Errors: InvalidArgument."""
    if text == "":
        return None
    host, _, port = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    host = host.removeprefix("[").removesuffix("]")
    with suppress(ValueError):
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
        if port.isascii() and port.isdecimal() and int(port) <= 65_535 and address.is_loopback:
            return str(address), int(port)
    raise InvalidArgument(
        'metrics must be a loopback address and a port, as "127.0.0.1:9401", or ""',
        hint="they tell one refusal from another; a proxy that asks who reads may stand before it",
    )


class Probes:
    """Listens from the start; what there is to read comes with `show`."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.vitals: Vitals | None = None
        self.registry: CollectorRegistry | None = None
        probes = self

        class Probe(Answering):
            answer = probes.answer

        try:
            self._server = Server(address, Probe)
        except OSError as error:
            raise Error(
                f"cannot listen on {address[0]}:{address[1]} for metrics: "
                f"{os.strerror(error.errno or 0)}",
                hint="`metrics` takes another port",
            ) from None
        self.address = (address[0], int(self._server.server_port))
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="watchword-probes", daemon=True
        )
        self._thread.start()

    def show(self, vitals: "Vitals") -> None:
        """The store is open, and clients are about to be served."""
        self.registry = registry(vitals.stats)
        self.vitals = vitals

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, path: str, accept: str) -> tuple[int, str, bytes]:
        """Status, content type and body."""
        vitals, collected = self.vitals, self.registry
        if path == "/healthz":
            if vitals is not None and vitals.stuck():
                return 503, PLAIN, b"the loop is stuck\n"
            return 200, PLAIN, b"ok\n"
        if path == "/readyz":
            because = ["the store is being opened"] if vitals is None else vitals.unready()
            if because:
                return 503, PLAIN, "".join(f"{reason}\n" for reason in because).encode()
            return 200, PLAIN, b"ok\n"
        if path == "/metrics" and collected is not None:
            encoder, content_type = choose_encoder(accept)
            return 200, content_type, encoder(collected)
        if path == "/metrics":
            return 503, PLAIN, b"the store is being opened\n"
        return 404, PLAIN, b"/metrics, /healthz and /readyz are here\n"


class Server(ThreadingHTTPServer):
    """A thread for each connection, and so few of them that they cannot crowd out logins."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = limits.PROBES_AT_ONCE

    def __init__(self, address: tuple[str, int], answering: type[BaseHTTPRequestHandler]) -> None:
        self._room = threading.BoundedSemaphore(limits.PROBES_AT_ONCE)
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, answering)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._room.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is no event of ours."""


class Answering(BaseHTTPRequestHandler):
    """One GET or HEAD, answered and closed."""

    answer: Callable[[str, str], tuple[int, str, bytes]]
    timeout = limits.PROBE_SECONDS_MAX
    server_version = "watchword"
    sys_version = ""

    def do_GET(self) -> None:
        path, accept = self.path.partition("?")[0], self.headers.get("Accept", "")
        status, content_type, body = self.answer(path, accept)
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, form: str, *words: object) -> None:
        """Who probes us every few seconds is not worth a line."""
