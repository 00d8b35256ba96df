"""Histories played with one policy and asked again of another, for tests/test_whatif.py.

The engine of Both keeps its rows in `tap`; the what-if reads them, one outcome for each attempt
that left a record.
"""

import copy
from typing import Any

from both import KEYS, Both
from histories import history

from watchword import Policy
from watchword.reference import Figures, Reference
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
        said = both.disagreement(number, history(seed * 1000 + number, figures))
        assert not said, said
    return both


class Doubled:
    """Two twins that are told the same, each with a policy of its own; the first one answers."""

    SAID = (
        "add_user", "set_user", "remove_user", "unlock", "add_device", "set_device",
        "remove_device", "attempt", "challenge",
    )  # fmt: skip

    def __init__(self, first: Reference, other: Reference) -> None:
        self.first, self.other = first, other
        self.recorded: list[tuple[int, int]] = []  # the other's verdict, where the first recorded
        self.odd: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name not in self.SAID:
            return getattr(self.first, name)

        def both(*words: Any, **named: Any) -> Any:
            rows = len(self.first.journal)
            mine = getattr(self.first, name)(*copy.deepcopy(words), **copy.deepcopy(named))
            other = getattr(self.other, name)(*words, **named)
            if name == "attempt" and len(self.first.journal) > rows:
                _, records = self.first.journal[-1]
                if isinstance(records[0].user, int):
                    self.recorded.append((int(mine.verdict), int(other.verdict), words[0]))
            return mine

        return both


def doubled(seed: int, figures: Figures, others: Figures, histories: int) -> Both:
    """Histories in which a second twin is told the same under other figures."""
    both = Both(figures)
    both.twin = Doubled(both.twin, Reference(others, KEYS))  # type: ignore[assignment]
    for number in range(histories):
        said = both.disagreement(number, history(seed * 1000 + number, figures))
        assert not said, said
    return both
