"""Rows of a file into a store, and out of it: users, and devices of any kind.

Rule: every row is held against the rules, the store and the rows before it before the first is
applied; a row is applied whole or not at all; what stands in the store already is never changed.
A row that is there already, user, device and key, is left as it is, so that a file whose import was
cut off can be imported again.
"""

import hmac
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO, NamedTuple, TypeVar

from watchword import lifecycle
from watchword._engine import DEVICES_PER_USER_MAX, KINDS
from watchword.acts import expect_by, floor_of, serial_of
from watchword.devices.device import Device
from watchword.errors import InvalidArgument
from watchword.formats.columns import Fault, Row, fields_from, header, line_of, rows_of
from watchword.lifecycle import Floor
from watchword.parts import Parts
from watchword.views import DeviceView, user_of

__all__ = ["Enrolment", "Imported"]

ROWS_PER_TURN = 2_048
USERS_PER_TURN = 1_000  # of an export
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
    """A user as the store and the rows so far have it. row: which named it first."""

    row: int
    state: str = "open"
    realm: str = "live"
    number: int = -1
    devices: list[Held] = field(default_factory=list)


@dataclass(slots=True)
class Plan:
    """What rows come to, and what they said so far."""

    users: int = 0
    devices: int = 0
    there: int = 0
    standing: dict[str, Standing] = field(default_factory=dict)
    suites: set[str] = field(default_factory=set)


class RefusedError(Exception):
    """A row cannot be: the column, and what is legal."""


