"""The acts of administration as journal records (ww_record and ww_spec of ext/watchword.h).

Rule: an act is one row of records or none. What is legal is decided before it is built; what a
record does is done by the core's apply, living and recovering alike.
"""

import hashlib
import hmac
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from watchword._engine import ACCOUNT_STATES, DEVICE_STATES, HASH_NAMES, KINDS, REALMS, ROW_MAGIC
from watchword.devices.card import ANSWERS_MAX
from watchword.devices.device import Device
from watchword.errors import InvalidArgument

__all__ = [
    "Floor",
    "Record",
    "Shows",
    "addresses_set",
    "dates_set",
    "device_add",
    "device_lent",
    "device_remove",
    "device_set",
    "due",
    "exported",
    "fingerprint",
    "gateway_packed",
    "identity_set",
    "imported",
    "joined",
    "names_packed",
    "note",
    "opt",
    "pin_set",
    "place",
    "policy_set",
    "records",
    "restored",
    "row",
    "secret_add",
    "share",
    "spec_head",
    "tombstone",
    "tombstones",
    "unlock",
    "user_add",
    "user_remove",
    "user_set",
    "withdrawal",
]

RECORD = struct.Struct("<7BbQQII")
HEADER = struct.Struct("<IHHIIqq")
SPEC = struct.Struct("<8BH6Bq")
TOMB = struct.Struct("<16sB?Hxxxxq")
UNIT = 32
TEXT_BYTES_MAX = 255 * UNIT
STEPS_REACH = 64  # more than window, drift and resynchronisation together can reach
ROW_VERSION = 1
GATEWAY_BYTES_MAX = 64

# ww_event, ww_verdict: numbers are frozen, they stand in journals
ATTEMPT, ALSO, RESYNC, USER_ADD, USER_SET, USER_REMOVE, UNLOCK = 1, 2, 3, 4, 5, 6, 7
DEVICE_ADD, DEVICE_SET, DEVICE_REMOVE, TOMBSTONE, NOTE, CHALLENGE = 8, 9, 10, 11, 12, 13
PIN, QUESTION, ANSWER = 14, 15, 16
POLICY, IMPORT, EXPORT = 23, 24, 25
DUE, ACTIVATE, DATES = 26, 27, 28
ADDRESSES, IDENTITY, OPT, SHARE, WITHDRAWAL = 30, 31, 32, 33, 34
LENT = 2    # in ww_spec.shared
RESTORE, FLOOR = 36, 37
# In place: a permanent device that becomes active ends what is temporary, and what it replaces.
ENDS = 8


class Record(NamedTuple):
    """A journal record as read: the fields of ww_record, and its tail's bytes."""

    event: int
    verdict: int
    reason: int
    effects: int
    gateway: int
    place: int
    drift: int
    user: int
    moving: int
    device: int
    lock_ms: int
    tail: bytes


class Shows(Protocol):
    """What a device shows and how it counts: one to be enrolled, or one that stands."""

    @property
    def mechanism(self) -> str: ...
    @property
    def suite(self) -> str: ...
    @property
    def once(self) -> bool: ...
    @property
    def period(self) -> int: ...
    @property
    def t0(self) -> int: ...


