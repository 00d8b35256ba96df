"""`watchword gateway`: what the access list is made of."""

import click

from watchword.cli.words import Verb, Verbs, tell
from watchword.serve.gateways import Access, new_token

__all__ = ["gateway"]


@click.group(cls=Verbs)
def gateway() -> None:
    """
    usage: watchword gateway token NAME

        token    make a gateway's token, and its lines for the daemon's settings

    try:
        watchword gateway token portal
    """


@gateway.command(cls=Verb)
@click.argument("name")
def token(name: str) -> None:
    """
    usage: watchword gateway token NAME

    Prints a new token on standard output, this once: it is for the gateway, which says it with
    AUTH. On standard error stand the lines for the daemon's settings, which hold its hash alone.
    SIGHUP has a daemon with an access list read it again.

    NAME             what the gateway is called in the journal: a-z, 0-9, '.', '_' and '-'

    try:
        watchword gateway token portal 2>> watchword.toml > portal.token
    """
    made, kept = new_token()
    access = Access(name=name, token_sha256=kept)
    tell(made)
    lines = "# for the daemon's settings", "[[gateway]]", f'name = "{access.name}"'
    for line in (*lines, f'token_sha256 = "{access.token_sha256}"'):
        click.echo(line, err=True)
