"""`watchword device`: what a user holds. Enrolment prints the one thing that holds the key."""

import secrets
import sys

import click
import segno

from watchword import Device
from watchword.cli.doors import enter
from watchword.cli.logins import speak
from watchword.cli.options import act_options, secret_line, shared_options
from watchword.cli.words import Verb, Verbs, note, table, tell
from watchword.explain import moments
from watchword.formats import otpauth

__all__ = ["device"]

KEY_BYTES_WARNED = 16  # shorter keys are taken as devices come with them, with a warning
# As long as the hash puts out, which is what RFC 6238 section 5.1 asks of a key.
KEY_BYTES = {"sha1": 20, "sha256": 32, "sha512": 64}
ALGORITHMS = tuple(KEY_BYTES)


@click.group(cls=Verbs)
@shared_options
def device() -> None:
    """
    usage: watchword device add | list | ship | activate | replace | ...

        add totp USER           a device whose codes change with the time
        add hotp USER           a device whose codes change at each press
        add ocra USER           a device that answers a challenge
        add preset KIND USER    a device of a brokerage's own kind
        add passcode USER       a static code for two days, from client services
        add sms USER            a phone that codes are sent to
        list USER               serials, kinds and states
        resync USER SERIAL      find a device again whose clock or counter ran away
        remove USER SERIAL      take a device away; codes already used stay used
        pin USER                change the PIN that is typed before a code, or signed
        ship KIND USER          enrol a device that is on its way
        activate USER SERIAL    the user has it at hand: its code makes it active
        replace USER SERIAL KIND   another device for one that is no more
        online-card USER        a code card for three weeks, shown this once
        suspend, resume, lost, return, end USER SERIAL   what became of it
        dates USER SERIAL       when it is expected, active of itself, or over
        share USER OWNER SERIAL  USER is to have it as well; unshare USER SERIAL: no more

    try:
        watchword device add totp alice
        watchword device list alice
    """


@device.group(cls=Verbs)
@shared_options
def add() -> None:
    """
    usage: watchword device add totp|hotp|ocra|passcode|sms USER ...
           watchword device add preset KIND USER ...

    Gives a user a device, and prints its otpauth:// address for an authenticator app, with a QR
    code where a person looks; or its key, where no app reads such an address.
    `watchword device add totp --help` has the options.

    try:
        watchword device add totp alice --issuer "Example Bank"
    """


class Window(click.ParamType[tuple[int, int]]):
    """Steps either side, as 1 or as 2,0: back, then forward."""

    name = "steps"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        parts = str(value).split(",")
        if len(parts) > 2 or not all(part.isascii() and part.isdecimal() for part in parts):
            self.fail("must be steps either side, or back,forward", param, ctx)
        return int(parts[0]), int(parts[-1])


@add.command(cls=Verb)
@click.argument("user")
@click.option("--period", type=int, default=30)
@click.option("--window", type=Window(), default="1")
@click.option("--drift", type=int, default=0)
@click.option("--t0", type=int, default=0)
@click.option("--digits", type=int, default=6)
@click.option("--algorithm", type=click.Choice(ALGORITHMS), default="sha1")
@click.option("--serial", default=None)
@click.option("--issuer", default="watchword")
@click.option("--key-stdin", is_flag=True)
@click.option("--pin", is_flag=True)
@act_options
def totp(
    user: str, period: int, window: tuple[int, int], drift: int, t0: int, digits: int,
    algorithm: str, serial: str | None, issuer: str, key_stdin: bool, pin: bool,
) -> None:  # fmt: skip
    """
    usage: watchword device add totp USER [options]

    Gives a user a device whose codes change with the time (RFC 6238). Prints its otpauth://
    address, which holds the key: show it to the user once and keep it nowhere.

    --period S         seconds a code stands for                            30
    --window N|B,F     steps accepted either side, or back and forward       1
    --drift N          steps of drift remembered: 0 for apps, 10 for tokens  0
    --t0 S             the time at which step 0 begins                       0
    --digits N         6, 7 or 8                                             6
    --algorithm HASH   sha1, sha256 or sha512                             sha1
    --serial TEXT      the device's serial; else one is made
    --issuer TEXT      who the app says the code is for              watchword
    --key-stdin        read the key from standard input: base32, or hex after hex:
    --pin              read a PIN, to be typed before every code, after the key
    --by WHO         who does it, for the record; else your login name
    --store PATH       the store's directory
    --config FILE      the daemon's settings

    try:
        watchword device add totp alice --issuer "Example Bank"
    """
    token = otpauth.Token(
        "totp", user, new_key(algorithm, key_stdin), issuer, algorithm, digits, period
    )
    made = Device.totp(
        token.key, period=period, window=window, digits=digits, algorithm=algorithm, t0=t0,
        drift_max=drift, pin=pin_line(pin),
    )  # fmt: skip
    enrol(user, made, serial, token)
    if t0:
        note("an app cannot be told of t0: this address suits devices that know it")