class Enrolment(Parts):
    """import_csv, export_csv."""

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
        expect_by(by)
        rows: list[Row] = []
        faults: list[Fault] = []
        total, done, plan = 0, 0, Plan()
        for part in parts(rows_of(file), ROWS_PER_TURN):
            good = [row for row in part if isinstance(row, Row)]
            wrong = self._look_at(good, plan)
            faults += [row for row in part if isinstance(row, Fault)] + wrong
            refused = {fault.row for fault in wrong}
            rows += [row for row in good if row.row not in refused]
            total += len(part)
            if progress is not None:
                progress(total)
        applied = not dry_run and (skip_bad or not faults)
        if applied:
            plan = Plan()
            for part in parts(rows, ROWS_PER_TURN):
                wrong = self._enrol(part, plan, by)
                faults += wrong
                done += len(part)
                if progress is not None:
                    progress(total + done)
                if wrong and not skip_bad:
                    break  # somebody was quicker; what is applied is there when it is tried again
            self._catch_up()
        faults.sort()
        return Imported(total, plan.users, plan.devices, plan.there, tuple(faults), applied)

    def _look_at(self, rows: list[Row], plan: Plan) -> list[Fault]:
        """What of these rows cannot be done, after those that came before; nothing is changed."""
        faults = []
        with self._deciding():
            turn = self._turn
            for row in rows:
                try:
                    self._place(plan, row)
                except RefusedError as refused:
                    faults.append(Fault(row.row, *refused.args))
        self._wait(turn)
        return faults

    def _enrol(self, rows: list[Row], plan: Plan, by: str) -> list[Fault]:
        """One journal row, durable when this returns; what could not be done after all."""
        faults, acts = [], [lifecycle.imported(by)]
        with self._deciding():
            plan.standing.clear()  # what was said before stands in the store by now
            plan.suites.clear()
            ids, number = iter(self._core.next_slots(len(rows))), self._core.next_device()
            for row in rows:
                try:
                    user, device, moving = self._place(plan, row, f"W{number:08d}")
                except RefusedError as refused:
                    faults.append(Fault(row.row, *refused.args))
                    continue
                if user.row == row.row and user.number < 0:
                    user.number = next(ids)
                    name = row.name.encode()
                    acts.append(lifecycle.user_add(user.number, name, user.state, user.realm))
                if device is not None:
                    serial = user.devices[-1].serial.encode()
                    acts.append(lifecycle.device_add(
                        user.number, number, device, device.key, serial, moving, row.device_state,
                        row.drift,
                    ))  # fmt: skip
                    number += 1
            turn = self._turn if len(acts) == 1 else self._act(b"".join(acts))
        self._wait(turn)
        return faults

    def _place(
        self, plan: Plan, row: Row, made: str = ""
    ) -> tuple[Standing, Device | None, int]:
        """The user of a row, the device that it adds, and where that begins. The lock is held.

        made: the serial of a device that names none. Raises RefusedError when it cannot be; the
        plan is as it was then.
        """
        user = plan.standing.get(row.name)
        known = user is not None
        if user is None:
            user = self._stands(row)
        new = not known and user.number < 0
        for column, said, is_ in (
            ("state", row.state, user.state), ("realm", row.realm, user.realm)
        ):
            if said is not None and said != is_ and not new:
                raise RefusedError(column, f"is {is_}, {as_said(user.row)}")
        if row.device is None:
            if known:
                raise RefusedError("name", f"stands in row {user.row} already")
            device, moving = None, 0
        else:
            device, moving = self._fits(plan, user, row, row.device, new)
            if device is not None and made and any(made == held.serial for held in user.devices):
                raise RefusedError("serial", f"is needed: {made}, the next one made, is taken")
        plan.standing[row.name] = user
        plan.users += new
        plan.devices += device is not None
        plan.there += not new and device is None
        if device is not None:
            floor = Floor(KINDS.index(device.mechanism), *period_of(device), moving)
            user.devices.append(
                Held(row.row, row.serial or made, device.kind, device.key, floor, figures_of(device))
            )
        return user, device, moving

    def _stands(self, row: Row) -> Standing:
        """A user who is named for the first time: as the store has it, or new."""
        try:
            text = self._legal(row.name)
        except InvalidArgument as error:
            raise RefusedError("name", str(error.args[0]).removeprefix("user ")) from None
        slot = self._core.find(text)
        if slot is None:
            return Standing(row.row, row.state or "open", row.realm or "live")
        found = self._core.user(slot)
        assert found is not None, "the index names no free slot"
        view = user_of(found)
        held = [
            Held(STORED, device.serial, device.kind, self._core.device_key(slot, told[0]) or b"",
                 floor_of(told), figures_of(device))
            for device, told in zip(view.devices, found[-1], strict=True)
        ]  # fmt: skip
        return Standing(STORED, view.state, view.realm, found[0], held)

    def _fits(
        self, plan: Plan, user: Standing, row: Row, device: Device, new: bool
    ) -> tuple[Device | None, int]:
        """The device as it is to be enrolled and where it begins; None: it is there already."""
        for held in user.devices:
            named = row.serial in (None, held.serial)
            if named and is_same(held, row, device):
                if held.row != STORED:
                    raise RefusedError("serial", f"is the device of row {held.row} again")
                return None, 0
            if row.serial is not None and row.serial == held.serial:
                raise RefusedError("serial", f"is taken, {as_said(held.row)}")
        if not new and row.serial is None:
            raise RefusedError("serial", f"is needed: the user stands {as_said(user.row)}")
        if len(user.devices) >= DEVICES_PER_USER_MAX:
            raise RefusedError("kind", f"is one too many: {DEVICES_PER_USER_MAX} devices a user")
        if row.serial is not None:
            try:
                serial_of(row.serial)
            except InvalidArgument as error:
                raise RefusedError("serial", str(error.args[0]).removeprefix("serial ")) from None
        if len(device.key) < self._policy.key_bytes_min:
            least = self._policy.key_bytes_min
            raise RefusedError("key", f"is at least {least} bytes under this policy")
        if max(device.window) > self._policy.window_max:
            most = self._policy.window_max
            raise RefusedError("window", f"is at most {most} steps under this policy")
        if device.suite and device.suite not in plan.suites:
            if not self._core.suite_known(device.suite.encode("ascii")):
                if len(plan.suites) >= self._core.suites_left():
                    raise RefusedError("suite", "is one too many: a store holds 256 different ones")
                plan.suites.add(device.suite)
        device = self._under_policy(device)
        moving = row.moving
        if self._tombs:
            mark = lifecycle.fingerprint(self._mark_key, device.key)
            moving = max(moving, self._tombs.lift(mark, device))
        for held in user.devices:
            if hmac.compare_digest(held.key, device.key):
                moving = max(moving, held.floor.lift(device))
        return device, moving

    # -- out of the store

    def export_csv(
        self, file: BinaryIO, *, keys: bool = False, by: str | None = None
    ) -> int:
        """Every user and device as CSV, without secrets; how many users. keys: with their keys and
        PINs' digests, which opens every login to whoever reads it: by, who exports, is recorded
        first. Errors: InvalidArgument, StoreFailed."""
        file.write(header().encode() + b"\n")
        after, users = "", 0
        while True:
            count, after, lines = self.export_rows(after, keys=keys, by=by)
            if not count:
                return users
            file.write("".join(f"{line}\n" for line in lines).encode())
            users += count

    def export_rows(
        self, after: str = "", count: int = USERS_PER_TURN, *, keys: bool = False,
        by: str | None = None,
    ) -> tuple[int, str, list[str]]:  # fmt: skip
        """Lines of an export, without the header: of up to `count` users after the one named. How
        many users these are, and the last one's name."""
        if keys:
            expect_by(by)
        with self._deciding():
            turn, names, lines = self._turn, [], []
            slot = self._slot(after) + 1 if after else 0
            while slot < self._core.slots_used() and len(names) < count:
                found = self._core.user(slot)
                if found is not None:
                    names.append(found[1])
                    lines += self._lines(slot, found, keys)
                slot += 1
            if keys and names:
                said = f"{by}: keys of {len(names)} users, {names[0]} to {names[-1]}"
                turn = self._act(lifecycle.exported(said))
        self._wait(turn)
        return len(names), names[-1] if names else "", lines

    def _lines(self, slot: int, found: tuple, keys: bool) -> list[str]:  # type: ignore[type-arg]
        user = user_of(found)
        fields = [fields_from(user.name, user.state, user.realm)] if not user.devices else []
        for view, told in zip(user.devices, found[-1], strict=True):
            key, pin_hash = None, b""
            if keys and view.kind != "temporary-passcode":  # of which a hash is kept, no text
                key = self._core.device_key(slot, told[0])
                pin_hash = self._core.device_pin(slot, told[0])
            fields.append(fields_from(user.name, user.state, user.realm, view, key, pin_hash))
        return [line_of(line) for line in fields]


def is_same(held: Held, row: Row, device: Device) -> bool:
    """Whether a device is the one that a row has; one whose key was made here is told by serial."""
    if (held.kind, held.figures) != (device.kind, figures_of(device)):
        return False
    return row.key_made or hmac.compare_digest(held.key, device.key)


def figures_of(device: Device | DeviceView) -> tuple[object, ...]:
    """What two devices with one key may differ in."""
    return (
        device.algorithm, device.digits, device.period, device.t0, device.window, device.suite,
        device.once,
    )  # fmt: skip


def period_of(device: Device) -> tuple[int, int]:
    return (int(device.once) if device.mechanism == "card" else device.period), device.t0


def as_said(row: int) -> str:
    return f"by row {row}" if row != STORED else "in the store"


def parts(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """So many rows at a time."""
    rest = iter(rows)
    while part := list(islice(rest, size)):
        yield part
