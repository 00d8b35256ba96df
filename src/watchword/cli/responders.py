"""`watchword device add ocra | preset`: devices that answer a challenge, and the house's kinds.

Enrolment prints the one thing that holds the key, as hex: no app reads an address for these kinds.
"""

import click

from watchword import Device
from watchword.cli.devices import Window, enrol, new_key
from watchword.cli.doors import enter
from watchword.cli.options import act_options, secret_line
from watchword.cli.words import Verb, hint, note, tell
from watchword.devices.device import PRESETS
from watchword.devices.ocra import Suite
from watchword.errors import InvalidArgument
from watchword.formats import otpauth

__all__ = ["ocra", "preset"]


def pin_line(suite: str, wanted: bool) -> str | None:
    """The PIN that the suite's P stands for, or one that is wanted before the response, from a
    prompt or standard input; else None."""
    return secret_line("PIN") if "-PSHA" in suite or wanted else None


def enrol_responder(user: str, made: Device, serial: str | None) -> None:
    """Enrols, and prints the key: show it to the device once and keep it nowhere."""
    with enter() as door:
        serial = door.add_device(user, made, serial)
    note(f"{user} has a new {made.kind} device, serial {serial}")
    tell(f"hex:{made.key.hex()}")


@click.command(cls=Verb)
@click.argument("user")
@click.option("--suite", required=True)
@click.option("--counter", type=int, default=None)
@click.option("--look-ahead", type=int, default=None)
@click.option("--window", type=Window(), default=None)
@click.option("--drift", type=int, default=0)
@click.option("--serial", default=None)
@click.option("--key-stdin", is_flag=True)
@click.option("--pin", is_flag=True)
@act_options
def ocra(
    user: str, suite: str, counter: int | None, look_ahead: int | None,
    window: tuple[int, int] | None, drift: int, serial: str | None, key_stdin: bool, pin: bool,
) -> None:  # fmt: skip
    """
    usage: watchword device add ocra USER --suite SUITE [options]

    Gives a user a device that answers a challenge (RFC 6287). Prints its key as hex. Where the
    suite has P, the PIN is read from a prompt or from standard input, after the key.

    --suite SUITE      what is computed, as OCRA-1:HOTP-SHA1-8:QN06
    --counter N        with C: the counter of the next response              0
    --look-ahead N     with C: responses that may go unused                 10
    --window N|B,F     with T: steps accepted either side, or back and forward  1
    --drift N          with T: steps of drift remembered                     0
    --serial TEXT      the device's serial; else one is made
    --key-stdin        read the key from standard input: base32, or hex after hex:
    --pin              read a PIN, to be typed before every code, after the key
    --by WHO         who does it, for the record; else your login name
    --store PATH       the store's directory
    --config FILE      the daemon's settings

    try:
        watchword device add ocra carol --suite OCRA-1:HOTP-SHA1-8:QN06
    """
    key = new_key(Suite.parse(suite).algorithm, key_stdin)
    made = Device.ocra(
        key, suite, counter=counter or 0, look_ahead=look_ahead, window=window, drift_max=drift,
        pin=pin_line(suite, pin),
    )  # fmt: skip
    enrol_responder(user, made, serial)


@click.command(cls=Verb)
@click.argument("kind", type=click.Choice(tuple(PRESETS)))
@click.argument("user")
@click.option("--serial", default=None)
@click.option("--issuer", default="watchword")
@click.option("--phone", metavar="KEY", default=None)
@click.option("--key-stdin", is_flag=True)
@click.option("--pin", is_flag=True)
@act_options
def preset(
    kind: str, user: str, serial: str | None, issuer: str, phone: str | None, key_stdin: bool,
    pin: bool,
) -> None:  # fmt: skip
    """
    usage: watchword device add preset KIND USER [options]

    Gives a user a device of a brokerage's own kind, with its figures filled in:

        dsc-plus          card with key pad: a 6-digit challenge, 8 digits back
        gold, platinum    calculators: a 6-digit challenge, 6 digits back
        ib-key            phone app, by hand: challenge and PIN, 8 digits back
        alpine            token that shows a code: totp, 10 steps of drift remembered
        dsc               card that shows a code: hotp
        code-card         printed card: two of its 224 cells answer; `watchword card print`
        online-code-card  the same, shown on the screen to print or save

    Prints the key as hex, or an otpauth:// address where an app reads one; of a code card nothing,
    for `watchword card` draws it. An ib-key's PIN, 4 to 6 letters, digits and specials, is read
    from a prompt or standard input, after the key.

    --serial TEXT      the device's serial; else one is made
    --issuer TEXT      who the app says the code is for              watchword
    --phone KEY        of an ib-key that approves pushes: its public key, hex or base64
    --key-stdin        read the key from standard input: base32, or hex after hex:
    --pin              read a PIN, to be typed before every code, after the key
    --by WHO         who does it, for the record; else your login name
    --store PATH       the store's directory
    --config FILE      the daemon's settings

    try:
        watchword device add preset dsc-plus carol
    """
    if phone is not None and kind != "ib-key":
        raise InvalidArgument("phone must be left out: the device is no ib-key")
    mechanism, figures = PRESETS[kind]
    if mechanism == "card":
        if pin:
            raise InvalidArgument("pin must be left out: a card has none")
        with enter() as door:
            serial = door.add_device(user, Device.of(kind, new_key("sha1", key_stdin)), serial)
        note(f"{user} has a new {kind}, serial {serial}")
        hint(f"watchword card print {user} {serial} {user}.pdf")
        return
    suite = figures.get("suite", "")
    key = new_key(Suite.parse(suite).algorithm if suite else "sha1", key_stdin)
    if mechanism == "ocra":
        typed = pin_line(suite, pin)
        made = Device.of(kind, key, pin=typed, **({} if phone is None else {"phone": phone}))
        enrol_responder(user, made, serial)
        return
    made = Device.of(kind, key, pin=pin_line("", pin) or "")
    token = otpauth.Token(
        mechanism, user, key, issuer, made.algorithm, made.digits, made.period or 30, made.counter
    )
    enrol(user, made, serial, token)
