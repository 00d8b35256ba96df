"""A proxy between a client and a daemon, which cuts a connection after so many bytes of one way."""

import contextlib
import socket
import ssl
import threading
from collections import deque

__all__ = ["Proxy"]


class Proxy:
    """cuts: for each connection to come the way, "up" to the daemon or "down" from it, and after
    how many bytes of it both sides are closed; when they have run out nothing is cut. tls: spoken
    with clients, in place of the daemon."""

    def __init__(self, to: int, tls: ssl.SSLContext | None = None) -> None:
        self.to, self.tls = to, tls
        self.cuts: deque[tuple[str, int]] = deque()
        self.connections = self.cut = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()
        for one in list(self._open):
            close(one)

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            cut = self.cuts.popleft() if self.cuts else ("", 0)
            try:
                if self.tls is not None:
                    client = self.tls.wrap_socket(client, server_side=True)
                daemon = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                close(client)
                continue
            self._open |= {client, daemon}
            for way, source, sink in (("up", client, daemon), ("down", daemon, client)):
                left = cut[1] if cut[0] == way else None
                threading.Thread(target=self._carry, args=(source, sink, left), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, left: int | None) -> None:
        with contextlib.suppress(OSError):
            while left is None or left > 0:
                piece = source.recv(65_536 if left is None else min(left, 65_536))
                if not piece:
                    break
                sink.sendall(piece)
                left = None if left is None else left - len(piece)
            else:
                self.cut += 1
        for one in (source, sink):
            close(one)
            self._open.discard(one)


def close(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
