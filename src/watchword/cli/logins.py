"""`watchword verify`: one login, decided. Also how a verdict is spoken and becomes an exit code."""

import click

from watchword.cli.answers import Answer
from watchword.cli.doors import enter
from watchword.cli.options import secret_line, shared_options
from watchword.cli.words import Verb, complain, duration, hint, tell

__all__ = ["speak", "verify"]


@click.command(cls=Verb)
@click.argument("user")
@click.option("--platform", type=click.Choice(["trading", "portal"]), default="trading")
@click.option("--device", metavar="SERIAL", default=None)
@click.option("--detail", is_flag=True)
@shared_options
def verify(user: str, platform: str, device: str | None, detail: bool) -> None:
    """
    usage: watchword verify USER [--platform trading|portal] [--device SERIAL] [--detail]

    Decides one login. The code is read from a prompt or from standard input. Prints `accepted`
    and exits 0, or says `rejected` or another refusal on standard error and exits 1. This is a
    real attempt: a right code is used up, a wrong one is counted.

    --platform      where the user logs in                       trading
    --device        the one device to try; else every active one
    --detail        also print the device, or how long a lock still holds
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword verify alice
        oathtool --totp -b "$SECRET" | watchword verify alice
    """
    response = secret_line("code")
    with enter() as door:
        answer = door.verify(user, response, platform, device)
    speak(answer, detail=detail)


def speak(answer: Answer, *, detail: bool) -> None:
    """Says a verdict and ends the verb: exit code 0 for ACCEPTED alone."""
    name = answer.code.name.lower().replace("_", " ")
    if answer:
        tell(name)
        if detail:
            tell(f"device {answer.device}")
        return
    complain(name)
    if detail and answer.retry_after_ms:
        hint(f"the lock holds for {duration(answer.retry_after_ms)} more")
    click.get_current_context().exit(1)
