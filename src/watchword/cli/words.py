"""How the command line speaks. Every word to a person goes through here.

The rules are:
- lower case, no final full stop, `watchword: ` first; errors and hints on standard error;
- data on standard output, plain enough to pipe; colour only where a person looks;
- help is the command's docstring, word for word: written by hand, ending in a session to paste;
- nothing typed as a code or a key is ever repeated.
"""

import contextlib
import inspect
import sys
from collections.abc import Iterator

import click
from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from watchword.audit import duration

__all__ = [
    "STANDARD_OUTPUT", "Verb", "Verbs", "bar", "complain", "console", "duration", "hint", "note",
    "paint", "spoken", "table", "tell", "writing",
]  # fmt: skip

STANDARD_OUTPUT = "standard output"
PIPE_COLUMNS = 400  # a table in a pipe is never cut to the width of a terminal nobody has


class Verb(click.Command):
    """A command whose help is its docstring and nothing else."""

    def get_help(self, ctx: click.Context) -> str:
        return inspect.cleandoc(self.help or "")


class Verbs(click.Group):
    """A group of verbs, with help written the same way."""

    command_class = Verb
    group_class = type

    def get_help(self, ctx: click.Context) -> str:
        return inspect.cleandoc(self.help or "")


def spoken(text: str) -> str:
    """A library's sentence in our voice: its first word lower case, no final full stop."""
    text = text.strip().removesuffix(".")
    first, _, rest = text.partition(" ")
    if first[:1].isupper() and first[1:].islower():
        first = first.lower()
    return f"{first} {rest}".strip()


def complain(text: str) -> None:
    """What went wrong, to standard error."""
    click.echo(f"watchword: {spoken(text)}", err=True)


def hint(text: str) -> None:
    """What to do about it, to standard error."""
    click.echo(f"watchword: hint: {spoken(text)}", err=True)


def note(text: str) -> None:
    """What was done, to standard error: standard output is for data."""
    click.echo(f"watchword: {text}", err=True)


@contextlib.contextmanager
def writing(place: str = STANDARD_OUTPUT) -> Iterator[None]:
    """What the disk refuses names where it was to go; the system names only what is opened."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        error.filename = error.filename or place
        raise


def tell(text: str) -> None:
    """Data, to standard output."""
    with writing():
        click.echo(text)


def paint(drawn: RenderableType) -> None:
    """The same, as rich lays it out."""
    with writing():
        console().print(drawn)


def console() -> Console:
    """Where tables and the demo are drawn: standard output as it is now."""
    return Console(
        file=sys.stdout,
        highlight=False,
        width=None if sys.stdout.isatty() else PIPE_COLUMNS,
    )


def table(columns: list[str], rows: list[list[str]]) -> None:
    """Columns under their names, without lines, so that awk reads what people read."""
    drawn = Table(box=None, pad_edge=False, header_style="dim", show_header=any(columns))
    for column in columns:
        drawn.add_column(column, no_wrap=True, overflow="ignore")
    for row in rows:
        drawn.add_row(*map(Text, row))
    paint(drawn)


def bar(what: str) -> Progress:
    """A bar for long work, on standard error, where a person looks; else nothing."""
    err = Console(file=sys.stderr, highlight=False)
    return Progress(
        TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=err, transient=True, disable=not err.is_terminal,
    )
