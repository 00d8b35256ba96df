"""Devices that two users share, at a daemon's doors: asked for by a gateway (SHARE), taken back,
lost and found by the administration socket (DEVICE UNSHARE, LOST, RETURN, ACTIVE), in a world and
in a story.

Rule: the owner's attempt, why it was not shared, and what is lent are one row; a code that one of
them used is used, whoever of them comes next and whatever crashed in between; and what one of them
lost is lost for all.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.sim.checker import Asked
from tests.sim.network import Gateway
from tests.sim.tears import POLICIES
from watchword import reference_shares as shares
from watchword.reference import Answer, Attempt, Verdict
from watchword.reference_shares import UNFIT, Said

__all__ = ["Lending", "episode"]

Step = tuple[Any, ...]
VERBS = {"lost": "LOST", "returned": "RETURN", "active": "ACTIVE"}
LAST = -1           # the device that came last
OF_LENDERS = 4      # the first key that is one lender's alone


class Lending:
    """Steps of a world."""

    if TYPE_CHECKING:
        engine: Any
        checker: Any
        met: Any
        apart: Callable[..., Attempt]
        changed_by_gateway: Callable[..., None]
        devices: Callable[[str], list[Any]]
        gateway: Callable[..., Gateway]
        lends: Callable[[str, str, Any], Attempt | None]
        own_password: Callable[[str], str | None]
        tell: Callable[..., None]

    def on_share_by(
        self, number: int, who: str, owner: str, typed: Any, word: str, pin: Any = None
    ) -> None:
        """word: the owner's own password, another, or none."""
        a = self.lends(who, owner, typed)
        if a is None:
            return
        password = {"own": self.own_password(owner), "wrong": "wrong"}.get(word)
        a = self.apart(replace(a, password=password), pin)
        twins: list[Said] = []

        def act(said: Attempt, now_ms: int) -> Answer:
            twins.append(shares.share(self.checker.twin, who, said, now_ms))
            return twins[-1].answer

        self.changed_by_gateway(
            number, a, act, ("SHARE", who, owner, str(a.device), a.response),
            ("PLATFORM", "PASSWORD", "PIN"), lambda _: None,
            lambda asked: self._of_sharing(self.gateway(number), asked, twins),
        )  # fmt: skip

    def _of_sharing(
        self, client: Gateway, asked: Asked, twins: list[Said]
    ) -> Callable[[Any], None]:
        """Holds the reply against what became of it."""

        def hear(reply: Any) -> None:
            refused = twins[-1].refused if twins else ""
            if isinstance(reply, str):
                if self.engine._ended is not None and reply.startswith("-ERR"):
                    return
                if refused != UNFIT:
                    self.checker.fail(f"{asked.attempt} was answered {reply!r}, not {refused!r}")
                self.checker.answered(asked, (Verdict.ACCEPTED,), asked.turn)
                self.met["a gateway's share: unfit"] += 1
                return
            said = dict(zip(reply[::2], reply[1::2], strict=True))
            client.verdict(asked, said["verdict"])
            shared = said["verdict"] == "ACCEPTED" and not refused
            if (said["refused"], said["serial"] == asked.attempt.device) != (refused, shared):
                self.checker.fail(f"{asked.attempt} was answered {said}, not {refused!r}")
            self.met[f"a gateway's share: {said['refused'] or said['verdict']}"] += 1

        return hear

    def on_unshare_by(self, who: str) -> None:
        """Of the device that came last and is shared; where none is, that is said."""
        serial = self._shared(who)
        self.tell("unshare", who, (serial,), "DEVICE", "UNSHARE", who, serial)

    def on_becomes_by(self, who: str, state: str) -> None:
        """The same device is lost, was returned, or is found again."""
        serial, verb = self._shared(who), VERBS[state]
        self.tell("becomes", who, (serial, state), "DEVICE", verb, who, serial)

    def _shared(self, who: str) -> str:
        devices = self.devices(who)
        shared = [d.serial for d in devices if d.lent or self.checker.twin.ends_sharing(d)]
        return shared[-1] if shared else devices[-1].serial if devices else "none"

    def expect_becomes(self, who: str, serial: str, state: str) -> str:
        """Prepares the twin's act, or says how its refusal begins."""
        twin = self.checker.twin
        if all(d.serial != serial for d in self.devices(who)):
            return "-NOTFOUND"
        if not twin.may_become(who, serial, state, self.checker.now_ms()):
            return "-INVALID"
        self.met[f"shared, and {state} by a door"] += 1
        self.checker.acting = lambda now_ms: twin.set_device(who, serial, state, now_ms)
        return ""

    def expect_unshare(self, who: str, serial: str) -> str:
        """Prepares the twin's act, or says how its refusal begins."""
        twin = self.checker.twin
        device = next((d for d in self.devices(who) if d.serial == serial), None)
        if device is None:
            return "-NOTFOUND"
        if not device.lent and not twin.ends_sharing(device):
            return "-INVALID"
        self.met["taken back by a door"] += 1
        self.checker.acting = lambda now_ms: shares.unshare(twin, who, serial, now_ms)
        return ""


