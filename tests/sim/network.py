"""The daemon's connections without a kernel: a loop, transports, and gateways that misbehave.

The loop runs what is ready when a story says so. A transport has as much room as its reader leaves.
A gateway knows what it asked, reads its replies in the order in which they are written, and holds
each against what the checker expects; what is written has left the machine.
"""

import asyncio
import contextvars
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.sim.checker import Asked, BrokenError
from watchword.reference import Attempt, Verdict

if TYPE_CHECKING:
    from tests.sim.world import World

__all__ = ["Gateway", "SimLoop", "frame", "options_of"]

REFUSED = "-ERR max number of clients reached"


def frame(*words: str) -> bytes:
    texts = [word.encode() for word in words]
    return b"*%d\r\n" % len(texts) + b"".join(b"$%d\r\n%b\r\n" % (len(t), t) for t in texts)


def options_of(a: Attempt, *names: str) -> list[str]:
    """What a command says of an attempt behind its words."""
    found = [(name, getattr(a, name.lower())) for name in names]
    return [word for name, value in found if value is not None for word in (name, str(value))]


@dataclass(eq=False)
class Timer:
    """What call_later gives."""

    at_ms: int
    call: Callable[..., object]
    args: tuple[Any, ...]
    is_over: bool = False

    def cancel(self) -> None:
        self.is_over = True


class SimLoop:
    """What Gather, Connection, Future and the administration door ask of an event loop."""

    def __init__(self, boot_ms: Callable[[], int]) -> None:
        self.now_s = 1_000.0
        self.boot_ms = boot_ms      # what timers go by
        self.work: deque[tuple[Any, Callable[[], Any], tuple[Any, ...]]] = deque()
        self.tasks: list[Any] = []  # what was promised by a coroutine
        self.ready: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now_s

    def get_debug(self) -> bool:
        return False

    def call_soon(
        self, call: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> None:
        self.ready.append((call, args))

    call_soon_threadsafe = call_soon

    def call_later(self, seconds: float, call: Callable[..., object], *args: Any) -> "Timer":
        timer = Timer(self.boot_ms() + math.ceil(1000 * seconds), call, args)
        self.timers.append(timer)
        return timer

    def call_exception_handler(self, _context: dict[str, Any]) -> None:
        """A promise that nobody waits for any more was not kept."""

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)  # type: ignore[arg-type]

    def run_in_executor(self, _worker: Any, call: Callable[..., Any], *args: Any) -> Any:
        future = self.create_future()
        self.work.append((future, lambda: call(*args), args))
        return future

    def create_task(self, promise: Any) -> "asyncio.Task[Any]":
        self.tasks.append(promise)
        return asyncio.Task(promise, loop=self)  # type: ignore[arg-type]

    def is_closed(self) -> bool:
        return False

    def close(self) -> None:
        """Nobody goes on."""
        for promise in self.tasks:
            promise.close()

    def run_pass(self, excused: Callable[[], bool]) -> None:
        """One pass: what was ready when it began, or whose time had come."""
        due = [timer for timer in self.timers if timer.at_ms <= self.boot_ms()]
        for timer in due:
            self.timers.remove(timer)
            if not timer.is_over:
                self.ready.append((timer.call, timer.args))
        for _ in range(len(self.ready)):
            call, args = self.ready.popleft()
            try:
                call(*args)
            except BaseException:
                if not excused():
                    raise


class Many(list[Asked]):
    """The attempts of one VERIFYMANY: its reply is an array, even of one."""


