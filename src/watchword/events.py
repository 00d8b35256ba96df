"""What happens, told as soon as it is durable: lockouts, replays, acts, policies, the clock.

Rule: an event leaves only after the row of its turn is on the disk, and no login waits for one. A
turn's row is looked through where it is queued, only while somebody listens; what is found in it is
read on a thread of its own. What comes faster than that is told as a gap, with the turn behind
which the journal has the rest: nothing grows.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Final, Self

from watchword import _engine, lifecycle
from watchword._engine import EFFECT_LOCK, Reason
from watchword.audit import LOGINS, PARTS, Entry, entry_of
from watchword.errors import InvalidArgument
from watchword.parts import Parts
from watchword.store.row import row_time_ms

__all__ = ["CHANNELS", "GAP", "Event", "Events", "Subscription", "Watch"]

CHANNELS: Final = ("lockouts", "replays", "acts", "policy", "clock")
ROWS_BYTES_MAX = 16 << 20       # of rows that wait to be read; what comes beyond is a gap
EVENTS_PER_SECOND_MAX = 1_000   # read and told; a stranger's failures may not cost others a core
SUBSCRIPTIONS_MAX = 64
GAP_SECONDS = 1.0               # after the last event, when some were lost
GAP: Final = "gap"
ALL: Final = (1 << 64) - 2
ACTS: Final = ALL & ~sum(1 << event for event in (*LOGINS, *PARTS, lifecycle.POLICY))
EVENTS_OF: Final = {"acts": ACTS, "policy": 1 << lifecycle.POLICY}
REASONS_OF: Final = {"replays": 1 << Reason.REPLAYED}
EFFECTS_OF: Final = {"lockouts": EFFECT_LOCK}


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, and where: `turn` and `place` are its record's in the journal.

    channel: one of CHANNELS; entry: as audit shows it. Whoever listens to anything hears of a gap
    as well, on the channel "gap": so many events were lost before this turn, and audit has them.
    """

    channel: str
    entry: Entry
    lost: int = 0


Tell = Callable[[Event], None]


