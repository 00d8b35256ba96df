"""Request ids in a story: a gateway that did not hear its answer asks again, also after a crash.

The first may be an awaited call or a plain one; whoever asks again calls plainly. Bursts are drawn
apart from the rest of a story, so that it stays the story it was.
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.sim.checker import BUSY, Asked, answer_of
from tests.sim.tears import POLICIES
from watchword.errors import InvalidArgument
from watchword.reference import Answer, Attempt

__all__ = ["Given", "with_ids"]

Step = tuple[Any, ...]
GATEWAY = "embedded"     # who calls an engine, and names nobody


def with_ids(seed: int, steps: Sequence[Step]) -> list[Step]:
    """Bursts of attempts with ids, put in between the steps of every other story."""
    rng, told = random.Random(f"ids {seed}"), list(steps)
    if seed % 2:
        return told
    for n in range(rng.choice([1, 2, 4])):
        at = rng.randrange(len(told) // 4, len(told))
        told[at:at] = burst(rng, n)
    return told


def burst(rng: random.Random, n: int) -> list[Step]:
    awaited = rng.random() < 0.5
    typed = rng.choice([(0, "fresh")] * 3 + ["wrong", (1, "fresh")])
    who = rng.choice(["u0", "u0", "u0", "nobody"])
    steps: list[Step] = [("give", n, who, typed, rng.choice(["trading", "portal"]), awaited)]
    steps += [("pass",)] * awaited
    crash = "crash", rng.choice((*POLICIES, "dropped", "killed")), rng.randrange(2**16), ()
    meanwhile: list[list[Step]] = [
        [], [], [("keep", ())], [crash], [("keep", ()), crash], [("close",)],
        [("wait", 30_000), ("keep", ()), ("wait", 29_999)], [("wait", 60_000)],
        [("verify", "u0", (0, "fresh"), {})],
    ]
    steps += rng.choice(meanwhile)
    steps += [("again", n, rng.random() < 0.2)] * rng.choice([1, 1, 2])
    if rng.random() < 0.5:
        steps += [crash, ("again", n, False)]
    return steps


class Given:
    """Steps of a world."""

    if TYPE_CHECKING:
        engine: Any
        checker: Any
        awaited: list[tuple[Asked, Any, Any]]
        met: Any
        attempt: Any
        gathered: Any
        asked: Any
        own_password: Any
        devices: Any
        begin_awaited: Any

    def identified(self, a: Attempt, id: str, gateway: str = GATEWAY) -> Asked:
        """An attempt that its turn decides once, whoever asks how often."""
        asked = Asked(a)

        def play(now_ms: int, busy: bool) -> Answer:
            twin, held = self.checker.twin, self.checker.as_held(asked)
            told, asked.again = self.checker.ids.attempt(
                twin, replace(a, shed=busy), now_ms, gateway, id,
                lambda: twin.attempt(replace(held, shed=busy), now_ms),
            )  # fmt: skip
            asked.misused = told is None
            return BUSY if told is None else told  # type: ignore[no-any-return]

        asked.play = play
        return asked

    def on_give(
        self, n: int, who: str, typed: Any, platform: str, awaited: bool
    ) -> None:
        options = {"platform": platform}
        if not hasattr(self, "sent_by_id"):
            self.sent_by_id: dict[int, tuple[Asked, str]] = {}
        id = f"of a story {n} {len(self.sent_by_id)}"
        if not awaited:
            a = replace(self.attempt(who, typed, options), password=self.own_password(who))
            asked = self.identified(a, id)
            self.sent_by_id[n] = asked, id
            self.told_for(asked, id)
            return
        waits = self.gathered(who, typed, options)
        waits.play = None
        asked = self.identified(waits.attempt, id)
        self.checker.pending[next(reversed(self.checker.pending))][-1] = asked
        self.sent_by_id[n] = asked, id
        a = asked.attempt
        call = self.engine.averify(
            a.name, a.response, platform=a.platform, address=a.address, request_id=id
        )
        self.begin_awaited(asked, call)

    def on_again(self, n: int, changed: bool) -> None:
        """Whoever did not hear asks again, unless the first has not had its turn."""
        first, id = getattr(self, "sent_by_id", {}).get(n, (None, ""))
        undecided = first is not None and first.answer is None
        if first is None or (undecided and any(one[0] is first for one in self.awaited)):
            return
        a = first.attempt
        if changed:
            a = replace(a, response="271828" if a.response != "271828" else "314159")
        self.told_for(self.identified(a, id), id)

    def told_for(self, asked: Asked, id: str, gateway: str | None = None) -> None:
        a = asked.attempt
        self.checker.hold(asked)
        self.checker.asking = [asked]

        def verify() -> Any:
            try:
                return self.engine.verify(
                    a.name, a.response, platform=a.platform, address=a.address,
                    challenge=a.challenge, password=a.password, pin=a.pin,
                    first_factor=a.vouched, request_id=id, gateway=gateway,
                )  # fmt: skip
            except InvalidArgument as misuse:
                return misuse

        verdict = self.asked(verify)
        if verdict is None:
            return
        if isinstance(verdict, InvalidArgument) != asked.misused:
            self.checker.fail(f"{asked.attempt} was answered {verdict!r}, misused: {asked.misused}")
        if asked.misused:
            self.met["an id misused"] += 1
            return
        self.met["an id again"] += asked.again
        said = answer_of(verdict)
        if said[2] is None and self._has_gone(asked):
            said = (*said[:2], asked.answer.device, *said[3:])  # type: ignore[union-attr]
        self.checker.answered(asked, said, self.engine._turn)

    def _has_gone(self, asked: Asked) -> bool:
        """Whether an answer that is told again names a device that there is no more: a store that
        was opened since knows no serial of it."""
        device = asked.answer.device if asked.again and asked.answer else None
        there = any(d.serial == device for d in self.devices(asked.attempt.name))
        return device is not None and not there and self.checker.lives > 1
