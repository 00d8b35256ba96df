"""`watchword device add passcode | sms`: codes that are made here and given out."""

import click

from watchword import Device
from watchword.cli.doors import enter
from watchword.cli.options import act_options
from watchword.cli.words import Verb, note, tell

__all__ = ["passcode", "sms"]


@click.command(cls=Verb)
@click.argument("user")
@click.option("--serial", default=None)
@act_options
def passcode(user: str, serial: str | None) -> None:
    """
    usage: watchword device add passcode USER [--serial TEXT]

    Gives a user a temporary passcode, and prints it: this once, for only a hash of it is kept.
    For 2 days it opens both platforms, as often as it is typed, upper case as it stands; for 10
    days more the portal alone, and there the online card alone. Then it is dead.

    --serial TEXT    the passcode's serial; else one is made
    --by WHO         who does it, for the record; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword device add passcode alice
        watchword verify alice
    """
    with enter() as door:
        issued = door.issue_passcode(user, serial)
    note(f"{user} has a new temporary-passcode device, serial {issued.serial}")
    tell(issued.passcode)


@click.command(cls=Verb)
@click.argument("user")
@click.option("--serial", default=None)
@act_options
def sms(user: str, serial: str | None) -> None:
    """
    usage: watchword device add sms USER [--serial TEXT]

    Gives a user a phone that codes are sent to, under a key that is made here and never shown.
    `watchword challenge USER` sends one, by the webhook that the settings name: it gets the
    user's name and the serial, and knows the phone's number. Nothing is printed.

    --serial TEXT    the phone's serial; else one is made
    --by WHO         who does it, for the record; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword device add sms alice
        watchword challenge alice --sms
    """
    with enter() as door:
        serial = door.add_device(user, Device.sms(), serial)
    note(f"{user} has a new sms device, serial {serial}")
