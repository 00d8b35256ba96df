"""What many verbs share: where the store is, and how a person hands over what is secret."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from watchword.errors import InvalidArgument

__all__ = ["secret_line", "store_option", "store_path"]

DEFAULT_STORE = "watchword-store"
LINE_CHARS_MAX = 1024  # far past any code or key; the rest of a longer line is not read

Command = TypeVar("Command", bound=Callable[..., Any])


def remember_store(ctx: click.Context, _: click.Parameter, path: str | None) -> None:
    if path is not None:
        ctx.find_root().obj = Path(path)


def store_option(command: Command) -> Command:
    """--store, on the root and on every verb alike; the one nearest the verb counts."""
    option = click.option("--store", metavar="PATH", expose_value=False, callback=remember_store)
    return option(command)


def store_path() -> Path:
    """The store meant: --store, else WATCHWORD_STORE, else ./watchword-store."""
    chosen: Path | None = click.get_current_context().find_root().obj
    return chosen or Path(os.environ.get("WATCHWORD_STORE") or DEFAULT_STORE)


def secret_line(what: str) -> str:
    """One line from standard input, or from a prompt that shows nothing where a person sits.

    The line is returned exactly as received, without its end: a code with a space is a wrong code.
    """
    if sys.stdin.isatty():
        return str(click.prompt(what, hide_input=True, err=True, default="", show_default=False))
    line = sys.stdin.readline(LINE_CHARS_MAX)
    if not line:
        raise InvalidArgument(f"no {what} on standard input")
    return line.removesuffix("\n").removesuffix("\r")
