"""Devices that come and go, in a world and in a story: shipped, activated, replaced, ended.

What a story has of it is drawn by dice of its own and put between its other steps, so that a seed
does besides what it always did.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.sim.checker import Asked, answer_of
from watchword import InvalidArgument
from watchword.reference import Device
from watchword.reference_life import NEW_DEVICE, stands

__all__ = ["Living", "with_life"]

Step = tuple[Any, ...]
DEVICES_MAX = 8
NAMES = {"ended": "expired"}
MOMENTS_MS = (1, 30_000, 90_000, 3_600_000)
LAST = -1   # the device that came last
WHERE = ("trading", "portal")


class Living:
    """Steps of a world."""

    if TYPE_CHECKING:
        engine: Any
        checker: Any
        met: Any
        serials: int
        asked: Callable[..., Any]
        attempt: Callable[..., Any]
        devices: Callable[[str], list[Any]]
        own_password: Callable[[str], str | None]
        _made: Callable[..., Any]
        _done: Callable[[str, Callable[[], Any]], None]
        _serial: Callable[[str, int], str]

    def _new(self, who: str, words: dict[str, Any]) -> tuple[Any, Device]:
        self.serials += 1
        figures = {name: word for name, word in words.items() if name not in ("kind", "key")}
        own = Device(words["kind"], bytes([65 + words["key"]]) * 20, f"s{self.serials}", **figures)
        if "back" in figures:
            figures["window"] = (figures.pop("back"), figures.pop("forward"))
        if "moving" in figures:
            figures["counter"] = figures.pop("moving")
        device = self._made(who, own, figures)
        own.algorithm, own.digits = device.algorithm, device.digits
        return device, own

    def _has_room(self, who: str) -> bool:
        return who in self.checker.twin.users and len(self.devices(who)) < DEVICES_MAX

    def on_ship(self, who: str, words: dict[str, Any], activates: int, expires: int) -> None:
        if not self._has_room(who):
            return
        twin, now_ms = self.checker.twin, self.checker.now_ms()
        device, own = self._new(who, words)
        if twin.bars(who, own):
            return
        dates = {"activates_ms": now_ms + activates} if activates else {}
        dates |= {"expires_ms": now_ms + expires} if expires else {}
        self.checker.acting = lambda at_ms: twin.ship_device(who, own, at_ms, **dates)
        self._done("", lambda: self.engine.ship_device(who, device, own.serial, **dates))

    def on_online_card(self, who: str) -> None:
        if not self._has_room(who):
            return
        self.serials += 1
        key, serial, twin = bytes([self.serials % 256]) * 20, f"c{self.serials}", self.checker.twin
        own = Device("card", key, serial, label="online-code-card", look_ahead=0, back=0, forward=0)
        if twin.bars(who, own):
            return
        self.checker.acting = lambda at_ms: twin.online_card(who, own, at_ms)
        real, self.engine._entropy = self.engine._entropy, lambda count: key[:count]
        self._done("", lambda: self.engine.issue_online_card(who, serial))
        self.engine._entropy = real

    def _legal(self, who: str, index: int, state: str) -> bool:
        now_ms = self.checker.now_ms()
        return bool(self.checker.twin.may_become(who, self._serial(who, index), state, now_ms))

    def on_replace(
        self, who: str, index: int, words: dict[str, Any], state: str, until: int
    ) -> None:
        if not self._has_room(who) or not self.devices(who) or not self._legal(who, index, state):
            return
        twin, old = self.checker.twin, self._serial(who, index)
        device, own = self._new(who, words)
        if twin.bars(who, own):
            return
        until_ms = self.checker.now_ms() + until if until and state == "active" else 0
        self.checker.acting = lambda at_ms: twin.replace_device(
            who, old, own, at_ms, state=state, until_ms=until_ms
        )
        self._done("", lambda: self.engine.replace_device(
            who, old, device, own.serial, state=NAMES.get(state, state), until_ms=until_ms
        ))  # fmt: skip

    def on_dates(self, who: str, index: int, expires: int) -> None:
        if not self.devices(who):
            return
        serial, twin = self._serial(who, index), self.checker.twin
        expires_ms = self.checker.now_ms() + expires
        self.checker.acting = lambda at_ms: twin.set_dates(
            who, serial, at_ms, expires_ms=expires_ms
        )
        self._done("", lambda: self.engine.set_dates(who, serial, expires_ms=expires_ms))

    def on_set_device(self, who: str, index: int, state: str) -> None:
        """A state that may not follow is refused, and nothing is written."""
        if not self.devices(who):
            return
        serial, twin, legal = self._serial(who, index), self.checker.twin, True
        legal = self._legal(who, index, state)
        if legal:
            self.checker.acting = lambda at_ms: twin.set_device(who, serial, state, at_ms)

        def call() -> None:
            try:
                self.engine.set_device(who, serial, state=NAMES.get(state, state))
            except InvalidArgument:
                if legal:
                    raise
            else:
                if not legal:
                    self.checker.fail(f"{serial} became {state}, which may not follow")

        self.met["an illegal state"] += not legal
        self._done("", call)

    def on_activate(self, who: str, index: int, near: Any, by_id: bool) -> None:
        options = {"platform": "portal", "device": index, "by_id": by_id}
        a = self.attempt(who, (index, near), options)
        a = replace(a, activates=True, password=self.own_password(who), device=a.device or "none")
        asked, user = Asked(a), self.checker.twin.users.get(who)
        came = user is not None and any(
            stands(user, d, self.checker.now_ms()) != d.state for d in user.devices
        )
        self.checker.asking = [asked]
        verdict = self.asked(lambda: self.engine.activate(
            a.name, a.device, a.response, challenge=a.challenge, password=a.password
        ))  # fmt: skip
        if verdict is not None:
            self.met["an activation"] += bool(verdict)
            self.met["a moment that had come"] += came
            self.checker.answered(asked, answer_of(verdict), self.engine._turn)


# ---- in a story


def with_life(
    seed: int, steps: list[Step], users: list[str], device: Callable[..., dict[str, Any]]
) -> list[Step]:
    """A story's steps, and in some stories what comes by post between them. device: draws words, by
    dice that are lent to it here."""
    rng = random.Random(f"life {seed}")
    if rng.random() < 0.4:
        return steps
    first = sum(step[0] in ("user", "add_device") for step in steps[:12])
    for _ in range(max(1, len(steps) // 40)):
        at = rng.randrange(min(first, len(steps)), len(steps) + 1)
        steps[at:at] = episode(rng, rng.choice(users), device)
    return steps


def episode(rng: random.Random, who: str, device: Callable[..., dict[str, Any]]) -> list[Step]:
    words = device(rng.choice(["totp", "hotp", "hotp", "ocra"]))
    if "phone" in words:
        words = device("hotp")
    dice, moment = rng.random(), rng.choice(MOMENTS_MS)
    temporary = {"kind": "passcode", "key": rng.randrange(4), "label": "temporary-passcode"}
    if rng.random() < 0.15:     # until it opens the portal alone, and until it opens nothing
        tried = [("verify", who, (LAST, "fresh"), {"platform": where}) for where in WHERE]
        return [("add_device", who, temporary), *[("wait", 90_000), *tried] * 2]
    steps: list[Step] = [("add_device", who, temporary)] if rng.random() < 0.4 else []
    if dice < 0.4:
        ends = rng.choice([0, 0, rng.choice(MOMENTS_MS)])
        steps.append(("ship", who, words, rng.choice([0, moment, moment]), ends))
    elif dice < 0.65:
        steps.append(("online_card", who))
    elif dice < 0.85:
        state = rng.choice(["lost", "returned", "ended", "active", "active"])
        steps.append(("replace", who, rng.randrange(3), words, state, rng.choice([0, moment])))
    elif dice < 0.93:
        steps.append(("dates", who, rng.randrange(3), moment))
    else:
        steps.append(("set_device", who, rng.randrange(4), rng.choice(["ended", "returned"])))
    if rng.random() < 0.5:
        steps.append(("wait", rng.choice([moment - 1, moment, moment + 1])))
    if rng.random() < 0.15:
        steps.append(rng.choice([("keep", ()), ("kill",), ("crash", "kept", 0, ())]))
    for _ in range(rng.choice([0, 1, 1, 2])):
        steps.append(("challenge", who, "portal", NEW_DEVICE, LAST))
        steps.append(("activate", who, LAST, rng.choice(["fresh"] * 4 + [3]), rng.random() < 0.8))
    for index in range(rng.choice([0, 2, 3])):
        steps.append(("verify", who, (index, "fresh"), {"platform": rng.choice(WHERE)}))
    return steps
