"""The administration verbs of an engine: what is legal, as one row of records, then durable.

Rule: an act is decided under the engine's lock from the state as it stands, is one record row or
none, and returns only when that row is on the disk.
"""

import contextlib
import hmac
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from watchword import _engine, lifecycle
from watchword._engine import (
    ACCOUNT_STATES,
    DEVICE_STATES,
    DEVICES_PER_USER_MAX,
    KINDS,
    REALMS,
)
from watchword.devices import passcode, pins
from watchword.devices.device import Device
from watchword.errors import Exists, InvalidArgument, NotFound
from watchword.life import expect_transition
from watchword.parts import Parts
from watchword.views import Passcode, User, user_of

__all__ = ["Acts", "floor_of", "legal_serial", "one_of", "said_by", "utf8"]

SERIAL_BYTES_MAX = 32
SERIAL = re.compile(f"[0-9A-Za-z_.:-]{{1,{SERIAL_BYTES_MAX}}}")
RESYNC = 24  # in a device as the core tells it
BY_BYTES_MAX = 128


class Acts(Parts):
    """add, set, remove and unlock users; add, set and remove devices; look at both."""

    def _act(self, acts: bytes, now_ms: int | None = None) -> int:
        """Applies records and queues their row. The lock is held. Returns the turn to wait for."""
        self._alive()
        row = lifecycle.row(acts, self._turn + 1, self._now() if now_ms is None else now_ms)
        self._lock.open_turn = True
        self._core.act(row)
        self._turn += 1
        self._submit(row)
        self._lock.open_turn = False
        return self._turn

    @contextlib.contextmanager
    def _deciding(self) -> Iterator[None]:
        """The lock; a refusal waits, like any answer, until what it saw is durable."""
        try:
            with self._lock:
                self._alive()  # a refusal is an answer too, and an engine that ended gives none
                yield
        except (Exists, NotFound, InvalidArgument):  # the last, too, may be for what it saw
            self._wait(self._turn)
            raise

    # -- users

    def add_user(
        self, name: str, state: str = "open", realm: str = "live", *, by: str | None = None
    ) -> None:
        """A new user. state: open, pending or closed; realm: live or paper (RULES section 1).

        by, here and below: who does it, for the record. Errors: InvalidArgument, Exists,
        StoreFailed.
        """
        who = said_by(by)
        one_of("state", state, ACCOUNT_STATES)
        one_of("realm", realm, REALMS)
        with self._deciding():
            text = self._legal(name)
            if self._core.find(text) is not None:
                raise Exists(f"user {name!r} exists already")
            _, number = self._core.next_slot()
            turn = self._act(lifecycle.user_add(number, text, state, realm, who))
        self._wait(turn)

    def set_user(
        self, name: str, *, state: str | None = None, realm: str | None = None,
        by: str | None = None,
    ) -> None:  # fmt: skip
        """Changes a user's account state or realm. Errors: InvalidArgument, NotFound."""
        who = said_by(by)
        if state is not None:
            one_of("state", state, ACCOUNT_STATES)
        if realm is not None:
            one_of("realm", realm, REALMS)
        with self._deciding():
            number, user = self._user(name)
            act = lifecycle.user_set(number, state or user.state, realm or user.realm, who)
            turn = self._act(act)
        self._wait(turn)

    def remove_user(self, name: str, *, by: str | None = None) -> None:
        """Removes a user and its devices; what they had used stays used up. Errors: NotFound."""
        who = said_by(by)
        with self._deciding():
            number, user = self._user(name)
            acts = b"".join(
                self._end_sharing(number & 0xFFFFFFFF, self._device(name, view.serial), who)
                + self._bury(number, view.serial) for view in user.devices
            )
            self._costs.moved(self._cost_of(number), None)
            turn = self._act(acts + lifecycle.user_remove(number, who))
            self._gone.user_left(number, name)
        self._wait(turn)

    def unlock(self, name: str, *, by: str) -> None:
        """Empties the streak and lifts the cap's suspensions; who did it is recorded.

        Errors: InvalidArgument, NotFound, StoreFailed.
        """
        who = said_by(utf8("by", by).decode())
        with self._deciding():
            now_ms = self._now()
            number, _ = self._user(name)
            turn = self._act(self._due(number, now_ms) + lifecycle.unlock(number, who), now_ms)
        self._wait(turn)

    def user(self, name: str) -> User:
        """A user as it stands now. Errors: NotFound."""
        with self._deciding():
            turn, found = self._turn, self._user(name)[1]
        self._wait(turn)  # what is shown is durable too
        return found

    def users(self, after: str = "", count: int = 1_000) -> list[str]:
        """Names of users in the order of their slots, from the one after `after`."""
        with self._deciding():
            self._alive()
            turn, start = self._turn, 0
            if after:
                slot = self._core.find(utf8("after", after))
                if slot is None:
                    raise NotFound(f"there is no user {after!r}")
                start = slot + 1
            names: list[str] = []
            for slot in range(start, self._core.slots_used()):
                found = self._core.user(slot)
                if found is not None:
                    names.append(found[1])
                    if len(names) >= count:
                        break
        self._wait(turn)
        return names

    # -- devices

    def add_device(
        self, name: str, device: Device, serial: str | None = None, *,
        personal: Sequence[str] = (), by: str | None = None,
    ) -> str:
        """Enrols an active device for a user and returns its serial, made here unless given.

        A key that was enrolled before keeps what it had used. personal: what is known of the user,
        of which a PIN before the code may be no part (as change_pin takes it).
        Errors: InvalidArgument, NotFound, Exists, StoreFailed.
        """
        device, pin = self._vetted(device, personal)
        who = said_by(by)
        with self._deciding():
            now_ms = self._now()
            number, user = self._user(name)
            text, record = self._enrolling(number, user, device, serial, pin, now_ms, who)
            turn = self._act(self._due(number, now_ms) + record, now_ms)
        self._wait(turn)
        return text

    def _vetted(self, device: Device, personal: Sequence[str] = ()) -> tuple[Device, bytes]:
        """A device as this policy lets one be enrolled, and what is kept of its PIN."""
        if not isinstance(device, Device):
            raise InvalidArgument("device is a watchword.Device")
        given = device.kind == "temporary-passcode"  # whose key is its text
        if len(device.key) < self._policy.key_bytes_min and not given:
            raise InvalidArgument(
                f"key is at least {self._policy.key_bytes_min} bytes under this policy"
            )
        if amiss := self._policy.too_long(device.window, device.period):
            raise InvalidArgument(" ".join(amiss))
        return self._under_policy(device), self._kept_pin(device, personal)

    def _enrolling(
        self, number: int, user: User, device: Device, serial: str | None, pin: bytes, now_ms: int,
        by: str, state: str = "active", dates: bytes = b"", ahead: int = 0,
    ) -> tuple[str, bytes]:  # fmt: skip
        """The serial and the record of an enrolment. ahead: how many come before it in its row."""
        self._expect_suite(device)
        if len(user.devices) + ahead >= DEVICES_PER_USER_MAX:
            raise InvalidArgument(f"a user has at most {DEVICES_PER_USER_MAX} devices")
        device_number = self._core.next_device() + ahead
        text = legal_serial(serial) if serial is not None else f"W{device_number:08d}"
        if any(view.serial == text for view in user.devices):
            raise Exists(f"user {user.name!r} has a device {text!r} already")
        self._expect_one_phone(user, device)
        self._expect_unshared(number, device)
        mark = lifecycle.fingerprint(self._mark_key, device.key)
        moving = max(
            device.counter, self._tombs.lift(mark, device), self._twins_floor(number, device)
        )
        kept = self._kept_key(device, now_ms)
        return text, lifecycle.device_add(
            number, device_number, device, kept, text.encode(), moving, pin, by, state, dates=dates
        )

    def issue_passcode(
        self, name: str, serial: str | None = None, *, by: str | None = None
    ) -> Passcode:
        """A new temporary passcode for a user, told this once and kept as a salted keyed hash.

        It opens both platforms for 2 days, may be used again, and for 10 days more the portal alone
        (RULES section 6). Errors: InvalidArgument, NotFound, Exists, StoreFailed.
        """
        text = passcode.made(self._entropy)
        issued = self.add_device(name, Device.temporary_passcode(text), serial, by=by)
        return Passcode(issued, text)

    def set_device(
        self, name: str, serial: str, *, state: str, by: str | None = None
    ) -> None:
        """Moves a device to a state that may follow its own (watchword.life.TRANSITIONS). A
        permanent one that becomes active ends the user's temporary passcode and online card; a
        shared one that is lost or was returned is so for all of its users.
        Errors: InvalidArgument names both states, NotFound."""
        who = said_by(by)
        one_of("state", state, DEVICE_STATES)
        with self._deciding():
            now_ms = self._now()
            number, user = self._user(name)
            device = self._device(name, serial)
            was = next(view.state for view in user.devices if view.serial == serial)
            expect_transition(was, state)
            act = lifecycle.device_set(number, device, state, who, was=was)
            act += self._gone_for_all(number & 0xFFFFFFFF, device, state, who, now_ms)
            turn = self._act(self._due(number, now_ms) + act, now_ms)
        self._wait(turn)

    def remove_device(self, name: str, serial: str, *, by: str | None = None) -> None:
        """Removes a device; what it had used stays used up. Errors: NotFound, StoreFailed."""
        who = said_by(by)
        with self._deciding():
            now_ms = self._now()
            number, user = self._user(name)
            device = self._device(name, serial)
            acts = self._due(number, now_ms) + self._end_sharing(number & 0xFFFFFFFF, device, who)
            acts += self._bury(number, serial)
            turn = self._act(acts + lifecycle.device_remove(number, device, who), now_ms)
            kind = next(view.kind for view in user.devices if view.serial == serial)
            self._gone.device_left(device, serial, kind)
        self._wait(turn)

    # -- what stands (the lock is held)

    def _legal(self, name: str) -> bytes:
        text = utf8("user", name)
        if not self._core.name_legal(text):
            sort = (
                "1 to 64 letters and digits" if self._policy.names == "sls"
                else "1 to 128 bytes of UTF-8 without control characters"
            )
            raise InvalidArgument(f"user is {sort}")
        if self._policy.names == "sls" and text != text.lower():
            raise InvalidArgument("user is lower case: an upper-case letter names nobody")
        return text

    def _kept_key(self, device: Device, now_ms: int) -> bytes:
        """What a store keeps: a device's key; of a passcode a hash, and how long it is good."""
        if device.kind != "temporary-passcode":
            return device.key
        full_until = now_ms + self._policy.passcode_ms
        return passcode.kept(
            self._passcode_key, self._entropy(passcode.SALT_BYTES), device.key, full_until,
            full_until + self._policy.passcode_card_ms,
        )  # fmt: skip

    def _kept_pin(self, device: Device, personal: Sequence[str] = ()) -> bytes:
        """What a store keeps of a PIN: what P signs, or the hash of one before the code."""
        if not device.pin:
            return device.pin_hash + device.phone
        text = pins.new_pin("pin", device.pin, personal, self._policy.pin_chars_min)
        return pins.kept(self._kept_key_of_pins, self._entropy(pins.SALT_BYTES), text)

    def _under_policy(self, device: Device) -> Device:
        """A card under a policy that shows no cell twice is such a card for good."""
        if device.mechanism == "card" and self._policy.card_cells_once:
            return replace(device, once=True)
        return device

    def _expect_suite(self, device: Device) -> None:
        if device.suite and not self._core.suite_fits(device.suite.encode("ascii")):
            raise InvalidArgument("suite is one too many: a store holds 256 different ones")

    def _expect_pin(self, device: Device) -> None:
        """One phone has one PIN, whoever it serves (RULES section 6)."""
        if device.phone and not _engine.phone_pin_fits(self._core, device.phone, device.pin_hash):
            raise Exists("the phone serves other users with another PIN")

    def _expect_one_phone(self, user: User, device: Device) -> None:
        if device.phone and any(view.phone for view in user.devices):
            raise Exists(
                f"user {user.name!r} has a phone already",
                hint="remove it first, or enrol the other with a token, which replaces it",
            )
        self._expect_pin(device)

    def _due(self, number: int, now_ms: int) -> bytes:
        """What has come due of a user, as the record that goes before an act on it."""
        at_ms = _engine.due(self._core, number & 0xFFFFFFFF, now_ms)
        return b"" if at_ms is None else lifecycle.due(number, at_ms)

    def _slot(self, name: str) -> int:
        slot = self._core.find(utf8("user", name))
        if slot is None:
            raise NotFound(f"there is no user {name!r}")
        return slot

    def _user(self, name: str) -> tuple[int, User]:
        self._alive()
        found = self._core.user(self._slot(name), self._now())
        assert found is not None, "the index names no free slot"
        return found[0], user_of(found)

    def _device(self, name: str, serial: str) -> int:
        found = self._core.user(self._slot(name))
        for device in found[-1] if found else ():
            if device[1] == serial:
                return int(device[0])
        raise NotFound(f"user {name!r} has no device {serial!r}")

    def _twins_floor(self, number: int, device: Device) -> int:
        """What the user's other devices with this very key have used up already."""
        twins = self._alike(number & 0xFFFFFFFF, device.key)
        return max((floor_of(twin).lift(device) for twin in twins), default=0)

    def _alike(self, slot: int, key: bytes) -> list[tuple[Any, ...]]:
        """A user's devices with this very key, as the core tells them."""
        found = self._core.user(slot)
        return [
            device for device in (found[-1] if found else ())
            if hmac.compare_digest(self._core.device_key(slot, device[0]) or b"", key)
        ]

    def _bury(self, number: int, serial: str) -> bytes:
        """A tombstone for a device that is about to go; nothing when it was never used."""
        slot = number & 0xFFFFFFFF
        found = self._core.user(slot)
        for device in found[-1] if found else ():
            if device[1] != serial:
                continue
            floor = floor_of(device)
            key = self._core.device_key(slot, device[0])
            if not (floor.moving or floor.resync) or key is None:
                return b""
            mark = lifecycle.fingerprint(self._mark_key, key)
            self._tombs.add(mark, floor)
            return lifecycle.tombstone(number, device[0], mark, floor)
        return b""


