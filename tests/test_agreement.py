"""The engine against its slow twin: the same random histories through both, step by step.

After every step the verdicts, the whole state of the users and the journal's records must be the
same, and at the end the journal alone must give the engine's state again. A history is made from
its seed (tests/histories.py); when one disagrees, steps are taken out while it still disagrees, and
what is left is the failure's message. WATCHWORD_HISTORIES says how many run: 2,000 by default,
which is what a merge needs; a long run takes as many as there is time for.
"""

import functools
import os
from array import array
from typing import Any, NamedTuple

import pytest
from both import ATTEMPTS, KEYS, Both
from histories import History, figures_of, history, shorter

from watchword import _engine, reference
from watchword.reference import Effect, Event, Figures

HISTORIES = int(os.environ.get("WATCHWORD_HISTORIES", "2000"))
SHORTENING_TRIES_MAX = 500      # a failure is to be seen soon, not to be as short as can be
REACHING = 2_000                # histories that come to everything, where fewer are asked for too
CHUNK_HISTORIES = 50            # on one engine, under names of their own: opening one costs more


def shortened(figures: Figures, number: int, told: History) -> str:
    """A disagreement with everything taken out that it does not need, on an engine of its own."""
    begin_ms, steps = told
    said, further, tries = "not on an engine of its own", True, 0
    while further and tries < SHORTENING_TRIES_MAX:
        further = False
        for fewer in shorter(steps):
            tries += 1
            both = Both(figures)
            with both.engine:
                still = both.disagreement(number, (begin_ms, fewer))
            if still:
                steps, said, further = fewer, still, True
                break
    return "\n".join([f"begin {begin_ms}", *map(str, steps), said])


def slots(core: Any) -> list[Any]:
    used = range(core.slots_used())
    looks = (_engine.secrets_kept, _engine.extra_of, _engine.sharers_count)
    return [(core.user(at), core.user(at) and [look(core, at) for look in looks]) for at in used]


def recovered(rows: list[bytes], shown_percent: int) -> list[Any]:
    """What the journal alone makes of an empty engine: recovery is apply, under any policy; the
    share of its cells is only how a card is looked at."""
    core, never = _engine.Core(*KEYS), array("q")
    core.set_policy(
        lockout_failures=100, lockout_window_ms=1, lockout_extend=False, failures_cap=0,
        source_failures=0, names_any=False, card_shown_percent=shown_percent,
    )  # fmt: skip
    for row in rows:
        assert core.replay(row, never, never) is not None
    return [slots(core), _engine.ids_held(core)]


class Played(NamedTuple):
    """What a chunk of histories came to: the disagreement that ended it, if any, and where they
    have been."""

    said: str
    seen: set[str]
    touched: dict[Event, Effect]


@functools.cache
def played(chunk: int, count: int) -> Played:
    figures = figures_of(chunk)
    both = Both(figures)
    with both.engine:
        for number in range(count):
            seed = chunk * CHUNK_HISTORIES + number
            told = history(seed, figures)
            said = both.disagreement(number, told)
            if said:
                short = shortened(figures, number, told)
                return Played(f"seed {seed}, {figures}\n{said}\nshortened:\n{short}", set(), {})
        percent = both.twin.figures.card_shown_percent
        core = both.engine._core
        assert recovered(both.engine.tap, percent) == [slots(core), _engine.ids_held(core)]
    touched: dict[Event, Effect] = dict.fromkeys(ATTEMPTS, Effect(0))
    for _, records in both.twin.journal:
        for record in records:
            both.seen.add(repr(record.event))
            if record.event in touched:
                touched[record.event] |= record.effects
    return Played("", both.seen, touched)


@pytest.mark.parametrize("chunk", range(-(-HISTORIES // CHUNK_HISTORIES)))
def test_histories(chunk: int) -> None:
    said = played(chunk, min(CHUNK_HISTORIES, HISTORIES - chunk * CHUNK_HISTORIES)).said
    if said:
        pytest.fail(said, pytrace=False)


# What no history brings about: only a daemon and the engine's own clock shed load.
UNREACHED = {reference.Reason.LOAD, Event.NOTE, Event.EXPORT}
ALSO_EFFECTS = {Effect.ADVANCE, Effect.FORGIVE, Effect.SUSPEND, Effect.CHARGE}


def test_histories_reach_everything() -> None:
    """Agreement on a road that nobody takes would prove nothing. What was played above is not
    played again."""
    chunks = [played(at, CHUNK_HISTORIES) for at in range(REACHING // CHUNK_HISTORIES)]
    seen = {word for chunk in chunks for word in chunk.seen}
    touched: dict[Event, set[Effect]] = {
        event: {effect for chunk in chunks for effect in chunk.touched.get(event, ())}
        for event in ATTEMPTS
    }
    assert "a PIN for every user of a phone" in seen
    changed = {f"a change of password{by}: ACCEPTED" for by in ("", " by push")}
    assert {*changed, "a change of password: REJECTED", "a change of password: LOCKED"} <= seen
    assert {"a row wrong", "a row there", "shared", "withdrawn"} <= seen
    everything = [*reference.Verdict, *reference.Reason, *Event]
    assert seen >= {"posed", "answered", "too many codes", "too many answers", "id misused"}
    assert {"told again: ACCEPTED", "told again: LOCKED", "told again: REJECTED"} <= seen
    assert {"activation told again: ACCEPTED", "activation misused"} <= seen
    missing = {repr(word) for word in everything} - seen
    assert missing == {repr(word) for word in UNREACHED}
    assert touched[Event.ATTEMPT] == touched[Event.RESYNC] == set(Effect)
    assert touched[Event.ALSO] == ALSO_EFFECTS