class Subscription:
    """What somebody listens to, until it is closed; a context manager."""

    def __init__(self, watch: "Watch", tell: Tell, channels: frozenset[str]) -> None:
        self._watch = watch
        self.tell = tell
        self.channels = channels

    def listen(self, *channels: str) -> None:
        """To these channels from now on, instead of those before."""
        self._watch.change(self, frozenset(channels))

    def close(self) -> None:
        """Nothing more is told. Twice is no error."""
        self._watch.remove(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Events(Parts):
    """subscribe."""

    _watching: "Watch | None"

    def subscribe(self, tell: Tell, *channels: str) -> Subscription:
        """Calls tell(Event) for whatever happens on these channels from now on; all where none is
        named: lockouts, replays (a right code that was used before), acts (of administration),
        policy, clock.

        tell is called on the events' own thread, after the event is durable, and should be quick:
        while it is at work nobody is told. Should it raise, it is told no more. Errors:
        InvalidArgument.
        """
        unknown = sorted(set(channels) - set(CHANNELS))
        if unknown or not callable(tell):
            raise InvalidArgument(
                f"channels are {', '.join(CHANNELS)}, and tell is a callable"
            )
        with self._lock:
            self._alive()
            if self._watching is None:
                self._watching = Watch(self)
        return self._watching.add(tell, frozenset(channels or CHANNELS))

    def _happened(self, channel: str, event: str, text: str) -> None:
        """Something that no row tells of."""
        if self._watching is not None:
            entry = Entry(self._turn, -1, time.time_ns() // 1_000_000, event, "", text=text)
            self._watching.happened(Event(channel, entry))

    def _unsubscribed(self) -> None:
        """Nobody is told any more: the engine closes."""
        if self._watching is not None:
            self._watching.close()


class Watch:
    """Who listens to one engine, the rows that wait to be read, and the thread that reads them."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._mutex = threading.Lock()
        self._listening: tuple[Subscription, ...] = ()
        self._wanted = (0, 0, 0)
        self._rows: deque[tuple[int, bytes]] = deque()
        self._held = self._lost = self._told = 0
        self._second = 0.0
        self._wake: SimpleQueue[Event | bool] = SimpleQueue()
        self._durable: SimpleQueue[BaseException | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self.events = self.events_lost = 0

    def __len__(self) -> int:
        return len(self._listening)

    # -- who listens

    def add(self, tell: Tell, channels: frozenset[str]) -> Subscription:
        with self._mutex:
            if len(self._listening) >= SUBSCRIPTIONS_MAX:
                raise InvalidArgument(f"an engine has at most {SUBSCRIPTIONS_MAX} subscriptions")
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="watchword-events", daemon=True
                )
                self._thread.start()
            subscription = Subscription(self, tell, channels)
            self._listen((*self._listening, subscription))
        return subscription

    def change(self, subscription: Subscription, channels: frozenset[str]) -> None:
        with self._mutex:
            subscription.channels = channels
            self._listen(self._listening)

    def remove(self, subscription: Subscription) -> None:
        with self._mutex:
            self._listen(tuple(one for one in self._listening if one is not subscription))

    def _listen(self, listening: tuple[Subscription, ...]) -> None:
        channels = {channel for one in listening for channel in one.channels}
        self._listening = listening
        self._wanted = tuple(  # type: ignore[assignment]
            sum(of.get(channel, 0) for channel in channels)
            for of in (EVENTS_OF, REASONS_OF, EFFECTS_OF)
        )
        self._engine._watched = self.seen if listening else None

    def close(self) -> None:
        """Ends the thread; what is durable by then has been told."""
        with self._mutex:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._wake.put(False)
            if thread is not threading.current_thread():
                thread.join()
        with self._mutex:
            self._listen(())

    # -- what happens

    def seen(self, turn: int, row: bytes) -> None:
        """A row that was just queued. The engine's lock is held: as quick as can be."""
        if not _engine.row_tells(row, *self._wanted):
            return
        if self._held + len(row) > ROWS_BYTES_MAX:
            self._lost += _engine.row_told(row, *self._wanted, 0)[1]
            return
        self._held += len(row)
        self._rows.append((turn, row))
        self._wake.put(True)

    def happened(self, event: Event) -> None:
        self._wake.put(event)

    # -- telling, on a thread of its own

    def _run(self) -> None:
        while True:
            try:
                found = self._wake.get(timeout=GAP_SECONDS if self._lost else None)
            except Empty:
                self._tell_gap(self._engine._turn)
                continue
            if isinstance(found, Event):
                self._tell(found)
            elif not self._read() or not found:
                return

    def _read(self) -> bool:
        """Every row that waits, once it is durable. False: none will ever be."""
        while self._rows:
            rows = [self._rows.popleft() for _ in range(len(self._rows))]
            self._held -= sum(len(row) for _, row in rows)
            self._engine._when_durable(rows[-1][0], self._durable.put)
            if self._durable.get() is not None:
                return False
            for turn, row in rows:
                self._tell_row(turn, row)
        return True

    def _tell_row(self, turn: int, row: bytes) -> None:
        now = time.monotonic()
        if now - self._second >= 1:
            self._second, self._told = now, 0
            if self._lost:
                self._tell_gap(turn)
        found, more = _engine.row_told(row, *self._wanted, EVENTS_PER_SECOND_MAX - self._told)
        if found and found[0][1][0] == lifecycle.IMPORT:
            found, more = found[:1], 0  # its rows are no acts of their own
        self._told += len(found)
        if found:
            time_ms, gateways = row_time_ms(row), _engine.row_gateways(row)
            users, devices = self._engine._named(
                [(turn, time_ms, gateways, one) for one in found], 0, search=False
            )
            for one in found:
                entry = entry_of(turn, time_ms, gateways, one, users, devices)
                for channel in channels_of(one[1]):
                    self._tell(Event(channel, entry))
        self._lost += more

    def _tell_gap(self, turn: int) -> None:
        lost, self._lost = self._lost, 0
        self.events_lost += lost
        entry = Entry(turn, -1, time.time_ns() // 1_000_000, GAP, "")
        self._tell(Event(GAP, entry, lost))

    def _tell(self, event: Event) -> None:
        self.events += event.channel != GAP
        for one in self._listening:
            if event.channel in one.channels or event.channel == GAP:
                try:
                    one.tell(event)
                except Exception:  # whoever cannot listen is told no more
                    self.remove(one)


def channels_of(record: tuple[Any, ...]) -> list[str]:
    """Which channels a record is told on."""
    event, reason, effects = record[0], record[2], record[3]
    if event == lifecycle.POLICY:
        return ["policy"]
    if event not in LOGINS:
        return ["acts"]
    channels = ["lockouts"] if effects & EFFECT_LOCK and record[1] != _engine.Code.LOCKED else []
    return channels + (["replays"] if reason == Reason.REPLAYED else [])
