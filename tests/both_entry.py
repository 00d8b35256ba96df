"""The engine and its slow twin where users enter by other roads: restrictions, opting out and in,
shared devices, withdrawals. For tests/both.py.
"""

import ipaddress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from both_files import BY
from histories_entry import IDENTITIES
from said import answer_of

import watchword
from watchword import _engine, ranges, reference_shares
from watchword.reference import Event, Reason, Record, Reference, User
from watchword.reference_entry import business_day, left_cents, plain, withdrawn
from watchword.reference_shares import WORDS, usable

ENTERING = (
    "set_addresses", "set_identity", "opt_out", "opt_in", "share", "unshare", "withdraw",
)  # fmt: skip
ENTERED = (Event.ADDRESSES, Event.IDENTITY, Event.OPT, Event.SHARE, Event.WITHDRAWAL)


class BothEntry:
    """Steps of a history, each returns what the engine said and what the twin said; and states."""

    if TYPE_CHECKING:   # Both has these
        engine: watchword.Engine
        twin: Reference
        now_ms: int
        number: int
        seen: set[str]
        name: Any
        serial: Any
        attempt: Any
        same_id: Any

    def range_of(self, word: str) -> str:
        """A range of the history's own addresses (Both.attempt), or one as it is written."""
        mine = f"10.{self.number >> 8}.{self.number & 255}"
        own = {"own4": f"{mine}.0/24", "own6": f"2001:db8:{self.number:x}::/48",
               "one": f"{mine}.1", "else": "192.0.2.0/24", "mapped": f"::ffff:{mine}.0/120"}
        return own.get(word, word)  # fmt: skip

    def legal(self, call: Any) -> bool:
        """Whether the engine does it."""
        try:
            call()
        except watchword.InvalidArgument:
            return False
        return True

    def set_addresses(self, who: str, words: tuple[str, ...]) -> tuple[Any, Any]:
        name, wanted = self.name(who), tuple(dict.fromkeys(map(self.range_of, words)))
        if name not in self.twin.users:
            return None, None
        mine = self.legal(lambda: self.engine.set_addresses(name, wanted, by=BY))
        return mine, reference_shares.set_addresses(self.twin, name, wanted, self.now_ms)

    def set_identity(self, who: str, which: int | None) -> tuple[Any, Any]:
        name, texts = self.name(who), () if which is None else IDENTITIES[which]
        if name in self.twin.users:
            self.engine.set_identity(name, *texts, by=BY)
            reference_shares.set_identity(self.twin, name, texts, self.now_ms)
        return None, None

    def opt_out(self, who: str) -> tuple[Any, Any]:
        name = self.name(who)
        if name not in self.twin.users:
            return None, None
        mine = self.legal(lambda: self.engine.opt_out(name, by=BY))
        return mine, reference_shares.opt_out(self.twin, name, self.now_ms)

    def opt_in(self, who: str, word: Any, options: dict[str, Any]) -> tuple[Any, Any]:
        a = self.attempt(who, word, {**options, "realm": "live", "session": None})
        verdict = self.engine.opt_in(
            a.name, a.response, platform=a.platform, device=a.device, challenge=a.challenge,
            address=a.address, pin=a.pin, password=a.password, first_factor=a.vouched,
        )  # fmt: skip
        answer = reference_shares.opt_in(self.twin, a, self.now_ms)
        self.seen |= {repr(answer.verdict), repr(answer.reason)}
        return answer_of(verdict), tuple(answer)

    def share(
        self, asker: str, owner: str, index: int, word: Any, options: dict[str, Any]
    ) -> tuple[Any, Any]:
        a = self.attempt(owner, word, options)
        a = replace(a, device=self.serial(owner, index))
        twins = reference_shares.share(self.twin, self.name(asker), a, self.now_ms)
        try:
            said = self.engine.share_device(
                self.name(asker), a.name, str(a.device), a.response, password=a.password,
                pin=a.pin, platform=a.platform, address=a.address,
            )  # fmt: skip
        except watchword.Error:
            return "unfit", "unfit" if twins.refused == reference_shares.UNFIT else twins
        shared = said.verdict and not said.refused
        self.seen |= {"shared"} if shared else set()
        self.seen |= {repr(Reason(n)) for n, words in WORDS.items() if words == said.refused}
        return (answer_of(said.verdict), said.refused), (tuple(twins.answer), twins.refused)

    def unshare(self, who: str, index: int) -> tuple[Any, Any]:
        name, serial = self.name(who), self.serial(who, index)
        user = self.twin.users.get(name)
        if user is None or not any(d.serial == serial for d in user.devices):
            return None, None
        mine = self.legal(lambda: self.engine.unshare_device(name, str(serial), by=BY))
        return mine, reference_shares.unshare(self.twin, name, str(serial), self.now_ms)

    def withdraw(self, who: str, cents: int) -> tuple[Any, Any]:
        name = self.name(who)
        if name not in self.twin.users:
            return None, None
        said = self.engine.report_withdrawal(name, cents, by=BY)
        within = reference_shares.withdraw(self.twin, name, cents, self.now_ms)
        user, at_ms = self.twin.users[name], max(self.now_ms, self.twin.latest_ms)
        left = left_cents(usable(self.twin, user, self.now_ms), user, at_ms)
        used = withdrawn(user, business_day(at_ms))
        self.seen |= {"withdrawn" if within else repr(Reason.LIMIT)}
        limits = said.limits
        mine = limits.left_cents, limits.day_used_cents, limits.five_days_used_cents
        return (said.within, mine), (within, (left, *used))

    # -- comparison

    def entered(self, slot: int) -> Any:
        opted_out, packed, identity, *_ = _engine.extra_of(self.engine._core, slot)
        return opted_out, ranges.unpack_ranges(packed), bool(identity)

    def twins_entered(self, user: User) -> Any:
        plainly = (str(plain(ipaddress.ip_network(text))) for text in user.addresses)
        return user.opted_out, tuple(dict.fromkeys(plainly)), bool(user.identity)

    def entered_alike(self, engines: tuple[Any, ...], own: Record) -> bool:
        event, verdict, reason, tail, effects, _, place, drift = engines[:8]
        user, moving, device, lock_ms = engines[8:]
        said = event, verdict, reason, effects, place, drift
        if said != (own.event, own.verdict, own.reason, 0, own.place, 0):
            return False
        told = lock_ms if own.event in (Event.ADDRESSES, Event.IDENTITY) else 0
        by = "embedded" if own.event is Event.SHARE else BY
        if tail[told:].rstrip(b"\0") not in (by.encode(), b""):
            return False
        if own.event is Event.WITHDRAWAL:
            alike = (moving, device, lock_ms) == (own.moving, 0, own.device)
        elif own.event is Event.SHARE:
            alike = self.same_id("user", own.moving, moving)
            alike = alike and self.same_id("device", own.device, device)
        else:
            alike = (moving, device) == (0, 0)
        return bool(alike and self.same_id("user", own.user, user))
