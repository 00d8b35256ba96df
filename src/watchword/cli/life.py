"""`watchword device ship | activate | replace ...`: what comes to a user by post, and what goes."""

import sys

import click
import segno

from watchword import Device, Replacement
from watchword.cli.cards import draw
from watchword.cli.devices import new_key
from watchword.cli.doors import enter
from watchword.cli.logins import speak
from watchword.cli.options import act_options, secret_line, shared_options
from watchword.cli.words import Verb, hint, note, tell
from watchword.devices.device import PRESETS
from watchword.devices.ocra import Suite
from watchword.formats import otpauth

__all__ = ["VERBS"]

# What one can put into an envelope; the others have verbs of their own.
KINDS = ("totp", "hotp", *(kind for kind in PRESETS if kind not in ("ib-key", "online-code-card")))
GONE = {"lost": "lost", "returned": "returned", "damaged": "expired", "active": "active"}


def made_of(kind: str, key_stdin: bool) -> Device:
    """A device of this kind with the key that it was given, or a new one."""
    suite = PRESETS[kind][1].get("suite", "") if kind in PRESETS else ""
    key = new_key(Suite.parse(suite).algorithm if suite else "sha1", key_stdin)
    return Device.of(kind, key)


def tell_key(user: str, made: Device, serial: str) -> None:
    """What the device is to hold: an address where an app reads one, else the key; of a card
    nothing."""
    if made.mechanism == "card":
        hint(f"watchword card print {user} {serial} {user}.pdf")
    elif made.mechanism == "ocra":
        tell(f"hex:{made.key.hex()}")
    else:
        token = otpauth.Token(
            made.mechanism, user, made.key, "watchword", made.algorithm, made.digits,
            made.period or 30, made.counter,
        )  # fmt: skip
        address = otpauth.build(token)
        tell(address)
        if sys.stdout.isatty():
            segno.make(address, error="l", micro=False).terminal(compact=True)


@click.command(cls=Verb)
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("user")
@click.option("--serial", default=None)
@click.option("--delivery", metavar="DAY", default="")
@click.option("--key-stdin", is_flag=True)
@act_options
def ship(kind: str, user: str, serial: str | None, delivery: str, key_stdin: bool) -> None:
    """
    usage: watchword device ship KIND USER [--serial TEXT] [--delivery DAY] [--key-stdin]

    Enrols a device that is on its way: totp, hotp, alpine, dsc, dsc-plus, gold, platinum or
    code-card. It verifies nothing until the user activates it, client services do, or three
    weeks are over. Prints what the device is to hold.

    --serial TEXT    the device's serial; else one is made
    --delivery DAY   when it is expected, as 2026-12-01
    --key-stdin      read the key from standard input: base32, or hex after hex:
    --by WHO         who does it, for the record; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword device ship dsc-plus carol --serial D1
        watchword challenge carol --device D1 --purpose "activate device" --platform portal
        watchword device activate carol D1 --challenge ID
    """
    made = made_of(kind, key_stdin)
    with enter() as door:
        serial = door.life.ship(user, made, serial, delivery)
    note(f"device {serial} ({kind}) is on its way to {user}")
    tell_key(user, made, serial)


@click.command(cls=Verb)
@click.argument("user")
@click.argument("serial")
@click.option("--challenge", "challenge_id", metavar="ID", default=None)
@click.option("--platform", type=click.Choice(["trading", "portal"]), default="portal")
@click.option("--password", is_flag=True)
@click.option("--address", metavar="IP", default=None)
@shared_options
def activate(
    user: str, serial: str, challenge_id: str | None, platform: str, password: bool,
    address: str | None,
) -> None:  # fmt: skip
    """
    usage: watchword device activate USER SERIAL [--challenge ID] [--platform trading|portal]

    The user has the device at hand: its code, or its answer to a challenge for the purpose
    "activate device", is read from a prompt or standard input. An attempt like any other. Once it
    is accepted the device is active, and a temporary passcode and an online card have ended.

    --challenge ID   the challenge that is answered
    --platform       where the user is                            portal
    --password       the user has a password: it is read before the code
    --address IP     from where the user comes
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword device ship alpine alice --serial T1
        watchword device activate alice T1
    """
    first = secret_line("password") if password else None
    response = secret_line("response")
    with enter() as door:
        answer = door.life.activate(user, serial, response, challenge_id, platform, first, address)
    speak(answer, detail=False)


