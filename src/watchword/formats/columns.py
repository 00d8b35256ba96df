"""Users and devices as CSV, a row each: read and written, and every hostile line refused by name.

The first line names the columns, in any order; `name` alone must be there. UTF-8, with or without
a byte order mark; lines end in LF or CRLF; no field holds a line end. A field that a spreadsheet
would take for a formula is refused unless an apostrophe stands before it, and written with one.
Rule: a fault is a row, a column and what is legal; never the field, which may be a key.
"""

import base64
import csv
import io
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, BinaryIO, NamedTuple

from watchword.devices import passcode
from watchword.devices.card import ANSWERS_MAX
from watchword.devices.device import PRESETS, Device
from watchword.devices.phone import public_key
from watchword.devices.pins import prefix_pin
from watchword.errors import InvalidArgument
from watchword.formats.fields import (
    COLUMNS,
    DEVICE_STATES,
    FIGURES,
    FORMULA,
    KEY_IS,
    KINDS,
    LINE_BYTES_MAX,
    OF,
    OWN,
    PASSCODE,
    READ,
    REALMS,
    STATES,
    WHOLE,
    FieldError,
    digest,
    fields_of,
    key_of,
    misfit,
    one_of,
    whole,
)

__all__ = [
    "COLUMNS", "Fault", "Row", "Rows", "fields_from", "harmless", "header", "line_of", "lines_of",
    "rows_of",
]  # fmt: skip

ROWS_MAX = 1_000_000
HIDDEN = "*"  # in place of a PIN that is typed before the code
BOMS = (b"\xff\xfe", b"\xfe\xff")
SUSPECT = re.compile(r"""(?:^|,)"?['=+\-@]""")
COUNTERS_MAX = {"card": ANSWERS_MAX, "sms": 2**32 - 2}


class Fault(NamedTuple):
    """What is wrong with a row: its line in the file, the column, and what is legal there."""

    row: int
    column: str
    says: str

    def __str__(self) -> str:
        return f"row {self.row}, {self.column}: {self.says}"


class Row(NamedTuple):
    """A line of the file, read: a user, and a device where a kind was given. state, realm and
    serial are None where nothing was said; moving: the first position that is not used up;
    keyless: no key was given. A phone's is made here; any other device must be there already."""

    row: int
    name: str
    state: str | None = None
    realm: str | None = None
    device: Device | None = None
    serial: str | None = None
    device_state: str = "active"
    moving: int = 0
    drift: int = 0
    keyless: bool = False