@add.command(cls=Verb)
@click.argument("user")
@click.option("--counter", type=int, default=0)
@click.option("--look-ahead", type=int, default=10)
@click.option("--digits", type=int, default=6)
@click.option("--algorithm", type=click.Choice(ALGORITHMS), default="sha1")
@click.option("--serial", default=None)
@click.option("--issuer", default="watchword")
@click.option("--key-stdin", is_flag=True)
@click.option("--pin", is_flag=True)
@act_options
def hotp(
    user: str, counter: int, look_ahead: int, digits: int, algorithm: str, serial: str | None,
    issuer: str, key_stdin: bool, pin: bool,
) -> None:  # fmt: skip
    """
    usage: watchword device add hotp USER [options]

    Gives a user a device whose codes change at each press (RFC 4226). Prints its otpauth://
    address, which holds the key: show it to the user once and keep it nowhere.

    --counter N        the counter of the next code                          0
    --look-ahead N     presses that may go unused                           10
    --digits N         6, 7 or 8                                             6
    --algorithm HASH   sha1, sha256 or sha512                             sha1
    --serial TEXT      the device's serial; else one is made
    --issuer TEXT      who the app says the code is for              watchword
    --key-stdin        read the key from standard input: base32, or hex after hex:
    --pin              read a PIN, to be typed before every code, after the key
    --by WHO         who does it, for the record; else your login name
    --store PATH       the store's directory
    --config FILE      the daemon's settings

    try:
        watchword device add hotp alice --look-ahead 20
    """
    token = otpauth.Token(
        "hotp", user, new_key(algorithm, key_stdin), issuer, algorithm, digits, counter=counter
    )
    made = Device.hotp(
        token.key, counter=counter, look_ahead=look_ahead, digits=digits, algorithm=algorithm,
        pin=pin_line(pin),
    )  # fmt: skip
    enrol(user, made, serial, token)


def pin_line(wanted: bool) -> str:
    """A PIN that is typed before every code; none where none is wanted."""
    return secret_line("PIN") if wanted else ""


def new_key(algorithm: str, key_stdin: bool) -> bytes:
    if not key_stdin:
        return secrets.token_bytes(KEY_BYTES[algorithm])
    key = otpauth.key_from_text(secret_line("key"))
    if len(key) < KEY_BYTES_WARNED:
        note(f"warning: a key of {len(key)} bytes: RFC 4226 asks for {KEY_BYTES_WARNED} and more")
    return key


def enrol(user: str, made: Device, serial: str | None, token: otpauth.Token) -> None:
    address = otpauth.build(token)
    with enter() as door:
        serial = door.add_device(user, made, serial)
    note(f"{user} has a new {token.kind} device, serial {serial}")
    tell(address)
    if sys.stdout.isatty():
        segno.make(address, error="l", micro=False).terminal(compact=True)


@device.command("list", cls=Verb)
@click.argument("user")
@shared_options
def list_devices(user: str) -> None:
    """
    usage: watchword device list USER

    Prints a line for each of the user's devices. `moving` is the first counter or step not yet
    used up. Never a key.

    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword device list alice
    """
    with enter() as door:
        devices = door.user(user).devices
    columns = ["serial", "kind", "state", "algorithm", "digits", "moving", "drift", "failures"]
    table(columns, [[str(getattr(d, name)) for name in columns] for d in devices])
    for d in devices:
        if said := moments(d):
            note(f"device {d.serial} is {d.state}, {said}")
        if d.answers_left is not None:
            shows = "shows no cell twice" if d.once else "may show a cell again"
            note(f"card {d.serial} {shows}; {d.answers_left} answers until it is to be replaced")


@device.command(cls=Verb)
@click.argument("user")
@click.argument("serial")
@click.option("--address", metavar="IP", default=None)
@shared_options
def resync(user: str, serial: str, address: str | None) -> None:
    """
    usage: watchword device resync USER SERIAL [--address IP]

    Finds a device again by two codes that follow each other, read from two prompts or two lines
    of standard input. Looks 100 counters or 20 steps ahead, and never back to what was used. Two
    wrong codes are one failed attempt.

    --address IP     where the user is, who may come from certain addresses alone
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword device resync alice 7QK2M4XB
    """
    first = secret_line("first code")
    second = secret_line("second code")
    with enter() as door:
        answer = door.resync(user, first, second, serial, address)
    speak(answer, detail=False)


@device.command(cls=Verb)
@click.argument("user")
@click.argument("serial")
@act_options
def remove(user: str, serial: str) -> None:
    """
    usage: watchword device remove USER SERIAL

    Takes a device away. Codes already used stay used: the same key, enrolled again, begins
    where it ended.

    --by WHO         who does it, for the record; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword device remove alice 7QK2M4XB
    """
    with enter() as door:
        door.remove_device(user, serial)
    note(f"{user} no longer has {serial}")
