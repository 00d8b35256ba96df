"""`watchword audit head, verify, kept`: that nobody changed the journal, or put an old one back."""

import json
from dataclasses import asdict

import click

from watchword.audit import iso
from watchword.cli.doors import Door, enter, is_store
from watchword.cli.options import settings, shared_options
from watchword.cli.words import Verb, bar, hint, note, tell
from watchword.errors import NotFound, StoreDamaged, StoreOwned
from watchword.keys import RawKey, provider
from watchword.store import Head, Proof, load_head, prove_files, save_head

__all__ = ["head", "kept", "proven", "show", "verify"]


@click.command(cls=Verb)
@click.option("--save", metavar="FILE", default=None)
@shared_options
def head(save: str | None) -> None:
    """
    usage: watchword audit head [--save FILE]

    Prints the journal's head: its last row, that row's tag, the data key, the store; signed. Kept
    where nobody can put an old one back, it shows when the store was: `known_head` in the settings
    has the daemon write it once a minute and refuse a store that is older.

    --save FILE      write it there, whole or not at all
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword audit head --save /tmp/watchword-head.json
        watchword audit verify --head /tmp/watchword-head.json
    """
    with enter(held=save is None) as door:
        text = door.signed_head()
    if save is None:
        tell(text.removesuffix("\n"))
        return
    found = Head.read(text)
    save_head(found, save)
    note(f"{save} knows {found.told()}")


@click.command(cls=Verb)
@click.option("--head", "known", metavar="FILE", default=None)
@click.option("--files", metavar="DIRECTORY", default=None)
@click.option("--json", "as_json", is_flag=True)
@shared_options
def verify(known: str | None, files: str | None, as_json: bool) -> None:
    """
    usage: watchword audit verify [--head FILE] [--files DIRECTORY] [--json]

    Goes through everything that is kept: the seal of every row and page, the chain from row to row
    and from segment to segment, and that no page is ahead of the journal. A flipped bit, a row or
    segment removed, moved, put back or cut off is named with its row. Exit code 1 if there is one.
    A store that a daemon owns is gone through while it works; any other is only looked at.

    --head FILE        hold it against a head kept elsewhere: only that shows a whole older store
    --files DIRECTORY  a backup, or a store at rest, in place of the store's directory
    --json             what was found, as JSON
    --store PATH       the store's directory
    --config FILE      the daemon's settings

    try:
        watchword audit verify
        watchword audit verify --json
    """
    config = settings()
    wanted = load_head(known) if known is not None else None
    master = RawKey(provider(config.key, config.store).key(create=False))
    if files is not None:
        found = proven(files, master, wanted)
    elif not is_store(config):
        raise NotFound(f"there is no store at {config.store}")
    else:
        try:
            found = proven(config.store, master, wanted)
        except StoreOwned:
            with enter() as door:
                found = asked(door, wanted)
    show(found, as_json=as_json)


@click.command(cls=Verb)
@click.option("--json", "as_json", is_flag=True)
@shared_options
def kept(as_json: bool) -> None:
    """
    usage: watchword audit kept [--json]

    Tells how much of the journal is kept, since when, how much may be, and how far it is archived.

    --json           the figures as JSON
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword audit kept
    """
    with enter() as door:
        found = door.kept()
    if as_json:
        tell(json.dumps(asdict(found)))
        return
    tell(f"{found.bytes:,} bytes since {iso(found.since_ms)}, {found.percent}% of what may be kept")
    if found.archived:
        tell(f"archived through row {found.archived}")
    if found.warning:
        hint(found.warning)


def proven(path: str, master: RawKey, known: Head | None) -> Proof:
    """Files that lie there, with a bar."""
    with bar("verifying rows") as progress:
        task = progress.add_task("verifying", total=None)

        def told(proof: Proof) -> None:
            progress.update(task, completed=proof.turn, total=max(1, proof.head))

        return prove_files(path, master, known, told)


def asked(door: Door, known: Head | None) -> Proof:
    """A store at work, a step at a time."""
    proof = Proof(head=1, pages_of=1)
    with bar("verifying rows") as progress:
        task = progress.add_task("verifying", total=None)
        while proof.turn < proof.head:
            step = door.prove_rows(proof.turn)
            proof.head = step.head
            proof.add(step)
            progress.update(task, completed=proof.turn, total=max(1, proof.head))
        while proof.page < proof.pages_of:
            step = door.prove_pages(proof.page)
            proof.pages_of = step.pages_of
            proof.add(step)
    if known is not None:
        try:
            door.expect_known(known.text())
        except StoreDamaged as error:
            proof.faults.append(str(error.args[0]))
    return proof


def show(found: Proof, *, as_json: bool) -> None:
    """What was found; exit code 1 where something cannot be believed."""
    if as_json:
        tell(json.dumps(asdict(found)))
    else:
        for fault in found.faults:
            tell(fault)
        note(
            f"{found.rows:,} rows in {found.segments} segments, {found.pages:,} pages: "
            + (f"{len(found.faults)} faults" if found.faults else "each as it was written")
        )
    if found.faults:
        click.get_current_context().exit(1)