class Rows:
    """Reads rows under one header. Errors: InvalidArgument, when the header is none."""

    def __init__(self, header: bytes) -> None:
        try:
            columns = [name.strip() for name in fields_of(header, [])]
        except FieldError as error:
            raise InvalidArgument("the header: {} {}".format(*error.args)) from None
        for name in columns:
            if name not in COLUMNS:
                raise InvalidArgument(
                    f"the header has a column {name[:32]!r}, and there is none such",
                    hint=f"the columns are {', '.join(COLUMNS)}",
                )
            if columns.count(name) > 1:
                raise InvalidArgument(f"the header has the column {name!r} twice")
        if "name" not in columns:
            raise InvalidArgument("the header has no column 'name'")
        self._columns = columns
        self._made: dict[tuple[str, ...], Device] = {}  # by figures, with any key
        # Where each column stands; one that is not there is the empty field after a line's own.
        self._at = {name: columns.index(name) if name in columns else -1 for name in COLUMNS}
        self._shared = [self._at[name] for name in ("kind", *FIGURES) if name in columns]
        self._own = [name for name in OWN if name in columns]

    def row(self, number: int, raw: bytes) -> Row | Fault:
        """One line, read."""
        try:
            fields = self._fields(raw)
            if SUSPECT.search(raw.decode()):
                fields = [self._harmless(at, field) for at, field in enumerate(fields)]
            return self._row(number, [*fields, ""])
        except FieldError as error:
            return Fault(number, *error.args)

    def fault(self, number: int, raw: bytes) -> Fault | None:
        """What is wrong with a line as a line, whatever its fields say."""
        try:
            self._fields(raw)
        except FieldError as error:
            return Fault(number, *error.args)
        return None

    def name(self, raw: bytes) -> str:
        """Whom a line without a fault is about."""
        return self._fields(raw)[self._at["name"]]

    def _fields(self, raw: bytes) -> list[str]:
        fields = fields_of(raw, self._columns)
        if len(fields) != len(self._columns):
            says = f"has {len(fields)} fields, the header has {len(self._columns)}"
            raise FieldError("the line", says)
        return fields

    def _harmless(self, at: int, field: str) -> str:
        """A field that no spreadsheet takes for a formula, without the apostrophe that says so."""
        if field[:1] in FORMULA and self._columns[at] not in WHOLE:
            says = "begins like a formula; write an apostrophe before it"
            raise FieldError(self._columns[at], says)
        return field[1:] if field[:1] == "'" and field[1:2] in FORMULA else field

    def _row(self, number: int, fields: list[str]) -> Row:
        """fields: those of the line, and an empty one that stands for all that are not there."""
        at = self._at
        name, kind = fields[at["name"]], fields[at["kind"]]
        if not name:
            raise FieldError("name", "is empty")
        state = one_of("state", fields[at["state"]], STATES)
        realm = one_of("realm", fields[at["realm"]], REALMS)
        if not kind:
            for column, field in zip(self._columns, fields, strict=False):
                if field and column not in ("name", "state", "realm"):
                    raise FieldError(column, "is for a device, and kind is empty")
            return Row(number, name, state, realm)
        words = tuple([fields[place] for place in self._shared])
        made = self._made.get(words) or self._make(words, kind, fields)
        mechanism = made.mechanism if made.mechanism in OF else kind
        given = {own: fields[at[own]] for own in self._own if fields[at[own]]}
        for own in given:
            if own not in OF[mechanism]:
                raise FieldError(own, f"is not for a device of kind {kind}")
        key, serial = key_of(kind, fields[at["key"]]), fields[at["serial"]] or None
        keyless = not fields[at["key"]]
        if keyless and kind != "sms" and serial is None:
            raise FieldError("key", KEY_IS)
        try:
            if given.get("pin") == HIDDEN:
                del given["pin"]
                if not keyless:
                    raise FieldError("pin", "is kept as a hash and never written: give a new one")
            if (made.pin_hash and not keyless) or "pin" in given or "pin_hash" in given:
                made = with_pin(made, given)
            device = made.under(key)
            if "phone" in given:
                device = replace(device, phone=public_key(given["phone"]))
        except InvalidArgument as error:
            raise misfit(error, kind) from None
        drift = whole("drift", given.get("drift", ""))
        if abs(drift) > device.drift_max:
            raise FieldError("drift", f"is at most drift_max, {device.drift_max}, either way")
        moving = whole("counter", given.get("counter", ""), COUNTERS_MAX.get(mechanism))
        if moving and mechanism == "ocra" and ":C-" not in device.suite:
            raise FieldError("counter", "must be left out: the suite has no C")
        device_state = fields[at["device_state"]] or "active"
        one_of("device_state", device_state, DEVICE_STATES)
        rest = device, serial, device_state, moving, drift, keyless
        return Row(number, name, state, realm, *rest)

    def _make(self, words: tuple[str, ...], kind: str, fields: list[str]) -> Device:
        """A device of these figures, with any key and no PIN yet."""
        one_of("kind", kind, KINDS)
        mechanism = PRESETS[kind][0] if kind in PRESETS else kind
        figures: dict[str, Any] = {}
        for name in FIGURES:
            field = fields[self._at[name]]
            if not field:
                continue
            if name not in OF[mechanism]:
                raise FieldError(name, f"is not for a device of kind {kind}")
            figures[name] = READ[name](name, field) if name in READ else field
        if kind == "ocra" and "suite" not in figures:
            raise FieldError("suite", "is needed for a device of kind ocra")
        suite = str(figures.get("suite") or PRESETS.get(kind, ("", {}))[1].get("suite", ""))
        for name, element in (("look_ahead", "C"), ("window", "T"), ("drift_max", "T")):
            if name in figures and suite and not re.search(f"[:-]{element}[-0-9]", suite):
                raise FieldError(name, f"must be left out: the suite has no {element}")
        try:
            if mechanism == "ocra":  # a row's own PIN comes in its place
                wanted = re.search(r"-P(SHA1|SHA256|SHA512)", suite)
                if wanted:
                    figures["pin_hash"] = bytes({"SHA1": 20, "SHA256": 32, "SHA512": 64}[wanted[1]])
            key = passcode.made(secrets.token_bytes).encode() if kind == PASSCODE else bytes(20)
            made = Device.of(kind, key, **figures)
        except InvalidArgument as error:
            raise misfit(error, kind) from None
        self._made[words] = made
        return made


