"""Request ids through the engine and its twin: an attempt with one, and the same sent again, or
almost the same."""

from dataclasses import replace
from typing import Any

from said import answer_of

import watchword
from watchword.reference import Attempt
from watchword.reference_ids import Ids

BY_ID = 0x10        # in place: the last unit of the tail is a request id's


class BothIds:
    """Steps of a history."""

    engine: Any
    twin: Any
    now_ms: int
    number: int
    seen: set[str]
    attempt: Any

    def __init__(self) -> None:
        super().__init__()
        self.by_id = Ids()
        self.sent: dict[str, Attempt] = {}

    def given(
        self, who: str, word: Any, options: dict[str, Any], n: int, gateway: str
    ) -> tuple[Any, Any]:
        """An attempt with an id of its own, or one that was given before."""
        a = self.attempt(who, word, options)
        self.sent[f"history {self.number} id {n}"] = a
        return self.both_told(a, n, gateway)

    def again(self, n: int, gateway: str, change: dict[str, Any]) -> tuple[Any, Any]:
        """What was sent, as it was, or changed in a word."""
        a = self.sent.get(f"history {self.number} id {n}")
        return (None, None) if a is None else self.both_told(replace(a, **change), n, gateway)

    def both_told(self, a: Attempt, n: int, gateway: str) -> tuple[Any, Any]:
        id, mine = f"history {self.number} id {n}", None
        try:
            mine = answer_of(self.engine.verify(
                a.name, a.response, platform=a.platform, realm=a.realm, device=a.device,
                address=a.address, challenge=a.challenge, session=a.session or None, pin=a.pin,
                password=a.password, first_factor=a.vouched, gateway=gateway, request_id=id,
            ))  # fmt: skip
        except watchword.InvalidArgument:
            self.seen.add("id misused")
        twins, told_before = self.by_id.attempt(self.twin, a, self.now_ms, gateway, id)
        if told_before:
            self.seen.add(f"told again: {twins.verdict.name}")
        if twins is None:
            return mine, None
        self.seen |= set() if told_before else {repr(twins.verdict), repr(twins.reason)}
        return mine, tuple(twins)


def plain(record: tuple[Any, ...]) -> tuple[Any, ...]:
    """An attempt's record as if it had brought no id."""
    event, verdict, reason, tail, effects, gateway, place, *rest = record
    if event not in (1, 16, 27) or not place & BY_ID:
        return record
    return event, verdict, reason, tail[:-32], effects, gateway, place & ~BY_ID, *rest
