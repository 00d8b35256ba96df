"""Rows of a file into a store: users, and devices of any kind.

Rule: every row is held against the rules, the store and the rows before it before the first is
applied; a row is applied whole or not at all; what stands in the store already is never changed.
A row that is there already, user, device and key, is left as it is, so that a file whose import was
cut off can be imported again.
"""

import hmac
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import BinaryIO, NamedTuple, TypeVar

from watchword import lifecycle
from watchword._engine import DEVICES_PER_USER_MAX, KINDS
from watchword.acts import floor_of, legal_serial, said_by, utf8
from watchword.devices.device import Device
from watchword.devices.pins import new_pin
from watchword.errors import Exists, InvalidArgument
from watchword.formats.columns import Fault, Row, rows_of
from watchword.formats.fields import KEY_IS, PASSCODE
from watchword.lifecycle import Floor
from watchword.parts import Parts
from watchword.views import DeviceView, user_of

__all__ = ["Imported", "Intake"]

ROWS_PER_TURN = 2_048
STORED = 0  # in place of a row: it was in the store before

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file: how many rows it has, new users and new devices, rows that were there
    already, and what is wrong with the others. applied: false for a dry run, and where a row is
    wrong and none was to be skipped."""

    rows: int
    users: int
    devices: int
    there: int
    faults: tuple[Fault, ...]
    applied: bool


class Held(NamedTuple):
    """A device that a user has, or will have by an earlier row."""

    row: int
    serial: str
    kind: str
    key: bytes
    floor: Floor
    figures: tuple[object, ...]


@dataclass(slots=True)
class Standing:
    """A user as the store and the rows so far have it. row: which made it, or STORED; named: the
    first one that is about it."""

    row: int
    named: int
    state: str
    realm: str
    number: int
    devices: list[Held]


class Placed(NamedTuple):
    """What a row comes to: its user, whose number is -1 where it has none yet, and the device that
    it adds, from the position where that begins."""

    row: int
    state: str
    realm: str
    number: int
    device: Device | None = None
    serial: str = ""
    moving: int = 0

    def held(self) -> list[Held]:
        device = self.device
        if device is None:
            return []
        once = int(device.once) if device.mechanism == "card" else device.period
        floor = Floor(KINDS.index(device.mechanism), once, device.t0, self.moving)
        return [Held(self.row, self.serial, device.kind, device.key, floor, figures_of(device))]


@dataclass(slots=True)
class Plan:
    """What rows come to, and what was said of each name so far: of most, one row."""

    users: int = 0
    devices: int = 0
    there: int = 0
    names: dict[str, Placed | Standing] = field(default_factory=dict)
    suites: set[str] = field(default_factory=set)
    pins: dict[bytes, bytes] = field(default_factory=dict)  # of phones


class RefusedError(Exception):
    """A row cannot be: the column, and what is legal."""


class Intake(Parts):
    """import_csv."""

    def import_csv(
        self,
        file: BinaryIO,
        *,
        by: str,
        dry_run: bool = False,
        skip_bad: bool = False,
        progress: Callable[[int], object] | None = None,
    ) -> Imported:
        """Users and devices from CSV, a row each; watchword.formats.columns has the columns.

        Where a row is wrong nothing is applied, unless such rows are to be skipped. by: who
        imports, for the record. progress is told how many rows are done: each twice, for it is
        looked at and then applied. Errors: InvalidArgument when the file is no CSV file,
        StoreFailed.
        """
        by = said_by(utf8("by", by).decode())
        found = parts(rows_of(file), ROWS_PER_TURN)
        first, second = next(found, []), next(found, None)
        if second is None and not dry_run:
            return self._import_one(first, by, skip_bad)
        rows: list[Row] = []
        faults: list[Fault] = []
        total, done, seen = 0, 0, Plan()
        for part in chain([first], [second or []], found):
            wrong, new = self._look_at(part, seen)
            faults += wrong
            rows += new
            total += len(part)
            if progress is not None:
                progress(total)
        if dry_run:
            faults.sort()
            return Imported(total, seen.users, seen.devices, seen.there, tuple(faults), False)
        users, devices, there, applied = 0, 0, seen.there, skip_bad or not faults
        for ready in parts(rows, ROWS_PER_TURN) if applied else ():
            wrong, plan = self._enrol(ready, by, skip_bad)
            faults += wrong
            users, devices = users + plan.users, devices + plan.devices
            there += plan.there
            done += len(ready)
            if progress is not None:
                progress(total + done)
            if wrong and not skip_bad:
                break  # somebody was quicker; what is applied is there when it is tried again
        self._catch_up()
        faults.sort()
        return Imported(total, users, devices, there, tuple(faults), applied)

    def _import_one(self, part: list[Row | Fault], by: str, skip_bad: bool) -> Imported:
        """A file that is one act: it is looked at and applied under one lock."""
        rows = [row for row in part if isinstance(row, Row)]
        faults = [row for row in part if isinstance(row, Fault)]
        if faults and not skip_bad:
            plan = Plan()
            wrong, _ = self._look_at(rows, plan)
            plan.users = plan.devices = 0
        else:
            wrong, plan = self._enrol(rows, by, skip_bad)
        faults = sorted(faults + wrong)
        applied = skip_bad or not faults
        return Imported(
            len(part), plan.users, plan.devices, plan.there, tuple(faults), applied
        )

    def _look_at(self, part: Sequence[Row | Fault], plan: Plan) -> tuple[list[Fault], list[Row]]:
        """What of these rows cannot be done, after those that came before, and what is new of the
        others. Nothing is changed."""
        faults, rows = [], []
        with self._deciding():
            turn = self._turn
            for row in part:
                if isinstance(row, Fault):
                    faults.append(row)
                    continue
                there = plan.there
                try:
                    self._place(plan, row)
                except RefusedError as refused:
                    faults.append(Fault(row.row, *refused.args))
                else:
                    if plan.there == there:
                        rows.append(row)
        self._wait(turn)
        return faults, rows

    def _enrol(self, rows: list[Row], by: str, skip_bad: bool) -> tuple[list[Fault], Plan]:
        """One journal row, durable when this returns: what could not be done after all, and what
        was."""
        faults, acts, plan = [], [lifecycle.imported(by)], Plan()
        with self._deciding():
            ids, used, number = self._core.next_slots(len(rows)), 0, self._core.next_device()
            for row in rows:
                users = plan.users
                try:
                    placed = self._place(plan, row, f"W{number:08d}", ids[used])
                except RefusedError as refused:
                    faults.append(Fault(row.row, *refused.args))
                    continue
                if plan.users > users:
                    used += 1
                    name = row.name.encode()
                    act = lifecycle.user_add(placed.number, name, placed.state, placed.realm, by)
                    acts.append(act)
                if placed.device is not None:
                    acts.append(lifecycle.device_add(
                        placed.number, number, placed.device, placed.device.key,
                        placed.serial.encode(), placed.moving, self._kept_pin(placed.device), by,
                        row.device_state, row.drift,
                    ))  # fmt: skip
                    number += 1
            turn = self._turn
            if faults and not skip_bad:
                plan.users = plan.devices = 0
            elif len(acts) > 1:
                turn = self._act(b"".join(acts))
        self._wait(turn)
        return faults, plan

    def _place(self, plan: Plan, row: Row, made: str = "", number: int = -1) -> Placed:
        """What a row comes to. The lock is held.

        made, number: the serial of a device that names none, and the number of a new user. Raises
        RefusedError when it cannot be, and has planned nothing then.
        """
        user = plan.names.get(row.name)
        if user is None:
            slot = self._find(row.name)
            if slot is None:
                new = Placed(row.row, row.state or "open", row.realm or "live", number)
                if row.device is not None:
                    new = self._device_of(plan, new, row, row.device, made, [])
                plan.names[row.name] = new
                plan.users += 1
                plan.devices += new.device is not None
                return new
            user = plan.names[row.name] = self._stored(slot)
        elif isinstance(user, Placed):
            user = Standing(user.row, user.row, user.state, user.realm, user.number, user.held())
            plan.names[row.name] = user
        for column, said, stands in (
            ("state", row.state, user.state), ("realm", row.realm, user.realm)
        ):
            if said not in (None, stands):
                raise RefusedError(column, f"is {stands} {where(user.row)}")
        placed = Placed(row.row, user.state, user.realm, user.number)
        if row.device is None:
            if user.named:
                raise RefusedError("name", f"stands {where(user.named)} already")
            user.named = row.row
            plan.there += 1
            return placed
        if self._is_there(user, row, row.device):
            user.named = user.named or row.row
            plan.there += 1
            return placed
        if row.serial is None:
            raise RefusedError("serial", f"is needed: the user stands {where(user.row)} already")
        placed = self._device_of(plan, placed, row, row.device, made, user.devices)
        user.devices += placed.held()
        user.named = user.named or row.row
        plan.devices += 1
        return placed

    def _find(self, name: str) -> int | None:
        """The slot of a user, if there is one."""
        try:
            return self._core.find(self._legal(name))
        except InvalidArgument as error:
            raise RefusedError("name", str(error.args[0]).removeprefix("user ")) from None

    def _stored(self, slot: int) -> Standing:
        """A user as it stands in the store."""
        found = self._core.user(slot)
        assert found is not None, "the index names no free slot"
        view = user_of(found)
        held = [
            Held(STORED, device.serial, device.kind, self._core.device_key(slot, told[0]) or b"",
                 floor_of(told), figures_of(device))
            for device, told in zip(view.devices, found[-1], strict=True)
        ]  # fmt: skip
        return Standing(STORED, 0, view.state, view.realm, found[0], held)

    def _is_there(self, user: Standing, row: Row, device: Device) -> bool:
        """Whether the store has this very device already. Raises RefusedError where another has its
        serial, or an earlier row is the same."""
        for held in user.devices:
            if row.serial in (None, held.serial) and is_same(held, row, device):
                if held.row != STORED:
                    raise RefusedError("serial", f"is the device of row {held.row} again")
                return True
            if row.serial == held.serial:
                raise RefusedError("serial", f"is taken {where(held.row)}")
        return False

    def _device_of(
        self, plan: Plan, placed: Placed, row: Row, device: Device, made: str, others: list[Held]
    ) -> Placed:
        """A row with the device that it adds, as policy and tombstones have it."""
        if row.keyless and device.kind != "sms":
            column, says = ("kind", "is issued, not imported") if device.kind == PASSCODE else (
                "key", KEY_IS
            )  # fmt: skip
            raise RefusedError(column, says)
        if len(others) >= DEVICES_PER_USER_MAX:
            raise RefusedError("kind", f"is one too many: {DEVICES_PER_USER_MAX} devices a user")
        serial = row.serial or made
        if row.serial is not None:
            try:
                legal_serial(serial)
            except InvalidArgument as error:
                raise RefusedError("serial", str(error.args[0]).removeprefix("serial ")) from None
        if len(device.key) < self._policy.key_bytes_min:
            least = self._policy.key_bytes_min
            raise RefusedError("key", f"is at least {least} bytes under this policy")
        if amiss := self._policy.too_long(device.window, device.period):
            raise RefusedError(*amiss)
        if device.pin:
            try:
                new_pin("pin", device.pin, (), self._policy.pin_chars_min)
            except InvalidArgument as error:
                raise RefusedError("pin", str(error.args[0]).removeprefix("pin ")) from None
        if device.suite and not self._core.suite_known(device.suite.encode("ascii")):
            if len(plan.suites | {device.suite}) > self._core.suites_left():
                raise RefusedError("suite", "is one too many: a store holds 256 different ones")
            plan.suites.add(device.suite)
        if device.phone:
            self._expect_phone(plan, device, others)
        device, moving = self._under_policy(device), row.moving
        try:
            if any(held.row == STORED for held in others):
                self._expect_unshared(placed.number, device)
            if self._tombs:
                mark = lifecycle.fingerprint(self._mark_key, device.key)
                moving = max(moving, self._tombs.lift(mark, device))
            for held in others:
                if hmac.compare_digest(held.key, device.key):
                    moving = max(moving, held.floor.lift(device))
        except InvalidArgument as error:
            raise RefusedError("key", str(error.args[0]).removeprefix("key ")) from None
        return placed._replace(device=device, serial=serial, moving=moving)

    def _expect_phone(self, plan: Plan, device: Device, others: list[Held]) -> None:
        """A user has one phone; a phone has one PIN, whoever it serves (RULES section 6)."""
        if any(held.figures[-1] for held in others):
            raise RefusedError("phone", "is one too many: a user has one phone")
        if plan.pins.setdefault(device.phone, device.pin_hash) != device.pin_hash:
            raise RefusedError("pin", "is another than this phone has in a row before")
        try:
            self._expect_pin(device)
        except Exists:
            raise RefusedError("pin", "is another than this phone has in the store") from None


def is_same(held: Held, row: Row, device: Device) -> bool:
    """Whether a device is the one that a row has; one whose key was made here is told by serial."""
    if (held.kind, held.figures) != (device.kind, figures_of(device)):
        return False
    return row.keyless or hmac.compare_digest(held.key, device.key)


def figures_of(device: Device | DeviceView) -> tuple[object, ...]:
    """What two devices with one key may differ in."""
    return (
        device.algorithm, device.digits, device.period, device.t0, device.window, device.suite,
        device.once, device.phone if isinstance(device.phone, str) else device.phone.hex(),
    )  # fmt: skip


def where(row: int) -> str:
    return f"in row {row}" if row != STORED else "in the store"


def parts(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """So many rows at a time."""
    rest = iter(rows)
    while part := list(islice(rest, size)):
        yield part