def floor_of(device: tuple[Any, ...]) -> lifecycle.Floor:
    """What a device, as the core tells it, has used up."""
    period = device[10] if KINDS[device[2]] == "card" else device[7]
    return lifecycle.Floor(device[2], period, device[12], device[13], device[RESYNC])


def said_by(by: str | None) -> str:
    """Who does an act, as its record says it; empty when nobody said."""
    if by is None:
        return ""
    if not 1 <= len(utf8("by", by)) <= BY_BYTES_MAX or "\0" in by:
        raise InvalidArgument(f"by is text of 1 to {BY_BYTES_MAX} bytes without zero characters")
    return by


def utf8(name: str, text: object) -> bytes:
    if not isinstance(text, str):
        raise InvalidArgument(f"{name} is str, not {type(text).__name__}")
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise InvalidArgument(f"{name} is text that UTF-8 can hold") from None


def legal_serial(serial: object) -> str:
    if not isinstance(serial, str) or not SERIAL.fullmatch(serial):
        raise InvalidArgument(
            f"serial is 1 to {SERIAL_BYTES_MAX} ASCII letters, digits and any of - _ . :"
        )
    return serial


def one_of(name: str, word: object, words: tuple[str, ...]) -> None:
    if not isinstance(word, str) or word not in words:
        raise InvalidArgument(f"{name} is one of {', '.join(words)}")