# ---- in a story


def episode(rng: random.Random, users: Sequence[str]) -> list[Step]:
    """Somebody is lent a device, or two are; its codes are used by both; it is taken back, perhaps
    lent again; a crash about that time."""
    owner, *others = rng.sample(users, min(len(users), rng.choice([2, 3, 3])))
    number, same = rng.randrange(3), ("1970", "Ann")
    tear = rng.choice((*POLICIES, "dropped", "killed")), rng.randrange(2**16)
    after: Callable[[], list[Step]] = lambda: rng.choice([  # noqa: E731
        [], [], [("keep", ())], [("crash", *tear, ())], [("kill",)], [("close",)],
    ])  # fmt: skip

    def asked(who: str) -> list[Step]:
        typed = rng.choice([(0, "fresh")] * 8 + ["000000"])
        share = "share_by", number, who, owner, typed, rng.choice(["own"] * 8 + ["none", "wrong"])
        soon = "crash_in", rng.choice([1, 2, 3, 4, 6]), rng.random() < 0.5, *tear, ()
        ends = rng.choice([[("settle",)]] * 4 + [[("pass",), ("lose", number, False)]])
        return [soon] * (rng.random() < 0.1) + [share, *ends, *after()]

    steps: list[Step] = [("room", True), ("keep", ()), ("accept_clock",)]
    for who in (owner, *others):
        told = same if rng.random() < 0.9 else ("1980", "Bea")
        steps += [("user", "unlock", who), ("identity", who, told)]
        steps += [("remove_device", who, 0)] * rng.choice([1, 2, 4, 4])
    key = OF_LENDERS + users.index(owner)
    lent = {"kind": "hotp", "key": key, "label": "dsc", "look_ahead": 3}
    steps += [("lends", owner, lent)] + [("password", owner, 0)] * (rng.random() < 0.3)
    for who in others:
        steps += asked(who)
    steps += lost(random.Random(repr(rng.getstate())), (owner, *others))
    for _ in range(rng.choice([1, 2])):
        steps += [("both", *rng.choice([(owner, others[0]), (others[0], owner)]))]
        steps += [("unshare_by", rng.choice([owner, owner, *others])), *after(), ("settle",)]
        steps += [("both", owner, rng.choice(others)), *after()]
        steps += asked(rng.choice(others)) * rng.choice([0, 1])
    return [*steps, ("both", others[-1], owner), ("password", owner, None)]


def lost(dice: random.Random, sharers: Sequence[str]) -> list[Step]:
    """One of them reports it, another finds it, and it may be replaced; its codes are tried by both
    after each. Dice of its own, so that what a seed does besides stays what it was."""
    if dice.random() < 0.4:
        return []
    who, finds = dice.sample(sharers, 2)
    state = dice.choice(["lost", "lost", "lost", "returned"])
    tried: list[Step] = [("settle",), ("both", *dice.choice([(who, finds), (finds, who)]))]
    steps = [("becomes_by", who, state), *tried]
    if dice.random() < 0.7:
        steps += [("becomes_by", finds, "active"), *tried]
    if dice.random() < 0.5:
        new = {"kind": "hotp", "key": dice.randrange(4), "algorithm": "sha256", "look_ahead": 3}
        steps += [("replace", who, LAST, new, state, 0), *tried]
    if dice.random() < 0.3:
        steps += [("crash", dice.choice(POLICIES), dice.randrange(2**16), ()), *tried]
    back = [("settle",)] if dice.random() < 0.8 else []
    return [*steps, *(("becomes_by", name, "active") for name in (who, finds)), *back]