@click.command(cls=Verb)
@click.argument("user")
@click.argument("serial")
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--because", type=click.Choice(tuple(GONE)), default="lost")
@click.option("--new-serial", metavar="TEXT", default=None)
@click.option("--delivery", metavar="DAY", default="")
@click.option("--passcode", is_flag=True)
@click.option("--key-stdin", is_flag=True)
@act_options
def replace(
    user: str, serial: str, kind: str, because: str, new_serial: str | None, delivery: str,
    passcode: bool, key_stdin: bool,
) -> None:  # fmt: skip
    """
    usage: watchword device replace USER SERIAL KIND [--because lost|returned|damaged|active] ...

    Ships another device for one that is no more, in one act. With --because active the old one
    goes on until the new one is active, and has ended then.

    --because        what became of the old one                   lost
    --new-serial TEXT   the new device's serial; else one is made
    --delivery DAY   when it is expected, as 2026-12-01
    --passcode       a temporary passcode until it comes, printed this once
    --key-stdin      read the key from standard input: base32, or hex after hex:
    --by WHO         who does it, for the record; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword device replace alice T1 alpine --passcode
    """
    made = made_of(kind, key_stdin)
    with enter() as door:
        done: Replacement = door.life.replace(
            user, serial, made, new_serial, GONE[because], delivery, passcode
        )
    note(f"device {done.serial} ({kind}) is on its way to {user}, for {serial}")
    tell_key(user, made, done.serial)
    if done.passcode is not None:
        note(f"{user} has a temporary passcode until then, serial {done.passcode.serial}")
        tell(done.passcode.passcode)


@click.command("online-card", cls=Verb)
@click.argument("user")
@click.option("--serial", default=None)
@act_options
def online_card(user: str, serial: str | None) -> None:
    """
    usage: watchword device online-card USER [--serial TEXT]

    A code card for three weeks, printed this once: the one before it has ended. It opens nothing
    until the user has answered two of its cells.

    --serial TEXT    the card's serial; else one is made
    --by WHO         who does it, for the record; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword device online-card carol --serial N1
        watchword challenge carol --device N1 --purpose "activate device" --platform portal
        watchword device activate carol N1 --challenge ID
    """
    with enter() as door:
        card = door.life.online_card(user, serial)
    note(f"{user} has an online card, serial {card.serial}")
    draw(card)


def becomes(state: str, said: str, user: str, serial: str) -> None:
    with enter() as door:
        door.life.becomes(user, serial, state)
    note(f"{serial} of {user} {said}")


@click.command(cls=Verb)
@click.argument("user")
@click.argument("serial")
@act_options
def suspend(user: str, serial: str) -> None:
    """
    usage: watchword device suspend USER SERIAL

    The device is not at hand: it verifies nothing until `watchword device resume`.

    --by WHO         who does it, for the record; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword device suspend alice T1
    """
    becomes("suspended", "is suspended", user, serial)


@click.command(cls=Verb)
@click.argument("user")
@click.argument("serial")
@act_options
def resume(user: str, serial: str) -> None:
    """
    usage: watchword device resume USER SERIAL

    A device that was shipped, suspended or lost is active: a temporary passcode and an online
    card of the user's have ended.

    --by WHO         who does it, for the record; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword device resume alice T1
    """
    becomes("active", "is active", user, serial)


@click.command(cls=Verb)
@click.argument("user")
@click.argument("serial")
@act_options
def lost(user: str, serial: str) -> None:
    """
    usage: watchword device lost USER SERIAL

    Whoever finds the device gets in nowhere with it. `watchword device resume` when it is found.

    --by WHO         who does it, for the record; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword device lost alice T1
    """
    becomes("lost", "is lost", user, serial)


@click.command("return", cls=Verb)
@click.argument("user")
@click.argument("serial")
@act_options
def return_(user: str, serial: str) -> None:
    """
    usage: watchword device return USER SERIAL

    The device came back to us: it verifies nothing any more.

    --by WHO         who does it, for the record; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword device return alice T1
    """
    becomes("returned", "was returned", user, serial)


@click.command(cls=Verb)
@click.argument("user")
@click.argument("serial")
@act_options
def end(user: str, serial: str) -> None:
    """
    usage: watchword device end USER SERIAL

    The device is over for good, as one that broke: no state follows.

    --by WHO         who does it, for the record; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword device end alice T1
    """
    becomes("expired", "has ended", user, serial)


@click.command(cls=Verb)
@click.argument("user")
@click.argument("serial")
@click.option("--delivery", metavar="DAY", default=None)
@click.option("--activates-ms", type=int, default=None)
@click.option("--expires-ms", type=int, default=None)
@act_options
def dates(
    user: str, serial: str, delivery: str | None, activates_ms: int | None, expires_ms: int | None
) -> None:
    """
    usage: watchword device dates USER SERIAL [--delivery DAY] [--activates-ms T] [--expires-ms T]

    Other dates for a device; what is not said stays as it is.

    --delivery DAY     when it is expected, as 2026-12-01
    --activates-ms T   when a shipped one is active of itself, milliseconds since 1970; 0: never
    --expires-ms T     when it ends; 0: never
    --by WHO         who does it, for the record; else your login name
    --store PATH       the store's directory
    --config FILE      the daemon's settings

    try:
        watchword device dates alice T1 --delivery 2026-12-24
    """
    with enter() as door:
        door.life.dates(user, serial, delivery, activates_ms, expires_ms)
    note(f"{serial} of {user} has these dates")


VERBS = (ship, activate, replace, online_card, suspend, resume, lost, return_, end, dates)
