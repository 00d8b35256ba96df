"""Connections that have yet to say who they are: so many at once, in all and of one address.

A socket is taken from the kernel here, one at a time, and its handshake begun when there is room;
who comes while there is none waits with nothing read, and is closed when that lasts. Handshakes are
what costs a server most (some 3 ms of a core each), so they are what is counted.

The rule: a place is held from the first byte that is read until the client has said who it is, and
given back exactly once. A listening socket that keeps no list and speaks no TLS does not come here.
"""

import asyncio
import socket
import ssl
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from watchword.serve import limits

__all__ = ["Arrivals"]

ACCEPTED_AT_ONCE = 64  # sockets taken in one pass of the loop, which has others to serve


class Visit:
    """One connection's place among the half-open, and among those of its address."""

    __slots__ = ("_arrivals", "_here", "_open", "address", "tls")

    def __init__(self, arrivals: "Arrivals", address: str, tls: bool) -> None:
        self._arrivals = arrivals
        self._open = self._here = True
        self.address = address
        self.tls = tls

    def known(self) -> None:
        """It has said who it is."""
        if self._open:
            self._open = False
            self._arrivals.freed(self.address)

    def gone(self) -> None:
        """It has left, known or not."""
        self.known()
        if self._here:
            self._here = False
            self._arrivals.left(self.address)


class Arrivals:
    """The sockets that arrive at one listening socket.

    connect: makes the protocol of a connection from its visit. context: what TLS is spoken under,
    None: none. curbed: whether a client is half-open until it has said who it is, and not only
    until its handshake is over. per_address: how many connections an address may have. is_full:
    whether the daemon holds all the connections that it may.
    """

    def __init__(
        self, connect: Callable[..., Any], listener: socket.socket,
        context: ssl.SSLContext | None, *, curbed: bool, per_address: int,
        is_full: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._context = context
        self.refused = 0
        self.failed = 0
        self._connect, self._listener, self._curbed = connect, listener, curbed
        self._per_address, self._is_full = per_address, is_full
        self._resting = False
        self._loop = asyncio.get_running_loop()
        self._half_open: Counter[str] = Counter()
        self._standing: Counter[str] = Counter()
        self._half_open_all = 0
        self._waiting: deque[tuple[socket.socket, str, float]] = deque()
        self._waiting_of: Counter[str] = Counter()
        self._greeting: set[asyncio.Task[None]] = set()
        listener.setblocking(False)
        self._loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """No more arrive; whoever waits is let go."""
        self._loop.remove_reader(self._listener)
        self._listener.close()
        while self._waiting:
            self._waiting.popleft()[0].close()
        for task in self._greeting:
            task.cancel()

    def renew(self, context: ssl.SSLContext) -> None:
        """Who arrives from now on does so under another certificate; a plain socket stays one."""
        if self._context is not None:
            self._context = context

    @property
    def half_open(self) -> int:
        return self._half_open_all

    @property
    def held(self) -> int:
        """Connections, and sockets that wait to be some."""
        return self._standing.total() + len(self._waiting)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def _accept(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                arrived, peer = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:  # it was gone again
                continue
            except OSError:  # out of files: asked again at once, the kernel would say so for ever
                self._loop.remove_reader(self._listener)
                self._resting = True
                return
            address = peer[0] if isinstance(peer, tuple) else ""
            if self._is_full() or not self._place(arrived, address):
                self.refused += 1
                arrived.close()

    def _place(self, arrived: socket.socket, address: str) -> bool:
        """Whether there is a place for it, now or soon."""
        standing = self._standing[address] + self._waiting_of[address]
        if address and standing >= self._per_address:
            return False
        if self._room(address):
            self._begin(arrived, address)
            return True
        if (
            len(self._waiting) >= limits.WAITING_MAX
            or self._waiting_of[address] >= limits.WAITING_PER_ADDRESS_MAX
        ):
            return False
        self._waiting.append((arrived, address, self._loop.time()))
        self._waiting_of[address] += 1
        return True

    def _room(self, address: str) -> bool:
        return (
            self._half_open_all < limits.STRANGERS_MAX
            and self._half_open[address] < limits.STRANGERS_PER_ADDRESS_MAX
        )

    def _begin(self, arrived: socket.socket, address: str) -> None:
        self._half_open[address] += 1
        self._half_open_all += 1
        self._standing[address] += 1
        visit = Visit(self, address, self._context is not None)
        task = self._loop.create_task(self._greet(arrived, visit, self._context))
        self._greeting.add(task)
        task.add_done_callback(self._greeting.discard)

    async def _greet(
        self, arrived: socket.socket, visit: Visit, context: ssl.SSLContext | None
    ) -> None:
        """The handshake; then the connection is its protocol's, which tells the visit its end."""

        def connection() -> Any:
            return self._connect(visit)

        try:
            if arrived.family != socket.AF_UNIX:
                arrived.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if context is None:
                await self._loop.connect_accepted_socket(connection, arrived)
            else:
                await self._loop.connect_accepted_socket(
                    connection, arrived, ssl=context,
                    ssl_handshake_timeout=limits.STRANGER_SECONDS_MAX,
                    ssl_shutdown_timeout=limits.LINGER_SECONDS_MAX,
                )  # fmt: skip
            if not self._curbed:
                visit.known()
        except (OSError, TimeoutError):  # no handshake: said to nobody, for anybody could have it
            self.failed += 1
            visit.gone()
        except asyncio.CancelledError:
            visit.gone()
            raise

    def freed(self, address: str) -> None:
        """A half-open connection is none any more: whoever waited first for it is next."""
        self._half_open[address] -= 1
        self._half_open_all -= 1
        if not self._half_open[address]:
            del self._half_open[address]
        for _ in range(len(self._waiting)):
            arrived, of, since_s = self._waiting.popleft()
            if self._room(of):
                self._forget_wait(of)
                self._begin(arrived, of)
            else:
                self._waiting.append((arrived, of, since_s))

    def _forget_wait(self, address: str) -> None:
        self._waiting_of[address] -= 1
        if not self._waiting_of[address]:
            del self._waiting_of[address]

    def left(self, address: str) -> None:
        """A connection has ended."""
        self._standing[address] -= 1
        if not self._standing[address]:
            del self._standing[address]

    def sweep(self, now_s: float) -> None:
        """Who has waited too long is closed; to be called about once a second."""
        if self._resting:
            self._resting = False
            self._loop.add_reader(self._listener, self._accept)
        while self._waiting and now_s - self._waiting[0][2] >= limits.STRANGER_SECONDS_MAX:
            arrived, address, _ = self._waiting.popleft()
            self._forget_wait(address)
            self.refused += 1
            arrived.close()
