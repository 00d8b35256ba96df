"""The life of devices, on the administration socket: shipped, replaced, lost, and when they end.

    DEVICE SHIP user kind KEY hex | BASE32 text [the options of DEVICE ADD] [DELIVERY day]
                [ACTIVATES ms] [EXPIRES ms]
    DEVICE REPLACE user serial kind KEY hex | BASE32 text [the options of DEVICE ADD]
                [STATE lost | returned | expired | active] [UNTIL ms] [DELIVERY day] [ACTIVATES ms]
                [PASSCODE yes | no]
    DEVICE ONLINECARD user [SERIAL s]
    DEVICE DATES user serial [DELIVERY day] [ACTIVATES ms] [EXPIRES ms]
    DEVICE SUSPEND | LOST | RETURN | END | ACTIVE user serial

The rule: as in admin.py. A day is 2026-12-01, a moment milliseconds since 1970, 0 never. That a
user activates a device is an attempt, and a gateway's: ACTIVATE, see knowing.py.
"""

from functools import partial
from typing import Any

from watchword.engine import Engine
from watchword.serve.admin import (
    DEVICE,
    OK,
    MisuseError,
    Verb,
    by,
    device_given,
    options,
    whole,
)
from watchword.serve.resp import Reply

__all__ = ["LIFE"]

MOMENTS = {"ACTIVATES": "activates_ms", "EXPIRES": "expires_ms", "UNTIL": "until_ms"}


def dates(given: dict[str, Any]) -> dict[str, Any]:
    """The dates among options, as the engine calls them."""
    found: dict[str, Any] = {
        name: whole(option, given[option]) for option, name in MOMENTS.items() if option in given
    }
    return found | ({"delivery": given["DELIVERY"]} if "DELIVERY" in given else {})


def device_ship(engine: Engine, words: list[str]) -> Reply:
    device, given = device_given(words[1], words[2:], "DELIVERY", "ACTIVATES", "EXPIRES")
    return engine.ship_device(words[0], device, given.get("SERIAL"), by=by(given), **dates(given))


def device_replace(engine: Engine, words: list[str]) -> Reply:
    """With a passcode, the one reply that tells it."""
    device, given = device_given(
        words[2], words[3:], "STATE", "UNTIL", "DELIVERY", "ACTIVATES", "PASSCODE"
    )
    wanted = str(given.get("PASSCODE", "no")).lower()
    if wanted not in ("yes", "no"):
        raise MisuseError("ERR syntax error, PASSCODE is yes or no")
    made = engine.replace_device(
        words[0], words[1], device, given.get("SERIAL"), state=given.get("STATE", "lost"),
        passcode=wanted == "yes", by=by(given), **dates(given),
    )  # fmt: skip
    issued = made.passcode
    return {
        "serial": made.serial,
        "passcode_serial": issued.serial if issued else None,
        "passcode": issued.passcode if issued else None,
    }


def device_onlinecard(engine: Engine, words: list[str]) -> Reply:
    given = options(words[1:], ("SERIAL", "BY"))
    card = engine.issue_online_card(words[0], given.get("SERIAL"), by=by(given))
    return {"serial": card.serial, "kind": card.kind, "cells": list(card.cells)}


def device_dates(engine: Engine, words: list[str]) -> Reply:
    given = options(words[2:], ("DELIVERY", "ACTIVATES", "EXPIRES", "BY"))
    engine.set_dates(words[0], words[1], by=by(given), **dates(given))
    return OK


def device_becomes(state: str, engine: Engine, words: list[str]) -> Reply:
    given = options(words[2:], ("BY",))
    engine.set_device(words[0], words[1], state=state, by=by(given))
    return OK


STATES = {
    "SUSPEND": "suspended", "LOST": "lost", "RETURN": "returned", "END": "expired",
    "ACTIVE": "active",
}  # fmt: skip
VERBS: dict[str, Verb] = {
    "SHIP": (2, device_ship),
    "REPLACE": (3, device_replace),
    "ONLINECARD": (1, device_onlinecard),
    "DATES": (2, device_dates),
    **{verb: (2, partial(device_becomes, state)) for verb, state in STATES.items()},
}
LIFE: dict[bytes, dict[str, Verb]] = {b"DEVICE": DEVICE | VERBS}
