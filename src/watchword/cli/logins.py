"""`watchword challenge` and `watchword verify`: what a device is asked, and one login, decided.

Also how a verdict is spoken and becomes an exit code.
"""

import time

import click

from watchword.cli.answers import Answer
from watchword.cli.doors import enter
from watchword.cli.options import secret_line, shared_options
from watchword.cli.words import Verb, complain, duration, hint, note, tell
from watchword.errors import InvalidArgument

__all__ = ["challenge", "speak", "verify"]


@click.command(cls=Verb)
@click.argument("user")
@click.option("--platform", type=click.Choice(["trading", "portal"]), default="trading")
@click.option("--device", metavar="SERIAL", default=None)
@click.option("--purpose", metavar="TEXT", default=None)
@click.option("--question", metavar="TEXT", default=None)
@click.option("--client-question", metavar="TEXT", default=None)
@click.option("--sms", is_flag=True)
@click.option("--detail", is_flag=True)
@shared_options
def challenge(
    user: str, platform: str, device: str | None, purpose: str | None, question: str | None,
    client_question: str | None, sms: bool, detail: bool,
) -> None:  # fmt: skip
    """
    usage: watchword challenge USER [--platform trading|portal] [--device SERIAL] [--detail]

    Prints what the user's device is to be asked. The same until it is answered or runs out, in 5
    to 10 minutes; two numbers of a code card stand until they are answered. `watchword verify`
    then decides the response. Every name gets one, also a name that nobody has.

    --platform      where the user logs in                       trading
    --device        the one device to ask; else the highest in rank
    --sms           send a code to the user's phone, and show nothing of it
    --purpose TEXT  what it confirms: only its id answers it, so the id is printed too
    --question TEXT         data that the device signs in place of a question of ours: letters and
                            digits, 4 and no more than its suite has; only its id answers it
    --client-question TEXT  what the client asks us first, as long as the suite says: our answer
                            is printed too
    --detail        also print its id, the kind of device, and how long it is good
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword challenge carol
        watchword verify carol
    """
    if sms and not (question is client_question is None):
        raise InvalidArgument("--sms goes with neither --question nor --client-question")
    with enter() as door:
        asked = door.challenge(user, platform, device, purpose, sms, question, client_question)
    if asked.prompt:
        tell(asked.prompt)
    else:
        note("a code is on its way to the phone, if there is one")
    if asked.answer:
        tell(f"answer {asked.answer}")
    if detail or not (purpose is question is client_question is None):
        tell(f"id {asked.id}")
    if detail:
        tell(f"kind {asked.kind}")
        if not asked.expires_ms:
            tell("good until it is answered")
            return
        tell(f"good for {duration(max(0, asked.expires_ms - time.time_ns() // 1_000_000))}")


@click.command(cls=Verb)
@click.argument("user")
@click.option("--platform", type=click.Choice(["trading", "portal"]), default="trading")
@click.option("--device", metavar="SERIAL", default=None)
@click.option("--challenge", metavar="ID", default=None)
@click.option("--session", metavar="HEX", default=None)
@click.option("--password", is_flag=True)
@click.option("--pin", is_flag=True)
@click.option("--request-id", metavar="ID", default=None)
@click.option("--address", metavar="IP", default=None)
@click.option("--detail", is_flag=True)
@shared_options
def verify(
    user: str, platform: str, device: str | None, challenge: str | None, session: str | None,
    password: bool, pin: bool, request_id: str | None, address: str | None, detail: bool,
) -> None:  # fmt: skip
    """
    usage: watchword verify USER [--platform trading|portal] [--device SERIAL] [--detail]

    Decides one login. The code is read from a prompt or from standard input. Prints `accepted`
    and exits 0, or says `rejected` or another refusal on standard error and exits 1. This is a
    real attempt: a right code is used up, a wrong one is counted.

    --platform      where the user logs in                       trading
    --device        the one device to try; else every active one
    --challenge ID  the one challenge it answers; else whichever stands without a purpose
    --session HEX   with a suite that has S: the session's bytes
    --password      read the user's password first
    --pin           read the PIN apart, before the code; else it is typed in front of the code
    --request-id ID  8 to 64 characters: asked again within a minute under the same ID, the same is
                    told and nothing is used up or counted twice
    --address IP    from where the user comes; one who may not come from anywhere needs it
    --detail        also print the device, or how long a lock still holds
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword verify alice
        oathtool --totp -b "$SECRET" | watchword verify alice
    """
    first = secret_line("password") if password else None
    before = secret_line("PIN") if pin else None
    response = secret_line("code")
    with enter() as door:
        answer = door.verify(
            user, response, platform, device, challenge, session_bytes(session), first, before,
            request_id, address,
        )
    speak(answer, detail=detail)


def session_bytes(digits: str | None) -> bytes | None:
    try:
        return None if digits is None else bytes.fromhex(digits)
    except ValueError:
        raise InvalidArgument("session is hex digits") from None


def speak(answer: Answer, *, detail: bool) -> None:
    """Says a verdict and ends the verb: exit code 0 for ACCEPTED alone."""
    name = answer.code.name.lower().replace("_", " ")
    if answer:
        tell(name)
        if detail:
            tell(f"device {answer.device}" if answer.device else "without a device")
        return
    complain(name)
    if detail and answer.retry_after_ms:
        hint(f"the lock holds for {duration(answer.retry_after_ms)} more")
    click.get_current_context().exit(1)
