"""The slow twin of a restore: what each device may have had accepted in a life that is lost.

Written from the words of `watchword restore` alone: a time step as far ahead as two codes in a row
reach, any counter, any pair of the next thousand, any question of the next million.
"""

from typing import TYPE_CHECKING, Any

from watchword import reference_card as card

if TYPE_CHECKING:
    from watchword.reference import Device, Record

STEPS_AHEAD = 22            # the first of two codes may be 20 ahead, and both are used up
PAIRS, QUESTIONS = 1_000, 1 << 20
COUNT_MAX = 2**32 - 3


def floor(d: "Device", ended_ms: int, states: tuple[str, ...]) -> dict[str, Any]:
    """The fields of its record."""
    moving, state, effects, issued = d.moving, d.state, 0, 0
    if d.kind == "totp":
        moving = max(moving, (ended_ms // 1000 - d.t0) // d.period + STEPS_AHEAD)
    elif d.kind == "hotp":
        effects = 1
    elif d.kind == "card":
        moving = min(max(moving + PAIRS, 0), card.answers_max(d.once))
    elif d.label == "temporary-passcode":
        state = "ended"
    if d.kind in ("ocra", "card", "question") or d.label == "sms":
        issued = min(d.issued + QUESTIONS, COUNT_MAX)
    return {
        "device": d.number, "moving": moving, "place": states.index(state), "effects": effects,
        "lock_ms": issued,
    }  # fmt: skip


def apply(d: "Device", r: "Record", state: str) -> None:
    d.moving = max(d.moving, r.moving)
    d.state = state
    d.resync = d.resync or bool(r.effects & 1)
    d.issued = max(d.issued, r.lock_ms)
    d.standing.clear()
