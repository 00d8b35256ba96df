"""A daemon's doors over an engine in memory, and connections that are no sockets: a transport that
keeps what is written, and bytes that arrive in pieces.
"""

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

from tests.talks.model import LOCKOUT, Gateway
from watchword import Device, Engine, Policy
from watchword._engine import Clients, Gather
from watchword.serve import limits
from watchword.serve.commands import GATEWAYS
from watchword.serve.config import Config
from watchword.serve.doors import Doors
from watchword.serve.feeds import Feeds
from watchword.serve.gateways import Access
from watchword.serve.knowing import Knowing
from watchword.serve.phones import Phones
from watchword.serve.roll import Gated

__all__ = ["Line", "Stage", "frame"]

MOMENT_MS = 1_700_000_000_000
PASSES_MAX = 2_000


def frame(*words: object) -> bytes:
    texts = [str(word).encode() for word in words]
    return b"*%d\r\n" % len(texts) + b"".join(b"$%d\r\n%b\r\n" % (len(t), t) for t in texts)


def access(g: Gateway) -> Access:
    rights = ("reasons",) * g.reasons + ("first-factor",) * g.first_factor
    return Access(
        name=g.name, token_sha256=hashlib.sha256(g.token.encode()).hexdigest(), verbs=g.verbs,
        rights=rights, users=g.users, realm=g.realm, platforms=g.platforms, rate=g.rate,
        admin=g.admin,
    )  # fmt: skip


class Stage:
    """Made on a loop that runs; close it there."""

    def __init__(self, gateways: list[Gateway]) -> None:
        policy = Policy(lockout_failures=LOCKOUT)
        self.engine = Engine.open(clock=lambda: MOMENT_MS, policy=policy)
        loop = asyncio.get_running_loop()
        gather = Gather(self.engine)
        names = {name: getattr(limits, name) for name in limits.__all__}
        self.clients = Clients(gather, loop, SimpleNamespace(**names), 100)
        feeds = Feeds(self.engine, None)  # type: ignore[arg-type]
        self._knowing, self._phones = Knowing(self.engine, gather), Phones(self.engine)
        self._worker = ThreadPoolExecutor(1)
        self.doors = Doors(
            self._config(gateways), self.engine, self.clients, self._worker, dict, self._knowing,
            self._phones, {}, feeds, 100,
        )  # fmt: skip
        roll = self.doors._roll
        assert roll is not None
        self._door = Gated(roll, GATEWAYS.index("tcp"), dict, self.doors._inner, feeds)

    def _config(self, gateways: list[Gateway]) -> Config:
        return Config(gateway=tuple(access(g) for g in gateways))

    def relist(self, gateways: list[Gateway]) -> None:
        self.doors.reload(self._config(gateways))

    def enrol(self, name: str, key: bytes, realm: str, addresses: list[str]) -> None:
        self.engine.add_user(name, realm=realm)
        self.engine.add_device(name, Device.hotp(key, look_ahead=10), serial="H")
        if addresses:
            self.engine.set_addresses(name, addresses)

    def line(self) -> "Line":
        return Line(self.clients.connect(self._door))

    def close(self) -> None:
        self.clients.abort()
        self._knowing.close()
        self._phones.close()
        self._worker.shutdown()
        self.engine.close()


class Line:
    """A connection, and the transport under it."""

    def __init__(self, connection: Any) -> None:
        self.got = b""
        self.closed = False
        self.connection = connection
        connection.connection_made(self)

    # ---- a transport, as Connection uses it

    def get_extra_info(self, _name: str) -> None:
        return None

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int) -> None:
        """Nothing waits here."""

    def pause_reading(self) -> None:
        """What is fed is fed when a reply came."""

    resume_reading = pause_reading

    def write(self, piece: bytes) -> None:
        self.got += piece

    def close(self) -> None:
        if not self.closed or self.connection.transport is not None:
            self.closed = True
            asyncio.get_running_loop().call_soon(self.connection.connection_lost, None)

    abort = close

    # ---- a client

    async def ask(self, command: bytes, cuts: list[int]) -> Any:
        """The reply; None: the connection was closed without one."""
        for first, last in zip([0, *cuts], [*cuts, len(command)], strict=True):
            self._feed(command[first:last])
        for _ in range(PASSES_MAX):
            found = reply(self.got, 0)
            if found is not None:
                said, at = found
                self.got = self.got[at:]
                return said
            if self.closed:
                return None
            await asyncio.sleep(0 if _ < PASSES_MAX // 2 else 0.001)
        raise AssertionError(f"no reply to {command!r}")

    def _feed(self, piece: bytes) -> None:
        at = 0
        while at < len(piece) and not self.closed:
            room = self.connection.get_buffer(-1)
            n = min(len(room), len(piece) - at)
            room[:n] = piece[at : at + n]
            del room
            self.connection.buffer_updated(n)
            at += n


def reply(got: bytes, at: int) -> tuple[Any, int] | None:
    """One reply and where it ends: errors keep their `-`; maps and arrays are lists."""
    end = got.find(b"\r\n", at)
    if end < 0:
        return None
    kind, line, at = got[at : at + 1], got[at + 1 : end].decode(), end + 2
    if kind in b"+-:_#,":
        return ("-" if kind == b"-" else "") + line, at
    if kind == b"$":
        size = int(line)
        if size < 0:
            return "", at
        return (got[at : at + size].decode(), at + size + 2) if len(got) > at + size + 1 else None
    found: list[Any] = []
    for _ in range(int(line) * (2 if kind == b"%" else 1)):
        part = reply(got, at)
        if part is None:
            return None
        found.append(part[0])
        at = part[1]
    return found, at
