"""What many verbs share: which store is meant, and how a person hands over a secret."""

import getpass
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import click

from watchword.errors import InvalidArgument
from watchword.serve.config import Config

__all__ = ["Chosen", "act_options", "secret_line", "settings", "shared_options", "who"]

LINE_CHARS_MAX = 1024  # far past any code or key; the rest of a longer line is not read

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass
class Chosen:
    """What --store, --config and --by said, wherever on the line they stood."""

    store: str | None = None
    config: str | None = None
    by: str | None = None


def remember(ctx: click.Context, option: click.Parameter, text: str | None) -> None:
    if text is not None:
        setattr(ctx.find_root().ensure_object(Chosen), str(option.name), text)


def shared_options(command: Command) -> Command:
    """--store and --config, on the root and every verb alike; the one nearest the verb counts."""
    for name, shape in (("--store", "PATH"), ("--config", "FILE")):
        option = click.option(name, metavar=shape, expose_value=False, callback=remember)
        command = option(command)
    return command


def act_options(command: Command) -> Command:
    """The same, and --by: of every verb whose act the journal keeps with who did it."""
    option = click.option("--by", metavar="WHO", expose_value=False, callback=remember)
    return option(shared_options(command))


def settings() -> Config:
    """The settings meant: --config's file or the defaults, with the store that was named.

    The store is --store's, else the file's; where no file is named WATCHWORD_STORE's, else
    ./watchword-store.
    """
    chosen = click.get_current_context().find_root().ensure_object(Chosen)
    config = Config.load(chosen.config) if chosen.config else Config()
    store = chosen.store
    if store is None and chosen.config is None:
        store = os.environ.get("WATCHWORD_STORE")
    return replace(config, store=store) if store else config


def who() -> str:
    """Whose act this is, for the record: --by's, else the name under which the person is logged in
    here."""
    context = click.get_current_context(silent=True)
    said = context.find_root().ensure_object(Chosen).by if context else None
    if said is not None:
        return said
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return f"user {os.getuid()}"


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
