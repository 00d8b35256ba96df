"""`watchword backup, restore, floors, upgrade`: copies of a store, and stores of copies."""

import os
import sys
from dataclasses import replace

import click

from watchword import Engine, Lost
from watchword import restore as restored
from watchword.cli.audit import moment
from watchword.cli.doors import enter, is_store
from watchword.cli.options import act_options, settings, shared_options, who
from watchword.cli.proof import proven, show
from watchword.cli.words import Verb, bar, hint, note
from watchword.errors import InvalidArgument, NotFound
from watchword.keys import RawKey, provider
from watchword.store.catalog import FORMAT, format_of
from watchword.store.owner import Owner

__all__ = ["backup", "floors", "restore", "upgrade"]


@click.command(cls=Verb)
@click.argument("directory")
@click.option("--verify", is_flag=True)
@act_options
def backup(directory: str, verify: bool) -> None:
    """
    usage: watchword backup DIRECTORY [--verify] [--by WHO]

    Copies the store, while logins go on, into a directory that is not there yet. There is a whole
    copy or none. The key is not in it: keep a copy of the key elsewhere. A backup is no store:
    opened as one it would accept what was used since, so only restore takes it.

    --verify         then go through every row and page of the copy
    --by WHO         who makes it, for the record; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword backup /tmp/watchword-backup --verify
    """
    to = os.path.abspath(directory)
    with enter() as door, bar("copying") as progress:
        task = progress.add_task("copying", total=None)

        def told(done: int, total: int) -> None:
            progress.update(task, completed=done >> 20, total=total >> 20)

        turn, size = door.backup(to, who(), told)
    note(f"{to} holds the store through row {turn}, {size:,} bytes; its key is not in it")
    if verify:
        config = settings()
        master = RawKey(provider(config.key, config.store).key(create=False))
        show(proven(to, master, None), as_json=False)


@click.command(cls=Verb)
@click.argument("backup")
@click.argument("to", metavar="STORE")
@click.option("--key", metavar="FILE", default=None)
@click.option("--journal", metavar="DIRECTORY", default=None)
@click.option("--head", metavar="FILE", default=None)
@click.option("--ended", metavar="WHEN", default=None)
@click.option("--acknowledge", is_flag=True)
@act_options
def restore(
    backup: str, to: str, key: str | None, journal: str | None, head: str | None,
    ended: str | None, acknowledge: bool,
) -> None:  # fmt: skip
    """
    usage: watchword restore BACKUP STORE [--journal DIRECTORY] [--head FILE] [--ended WHEN]
                             [--key FILE] [--acknowledge] [--by WHO]

    Makes a new store of a backup, or of the files of a store as they once were. Nothing that was
    accepted since the backup is accepted again: every floor is raised. Time codes are good again
    22 steps after the lost store's last answer; counter devices after two codes in a row (device
    resync); temporary passcodes have ended, challenges are void, code cards pass over pairs.
    Acts since then are lost: a device that was removed is back, a password is the old one. They
    are named as the time in which they were done, and you say that you have seen it.

    --journal DIRECTORY  segments kept elsewhere, replayed first: an archive, or the lost store's
                         own journal
    --head FILE          the journal's head as it was known elsewhere
    --ended WHEN         when the lost store last answered, if you know; else it is taken to be now:
                         2026-01-31T12:00, 15m, 24h
    --key FILE           the key of the store that was copied; else STORE.key, or the settings'
    --acknowledge        the loss is seen; else you are asked
    --by WHO             who restores, for the record; else your login name
    --store PATH         not used here: STORE says where
    --config FILE        the daemon's settings, for the key

    try:
        watchword restore /tmp/watchword-backup ./restored --key watchword-store.key
    """
    if is_store(replace(settings(), store=to)):
        raise InvalidArgument(
            f"there is a store at {to} already", hint="move it away first, and keep it"
        )
    with bar("copying") as progress:
        task = progress.add_task("copying", total=None)

        def told(done: int, total: int) -> None:
            progress.update(task, completed=done >> 20, total=total >> 20)

        def seen(lost: Lost) -> bool:
            progress.stop()
            note(f"{lost.told()}: logins, and acts of administration")
            if acknowledge:
                return True
            if not sys.stdin.isatty():
                hint("--acknowledge says that this is seen")
                return False
            return click.confirm("restore all the same?", err=True)

        made = restored(
            backup, to, key if key is not None else settings().key, by=who(),
            acknowledge=seen, journal=journal, known_head=head,
            ended_ms=moment("ended", ended), progress=told,
        )  # fmt: skip
    more = f" and {made.segments} kept segments" if made.segments else ""
    note(f"a new store at {to}: the backup{more}, through row {made.turn}")
    if key is not None:
        note(f"its key is {key}: name it in the settings, or copy it to {to}.key")
    note(f"the floors of {made.devices} devices are raised; counters want two codes in a row")


@click.command(cls=Verb)
@click.option("--ended", metavar="WHEN", default=None)
@click.option("--acknowledge", is_flag=True)
@act_options
def floors(ended: str | None, acknowledge: bool) -> None:
    """
    usage: watchword floors [--ended WHEN] [--acknowledge] [--by WHO]

    Takes for used up whatever another life of this store may have accepted, as restore does: after
    a machine was put back to a snapshot, or files were copied into place. Time codes are good again
    22 steps after WHEN, counter devices after two codes in a row, temporary passcodes have ended,
    challenges are void, code cards pass over a thousand pairs.

    --ended WHEN     when the other life last answered, if you know; else now: 15m, 2026-01-31T12:00
    --acknowledge    do it; else you are asked
    --by WHO         who says so, for the record; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword floors --ended 15m --acknowledge
    """
    if not acknowledge:
        if not sys.stdin.isatty():
            raise InvalidArgument("--acknowledge says that counter devices are to be found anew")
        click.confirm("counter devices have to be found anew: go on?", abort=True, err=True)
    with enter() as door:
        count = door.raise_floors(who(), moment("ended", ended))
    note(f"the floors of {count} devices are raised; counters want two codes in a row")


@click.command(cls=Verb)
@shared_options
def upgrade() -> None:
    """
    usage: watchword upgrade [--store PATH]

    Raises a store of an older format to this program's, after it went through all of it; older
    programs refuse it from then on. Opening one raises it too: up to now no format gave another
    meaning to what was there, so there is nothing to convert. A daemon has to be stopped first.

    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword backup /tmp/before-the-upgrade
        watchword upgrade
    """
    config = settings()
    if not is_store(config):
        raise NotFound(f"there is no store at {config.store}")
    Owner(config.store).release()  # no daemon raises its own store: it is to be stopped
    before = format_of(config.store)
    if before == FORMAT:
        note(f"the store has format {before} already")
        return
    master = RawKey(provider(config.key, config.store).key(create=False))
    show(proven(config.store, master, None), as_json=False)
    Engine.open(config.store, master).close()
    note(f"the store had format {before} and has format {format_of(config.store)} now")
