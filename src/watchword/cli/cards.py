"""`watchword card`: a code card shown in the terminal, or as a picture to print and cut out.

Rule: a card is a secret that somebody has to see. It goes to standard output, or into a file that
its owner alone can read; that it was shown, and by whom, stands in the journal.
"""

import os
from pathlib import Path

import click
from rich.table import Table

from watchword import Card, InvalidArgument
from watchword.cli.doors import enter
from watchword.cli.options import act_options, shared_options, who
from watchword.cli.words import Verb, Verbs, note, paint, writing

__all__ = ["card", "draw"]

COLUMNS = 8     # eight of nine characters fit a terminal of 80


@click.group(cls=Verbs)
@shared_options
def card() -> None:
    """
    usage: watchword card show | print ...

        show USER SERIAL         the cells of a code card, in the terminal
        print USER SERIAL FILE   a picture of it: FILE.pdf to print and cut out, FILE.svg

    try:
        watchword device add preset code-card carol --serial C1
        watchword card print carol C1 carol.pdf
    """


@card.command(cls=Verb)
@click.argument("user")
@click.argument("serial")
@act_options
def show(user: str, serial: str) -> None:
    """
    usage: watchword card show USER SERIAL [--by WHO]

    Prints the 224 cells of a code card, each behind its number. Who looked is recorded.

    --by WHO        who looks; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword card show carol C1
    """
    draw(card_of(user, serial))


def draw(shown: Card) -> None:
    """The cells of a card, each behind its number."""
    drawn = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(COLUMNS):
        drawn.add_column(no_wrap=True, overflow="ignore")
    numbered = [f"[dim]{at:3}[/dim] [bold]{cell}[/bold]" for at, cell in enumerate(shown.cells, 1)]
    for at in range(0, len(numbered), COLUMNS):
        drawn.add_row(*numbered[at : at + COLUMNS])
    paint(drawn)


@card.command("print", cls=Verb)
@click.argument("user")
@click.argument("serial")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@act_options
def print_card(user: str, serial: str, file: Path) -> None:
    """
    usage: watchword card print USER SERIAL FILE [--by WHO]

    Draws a code card in the size of a credit card, front and back. FILE ends in .pdf, a page to
    print at 100 % and cut out, or in .svg. A new file is made, which you alone can read. Who drew
    it is recorded.

    --by WHO        who prints it; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword card print carol C1 carol.pdf
    """
    from watchword.formats import card as picture  # no other verb waits for this library

    if file.suffix not in (".pdf", ".svg"):
        raise InvalidArgument("FILE ends in .pdf or .svg")
    made = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with writing(str(file)), os.fdopen(made, "wb") as out:
            shown = card_of(user, serial)
            drawn = picture.pdf(shown) if file.suffix == ".pdf" else picture.svg(shown).encode()
            out.write(drawn)
    except BaseException:
        file.unlink()
        raise
    note(f"card {serial} is in {file}: print it, then delete it")


def card_of(user: str, serial: str) -> Card:
    with enter() as door:
        return door.card(user, serial, who())
