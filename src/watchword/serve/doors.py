"""The doors of a daemon, and the sockets before them: administration's, and those of gateways.

The rule: whether there is an access list, and whether TLS is spoken, is settled when the daemon
starts; who is on the list, and under which certificate, may change while it runs. Without a list
the gateways' sockets are open to this machine, and answer as they always did.
"""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from watchword._engine import Clients
from watchword._engine import Gateway as Rights
from watchword.engine import Engine
from watchword.errors import InvalidArgument
from watchword.serve import limits
from watchword.serve.admin import Admin, Verb
from watchword.serve.arrivals import Arrivals
from watchword.serve.commands import GATEWAYS, Commands, Facts
from watchword.serve.config import Config
from watchword.serve.feeds import VERBS as FEEDS
from watchword.serve.feeds import Feeds, Listening
from watchword.serve.knowing import Knowing
from watchword.serve.listening import Sockets, not_listening
from watchword.serve.phones import Phones
from watchword.serve.roll import Gated, Roll
from watchword.serve.tls import number_of

__all__ = ["Doors"]


class Buffered(asyncio.BufferedProtocol):
    """A connection as asyncio's own loop wants it: a child of this class, as no compiled one is."""

    __slots__ = (
        "buffer_updated", "connection_lost", "connection_made", "eof_received", "get_buffer",
        "pause_writing", "resume_writing",
    )  # fmt: skip

    def __init__(self, connection: Any) -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(connection, name))


class Doors:
    """What stands between the sockets and the engine."""

    def __init__(
        self, config: Config, engine: Engine, clients: Clients, worker: ThreadPoolExecutor,
        facts: Facts, knowing: Knowing, phones: Phones, more: Mapping[bytes, dict[str, Verb]],
        feeds: Feeds, connections_max: int,
    ) -> None:  # fmt: skip
        """more: verbs of administration beside Admin's own; feeds: who is told unasked."""
        self._feeds = feeds
        self._connections_max = connections_max
        self._config, self._engine, self._clients, self._worker = config, engine, clients, worker
        self._facts, self._knowing, self._phones, self._more = facts, knowing, phones, more
        self._arrivals: list[Arrivals] = []
        self._servers: list[asyncio.Server] = []
        self.administration = self._admin(GATEWAYS.index("admin"))
        self._context = config.tls.context() if config.tls else None
        self._roll: Roll | None = None
        if config.gateway:
            told: dict[bytes, dict[str, Verb]] = {name: {} for name in FEEDS}
            self._roll = Roll(
                config.gateway, clients.gather, {**self.administration.verbs, **told}
            )
            engine.confine(self._roll.realms)

    def _admin(self, gateway: int) -> Admin:
        return Listening(
            self._feeds, self._engine, self._worker, gateway, self._facts, self._knowing,
            self._phones, dict(self._more),
        )  # fmt: skip

    def _plain(self, gateway: int, reasons: bool) -> Commands:
        return Commands(
            gateway, reasons, self._facts, self._engine.achallenge, self._engine.asend_code,
            self._knowing, self._phones,
        )  # fmt: skip

    def _inner(self, who: Rights) -> Commands:
        """The door at which a gateway of the list is answered, once it may have what it asks."""
        door = self._admin(who.index) if who.acts else self._plain(who.index, who.reasons)
        door.name, door.reasons = who.name, who.reasons
        return door

    # ---- sockets ----

    async def open(self, sockets: Sockets) -> None:
        """From here on gateways are served. Errors: Error."""
        for listener, name in ((sockets.tcp, "tcp"), (sockets.unix, "unix")):
            if listener is not None:
                try:
                    await self._open(listener, name, self._context if name == "tcp" else None)
                except OSError as error:  # somebody else was bound to it, and listened first
                    raise not_listening(str(listener.getsockname()), error) from None

    async def _open(
        self, listener: socket.socket, name: str, context: ssl.SSLContext | None
    ) -> None:
        number = GATEWAYS.index(name)
        door = self._plain(number, self._config.reasons)
        if self._roll is not None:
            door = Gated(self._roll, number, self._facts, self._inner, self._feeds)
        if door.curbed or context is not None:
            most = self._config.connections_per_address
            listener.listen(limits.LISTEN_BACKLOG)
            arrivals = Arrivals(
                partial(self.connect, door), listener, context, curbed=door.curbed,
                per_address=most if door.curbed else limits.CONNECTIONS_MAX,
                is_full=self._full,
            )  # fmt: skip
            self._arrivals.append(arrivals)
            return
        loop, made = asyncio.get_running_loop(), partial(self.connect, door)
        serve = loop.create_unix_server if name == "unix" else loop.create_server
        self._servers.append(await serve(made, sock=listener, backlog=limits.LISTEN_BACKLOG))

    def _full(self) -> bool:
        """Whether no further socket may be held: files are as many as connections, and a few."""
        return sum(arrivals.held for arrivals in self._arrivals) >= self._connections_max

    def connect(self, door: Commands, visit: Any = None) -> Any:
        """A protocol for whoever has just connected."""
        connection = self._clients.connect(door, visit)
        return connection if self._config.loop == "uvloop" else Buffered(connection)

    def close(self) -> None:
        for server in self._servers:
            server.close()
        for arrivals in self._arrivals:
            arrivals.close()

    def sweep(self, now_s: float) -> None:
        for arrivals in self._arrivals:
            arrivals.sweep(now_s)

    def facts(self) -> dict[str, object]:
        """What INFO says of the doors. No count tells one gateway of another."""
        return {
            "half_open_connections": sum(arrivals.half_open for arrivals in self._arrivals),
            "waiting_connections": sum(arrivals.waiting for arrivals in self._arrivals),
            "failed_handshakes": sum(arrivals.failed for arrivals in self._arrivals),
            "failed_authentications": self._roll.refused if self._roll is not None else 0,
        }

    # ---- another list, another certificate ----

    def reload(self, config: Config) -> list[str]:
        """The settings' access list and certificates in place of those in force; what was done, a
        line each. Errors: InvalidArgument, and then nothing has changed."""
        if bool(config.gateway) != bool(self._config.gateway) or bool(config.tls) != bool(
            self._config.tls
        ):
            raise InvalidArgument(
                "whether there is an access list, or TLS, is settled when the daemon starts"
            )
        context = config.tls.context() if config.tls else None
        revoked = config.tls.revoked() if config.tls else frozenset()
        said = []
        if self._roll is not None:
            before = self._roll.listed()
            self._roll.take(config.gateway)
            self._engine.confine(self._roll.realms)
            gone = self._roll.readmit(self._clients, before)
            said.append(f"{len(self._roll)} gateways on the access list, {gone} connections ended")
        if context is not None:
            self._context = context
            for arrivals in self._arrivals:
                arrivals.renew(context)
            said.append("new connections are under the certificate that is there now")
        if revoked:
            said.append(f"{self._take_back(revoked)} connections of revoked certificates ended")
        return said

    def _take_back(self, revoked: frozenset[tuple[bytes, int]]) -> int:
        """Lets go whose certificate is on the list, with their answers; returns how many."""
        gone = 0
        for connection in self._clients.of_gateways():
            transport = connection.transport
            if transport is not None and number_of(
                transport.get_extra_info("ssl_object")
            ) in revoked:
                connection.leave()
                gone += 1
        return gone
