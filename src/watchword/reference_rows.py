"""The slow twin of a file's rows: which of them can be, and what they come to, one after the other.

Written from the words of `watchword import` alone. A file is tried on a copy of the twin first.
"""

import copy
from dataclasses import replace
from typing import NamedTuple

from watchword.reference import Device, Event, Record, Reference, User

DEVICES_MAX = 16


class Line(NamedTuple):
    """A row: state, realm and the device's serial are empty where nothing was said."""

    name: str
    state: str = ""
    realm: str = ""
    device: Device | None = None


class Outcome(NamedTuple):
    """New users, new devices, rows that were there already, and which cannot be, from 0."""

    users: int
    devices: int
    there: int
    wrong: list[int]


def import_rows(twin: Reference, lines: list[Line], now_ms: int, skip_bad: bool) -> Outcome:
    """One act: all of the file's rows, or those that can be where others are skipped."""
    outcome, _ = enrolled(to_try(twin, lines), lines, now_ms)
    if outcome.wrong and not skip_bad:
        return Outcome(0, 0, outcome.there, outcome.wrong)
    _, records = enrolled(twin, lines, now_ms)
    if records:
        twin.latest_ms = max(twin.latest_ms, now_ms)
        twin.journal.append((now_ms, [Record(Event.IMPORT, 0), *records]))
    return outcome


def to_try(twin: Reference, lines: list[Line]) -> Reference:
    """A copy that rows can be tried on. Who is in none of them is the twin's own, for no row
    changes another's user; and the copy begins a journal of its own, for no row reads one."""
    named = {line.name for line in lines}
    kept = {id(user): user for name, user in twin.users.items() if name not in named}
    return copy.deepcopy(twin, {**kept, id(twin.journal): []})


def enrolled(twin: Reference, lines: list[Line], now_ms: int) -> tuple[Outcome, list[Record]]:
    """Row by row, each seeing what those before it did."""
    before = {(user.name, d.serial) for user in twin.users.values() for d in user.devices}
    said: set[str] = set()
    records: list[Record] = []
    users = devices = there = 0
    wrong = []
    for at, line in enumerate(lines):
        user, device = twin.users.get(line.name), line.device
        known = [] if user is None else [d for d in user.devices if same(d, device)]
        if user is not None and refused(user, line, known, said, before):
            wrong.append(at)
            continue
        if device is not None and not known and twin.bars(line.name, device):
            wrong.append(at)
            continue
        said.add(line.name)
        if user is not None and (device is None or known):
            there += 1
            continue
        if user is None:
            record = twin.newcomer(line.name, line.state or "open", line.realm or "live")
            twin.apply(record, now_ms)
            records.append(record)
            users += 1
        if device is not None:
            serial = device.serial or f"W{twin.devices_used + 1:08d}"
            record = twin.enrolment(line.name, replace(device, serial=serial), now_ms)
            twin.apply(record, now_ms)
            records.append(record)
            devices += 1
    return Outcome(users, devices, there, wrong), records


def refused(
    user: User, line: Line, known: list[Device], said: set[str], before: set[tuple[str, str]]
) -> bool:
    """Whether a row for a user who is there cannot be."""
    if line.state not in ("", user.account) or line.realm not in ("", user.realm):
        return True
    device = line.device
    if device is None:
        return line.name in said
    if known:
        return (line.name, known[0].serial) not in before
    taken = any(d.serial == device.serial for d in user.devices)
    return taken or not device.serial or len(user.devices) >= DEVICES_MAX


def same(has: Device, wants: Device | None) -> bool:
    """Whether a device is the one that a row has."""
    return wants is not None and wants.serial in ("", has.serial) and figures(has) == figures(wants)


def figures(d: Device) -> tuple[object, ...]:
    """What tells two devices apart, beside how far they have come."""
    window = (d.back, d.forward) if d.kind in ("totp", "ocra") else ()
    period = (d.period, d.t0) if d.kind == "totp" else ()
    return d.kind, d.label, d.key, d.algorithm, d.digits, d.suite, d.once, window, period
