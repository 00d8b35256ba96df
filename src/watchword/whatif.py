"""What-if: the kept journal's attempts under another policy, and who would have fared otherwise.

Rule: rows without secrets go through the engine's own decide and apply, on tables of their own
(ext/whatif.c); no rule of time or order is written here. What a record does not tell is not asked:
NOT_ASKED says what that is, and the report repeats it.
"""

import secrets
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from watchword._engine import OUTCOME_BYTES, Code, Core, whatif, whatif_forget
from watchword.core_policy import told_to
from watchword.errors import InvalidArgument
from watchword.policy import Policy

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["NOT_ASKED", "Change", "Report", "WhatIf"]

OUTCOMES_AT_ONCE: Final = 65_536
USERS_NAMED_MAX: Final = 1_000      # of each list in a report; the counts are of all
OUTCOME: Final = np.dtype([
    ("time_ms", "<i8"), ("user", "<u8"), ("until_ms", "<i8"), ("was", "u1"), ("was_reason", "u1"),
    ("is", "u1"), ("is_reason", "u1"), ("flags", "u1"), ("pad", "u1", 3),
])  # fmt: skip
assert OUTCOME.itemsize == OUTCOME_BYTES
LOCKED, LOCKS, UNSURE, AS_RECORDED, LEFT_OUT, UNKNOWN = (1 << bit for bit in range(6))

NOT_ASKED: Final = (
    "wider windows, look-ahead and longer lives of codes: a record holds the position that "
    "matched, not what was typed",
    "attempts that were BUSY then: they left no record",
    "names that nobody has: their failures are kept by no store",
    "challenges: they were asked of the device that they were asked of then",
    "figures of what is enrolled or issued (keys, passcodes, cards, codes sent): they were used "
    "when that was done",
)


@dataclass(frozen=True, slots=True)
class Change:
    """A user, and the attempts that would have ended otherwise."""

    user: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Report:
    """What another policy would have changed.

    attempts: that were decided again. changed: of them, with another verdict. verdicts: how many
    went from one to the other, "ACCEPTED -> LOCKED". locked, freed: users whom a lock would have
    met, or met and would not have; refused, let_in: users with an attempt accepted then and
    refused under this policy, or the other way; their lists hold the thousand with most. locks_then
    and locks_now: times at which locks began. unsure: attempts of devices that were suspended then,
    whose codes were never looked at: they count as wrong. as_recorded: attempts taken as they were.
    left_out: attempts and acts of users enrolled before the first row that is kept. unknown: of
    names nobody has. not_asked: what the journal cannot tell.
    """

    attempts: int
    changed: int
    verdicts: dict[str, int]
    locked: tuple[Change, ...]
    freed: tuple[Change, ...]
    refused: tuple[Change, ...]
    let_in: tuple[Change, ...]
    users: dict[str, int]
    locks_then: int
    locks_now: int
    from_ms: int
    to_ms: int
    then_ms: "NDArray[np.int64]" = field(repr=False, compare=False)
    now_ms: "NDArray[np.int64]" = field(repr=False, compare=False)
    unsure: int
    as_recorded: int
    left_out: int
    unknown: int
    not_asked: tuple[str, ...] = NOT_ASKED


