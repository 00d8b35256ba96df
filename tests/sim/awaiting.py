"""A program that embeds the engine and waits for pushes, in a world and in a story: wait_push asks
how one stands, await_push is held over whatever else happens.

Rule: who waits is told once the push is decided, or that it is pending once the time is up, and
either is durable.
"""

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from watchword.errors import StoreFailed
from watchword.reference import Attempt
from watchword.reference_push import DECIDED

__all__ = ["NONE_OPEN", "Awaiting", "awaited"]

Step = tuple[Any, ...]
NONE_OPEN = "0" * 32
LONG_MS = 300_000       # longer than a push lives


class Awaiting:
    """Steps of a world."""

    if TYPE_CHECKING:
        engine: Any
        checker: Any
        machine: Any
        met: Any
        asked: Callable[..., Any]
        _patience: Callable[[Attempt, int], Callable[[], bool]]
        pushed: dict[str, list[tuple[str, int]]]
        watched: list[tuple[str, Any, Any, Callable[[], bool]]]     # a push's id, and who waits

    def on_poll_push(self, who: str, back: int) -> None:
        """wait_push, which has no time."""
        id = self._id_of(who, back)
        said = self.asked(lambda: self.engine.wait_push(id, 0))
        if said is not None:
            self._told_of(id, said, lambda: True)

    def on_await_push(self, who: str, back: int, wait_ms: int) -> None:
        """await_push, for so long or as long as it lives."""
        id = self._id_of(who, back)
        patience = self._patience(Attempt(who, "", challenge=id), wait_ms or LONG_MS)
        call = self.engine.await_push(id, wait_ms / 1000 if wait_ms else None)
        self._goes_on(id, call, patience)

    def _id_of(self, who: str, back: int) -> str:
        pushed = self.pushed.get(who, [])
        return pushed[back][0] if back < len(pushed) else NONE_OPEN

    def _goes_on(self, id: str, call: Any, patience: Callable[[], bool]) -> None:
        try:
            self.watched.append((id, call, call.send(None), patience))
        except StopIteration as said:
            self.met["a push awaited"] += 1
            if not self.machine.disk.off:
                self._told_of(id, said.value, patience)
        except StoreFailed:
            if self.engine._ended is None:
                self.checker.fail("an engine that goes on said that it ended")

    def hear_watched(self) -> None:
        for one in [one for one in self.watched if one[2].done()]:
            self.watched.remove(one)
            id, call, _, patience = one
            self._goes_on(id, call, patience)

    def _told_of(self, id: str, decided: bool, patience: Callable[[], bool]) -> None:
        """That it is no longer pending, or that it is and the time is up; and that is durable."""
        push = self.checker.twin.pushes.of(id)
        pending = push is not None and push.stands(self.checker.now_ms()) == "pending"
        if decided == pending:
            self.checker.fail(f"who waits is told {decided} of a push that its twin has as {push}")
        if not decided and not patience():
            self.checker.fail(f"who waits is told too soon that {push} is pending")
        self.met[f"a push was {'no longer' if decided else 'still'} pending"] += 1
        self.checker.acknowledge(self.engine._turn)

    def expect_told(self) -> None:
        """Nothing is under way: whoever waits for a push waits for one that is pending."""
        for id, *_ in self.watched:
            push = self.checker.twin.pushes.of(id)
            if push is None or push.state in (*DECIDED, "cancelled"):
                self.checker.fail(f"a program waits for a push that its twin has as {push}")


# ---- in a story


def awaited(dice: random.Random, who: str) -> list[Step]:
    """A program that embeds the engine waits for a push of this user, or asks how one stands."""
    if dice.random() < 0.4:
        return []
    poll: Step = "poll_push", who, 0
    if dice.random() < 0.2:     # a record that is on its way when it is told, and a crash
        behind: list[Step] = [("settle",), ("await", who, "wrong", {}), ("pass",)]
        return [*behind, poll, ("crash", "dropped", 0, ())]
    waits: Step = "await_push", who, dice.choice([0] * 5 + [1]), dice.choice([0, 0, 1, 30_000])
    return [waits] * dice.choice([1, 1, 2]) + [poll] * (dice.random() < 0.3)
