"""`watchword push` and `watchword phone`: a login put before a phone, and a phone to try it with.

What is open lives in the daemon, so both ask the daemon; a phone's own file needs none.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from watchword import PushShown
from watchword.cli.doors import Door, enter
from watchword.cli.logins import speak
from watchword.cli.options import secret_line, shared_options
from watchword.cli.words import Verb, Verbs, note, table, tell
from watchword.errors import InvalidArgument, NotFound
from watchword.phone import KEY_KINDS, Phone

__all__ = ["phone", "push"]

FILE = click.Path(path_type=Path)
LIFE_MS = 60_000


@click.command(cls=Verb)
@click.argument("user")
@click.option("--platform", type=click.Choice(["trading", "portal"]), default="trading")
@click.option("--purpose", metavar="TEXT", default=None)
@click.option("--text", metavar="TEXT", default="")
@click.option("--detail", is_flag=True)
@shared_options
def push(user: str, platform: str, purpose: str | None, text: str, detail: bool) -> None:
    """
    usage: watchword push USER [--platform trading|portal] [--purpose TEXT] [--detail]

    Asks the user's phone to approve a login, says the number to match, waits until the phone has
    answered, and decides the login: prints `accepted` and exits 0, or says `rejected` or another
    refusal and exits 1. After too many without an approval the phone's manual challenge is
    printed instead; `watchword verify` then decides the response.

    --platform       where the user logs in                       trading
    --purpose TEXT   what it confirms: the phone shows and signs it
    --text TEXT      what else the phone shows
    --detail         also print the device, or how long a lock still holds
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword push alice
    """
    with enter() as door:
        asked = door.push(user, platform, purpose, text)
        if not asked.number:
            note("the phone was asked too often: it answers this challenge by hand")
            tell(asked.prompt)
            tell(f"id {asked.id}")
            return
        note(f"the number is {asked.number}: type it on the phone")
        answer = door.claim(user, platform, asked.id, LIFE_MS)
    speak(answer, detail=detail)


@click.group(cls=Verbs)
@shared_options
def phone() -> None:
    """
    usage: watchword phone new | enrol | pushes | approve | deny | respond ...

        new FILE                a phone with a key of its own, kept in FILE
        enrol FILE USER         give a token that was sent, and serve this user
        pushes FILE USER        what waits to be approved
        approve FILE USER       approve the newest, under the number shown at the login
        deny FILE USER          deny the newest
        respond FILE USER       answer a manual challenge, with the PIN

    A phone to try things with. FILE holds its keys, mode 0600.

    try:
        watchword phone new alice.phone
        watchword challenge alice --sms --purpose "activate ib-key"
    """


@phone.command(cls=Verb)
@click.argument("file", type=FILE)
@click.option("--kind", type=click.Choice(KEY_KINDS), default="ed25519")
@shared_options
def new(file: Path, kind: str) -> None:
    """
    usage: watchword phone new FILE [--kind ed25519|p256]

    Makes a phone, and prints its public key.

    --kind           what it signs with                           ed25519
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword phone new alice.phone
    """
    tell(Phone.new(file, kind).public)


@phone.command(cls=Verb)
@click.argument("file", type=FILE)
@click.argument("user")
@click.option("--challenge", metavar="ID", required=True)
@click.option("--platform", type=click.Choice(["trading", "portal"]), default="trading")
@click.option("--serial", default=None)
@shared_options
def enrol(file: Path, user: str, challenge: str, platform: str, serial: str | None) -> None:
    """
    usage: watchword phone enrol FILE USER --challenge ID [--platform trading|portal]

    Gives a user this phone. The token that was sent and the phone's PIN, 4 to 6 letters, digits
    and specials, are read from two prompts or two lines of standard input. A wrong token is a
    failed attempt, and exits 1.

    --challenge ID   the id that was printed when the token was sent
    --platform       where it was asked for                       trading
    --serial TEXT    the phone's serial; else one is made
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword phone enrol alice.phone alice --challenge "$ID"
    """
    held = Phone.load(file)
    token, pin = secret_line("token"), secret_line("PIN")
    with enter() as door:
        made = door.enrol_phone(user, challenge, token, held.public, pin, platform, serial)
    if made.serial:
        held.enrolled(user, made)
        note(f"{user} has a new ib-key device, serial {made.serial}")
        for gone in made.replaced:
            note(f"it takes the place of {gone}")
    speak(made.verdict, detail=False)


def shown(door: Door, held: Phone, user: str) -> list[PushShown]:
    now_ms = time.time_ns() // 1_000_000
    signature = held.list_signature(user, now_ms)
    return door.pushes(user, held.serial(user), now_ms, signature)


@phone.command(cls=Verb)
@click.argument("file", type=FILE)
@click.argument("user")
@shared_options
def pushes(file: Path, user: str) -> None:
    """
    usage: watchword phone pushes FILE USER

    Prints a line for each push to this phone, the newest first. The number to match is not among
    them: it is shown where the login is.

    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword phone pushes alice.phone alice
    """
    held = Phone.load(file)
    with enter() as door:
        found = shown(door, held, user)
    columns = ["id", "state", "user", "platform", "purpose", "text"]
    table(columns, [[str(getattr(one, name) or "") for name in columns] for one in found])


def decide(file: Path, user: str, decision: str, number: int | None, unlocked: str) -> None:
    held = Phone.load(file)
    with enter() as door:
        pending = [one for one in shown(door, held, user) if one.state == "pending"]
        if not pending:
            raise NotFound(f"nothing waits for {user!r} to be approved")
        signature = held.answer_signature(pending[0], decision, number, unlocked)
        stands = door.decide_push(pending[0].id, decision, number, unlocked, signature)
    tell(stands)
    if stands not in ("approved", "denied"):
        click.get_current_context().exit(1)


def deciding(command: Callable[..., Any]) -> Any:
    for option in (
        click.option("--unlocked", type=click.Choice(["pin", "biometric"]), default="pin"),
        click.argument("user"), click.argument("file", type=FILE),
    ):  # fmt: skip
        command = option(command)
    return shared_options(command)


@phone.command(cls=Verb)
@deciding
def approve(file: Path, user: str, unlocked: str) -> None:
    """
    usage: watchword phone approve FILE USER [--unlocked pin|biometric]

    Approves the newest push that waits. The number shown at the login is read from a prompt or
    standard input; a wrong one makes the login a failure.

    --unlocked       what unlocked the phone                      pin
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword phone approve alice.phone alice
    """
    typed = secret_line("number")
    if not typed.isascii() or not typed.isdecimal() or len(typed) > 2:
        raise InvalidArgument("number is a whole number from 10 to 99")
    decide(file, user, "approve", int(typed), unlocked)


@phone.command(cls=Verb)
@deciding
def deny(file: Path, user: str, unlocked: str) -> None:
    """
    usage: watchword phone deny FILE USER [--unlocked pin|biometric]

    Denies the newest push that waits: the login is a failure.

    --unlocked       what unlocked the phone                      pin
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword phone deny alice.phone alice
    """
    decide(file, user, "deny", None, unlocked)


@phone.command(cls=Verb)
@click.argument("file", type=FILE)
@click.argument("user")
@shared_options
def respond(file: Path, user: str) -> None:
    """
    usage: watchword phone respond FILE USER

    Prints the response to a manual challenge. The challenge and the PIN are read from two prompts
    or two lines of standard input. Needs no daemon.

    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword phone respond alice.phone alice
    """
    held = Phone.load(file)
    held.serial(user)  # known before anything is typed
    question, pin = secret_line("challenge"), secret_line("PIN")
    tell(held.response(user, question, pin))


