"""`watchword import, export`: users and devices as CSV, into a store and out of it."""

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import BinaryIO

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from watchword import Imported
from watchword.cli.doors import enter
from watchword.cli.options import act_options, who
from watchword.cli.words import Verb, complain, hint, note, table, tell, writing
from watchword.errors import Exists, InvalidArgument
from watchword.formats.columns import header

__all__ = ["export", "import_users"]

FAULTS_SHOWN = 50


@click.command("import", cls=Verb)
@click.argument("file")
@click.option("--dry-run", is_flag=True)
@click.option("--skip-bad", is_flag=True)
@click.option("--json", "as_json", is_flag=True)
@act_options
def import_users(
    file: str, dry_run: bool, skip_bad: bool, as_json: bool
) -> None:
    """
    usage: watchword import FILE [--dry-run] [--skip-bad] [--json] [--by WHO]

    Enrols users and devices from CSV, a row each; - reads standard input. The first line names the
    columns, in any order: name, and any of
        state realm              open, pending or closed; live or paper
        kind serial key          a device: totp, hotp, ocra, a preset, sms; its key in base32, or
                                 in hex after hex:; none where the device is there already
        digits algorithm period t0 window drift_max look_ahead suite pin pin_hash phone once
                                 its figures, where they are not the kind's; a window is N or
                                 BACK/FORWARD
        counter drift            of a device that was in use: the first counter, or TOTP step, that
                                 is not used up, and the steps it had run away
        device_state             shipped, active, suspended, lost, returned or ended
    Several rows of one name are several devices, each with its serial. A row that is there already
    is left as it is, so a file can be imported again; one that would change something is wrong.

    Every row is looked at before the first is applied. Where one is wrong nothing is applied, and
    a line for each says its row, its column and what is legal. Exit code 1.

    --dry-run        look, and apply nothing
    --skip-bad       apply the others where some are wrong
    --json           the report as JSON
    --by WHO         who imports; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword export > users.csv
        watchword import users.csv --dry-run
    """
    with source(file) as read, enter() as door, bar(read) as progress:
        found = door.import_csv(read, who(), dry_run, skip_bad, progress)
    if as_json:
        tell(json.dumps(report(found), indent=2))
    else:
        show(found, file, dry_run)
    if found.faults and not (skip_bad and found.applied):
        click.get_current_context().exit(1)


def report(found: Imported) -> dict[str, object]:
    faults = [{"row": row, "column": column, "says": says} for row, column, says in found.faults]
    return {
        "rows": found.rows, "users": found.users, "devices": found.devices, "there": found.there,
        "applied": found.applied, "faults": faults,
    }  # fmt: skip


def show(found: Imported, file: str, dry_run: bool) -> None:
    """A line for each fault, then what became of the rest."""
    faults = found.faults[:FAULTS_SHOWN]
    if faults:
        table(["row", "column", "what is legal"],
              [[str(fault.row), fault.column, fault.says] for fault in faults])
    if len(found.faults) > FAULTS_SHOWN:
        note(f"and {len(found.faults) - FAULTS_SHOWN} more; --json has them all")
    counted = f"{found.users} users, {found.devices} devices"
    if found.there:
        counted += f"; {found.there} rows were there already"
    if found.applied:
        left = f", {len(found.faults)} left out" if found.faults else ""
        note(f"{file}: {found.rows} rows{left}: {counted}")
    elif dry_run:
        wrong = f", {len(found.faults)} of them wrong" if found.faults else ""
        note(f"{file}: {found.rows} rows{wrong}: it would add {counted}; nothing is applied")
    else:
        complain(f"{file}: {len(found.faults)} of {found.rows} rows are wrong; nothing is applied")
        hint("--skip-bad applies the others")


@contextlib.contextmanager
def source(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
    else:
        with open(file, "rb") as opened:
            yield opened


@contextlib.contextmanager
def bar(file: BinaryIO) -> Iterator[Callable[[int], object] | None]:
    """A progress bar on standard error, where a person looks: each row is looked at, then
    applied."""
    if not sys.stderr.isatty():
        yield None
        return
    total = None
    if file.seekable():
        pieces = iter(lambda: file.read(1 << 20), b"")
        total = 2 * max(0, sum(piece.count(b"\n") for piece in pieces) - 1)
        file.seek(0)
    columns = (TextColumn("rows"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as drawn:
        task = drawn.add_task("rows", total=total)
        yield lambda done: drawn.update(task, completed=done)


@click.command(cls=Verb)
@click.option("--out", metavar="FILE", default=None)
@click.option("--keys", is_flag=True)
@act_options
def export(out: str | None, keys: bool) -> None:
    """
    usage: watchword export [--out FILE] [--keys] [--by WHO]

    Writes every user and device as CSV, in the columns that `watchword import` reads, without any
    secret: names, states, serials, kinds, figures and how far each device has come.

    With --keys also the devices' keys and their PINs' digests. Whoever reads that file can log in
    as anybody: encrypt it at once. The journal keeps who wrote it. No daemon gives keys out: stop
    it first. Of a temporary passcode a hash is kept, which is not written.

    --out FILE       a new file that only you may read; else standard output
    --keys           with the keys
    --by WHO         who exports; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword export | head -3
    """
    if keys and out is None and sys.stdout.isatty():
        raise InvalidArgument("--keys writes to no terminal", hint="name a file with --out")
    users, after = 0, ""
    with enter() as door, sink(out) as write:
        head = header()
        while True:
            count, after, lines = door.export_rows(after, keys, who())
            if head:  # not before the first rows are had: none of it where they are refused
                write(head)
                head = ""
            if not count:
                break
            write("\n".join(lines))
            users += count
    note(f"{users} users are written" + (f" to {out}" if out else ""))
    if keys:
        note("warning: keys are in it: whoever reads it can log in as anybody")


@contextlib.contextmanager
def sink(out: str | None) -> Iterator[Callable[[str], object]]:
    """What takes lines: standard output, or a new file that nobody else may read; one that stays
    half written is removed."""
    if out is None:
        yield tell
        return
    try:
        made = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Exists(f"there is a file {out} already") from None
    try:
        with writing(out), os.fdopen(made, "w", encoding="utf-8") as file:
            yield lambda lines: file.write(f"{lines}\n")
    except BaseException:
        os.unlink(out)
        raise
