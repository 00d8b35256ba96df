"""What rows hold, and what an engine and its twin hold of a user, as the checker reads them."""

import struct
from typing import Any

from watchword._engine import extra_of, secrets_kept
from watchword.keys import derive
from watchword.reference import PLATFORMS, Attempt, Device, Event, Keys, User

__all__ = [
    "address_bytes",
    "events_of",
    "first_of",
    "kept_cents",
    "keys_of",
    "known_of",
    "mains_of",
]

HEADER = struct.Struct("<IHHIIqq")  # ww_row


def events_of(row: bytes) -> list[int]:
    """What every record of a row is about."""
    _, _, _, names_bytes, _, _, _ = HEADER.unpack_from(row)
    at, found = HEADER.size + names_bytes, []
    while at < len(row):
        found.append(row[at])
        at += 32 * (1 + row[at + 3])
    return found


def mains_of(row: bytes) -> list[bytes]:
    """The address of every attempt of a row, in the order of arrival."""
    _, _, _, names_bytes, _, _, _ = HEADER.unpack_from(row)
    at, found = HEADER.size + names_bytes, []
    while at < len(row):
        event, units = row[at], row[at + 3]
        if event in (Event.ATTEMPT, Event.RESYNC, Event.ACTIVATE, Event.ANSWER):
            found.append(row[at + 32 : at + 48])
        at += 32 * (1 + units)
    return found


def address_bytes(address: str) -> bytes:
    """An address of our own making as a record has it: IPv4 mapped into IPv6."""
    return bytes(10) + b"\xff\xff" + bytes(map(int, address.split(".")))


def keys_of(engine: Any) -> Keys:
    """What the engine's questions and ids are keyed by."""
    secret = engine._store.secret
    return Keys(derive(secret, "watchword names", 16), derive(secret, "watchword challenges", 48))


def known_of(core: Any, slot: int) -> tuple[Any, ...]:
    """What a user knows, in the order in which it was set."""
    password, questions, wrong = secrets_kept(core, slot)
    known = [(n, ("question", text, issued, stands)) for n, _, text, issued, stands in questions]
    known += [(password[0], ("password", "", 0, False))] if password else []
    opted_out, ranges, identity, _, cents = extra_of(core, slot)
    entry = opted_out, len(ranges) // 17, bool(identity), sum(cents)
    return [one for _, one in sorted(known)], wrong, entry


def kept_cents(user: User) -> int:
    """Withdrawn on the five business days that end with the newest."""
    newest = max(user.withdrawn, default=0)
    return sum(cents for day, cents in user.withdrawn.items() if newest - day < 5)


def first_of(device: Device, a: Attempt, now_ms: int) -> int:
    """The position expected of a device; of one that is asked, the challenge that stands."""
    if device.kind == "card":
        return device.moving
    if device.kind != "ocra":
        return device.expected(now_ms)
    standing = device.standing.get(PLATFORMS.index(a.platform))
    return standing.n if standing else -1
