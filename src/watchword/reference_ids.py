"""The slow twin of request ids: what was told for which, and for how long.

Written from the words of RULES section 7 alone: the same gateway and id within a minute are told
what was told, other arguments are misuse, and what left no record is not remembered.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from watchword.reference import Answer, Attempt, Event, Reference

MINUTE_MS = 60_000
TEXT_BYTES_MAX = 128        # of a name or a response; one that is longer is like any other


class Told(NamedTuple):
    """asked_ms never goes back; rows: how long the journal was with the attempt in it."""

    attempt: Attempt
    asked_ms: int
    answer: Answer
    rows: int


class Ids:
    """Of one store."""

    def __init__(self) -> None:
        self.told: dict[tuple[str, str], Told] = {}

    def attempt(
        self, twin: Reference, attempt: Attempt, now_ms: int, gateway: str, request_id: str,
        decide: Callable[[], Answer] | None = None,
    ) -> tuple[Answer | None, bool]:
        """The answer and whether it was given before; no answer: misuse."""
        at_ms, place = max(now_ms, twin.latest_ms), (gateway, request_id)
        told = self.told.get(place)
        said = plain(attempt)
        if told and at_ms - told.asked_ms < MINUTE_MS and not attempt.shed:
            twin._turn([], now_ms, twin._come_due(attempt, now_ms))
            return (told.answer, True) if told.attempt == said else (None, False)
        rows = len(twin.journal)
        answer = decide() if decide else twin.attempt(attempt, now_ms)
        written = [record.event for _, records in twin.journal[rows:] for record in records]
        if {Event.ATTEMPT, Event.ANSWER, Event.ACTIVATE} & set(written):
            self.told[place] = Told(said, at_ms, answer, len(twin.journal))
        return answer, False

    def forget(self, rows: int) -> None:
        """The journal ends sooner than it did."""
        self.told = {place: told for place, told in self.told.items() if told.rows <= rows}


def plain(attempt: Attempt) -> Attempt:
    """What is said, without what the gateway was told meanwhile."""
    texts = (attempt.name, attempt.response)
    name, response = (
        "!" if len(text.encode("utf-8", "replace")) > TEXT_BYTES_MAX else text for text in texts
    )
    return replace(attempt, name=name, response=response, shed=False)