class Gateway:
    """A client and its transport in one: what asyncio would stand between."""

    def __init__(self, world: "World", number: int, door: Any) -> None:
        self.world = world
        self.number = number
        self.reasons = door.reasons
        self.reading = self.open = True
        self.slow = self.ended = False
        self.outgoing = bytearray()  # sent, and not yet read by the daemon
        self.unread = 0  # written by the daemon, and not yet read
        self.paused = False
        self.high = 0
        self.owed: deque[Any] = deque()
        self.acts: deque[Any] = deque()
        self._got = b""
        self.connection = world.clients.connect(door)
        self.connection.connection_made(self)  # type: ignore[arg-type]

    # ---- a transport, as Connection uses it

    def set_write_buffer_limits(self, high: int) -> None:
        self.high = high

    def get_extra_info(self, _name: str) -> None:
        return None

    def is_closing(self) -> bool:
        return not self.open

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """The client reads what came before."""

    def pause_reading(self) -> None:
        self.reading = False
        self.world.met["a client not read"] += 1

    def resume_reading(self) -> None:
        self.reading = True

    def write(self, piece: bytes) -> None:
        if not self.open or self.world.machine.disk.off:
            return
        self._hear(piece)
        self.unread += len(piece)
        if self.unread > self.high and not self.paused:
            self.paused = True
            self.world.met["a client that does not read"] += 1
            self.connection.pause_writing()

    def close(self) -> None:
        self.lose(None)

    def abort(self) -> None:
        self.lose(None)

    def lose(self, error: Exception | None) -> None:
        """The connection is over; the daemon hears of it in a later pass, as from a loop."""
        if self.open:
            self.open = False
            self.world.loop.call_soon(self.connection.connection_lost, error)

    # ---- a client

    def say(self, command: bytes, owed: Any) -> None:
        self.outgoing += command
        self.owed.append(owed)

    def deliver(self, most: int) -> None:
        """As many bytes reach the daemon, in pieces it has room for."""
        while most > 0 and self.outgoing and self.reading and self.open and not self.ended:
            room: Any = self.connection.get_buffer(-1)
            count = min(len(room), most, len(self.outgoing))
            room[:count] = self.outgoing[:count]
            del room, self.outgoing[:count]
            most -= count
            self.connection.buffer_updated(count)

    def half_close(self) -> None:
        """The client will say no more."""
        if self.open and not self.ended:
            self.ended = True
            self.world.met["a half close"] += 1
            if not self.connection.eof_received():
                self.close()

    def read(self) -> None:
        self.unread = 0
        if self.paused and self.open:
            self.paused = False
            self.connection.resume_writing()

    def waits_for(self, asked: Asked) -> bool:
        """Whether the reply that comes next is this one's."""
        first = self.owed[0] if self.owed else None
        return getattr(first, "asked", None) is asked

    # ---- replies

    def _hear(self, piece: bytes) -> None:
        self._got += piece
        at = 0
        while (found := _reply(self._got, at)) is not None:
            reply, at = found
            if reply == REFUSED and not self.owed:
                self.ended = True
                self.world.met["a client too many"] += 1
            elif not self.owed:
                self.world.checker.fail(f"gateway {self.number} was told {reply!r} unasked")
            else:
                self._hold(self.owed.popleft(), reply)
        self._got = self._got[at:]

    def _hold(self, owed: Any, reply: Any) -> None:
        checker = self.world.checker
        if isinstance(owed, list):
            said = reply if isinstance(owed, Many) else [reply]
            if len(said) != len(owed):
                checker.fail(f"{len(owed)} attempts were answered {reply!r}")
            for asked, one in zip(owed, said, strict=True):
                self.verdict(asked, one)
        elif callable(owed):
            owed(reply)
        elif reply != owed:
            checker.fail(f"gateway {self.number} was told {reply!r}, not {owed!r}")

    def verdict(self, asked: Asked, said: Any) -> None:
        """One verdict, plain or with its details."""
        checker = self.world.checker
        detail = dict(zip(said[::2], said[1::2], strict=True)) if isinstance(said, list) else {}
        word = detail.get("verdict", said)
        answer = checker.heard(asked, word == Verdict.CHALLENGE.name)
        expected = answer.verdict if self.reasons else answer.shown
        if detail:
            retry = answer.retry_after_ms if expected is Verdict.LOCKED else 0
            device = answer.device if expected is Verdict.ACCEPTED else None
            if (detail["code"], detail["device"], detail["retry_after_ms"]) != (
                expected, device, retry,
            ):  # fmt: skip
                checker.fail(f"{asked.attempt} was answered {detail}, its twin says {answer}")
        if word != expected.name:
            checker.fail(f"{asked.attempt} was answered {word}, its twin says {answer}")
        checker.answered(asked, (answer.verdict,), asked.turn)


def _reply(text: bytes, at: int) -> tuple[Any, int] | None:
    """The reply that begins at `at` and where it ends; None when it is not there in full."""
    end = text.find(b"\r\n", at)
    if end < 0:
        return None
    sign, line, at = text[at : at + 1], text[at + 1 : end].decode(), end + 2
    if sign == b"+":
        return line, at
    if sign == b"-":
        return "-" + line, at
    if sign == b":":
        return int(line), at
    if sign == b"$":
        if line == "-1":
            return None, at
        end = at + int(line)
        return (text[at:end].decode(), end + 2) if len(text) >= end + 2 else None
    if sign != b"*":
        raise BrokenError(f"a reply begins with {sign!r}")
    items = []
    for _ in range(int(line)):
        found = _reply(text, at)
        if found is None:
            return None
        items.append(found[0])
        at = found[1]
    return items, at


