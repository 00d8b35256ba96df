"""What the journal tells, as entries: who did what, when, to whom, and how it ended.

Rule: an entry is made of a record and of names alone. No key, code, answer or PIN is in it, nor
what was typed; a name that nobody has stands as its keyed hash. One record is one entry; what an
act leaves behind (a tombstone) is part of the act.
"""

import ipaddress
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from watchword import lifecycle
from watchword._engine import (
    ACCOUNT_STATES,
    DEVICE_STATES,
    KINDS,
    LABELS,
    PLATFORMS,
    REALMS,
    Code,
    Reason,
)
from watchword.errors import InvalidArgument
from watchword.life import DATES_BYTES, Dates
from watchword.lifecycle import Record
from watchword.ranges import unpack_ranges

__all__ = ["EVENTS", "Entry", "Page", "Wanted", "duration", "enrolled", "entry_of", "iso"]

# By event number (ww_event). ALSO belongs to the attempt before it, TOMBSTONE to a removal, FLOOR
# to a restore.
EVENTS: Final = {
    lifecycle.ATTEMPT: "login",
    lifecycle.RESYNC: "resync",
    lifecycle.USER_ADD: "user add",
    lifecycle.USER_SET: "user set",
    lifecycle.USER_REMOVE: "user remove",
    lifecycle.UNLOCK: "user unlock",
    lifecycle.DEVICE_ADD: "device add",
    lifecycle.DEVICE_SET: "device set",
    lifecycle.DEVICE_REMOVE: "device remove",
    lifecycle.NOTE: "note",
    lifecycle.CHALLENGE: "challenge",
    lifecycle.PIN: "device pin",
    lifecycle.QUESTION: "question",
    lifecycle.ANSWER: "answer",
    lifecycle.POLICY: "policy set",
    lifecycle.IMPORT: "import",
    lifecycle.EXPORT: "export of keys",
    lifecycle.DUE: "devices due",
    lifecycle.ACTIVATE: "activation",
    lifecycle.DATES: "device dates",
    lifecycle.ADDRESSES: "user addresses",
    lifecycle.IDENTITY: "user identity",
    lifecycle.OPT: "user opt",
    lifecycle.SHARE: "device share",
    lifecycle.WITHDRAWAL: "withdrawal",
    lifecycle.RESTORE: "restore",
}
ENTERED: Final = (
    lifecycle.ADDRESSES, lifecycle.IDENTITY, lifecycle.OPT, lifecycle.SHARE, lifecycle.WITHDRAWAL
)  # fmt: skip
PARTS: Final = (lifecycle.ALSO, lifecycle.TOMBSTONE, lifecycle.FLOOR)
ATTEMPTS: Final = (lifecycle.ATTEMPT, lifecycle.RESYNC, lifecycle.ANSWER, lifecycle.ACTIVATE)
LOGINS: Final = (*ATTEMPTS, lifecycle.CHALLENGE, lifecycle.QUESTION)
EVERY: Final = (1 << 64) - 1
UNKNOWN: Final = 0x80   # in place: the user field is a name's keyed hash
BY_ID: Final = 0x10     # a request id came with it: the last unit of the tail is its own
VERDICTS: Final = {code.value: code.name for code in Code}
REASONS: Final = {reason.value: reason.name for reason in Reason}
ADVANCE: Final = 16     # among effects: the device's position is used up
LOCK: Final = 8
SPEC_HEAD_BYTES: Final = 24
DATED: Final = 16       # in an enrolment's head: its dates stand behind all else
# Notes say in words who did it, and to whom: those of cards, of the clock and of keys.
SAID_BY: Final = (
    re.compile(r"card (?P<device>\S+) of (?P<user>.+) shown by (?P<by>.+)", re.S),
    re.compile(r"clock accepted by (?P<by>.+): ", re.S),
    re.compile(r"backup through row \d+ made by (?P<by>.+)", re.S),
    re.compile(r"data key rotated by (?P<by>.+)", re.S),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of the journal.

    event: what it is about, in words. verdict and reason: of an attempt, else empty. position: the
    matched counter, step or count. others: further devices that the attempt used up. locked_ms:
    how long a lock holds that began or was begun again. by: who did an act, as far as it was said.
    """

    turn: int
    place: int
    time_ms: int
    event: str
    user: str
    verdict: str = ""
    reason: str = ""
    platform: str = ""
    realm: str = ""
    device: str = ""
    kind: str = ""
    position: int | None = None
    others: tuple[str, ...] = ()
    locked_ms: int = 0
    address: str = ""
    gateway: str = ""
    by: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Some entries, and from where to go on: `turn` has been read up to its record `place`."""

    entries: tuple[Entry, ...]
    turn: int
    place: int
    head: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries. Errors: InvalidArgument names the filter and what it may be.

    user: a name, also of a user removed since, or that nobody ever had. device: a serial. verdict:
    a verdict's name. since_ms, until_ms: from and before, milliseconds since 1970. only: "acts" or
    "logins", challenges among these.
    """

    user: str | None = None
    device: str | None = None
    verdict: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    gateway: str | None = None
    only: str | None = None

    def __post_init__(self) -> None:
        for name in ("user", "device", "verdict", "gateway", "only"):
            if not isinstance(getattr(self, name), str | None):
                raise InvalidArgument(f"{name} is str or None")
        for name in ("since_ms", "until_ms"):
            figure = getattr(self, name)
            if isinstance(figure, bool) or not isinstance(figure, int | None):
                raise InvalidArgument(f"{name} is milliseconds since 1970, or None")
        if self.only not in (None, "acts", "logins"):
            raise InvalidArgument("only is acts or logins")
        if self.verdict is not None and self.verdict not in Code.__members__:
            raise InvalidArgument(f"verdict is one of {', '.join(Code.__members__)}")

    @property
    def events(self) -> int:
        logins = sum(1 << event for event in LOGINS)
        parts = sum(1 << event for event in PARTS)
        if self.only is None:
            return EVERY & ~parts
        return logins if self.only == "logins" else EVERY & ~logins & ~parts

    @property
    def verdicts(self) -> int:
        return 0 if self.verdict is None else 1 << Code[self.verdict]

    def holds(self, time_ms: int) -> bool:
        return (self.since_ms is None or time_ms >= self.since_ms) and (
            self.until_ms is None or time_ms < self.until_ms
        )


UserNamed = Callable[[int], str]
DeviceNamed = Callable[[int], tuple[str, str]]


def entry_of(
    turn: int,
    time_ms: int,
    gateways: tuple[str, ...],
    found: tuple[int, tuple[Any, ...], list[tuple[int, int, int]]],
    user_named: UserNamed,
    device_named: DeviceNamed,
) -> Entry:
    """The entry of one record, as _engine.row_records finds it."""
    place, fields, also = found
    r = Record._make(fields)
    event = EVENTS.get(r.event, f"event {r.event}")
    told: dict[str, Any] = {"user": _user(r, user_named)}
    if r.device and r.event != lifecycle.DEVICE_ADD:
        told["device"], told["kind"] = device_named(r.device)
    if r.event in LOGINS:
        if r.event not in (lifecycle.QUESTION, lifecycle.ANSWER):
            told["platform"] = _one(PLATFORMS, r.place & 3)
        told["gateway"] = gateways[r.gateway] if r.gateway < len(gateways) else ""
    if r.event in ATTEMPTS:
        told |= _attempt(r, also, device_named)
    elif r.event == lifecycle.CHALLENGE:
        told["text"] = _asked(r)
    elif r.event in (lifecycle.QUESTION, lifecycle.PIN):
        told["text"] = "asked" if r.event == lifecycle.QUESTION else "another PIN"
    elif r.event in ENTERED:
        told |= entered(r, user_named)
    else:
        told |= _act(r)
    return Entry(turn, place, time_ms, event, **told)


def _user(r: Record, named: UserNamed) -> str:
    if r.place & UNKNOWN and r.event in LOGINS:
        return f"?{r.user:016x}"
    if r.event in (lifecycle.NOTE, lifecycle.POLICY, lifecycle.IMPORT, lifecycle.EXPORT,
                   lifecycle.RESTORE):
        return ""
    if r.event == lifecycle.USER_ADD:
        return r.tail[: r.lock_ms].decode("utf-8", "replace")
    return named(r.user)


def _attempt(
    r: Record, also: list[tuple[int, int, int]], named: DeviceNamed
) -> dict[str, Any]:
    told: dict[str, Any] = {
        "verdict": VERDICTS.get(r.verdict, f"VERDICT_{r.verdict}"),
        "reason": REASONS.get(r.reason, f"REASON_{r.reason}"),
        "realm": "" if r.event == lifecycle.ANSWER else _one(REALMS, r.place >> 2 & 1),
    }
    if r.effects & ADVANCE and r.moving and r.event != lifecycle.ANSWER:
        told["position"] = r.moving - 1
    if r.effects & LOCK:
        told["locked_ms"] = r.lock_ms
    if len(r.tail) > (lifecycle.UNIT if r.place & BY_ID else 0):
        ip = ipaddress.IPv6Address(r.tail[:16])
        told["address"] = str(ip.ipv4_mapped or ip)
    used = (number for number, effects, _ in also if effects & ADVANCE)
    told["others"] = tuple(dict.fromkeys(named(number)[0] for number in used))
    return told


def _asked(r: Record) -> str:
    purpose = int.from_bytes(r.tail[:8], "little")
    sent = int.from_bytes(r.tail[12:16], "little")
    said = "a code was sent" if sent and r.device else "asked"
    if not r.device:
        said = "asked as if there were a device"
    return f"{said}, for a purpose" if purpose else said


def _act(r: Record) -> dict[str, Any]:
    if r.event == lifecycle.USER_ADD:
        return {"by": _words(r.tail[r.lock_ms :]), "text": _account(r.place)}
    if r.event == lifecycle.DEVICE_ADD:
        serial, kind, by = enrolled(r.tail)
        return {"device": serial, "kind": kind, "by": by, "text": _issued(r.tail)}
    if r.event == lifecycle.DUE:
        return {"text": f"by {iso(r.moving)}"}
    if r.event == lifecycle.DATES:
        return {"by": _words(r.tail[r.lock_ms :]), "text": _dates(Dates.unpacked(r.tail))}
    words = _words(r.tail[: r.lock_ms])
    if r.event == lifecycle.NOTE:
        match = next(filter(None, (form.match(words) for form in SAID_BY)), None)
        return {**(match.groupdict() if match else {}), "text": words}
    if r.event == lifecycle.POLICY:
        said = json.loads(words)
        forced = ", forced" if said["forced"] else ""
        return {"by": said["by"], "text": ", ".join(said["was"]) + forced}
    if r.event in (lifecycle.EXPORT, lifecycle.RESTORE):
        by, _, text = words.partition(": ")
        return {"by": by, "text": text}
    if r.event == lifecycle.USER_SET:
        return {"by": words, "text": _account(r.place)}
    if r.event == lifecycle.DEVICE_SET:
        return {"by": words, "text": _one(DEVICE_STATES, r.place & 7)}
    if r.event in EVENTS:
        return {"by": words}
    return {}


def entered(r: Record, named: UserNamed) -> dict[str, Any]:
    """The acts of entry: from where, who with whom, how much."""
    told = r.lock_ms if r.event in (lifecycle.ADDRESSES, lifecycle.IDENTITY) else 0
    kept, by = r.tail[:told], _words(r.tail[told:])
    why = REASONS.get(r.reason, str(r.reason)).replace("_", " ").lower()
    refused = f", refused: {why}" if r.reason else ""
    if r.event == lifecycle.ADDRESSES:
        text = ", ".join(unpack_ranges(kept)) or "from anywhere"
    elif r.event == lifecycle.IDENTITY:
        text = "told" if kept else "forgotten"
    elif r.event == lifecycle.OPT:
        text = "out" if r.place else "in again"
    elif r.event == lifecycle.SHARE:
        text = f"with {named(r.moving)}{refused}"
    else:
        text = f"USD {r.moving // 100}.{r.moving % 100:02d}{refused}"
    return {"by": by, "text": text}


def enrolled(tail: bytes) -> tuple[str, str, str]:
    """Serial, kind and who did it, of an enrolment's tail; its key is passed over."""
    kind, label = tail[0], tail[14]
    key, serial, suite, pin = tail[10], tail[11], tail[12], tail[13]
    at = SPEC_HEAD_BYTES + key
    rest = at + serial + suite + pin + DATES_BYTES * _is_dated(tail)
    name = LABELS[label] if label < len(LABELS) else ""
    return _words(tail[at : at + serial]), name or _one(KINDS, kind), _words(tail[rest:])


def _is_dated(tail: bytes) -> bool:
    return bool(tail[15] & DATED)


def _issued(tail: bytes) -> str:
    """How a device was enrolled, where that is not active at once and for good."""
    said = "" if tail[3] == DEVICE_STATES.index("active") else _one(DEVICE_STATES, tail[3])
    if not _is_dated(tail):
        return said
    at = SPEC_HEAD_BYTES + sum(tail[10:14])
    return ", ".join(filter(None, (said, _dates(Dates.unpacked(tail[at:])))))


def _dates(dates: Dates) -> str:
    said = [f"expected {dates.delivery}"] if dates.delivery_day else []
    said += [f"active from {iso(dates.activates_ms)}"] if dates.activates_ms else []
    said += [f"until {iso(dates.expires_ms)}"] if dates.expires_ms else []
    return ", ".join(said) or "no dates"


def _words(text: bytes) -> str:
    return text.rstrip(b"\0").decode("utf-8", "replace")


def _account(place: int) -> str:
    return f"{_one(ACCOUNT_STATES, place & 3)}, {_one(REALMS, place >> 2 & 1)}"


def _one(words: tuple[str, ...], number: int) -> str:
    return words[number] if number < len(words) else str(number)


def duration(ms: int) -> str:
    """Milliseconds as a person says them: its two largest units, rounded up to seconds."""
    seconds = -(-ms // 1000)
    parts: list[str] = []
    for unit, size in (("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def iso(time_ms: int) -> str:
    """A time as people and programs read it: 2026-01-31T12:00:00.000Z."""
    try:
        moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{time_ms} ms"
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time_ms % 1000:03d}Z"
