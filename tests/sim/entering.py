"""Entry by other roads than a device, in a world: restrictions, opting out and in, devices that two
share, withdrawals; through crashes and returns.

Only every seventh story has them: the others stay what they were.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import watchword
from tests.sim.acts import KEYS
from watchword import reference_shares as shares
from watchword.errors import Busy, InvalidArgument
from watchword.reference import Attempt
from watchword.reference_shares import UNFIT

__all__ = ["Entering", "entered"]

RANGES = [(), (), ("192.0.2.1",), ("192.0.2.0/24", "10.0.0.0/8"), ("2001:db8::/32",)]
IDENTITIES = [("1970", "Ann"), ("1970", "Ann"), ("1970", "Ann"), ("1980", "Bea"), ()]
Step = tuple[Any, ...]


def entered(seed: int, steps: list[Step]) -> list[Step]:
    """A story, and in every seventh what else may happen on the way."""
    if seed % 7 != 6:
        return steps
    rng, found = random.Random(~seed), list(steps)
    users = sorted({step[2] for step in steps if step[:2] == ("user", "add_user")})
    begins = next(at for at, step in enumerate(steps) if step[0] not in ("user", "add_device"))
    for _ in range(len(steps) // 5):
        at = rng.randrange(begins, len(found))
        found[at:at] = drawn(rng, users)
    return found


def drawn(rng: random.Random, users: Sequence[str]) -> list[Step]:
    who, other, dice = rng.choice(users), rng.choice(users), rng.random()
    fresh, near = (rng.randrange(2), "fresh"), {"address": rng.choice(["192.0.2.1", "192.0.2.2"])}
    if dice < 0.15:
        return [("addresses", who, rng.choice(RANGES))]
    if dice < 0.3:
        out = [("addresses", who, RANGES[3]), ("opt_out", who)]
        return [*out, ("verify", who, "", near)]
    if dice < 0.4:
        return [("opt_in", who, rng.choice([fresh, fresh, "000000"]), near)]
    if dice < 0.75:
        same = rng.choice(IDENTITIES)
        told = [("identity", who, same), ("identity", other, rng.choice([same] * 4 + IDENTITIES))]
        lent = {"kind": "hotp", "key": 4 + users.index(who), "label": "dsc", "look_ahead": 3}
        asked = "share", other, who, rng.choice([fresh] * 4 + ["000000"])
        then: list[Step] = [("crash", "dropped", 0, ())] if rng.random() < 0.3 else []
        both = [("both", *rng.choice([(who, other), (other, who)]))] * 2
        return [*told, ("lends", who, lent), asked, *both, *then, both[0]]
    if dice < 0.8:
        return [("unshare", who, rng.randrange(3))]
    return [("withdraw", who, rng.choice([1, 4_000_000, 30_000_000]))]


class Entering:
    """Steps of a world."""

    if TYPE_CHECKING:
        engine: Any
        checker: Any
        machine: Any
        met: Any
        asked: Callable[..., Any]
        changed_by_program: Callable[..., None]
        attempt: Callable[..., Attempt]
        devices: Callable[[str], list[Any]]
        serial: Callable[[str, Any], str | None]
        own_password: Callable[[str], str | None]
        on_add_device: Callable[[str, dict[str, Any]], None]
        on_verify: Callable[[str, Any, dict[str, Any]], None]
        spell: Callable[..., str]
        _done: Callable[[str, Callable[[], Any]], None]

    def _act(self, who: str, twins: Callable[[int], Any], call: Callable[[], Any]) -> None:
        """An act that the twin finds legal or not: it is asked first, on a copy's account."""
        there = who in self.checker.twin.users
        if there:
            self.checker.acting = twins
        self._done("" if there else "-NOTFOUND", call)

    def on_addresses(self, who: str, ranges: tuple[str, ...]) -> None:
        user = self.checker.twin.users.get(who)
        if user is not None and user.opted_out and not ranges:
            self._refused(lambda: self.engine.set_addresses(who, ranges))
            return
        self._act(
            who, lambda now_ms: shares.set_addresses(self.checker.twin, who, ranges, now_ms),
            lambda: self.engine.set_addresses(who, ranges),
        )  # fmt: skip

    def on_identity(self, who: str, texts: tuple[str, ...]) -> None:
        self._act(
            who, lambda now_ms: shares.set_identity(self.checker.twin, who, texts, now_ms),
            lambda: self.engine.set_identity(who, *texts),
        )  # fmt: skip

    def on_opt_out(self, who: str) -> None:
        user = self.checker.twin.users.get(who)
        if user is not None and not user.addresses:
            self._refused(lambda: self.engine.opt_out(who))
            return
        self._act(
            who, lambda now_ms: shares.opt_out(self.checker.twin, who, now_ms),
            lambda: self.engine.opt_out(who),
        )  # fmt: skip

    def _refused(self, call: Callable[[], Any]) -> None:
        """What is not legal is said so, and leaves no record."""

        def told() -> Any:
            try:
                call()
            except InvalidArgument:
                return "refused"
            return "done"

        if self.asked(told) == "done":
            self.checker.fail("an act was done that its twin refuses")

    def on_unshare(self, who: str, index: int) -> None:
        if not self.devices(who):
            return
        serial, twin = str(self.serial(who, index)), self.checker.twin
        device = twin._device(twin.users[who], serial)
        if not device.lent and not twin.ends_sharing(device):
            self._refused(lambda: self.engine.unshare_device(who, serial))
            return
        self._act(
            who, lambda now_ms: shares.unshare(twin, who, serial, now_ms),
            lambda: self.engine.unshare_device(who, serial),
        )  # fmt: skip

    def on_withdraw(self, who: str, cents: int) -> None:
        twin, said = self.checker.twin, []
        found: list[bool] = []
        self._act(
            who, lambda now_ms: said.append(shares.withdraw(twin, who, cents, now_ms)),
            lambda: found.append(bool(self.engine.report_withdrawal(who, cents, by="a gateway"))),
        )  # fmt: skip
        if found and found != said[:1]:
            self.checker.fail(f"a withdrawal came to {found}, its twin says {said}")
        self.met["a withdrawal"] += found == [True]
        self.met["a withdrawal refused"] += found == [False]

    def on_opt_in(self, who: str, typed: Any, options: dict[str, Any]) -> None:
        a = self.attempt(who, typed, {**options, "platform": "portal"})
        a = replace(a, password=self.own_password(who))
        self.changed_by_program(
            a, lambda shed, now_ms: shares.opt_in(self.checker.twin, shed, now_ms),
            lambda: self.engine.opt_in(who, a.response, address=a.address, password=a.password),
        )  # fmt: skip

    def on_both(self, who: str, other: str) -> None:
        """One code, of a device that both have, typed by one and then by the other."""
        shared = [i for i, d in enumerate(self.devices(who)) if d.lent or d.shared]
        if shared and self.engine._ended is None:
            code = self.spell(who, (shared[-1], "fresh"), "trading")
            for name in (who, other):
                if not self.machine.disk.off:
                    self.on_verify(name, code, {"address": "192.0.2.1"})

    def on_lends(self, who: str, words: dict[str, Any]) -> None:
        """A device to share, where its owner has none of its key."""
        if not any(d.key == KEYS[words["key"]] for d in self.devices(who)):
            self.on_add_device(who, words)

    def lends(self, who: str, owner: str, typed: Any) -> Attempt | None:
        """The owner's attempt: with the newest device that shows codes, where there is one."""
        shows = [i for i, d in enumerate(self.devices(owner)) if d.kind in ("totp", "hotp")]
        if who == owner or not shows:
            return None
        typed = (shows[-1], typed[1]) if isinstance(typed, tuple) else typed
        return self.attempt(owner, typed, {"platform": "portal", "device": shows[-1]})

    def on_share(self, who: str, owner: str, typed: Any) -> None:
        a = self.lends(who, owner, typed)
        if a is None:
            return
        a = replace(a, password=self.own_password(owner))
        twins: list[str] = []

        def play(shed: Any, now_ms: int) -> Any:
            said = shares.share(self.checker.twin, who, shed, now_ms)
            twins.append(said.refused)
            return said.answer

        refused: list[str] = []

        def call() -> Any:
            try:
                said = self.engine.share_device(
                    who, owner, str(a.device), a.response, password=a.password
                )
            except Busy:
                raise
            except (InvalidArgument, watchword.NotFound, watchword.Exists):
                refused.append(UNFIT)
                return None
            refused.append(said.refused)
            self.met["a device shared"] += bool(said)
            return said.verdict

        self.changed_by_program(a, play, call)
        if refused and twins and refused != twins:
            self.checker.fail(f"sharing was refused as {refused}, its twin says {twins}")