def with_pin(made: Device, given: dict[str, str]) -> Device:
    """The same device with a row's own PIN."""
    if not made.pin_hash:
        if "pin_hash" in given:
            raise FieldError("pin_hash", "must be left out: there is no P to sign it")
        return replace(made, pin=prefix_pin(made.kind, given["pin"]))
    pins = {"pin": given.get("pin"), "pin_hash": digest(given.get("pin_hash", ""))}
    if pins == {"pin": None, "pin_hash": None}:
        raise FieldError("pin", "is needed: the suite has P")
    own = Device.of(made.kind, bytes(20), suite=made.suite, **pins)
    return replace(made, pin_hash=own.pin_hash)


# ---- whole files


def lines_of(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that hold something, with their numbers and without their ends. Of a
    line past the limit comes a part that is past it too."""
    number, fresh = 0, True
    while raw := file.readline(LINE_BYTES_MAX + 3):
        began, fresh = fresh, raw.endswith(b"\n")
        if not began:
            continue  # the rest of a line that was too long
        number += 1
        if number == 1:
            if raw[:2] in BOMS:
                raise InvalidArgument("the file is UTF-16; save it as UTF-8")
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        if number > ROWS_MAX:
            raise InvalidArgument(f"the file has more than {ROWS_MAX} rows: import it in parts")
        raw = raw.removesuffix(b"\n").removesuffix(b"\r")
        if raw:
            yield number, raw


def rows_of(file: BinaryIO) -> Iterator[Row | Fault]:
    """The rows of a file, or what is wrong with them. Errors: InvalidArgument, when it is no CSV
    file with a header."""
    lines = lines_of(file)
    _, first = next(lines, (0, b""))
    if not first:
        raise InvalidArgument("the file is empty: its first line names the columns")
    rows = Rows(first)
    for number, raw in lines:
        yield rows.row(number, raw)


def fields_from(
    name: str, state: str, realm: str, view: Any = None, key: bytes | None = None,
    pin: str = "", pin_hash: bytes = b"",
) -> list[str]:  # fmt: skip
    """What a row has of a user, and of a device as an engine shows it; its key where that is given.
    pin: HIDDEN where one is typed before the code."""
    words: dict[str, Any] = {"name": name, "state": state, "realm": realm}
    if view is not None:
        words |= {"kind": view.kind, "serial": view.serial, "device_state": view.state}
        figures = {
            **{figure: getattr(view, figure) for figure in (*FIGURES, "drift")},
            "window": "{}/{}".format(*view.window), "counter": view.moving,
            "once": "true" if view.once else "false",
        }  # fmt: skip
        told = OF.get(view.mechanism, OF.get(view.kind, ()))
        if view.mechanism == "ocra":
            told = ("suite",)
            told += ("look_ahead", "counter") if ":C-" in view.suite else ()
            told += ("window", "drift_max", "drift") if "-T" in view.suite else ()
        words |= {name: figures[name] for name in told if name in figures}
        words |= {"phone": view.phone, "pin": pin}
    if key is not None:
        words |= {"key": base64.b32encode(key).decode().rstrip("="), "pin_hash": pin_hash.hex()}
    return [harmless(column, str(words.get(column, ""))) for column in COLUMNS]


def header() -> str:
    return ",".join(COLUMNS)


def harmless(column: str, field: str) -> str:
    """A field as no spreadsheet takes it for a formula."""
    return f"'{field}" if field[:1] in FORMULA and column not in WHOLE else field


def line_of(fields: Iterable[str]) -> str:
    """Fields as one line, without its end."""
    told = list(fields)
    if not any('"' in field or "," in field for field in told):
        return ",".join(told)
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(told)
    return out.getvalue()
