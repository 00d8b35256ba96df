"""`watchword init, serve, config, key, clock`: the store, the daemon over it, and their keeping."""

import os
from dataclasses import replace

import click

from watchword import Engine
from watchword.cli.doors import enter, is_store
from watchword.cli.options import act_options, settings, shared_options, who
from watchword.cli.words import Verb, Verbs, note, tell
from watchword.errors import Exists
from watchword.serve.config import TEMPLATE
from watchword.serve.privileges import become

__all__ = ["clock", "config", "init", "key", "serve"]


@click.command(cls=Verb)
@shared_options
def init() -> None:
    """
    usage: watchword init [--store PATH] [--config FILE]

    Makes a new, empty store: a directory, and beside it the key that opens it. Whoever has both
    has every device's key; keep copies of them apart.

    --store PATH     the store's directory
    --config FILE    the daemon's settings; they may name the store, its key and its policy, and
                     the user that root becomes, whose the store then is

    try:
        watchword init
        watchword user add alice
    """
    chosen = settings()
    store = chosen.store
    if is_store(chosen):
        raise Exists(f"there is a store at {store} already", hint="name another with --store")
    if chosen.user and os.geteuid() == 0:
        become(chosen.user)  # whose store it will be: the daemon could not open root's
    Engine.open(store, chosen.key, chosen.policy).close()
    note(f"a new store at {store}")
    if chosen.key is None:
        note(f"its key is {store}.key: without it the store cannot be opened, so keep a copy safe")


@click.command(cls=Verb)
@click.option("--unlocked-memory", is_flag=True)
@shared_options
def serve(unlocked_memory: bool) -> None:
    """
    usage: watchword serve [--config FILE] [--store PATH] [--unlocked-memory]

    Answers gateways on TCP until SIGTERM: any Redis client library is a client. The other verbs
    then ask this daemon. Makes the store when there is none. SIGHUP reads the settings' policy,
    access list and certificates again.

    --config FILE        settings, as `watchword config show` prints them
    --store PATH         the store's directory, over what the file says
    --unlocked-memory    serve even where memory cannot be locked, so that keys may reach the swap

    try:
        watchword serve &
        redis-cli -p 4001 VERIFY alice 123456
    """
    from watchword.serve.daemon import run  # the loop and its library, only where they serve

    chosen = settings()
    if unlocked_memory:
        chosen = replace(chosen, unlocked_memory=True)
    click.get_current_context().exit(run(chosen, reread=settings))


@click.group(cls=Verbs)
def config() -> None:
    """
    usage: watchword config show | unit

        show    every setting of the daemon, with its default and what it means
        unit    a systemd unit that runs the daemon with as few rights as it needs

    try:
        watchword config show > watchword.toml
        watchword serve --config watchword.toml
    """


@config.command(cls=Verb)
def show() -> None:
    """
    usage: watchword config show

    Prints a settings file that changes nothing: every line is a default, with what it means.

    try:
        watchword config show > watchword.toml
        watchword serve --config watchword.toml
    """
    tell(TEMPLATE.removesuffix("\n"))


@config.command("unit", cls=Verb)
@click.option("--config", "path", metavar="FILE", default=None)
def unit_printed(path: str | None) -> None:
    """
    usage: watchword config unit [--config FILE]

    Prints a systemd unit: notify, watchdog, the store's key as an encrypted credential, and no
    right that the daemon does not need. Its head says where it goes and how the credential is made.

    --config FILE    the settings that it names, with an absolute path; else
                     /etc/watchword/watchword.toml

    try:
        watchword config unit > /etc/systemd/system/watchword.service
        systemctl daemon-reload
        systemctl enable --now watchword
    """
    from watchword.serve.units import unit

    tell(unit(path).removesuffix("\n"))


@click.group(cls=Verbs)
def key() -> None:
    """
    usage: watchword key rotate

        rotate    encrypt the store under a new key, while logins go on

    try:
        watchword key rotate
    """


@key.command(cls=Verb)
@act_options
def rotate() -> None:
    """
    usage: watchword key rotate

    Makes a new key for the store's contents and encrypts every page under it, while logins go on.
    The key file stays: it guards the keys inside.

    --by WHO         who does it, for the record; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword key rotate
    """
    with enter() as door:
        door.rotate_key()
    note("the store is encrypted under a new key")


@click.group(cls=Verbs)
def clock() -> None:
    """
    usage: watchword clock accept

        accept    believe the clock again after it has jumped

    try:
        watchword clock accept
    """


@clock.command(cls=Verb)
@act_options
def accept() -> None:
    """
    usage: watchword clock accept [--by WHO]

    After the clock has jumped by more than a minute, or a store was away for more than a week,
    every login is answered BUSY until the clock is right again or somebody says that it is. The
    journal keeps who said so.

    --by WHO         who says so; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        date && watchword clock accept --by "desk 4"
    """
    with enter() as door:
        door.accept_clock(who())
    note("the clock is accepted as it is")
