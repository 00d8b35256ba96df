"""Histories played with one policy and asked again of another, for tests/test_whatif.py.

The engine of Both keeps its rows in `tap`; the what-if reads them, one outcome for each attempt
that left a record.
"""

import copy
from typing import Any

from both import KEYS, Both
from both_entry import ENTERING
from histories import History, history

from watchword import Policy
from watchword.reference import (
    Attempt,
    Event,
    Figures,
    Record,
    Reference,
    Verdict,
    source_of,
)
from watchword.whatif import LEFT_OUT, UNKNOWN, WhatIf


def policy_of(figures: Figures) -> Policy:
    words = dict(vars(figures))
    words["names"] = "any" if words.pop("names_any") else "sls"
    return Policy(**words)


def asked(rows: list[bytes], figures: Figures) -> Any:
    """Outcomes under these figures, those of names nobody has left out."""
    what = WhatIf(policy_of(figures))
    for row in rows:
        what.feed(row)
    found = what.outcomes()
    assert not (found["flags"] & LEFT_OUT).any()
    return found[found["flags"] & UNKNOWN == 0]


def played(seed: int, figures: Figures, histories: int) -> Both:
    both = Both(figures)
    for number in range(histories):
        said = both.disagreement(number, told(seed * 1000 + number, figures, "set_policy"))
        assert not said, said
    return both


def told(seed: int, figures: Figures, *without: str) -> History:
    """A history but for some steps: a what-if is of one policy from beginning to end."""
    begin_ms, steps = history(seed, figures)
    waits, kept = 0, []
    for wait_ms, verb, *words in steps:
        waits += wait_ms
        if verb not in without:
            kept.append((waits, verb, *words))
            waits = 0
    return begin_ms, kept


ATTEMPTS = (Event.ATTEMPT, Event.RESYNC, Event.ANSWER, Event.ACTIVATE)


def led(twin: Reference, rows: int) -> list[Record]:
    """The records of attempts from this row on."""
    led_by = (r[r[0].event is Event.DUE and len(r) > 1] for _, r in twin.journal[rows:])
    return [first for first in led_by if first.event in ATTEMPTS]


def source_told(r: Record) -> str:
    return source_of(r.tail) if isinstance(r.tail, str) else ""


class Doubled:
    """Two twins that are told the same, each with a policy of its own; the first one answers."""

    SAID = (
        "add_user", "set_user", "remove_user", "unlock", "add_device", "set_device",
        "remove_device", "attempt", "challenge", "push", "decide_push", "enrol_phone",
        "set_password", "set_questions", "change_pin", "change_password", "question", "answer",
        "ship_device", "replace_device", "online_card", "set_dates", "raise_floors",
    )  # fmt: skip
    ASKED = (
        "challenge", "push", "decide_push", "enrol_phone", "question", "change_pin",
        "change_password",
    )  # fmt: skip

    def __init__(self, first: Reference, other: Reference) -> None:
        self.first, self.other = first, other
        # of each attempt that the first recorded: both verdicts, whether its user was asked
        # otherwise before it (then what was typed answers another question), and its source
        self.recorded: list[tuple[int, int, bool, str]] = []
        self.odd: set[str] = set()      # users, and sources

    def __getattr__(self, name: str) -> Any:
        if name not in self.SAID:
            return getattr(self.first, name)

        def both(*words: Any, **named: Any) -> Any:
            rows, others_rows = len(self.first.journal), len(self.other.journal)
            mine = getattr(self.first, name)(*copy.deepcopy(words), **copy.deepcopy(named))
            other = getattr(self.other, name)(*words, **named)
            who = words[0].name if isinstance(words[0], Attempt) else words[0]
            if name == "decide_push" and mine != other:
                self.odd |= set(self.first.users)  # whose it is, the words do not say
            elif name in self.ASKED and mine != other:
                self.odd.add(who)
            told, others_told = led(self.first, rows), led(self.other, others_rows)
            if others_told and not told:    # a poll leaves a record there alone
                self.odd |= {who, source_told(others_told[0])} - {""}
            for r in told:
                source = source_told(r)
                odd = who in self.odd or source in self.odd
                if isinstance(r.user, int):     # of enrolling None says: right, and yet refused
                    verdict = getattr(other, "verdict", Verdict.ACCEPTED)
                    self.recorded.append((int(r.verdict), int(verdict), odd, source))
            return mine

        return both


def doubled(seed: int, figures: Figures, others: Figures, histories: int) -> Both:
    """Histories in which a second twin is told the same under other figures."""
    both = Both(figures)
    both.twin = Doubled(both.twin, Reference(others, KEYS))  # type: ignore[assignment]
    for number in range(histories):
        steps = told(seed * 1000 + number, figures, "set_policy", "import_rows", *ENTERING)
        said = both.disagreement(number, steps)
        assert not said, said
    return both
