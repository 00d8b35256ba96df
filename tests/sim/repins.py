"""Phones that serve several users, in a world and in a story. Rule: whoever changes the PIN, it is
another for all of them, in one row, durable before anyone hears of it.

A change is asked by an embedding program or by a gateway (CHANGEPIN), and asked again by who did
not hear. What a story has of it is drawn by dice of its own and put between its other steps.
"""

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.sim.phones import PHONES, PIN
from tests.sim.tears import POLICIES
from watchword.reference import Answer, Attempt

__all__ = ["Repins", "episode"]

Step = tuple[Any, ...]
PINS = (PIN, "8255", "0815")
PHONES_MAX = 8      # devices of a user who is given a phone
DIGESTS = {hashlib.sha256(pin.encode()).digest(): pin for pin in PINS}


class Repins:
    """Steps of a world."""

    if TYPE_CHECKING:
        engine: Any
        checker: Any
        met: Any
        attempt: Callable[..., Attempt]
        devices: Callable[[str], list[Any]]
        changed_by_gateway: Callable[..., None]
        changed_by_program: Callable[..., None]
        on_challenge: Callable[..., None]
        on_verify: Callable[[str, Any, dict[str, Any]], None]
        _enrol: Callable[[str, dict[str, Any], bytes], None]
        repinned: tuple[Attempt, str] | None    # what was asked last: an attempt, and the new PIN

    def pin_of(self, phone: bytes) -> str:
        """The one PIN of a phone; of one that serves nobody the usual one."""
        served = self._served(phone)
        return DIGESTS[served[0][1].pin_hash] if served else PIN

    def _served(self, phone: bytes) -> list[tuple[str, Any]]:
        users = self.checker.twin.users.values()
        return [(u.name, d) for u in users for d in u.devices if phone and d.phone == phone]

    def _phone(self, who: str) -> int | None:
        """Which of a user's devices is a phone that was enrolled."""
        return next((i for i, d in enumerate(self.devices(who)) if d.phone), None)

    def on_phone(self, who: str, which: int) -> None:
        """A phone serves one more."""
        if who in self.checker.twin.users and self._phone(who) is None:
            if len(self.devices(who)) < PHONES_MAX:
                words = {"kind": "ocra", "label": "ib-key", "phone": which}
                self._enrol(who, words, bytes([80 + which]) * 20)
            self.met["a phone of several"] += len(self._served(PHONES[which])) > 1

    def on_ask_phone(self, who: str) -> None:
        if (at := self._phone(who)) is not None:
            self.on_challenge(who, "portal", None, at)

    def on_by_hand(self, who: str, pin: str) -> None:
        """A login with what the phone shows for a PIN: its own, or one that was."""
        if (at := self._phone(who)) is None:
            return
        device = self.devices(who)[at]
        options = {"platform": "portal", "by_id": True}
        own = device.pin_hash
        if pin != "own":
            device.pin_hash = hashlib.sha256(pin.encode()).digest()
        typed = self.attempt(who, (at, "fresh"), options).response
        device.pin_hash = own
        self.on_verify(who, typed, options)

    def on_repin(self, who: str, old: str, new: str, number: int | None) -> None:
        """number: of the gateway that asks; None: an embedding program does."""
        if (at := self._phone(who)) is None:
            return
        old = self.pin_of(self.devices(who)[at].phone) if old == "own" else old
        a = self.attempt(who, (at, "fresh"), {"platform": "portal", "by_id": True, "device": at})
        self.repinned = replace(a, pin=old), new
        self._repin(number)

    def on_repin_again(self, number: int | None) -> None:
        """Whoever did not hear, or does not believe it, says the same once more."""
        if self.repinned is not None and not self.changing:
            self._repin(number)

    def _repin(self, number: int | None) -> None:
        assert self.repinned is not None
        a, new = self.repinned

        def act(said: Attempt, now_ms: int) -> Answer:
            return self.checker.twin.change_pin(said, new, now_ms)  # type: ignore[no-any-return]

        if number is None:
            self.changed_by_program(
                a, act, lambda: self.engine.change_pin(
                    a.name, a.pin, a.response, new, device=a.device, challenge=a.challenge
                ), lambda made: self._alike(a.name, made),
            )  # fmt: skip
        else:
            self.changed_by_gateway(
                number, a, act, ("CHANGEPIN", a.name, str(a.pin), a.response, new),
                ("DEVICE", "CHALLENGE"), lambda made: self._by_gateway(a.name, made),
            )  # fmt: skip

    def _by_gateway(self, who: str, changed: bool) -> None:
        self.met["a gateway changed a PIN"] += changed
        self._alike(who, changed)

    def _alike(self, who: str, changed: bool) -> None:
        """All whom the phone serves stand as their twins do."""
        at = self._phone(who)
        if at is not None:
            served = [name for name, _ in self._served(self.devices(who)[at].phone)]
            self.met["a PIN changed for several"] += changed and len(served) > 1
            self.checker.compare(self.engine, served)


# ---- in a story


def episode(rng: random.Random, users: Sequence[str]) -> list[Step]:
    """A phone of some users, another PIN for it, and the logins of all of them afterwards."""
    which, served = rng.choice([0, 0, 1]), rng.sample(users, min(len(users), rng.choice([2, 2, 3])))
    number, new = rng.choice([None, None, 0, 1]), rng.choice(PINS)
    steps: list[Step] = [("phone", who, which) for who in served]
    steps.append(("ask_phone", served[0]))
    tear = rng.choice((*POLICIES, "dropped", "killed")), rng.randrange(2**16)
    if rng.random() < 0.4:
        steps.append(("crash_in", rng.choice([1, 2, 3, 4, 6]), rng.random() < 0.5, *tear, ()))
    steps.append(("repin", served[0], rng.choice(["own"] * 5 + ["0000"]), new, number))
    if number is not None:
        steps += rng.choice([[("settle",)]] * 3 + [[("pass",), ("lose", number, False)]])
    steps += rng.choice([[], [], [("keep", ())], [("crash", *tear, ())], [("kill",)]])
    steps += [("repin_again", rng.choice([None, number]))] * rng.choice([0, 1])
    steps += [("settle",)] * (number is not None)
    for who in rng.sample(served, len(served)):
        steps += [("ask_phone", who), ("by_hand", who, rng.choice(["own"] * 3 + [*PINS]))]
    return steps