class WhatIf:
    """Takes rows in order with `feed`, and says with `report` what became of them."""

    def __init__(self, policy: Policy) -> None:
        if not isinstance(policy, Policy):
            raise InvalidArgument("policy is a watchword.Policy")
        # Nothing here is kept or compared with anything outside: any keys do.
        self._core = Core(
            secrets.token_bytes(16), secrets.token_bytes(48), secrets.token_bytes(32)
        )
        told_to(self._core, policy)
        self._outcomes = np.zeros(OUTCOMES_AT_ONCE, OUTCOME)
        self._filled = 0
        self._file = -1
        self._lost = self._attempts = self._unknown = self._unsure = 0
        self._as_recorded = self._left_out = 0
        self._verdicts = np.zeros((16, 16), np.int64)
        self._then, self._now = array("q"), array("q")
        self._from: int | None = None
        self._to = 0
        self._users: list[dict[int, int]] = [{}, {}, {}, {}]  # locked, freed, refused, let in
        self._names: dict[int, str] = {}

    def feed(self, row: bytes, file: int = 0) -> None:
        """The next row; file: a number that changes where a file of the journal begins."""
        if file != self._file:
            whatif_forget(self._core)
            self._file = file
        done = whatif(self._core, row, self._outcomes, self._filled)
        if done is None:
            self._count()
            if len(row) // 32 > len(self._outcomes):
                self._outcomes = np.zeros(len(row) // 32, OUTCOME)
            done = whatif(self._core, row, self._outcomes, 0)
            assert done is not None, "there is room for every unit of the row"
        self._filled += done[0]
        self._lost += done[1]

    def outcomes(self) -> "NDArray[Any]":
        """What was decided since it was last counted, one by one; for tests."""
        return self._outcomes[: self._filled].copy()

    def _count(self) -> None:
        """Adds up the outcomes at hand."""
        o = self._outcomes[: self._filled]
        self._filled = 0
        if not len(o):
            return
        self._from = int(o["time_ms"][0]) if self._from is None else self._from
        self._to = max(self._to, int(o["time_ms"].max()))
        flags = o["flags"]
        self._unknown += int(np.count_nonzero(flags & UNKNOWN))
        self._left_out += int(np.count_nonzero(flags & LEFT_OUT))
        judged = o[(flags & (UNKNOWN | LEFT_OUT)) == 0]
        self._attempts += len(judged)
        self._unsure += int(np.count_nonzero(judged["flags"] & UNSURE))
        self._as_recorded += int(np.count_nonzero(judged["flags"] & AS_RECORDED))
        self._then.frombytes(judged["time_ms"][judged["flags"] & LOCKED != 0].tobytes())
        self._now.frombytes(judged["time_ms"][judged["flags"] & LOCKS != 0].tobytes())
        was, now = judged["was"], judged["is"]
        np.add.at(self._verdicts, (was, now), 1)
        changed = judged[was != now]
        if not len(changed):
            return
        was, now = changed["was"], changed["is"]
        for which, chosen in enumerate((
            (now == Code.LOCKED), (was == Code.LOCKED),
            (was == Code.ACCEPTED), (now == Code.ACCEPTED),
        )):  # fmt: skip
            counted = self._users[which]
            for user, times in zip(
                *np.unique(changed["user"][chosen], return_counts=True), strict=True
            ):
                counted[int(user)] = counted.get(int(user), 0) + int(times)
                self._name(int(user))

    def _name(self, number: int) -> None:
        if number not in self._names:
            found = self._core.user(number & 0xFFFFFFFF)
            same = found is not None and found[0] == number
            self._names[number] = str(found[1]) if found is not None and same else f"#{number}"

    def report(self) -> Report:
        """What became of the rows that were fed."""
        self._count()
        pairs = {
            f"{Code(was).name} -> {Code(now).name}": int(self._verdicts[was, now])
            for was in Code
            for now in Code
            if was != now and self._verdicts[was, now]
        }
        lists = [
            tuple(
                Change(self._names[number], times)
                for number, times in sorted(users.items(), key=lambda one: (-one[1], one[0]))
            )[:USERS_NAMED_MAX]
            for users in self._users
        ]
        names = ("locked", "freed", "refused", "let_in")
        return Report(
            attempts=self._attempts, changed=sum(pairs.values()), verdicts=pairs,
            locked=lists[0], freed=lists[1], refused=lists[2], let_in=lists[3],
            users={name: len(users) for name, users in zip(names, self._users, strict=True)},
            locks_then=len(self._then), locks_now=len(self._now), from_ms=self._from or 0,
            to_ms=self._to, then_ms=np.array(self._then, np.int64),
            now_ms=np.array(self._now, np.int64), unsure=self._unsure,
            as_recorded=self._as_recorded, left_out=self._left_out + self._lost,
            unknown=self._unknown,
        )  # fmt: skip
