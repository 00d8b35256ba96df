"""The oracle of the crash rigs: every state an engine was in, by turn, and what was answered when.

After a crash the store must open, reach at least the last turn that was answered, and hold exactly
the state the living engine had at the turn it reaches. Beside that, known from outside the engine:
no key's position falls below one past the last code of it that was accepted.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from watchword import Engine

__all__ = ["DEVICE_NUMBER", "LostError", "Promise", "Standing", "Witness", "answered", "standing"]

DEVICE_NUMBER, DEVICE_MOVING = 0, 13  # in a device of Core.user


class LostError(AssertionError):
    """A promise that was not kept."""


class Standing(NamedTuple):
    """All that an engine must bring back: users with devices, tombstones, the next device."""

    users: list[Any]
    tombs: list[Any]
    next_device: int


class Promise(NamedTuple):
    """An answer: rows through `turn` are durable, and these positions of keys are used up."""

    turn: int
    used: tuple[tuple[bytes, int], ...] = ()


def answered(promises: Sequence[Promise], turn: int = 0, used: dict[bytes, int] | None = None,
             ) -> tuple[int, dict[bytes, int]]:
    """What some promises come to, beside what was promised before: the last turn, and each key's
    first position that is not used up."""
    used = dict(used or {})
    for promise in promises:
        turn = max(turn, promise.turn)
        for key, floor in promise.used:
            used[key] = max(floor, used.get(key, 0))
    return turn, used


def standing(engine: Engine) -> Standing:
    core = engine._core
    tombs = [(mark, floors) for page in engine._tombs._pages if page
             for mark, floors in page.items()]
    users = [core.user(slot) for slot in range(core.slots_used())]
    return Standing(users, sorted(tombs), core.next_device())


class Witness:
    """Watches one engine after the other over the same store."""

    def __init__(self, promised: Callable[[int], object] = lambda number: None) -> None:
        self.states: dict[int, Standing] = {}
        self.promises: list[Promise] = []
        self.keys: dict[int, bytes] = {}  # of devices, by number
        self.copies: dict[str, int] = {}  # whole from this promise on
        self._promised = promised
        self._lock = threading.Lock()
        self._own = threading.local()

    def watch(self, engine: Engine) -> None:
        """From now on every turn of this engine is seen; what it knows already is answered."""
        head = engine._turn
        for turn in [turn for turn in self.states if turn >= head]:
            del self.states[turn]  # written, never answered, and gone: these turns come again
        self.states[head] = standing(engine)
        engine.tap = _Tap(self, engine)
        self._own.turn = head
        self.promise()

    def saw(self, engine: Engine) -> None:
        """A turn's effects stand, its row is about to be queued; the engine's lock is held."""
        self.states[engine._turn] = standing(engine)
        self._own.turn = engine._turn

    def promise(self, used: tuple[tuple[bytes, int], ...] = ()) -> None:
        """The verb this thread called has returned."""
        with self._lock:
            self.promises.append(Promise(self._own.turn, used))
            self._promised(len(self.promises) - 1)

    def copied(self, name: str) -> None:
        """A copy stands under that name; the next promise says so."""
        with self._lock:
            self.copies[name] = len(self.promises)

    def enrolled(self, serial: str, key: bytes) -> None:
        self.keys[int(serial[1:])] = key

    def judge(self, head: int, found: Standing, turn: int, used: dict[bytes, int]) -> None:
        """Raises LostError unless a store that came back so keeps what was promised."""
        if head < turn:
            raise LostError(f"row {turn} was answered, the store ends with row {head}: it is lost")
        if head not in self.states:
            raise LostError(f"the store ends with row {head}, which was never written")
        if found != self.states[head]:
            raise LostError(f"at row {head} {_difference(found, self.states[head])}")
        for user in found.users:
            for device in user[-1] if user else ():
                floor = used.get(self.keys.get(device[DEVICE_NUMBER], b""), 0)
                if device[DEVICE_MOVING] < floor:
                    raise LostError(
                        f"device {device[DEVICE_NUMBER]} is back at {device[DEVICE_MOVING]}: "
                        f"position {floor - 1} was accepted and would be once more"
                    )


class _Tap(list[bytes]):
    """Stands where an engine puts its rows, and looks at the engine instead."""

    def __init__(self, witness: Witness, engine: Engine) -> None:
        super().__init__()
        self._witness, self._engine = witness, engine

    def append(self, row: bytes) -> None:
        self._witness.saw(self._engine)


def _difference(found: Standing, lived: Standing) -> str:
    for slot, (mine, own) in enumerate(zip(found.users, lived.users, strict=False)):
        if mine != own:
            return f"slot {slot} came back as {mine}, it was {own}"
    if len(found.users) != len(lived.users):
        return f"{len(found.users)} slots came back, there were {len(lived.users)}"
    if found.tombs != lived.tombs:
        return f"tombstones came back as {found.tombs}, they were {lived.tombs}"
    return f"the next device came back as {found.next_device}, it was {lived.next_device}"