class Floor(NamedTuple):
    """What a removed device leaves behind: no position below `moving` may ever be accepted.

    period, of a card: 1 when it shows no cell twice. resync: a counter that nobody knew when it
    was left, since the store had been restored.
    """

    kind: int
    period: int
    t0: int
    moving: int
    resync: bool = False

    def lift(self, device: Shows) -> int:
        """The least position a device with the same key may accept. Errors:
        InvalidArgument where nobody can know it."""
        if KINDS[self.kind] != device.mechanism:
            return 0
        if self.resync:
            raise InvalidArgument(
                "key is that of a device whose counter nobody knows since the store was restored",
                hint="resynchronise that device before it is removed, or enrol one of another key",
            )
        if not self.moving:
            return 0
        if device.mechanism == "ocra" and ":C-" not in device.suite:
            return 0
        if device.mechanism == "card":  # in another order any of its pairs or cells may come again
            return self.moving if self.period == device.once else ANSWERS_MAX
        if device.mechanism != "totp" or (self.period, self.t0) == (device.period, device.t0):
            return self.moving
        begins_s = self.t0 + self.period * self.moving
        in_time = max(0, -((device.t0 - begins_s) // device.period))
        # The same number is the same code: one that was used may not come round again either.
        return self.moving if in_time < self.moving <= in_time + STEPS_REACH else in_time


def _record(
    event: int,
    user: int,
    *,
    place: int = 0,
    moving: int = 0,
    device: int = 0,
    tail: bytes = b"",
    text: int = 0,
    drift: int = 0,
    said: tuple[int, int] = (0, 0),
) -> bytes:
    """said: verdict and reason, of an act that may be refused."""
    padded = tail + bytes(-len(tail) % UNIT)
    units = len(padded) // UNIT
    head = (event, *said, units, 0, 0, place, drift, user, moving, device, text)
    return RECORD.pack(*head) + padded


def user_add(user: int, name: bytes, state: str, realm: str, by: str = "") -> bytes:
    """by, here and below: who did it; it ends the tail, or is all of it. Empty: nobody said."""
    tail = name + by.encode()
    return _record(USER_ADD, user, place=place(state, realm), tail=tail, text=len(name))


def user_set(user: int, state: str, realm: str, by: str = "") -> bytes:
    return _text(USER_SET, user, by, place=place(state, realm))


def user_remove(user: int, by: str = "") -> bytes:
    return _text(USER_REMOVE, user, by)


def unlock(user: int, by: str) -> bytes:
    return _text(UNLOCK, user, by, place=ENDS)


def note(text: str) -> bytes:
    """What the store itself did: key rotation, a clock accepted."""
    return _text(NOTE, 0, text)


def policy_set(text: str) -> bytes:
    """A policy in force from this row on; text says who set it, and every figure."""
    return _text(POLICY, 0, text)


def imported(by: str) -> bytes:
    return _text(IMPORT, 0, by)


def restored(text: str) -> bytes:
    """The store is one restored from a copy; text says who did it, and what may be lost."""
    return _text(RESTORE, 0, text)


def exported(by: str) -> bytes:
    return _text(EXPORT, 0, by)


def _text(event: int, user: int, text: str, *, place: int = 0, device: int = 0) -> bytes:
    tail = text.encode()[:TEXT_BYTES_MAX]
    return _record(event, user, place=place, device=device, tail=tail, text=len(tail))


def place(state: str, realm: str) -> int:
    return ACCOUNT_STATES.index(state) | REALMS.index(realm) << 2


def spec_head(
    device: Device, serial_len: int, key_len: int | None = None, pin_len: int = 0,
    state: str = "active", dated: bool = False,
) -> bytes:  # fmt: skip
    """The fixed part of ww_spec. key_len: where something else is kept in the key's place;
    pin_len: of what is kept of a PIN; dated: its dates stand behind all else."""
    back, forward = device.window
    return SPEC.pack(
        KINDS.index(device.mechanism),
        HASH_NAMES.index(device.algorithm),
        device.digits,
        DEVICE_STATES.index(state),
        back,
        forward,
        device.look_ahead or int(device.once),
        device.drift_max,
        device.period,
        len(device.key) if key_len is None else key_len,
        serial_len,
        len(device.suite),
        pin_len,
        device.label,
        dated << 4,
        device.t0,
    )


def device_add(
    user: int, number: int, device: Device, key: bytes, serial: bytes, moving: int, pin: bytes,
    by: str = "", state: str = "active", drift: int = 0, dates: bytes = b"",
) -> bytes:  # fmt: skip
    """key: the device's, or what is kept in its place; pin: what is kept of one; drift: what it had
    run away by; dates: packed, or nothing."""
    head = spec_head(device, len(serial), len(key), len(pin), state, bool(dates))
    tail = head + key + serial + device.suite.encode("ascii") + pin + dates + by.encode()
    ends = ENDS if state == "active" else 0
    return _record(
        DEVICE_ADD, user, device=number, moving=moving, tail=tail, drift=drift, place=ends
    )


def secret_add(
    user: int, number: int, kind: str, kept: bytes, serial: bytes, by: str = ""
) -> bytes:
    """A password or a security question: kept like a device."""
    figures = (KINDS.index(kind), HASH_NAMES.index("sha256"), 0, DEVICE_STATES.index("active"))
    lengths = (len(kept), len(serial), 0, 0, 0, 0)
    tail = SPEC.pack(*figures, 0, 0, 0, 0, 0, *lengths, 0) + kept + serial + by.encode()
    return _record(DEVICE_ADD, user, device=number, tail=tail)


def device_lent(
    user: int, number: int, lent: tuple[Any, ...], key: bytes, pin: bytes, dates: bytes, by: str
) -> bytes:
    """Another user's device, as the core tells it, in this user's line: where it stands now.
    dates: when it ends, packed, or nothing."""
    (_, serial, kind, _, _, hash_, digits, period, back, forward, look_ahead, drift_max, t0, moving,
     drift, _, label, suite, *_) = lent
    texts = key, serial.encode(), suite.encode("ascii"), pin
    tail = SPEC.pack(
        kind, hash_, digits, DEVICE_STATES.index("active"), back, forward, look_ahead, drift_max,
        period, *map(len, texts), label, LENT | bool(dates) << 4, t0,
    ) + b"".join(texts) + dates + by.encode()  # fmt: skip
    return _record(DEVICE_ADD, user, device=number, moving=moving, tail=tail, drift=drift)


def share(owner: int, device: int, user: int, verdict: int, reason: int, by: str) -> bytes:
    """A device is shared with another user, or is not, and why."""
    tail = by.encode()
    return _record(
        SHARE, owner, device=device, moving=user, tail=tail, text=len(tail), said=(verdict, reason)
    )


def addresses_set(user: int, ranges: bytes, by: str) -> bytes:
    return _record(ADDRESSES, user, tail=ranges + by.encode(), text=len(ranges))


def identity_set(user: int, digest: bytes, by: str) -> bytes:
    return _record(IDENTITY, user, tail=digest + by.encode(), text=len(digest))


def opt(user: int, out: bool, by: str) -> bytes:
    return _text(OPT, user, by, place=int(out))


def withdrawal(user: int, cents: int, day: int, verdict: int, reason: int, by: str) -> bytes:
    said = verdict, reason
    return _record(WITHDRAWAL, user, moving=cents, tail=by.encode(), text=day, said=said)


def pin_set(user: int, number: int, kept: bytes) -> bytes:
    return _record(PIN, user, device=number, tail=kept, text=len(kept))


def device_set(
    user: int, number: int, state: str, by: str = "", *, was: str = ""
) -> bytes:  # fmt: skip
    ends = ENDS if state == "active" and was != "active" else 0
    place = DEVICE_STATES.index(state) | ends
    return _text(DEVICE_SET, user, by, device=number, place=place)


def dates_set(user: int, number: int, dates: bytes, by: str = "") -> bytes:
    return _record(DATES, user, device=number, tail=dates + by.encode(), text=len(dates))


def due(user: int, at_ms: int) -> bytes:
    """What is due of a user by this moment has come."""
    return _record(DUE, user, moving=at_ms)


def device_remove(user: int, number: int, by: str = "") -> bytes:
    return _text(DEVICE_REMOVE, user, by, device=number)


def fingerprint(secret: bytes, key: bytes) -> bytes:
    """A keyed hash of a device's key: 16 bytes that tell it again and nothing else."""
    return hmac.digest(secret, key, hashlib.sha256)[:16]


def tombstone(user: int, number: int, mark: bytes, floor: Floor) -> bytes:
    tail = TOMB.pack(mark, floor.kind, floor.resync, floor.period, floor.t0)
    return _record(TOMBSTONE, user, device=number, moving=floor.moving, tail=tail)


def tombstones(image: bytes) -> Iterator[tuple[bytes, Floor]]:
    """Every tombstone among a row's records."""
    for record in records(image):
        if record.event == TOMBSTONE:
            mark, kind, resync, period, t0 = TOMB.unpack(record.tail)
            yield mark, Floor(kind, period, t0, record.moving, resync)


def names_packed(gateways: tuple[str, ...]) -> bytes:
    """The gateways of a row: a length byte and a name each, padded to a unit."""
    packed = b"".join(bytes([len(name.encode())]) + name.encode() for name in gateways)
    return packed + bytes(-len(packed) % UNIT)


def gateway_packed(name: str) -> bytes:
    """One gateway's name for a row. Errors: InvalidArgument."""
    text = name.encode("utf-8", "replace") if isinstance(name, str) else b""
    if not 1 <= len(text) <= GATEWAY_BYTES_MAX:
        raise InvalidArgument(f"gateway is text of 1 to {GATEWAY_BYTES_MAX} bytes")
    return names_packed((text.decode(),))


def row(acts: bytes, turn: int, time_ms: int) -> bytes:
    """A journal row of acts."""
    units = len(acts) // UNIT
    return HEADER.pack(ROW_MAGIC, ROW_VERSION, 0, 0, units, turn, time_ms) + acts


def joined(image: bytes, acts: bytes) -> bytes:
    """A row with acts behind its own records."""
    magic, version, gateways, names, units, turn, time_ms = HEADER.unpack_from(image)
    head = HEADER.pack(magic, version, gateways, names, units + len(acts) // UNIT, turn, time_ms)
    return head + image[HEADER.size :] + acts


def records(image: bytes) -> Iterator[Record]:
    """A row's records, for audit and tests."""
    _, _, _, names, units, _, _ = HEADER.unpack_from(image)
    at = HEADER.size + names
    end = at + units * UNIT
    while at < end:
        head = RECORD.unpack_from(image, at)
        stop = at + UNIT * (1 + head[3])
        yield Record._make((*head[:3], *head[4:], bytes(image[at + UNIT : stop])))
        at = stop
