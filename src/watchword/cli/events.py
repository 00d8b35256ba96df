"""`watchword events`: what happens in a running daemon, a line each, for people and for pipes."""

import sys
from contextlib import suppress

import click

from watchword.cli.connection import listed
from watchword.cli.options import shared_options
from watchword.cli.top import daemon
from watchword.cli.words import Verb, tell
from watchword.errors import InvalidArgument
from watchword.events import CHANNELS

__all__ = ["events"]


@click.command(cls=Verb)
@click.argument("channels", nargs=-1)
@shared_options
def events(channels: tuple[str, ...]) -> None:
    """
    usage: watchword events [lockouts] [replays] [acts] [policy] [clock]

    Prints what happens as it becomes durable, a JSON object a line, until ctrl-c: users who are
    locked out, right codes used again, acts of administration, changes of policy, doubts of the
    clock; all of them where none is named.

    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword events lockouts replays
    """
    unknown = [name for name in channels if name not in CHANNELS]
    if unknown:
        raise InvalidArgument(f"{unknown[0]} is no channel", hint=f"one of {', '.join(CHANNELS)}")
    with daemon() as connection:
        connection.send("SUBSCRIBE", *(channels or CHANNELS))
        with suppress(KeyboardInterrupt):  # its one way to end
            while True:
                kind, _, words = listed(connection.hear())
                if kind == "message":
                    tell(str(words))
                    sys.stdout.flush()
