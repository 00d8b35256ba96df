"""`watchword user password | questions | question | answer` and `watchword device pin`: what users
know, set, asked and changed.

Rule: a secret comes by prompt or standard input, a line each and in the order that help says, and
is never shown again.
"""

import click

from watchword.cli.answers import Change
from watchword.cli.doors import enter
from watchword.cli.logins import speak
from watchword.cli.options import act_options, secret_line, shared_options
from watchword.cli.words import Verb, note, tell
from watchword.policy import QUESTIONS

__all__ = ["answer", "password", "pin", "question", "questions"]

PLATFORMS = click.Choice(["trading", "portal"])


@click.command(cls=Verb)
@click.argument("name")
@click.option("--clear", is_flag=True)
@click.option("--change", is_flag=True)
@click.option("--device", metavar="SERIAL", default=None)
@click.option("--challenge", metavar="ID", default=None)
@click.option("--platform", type=PLATFORMS, default="portal")
@click.option("--address", metavar="IP", default=None)
@act_options
def password(
    name: str, clear: bool, change: bool, device: str | None, challenge: str | None, platform: str,
    address: str | None,
) -> None:  # fmt: skip
    """
    usage: watchword user password NAME [--clear | --change]

    Gives a user a password, read from a prompt or from standard input: from then on every login
    needs it beside a code. Only an Argon2id hash of it is kept.

    --clear         take the password away
    --change        as the user does it: reads the old password, a code, and the new password.
                    A login like any other: counted, and with a wrong word nothing changes
    --device        with --change: the one device whose code it is
    --challenge ID  with --change: the one challenge it answers
    --platform      with --change: where the user is                 portal
    --address IP    with --change: from where the user comes
    --by WHO         who does it, for the record; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword user password alice
        watchword verify alice --password
    """
    if clear and change:
        raise click.UsageError("--clear and --change are two things")
    if change:
        old, code = secret_line("old password"), secret_line("code")
        new = secret_line("new password")
        with enter() as door:
            by = Change(device, challenge, platform, address=address)
            told = door.change_password(name, old, code, new, by)
        speak(told, detail=False)
        return
    text = None if clear else secret_line("password")
    with enter() as door:
        if text is None:
            door.clear_password(name)
        else:
            door.set_password(name, text)
    note(f"{name} has {'no' if clear else 'a new'} password")


@click.command(cls=Verb)
@click.argument("name")
@click.option("--clear", is_flag=True)
@act_options
def questions(name: str, clear: bool) -> None:
    """
    usage: watchword user questions NAME [--clear]

    Gives a user three security questions. Reads pool, question and answer of each, nine lines;
    no two are of one pool. An answer is right exactly as it is. The policy must have turned
    security_questions on.

    --clear         take them away
    --by WHO         who does it, for the record; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword user questions alice
        watchword user question alice
    """
    found = [
        (secret_line("pool"), secret_line("question"), secret_line("answer"))
        for _ in range(0 if clear else QUESTIONS)
    ]
    with enter() as door:
        if clear:
            door.clear_questions(name)
        else:
            door.set_questions(name, found)
    note(f"{name} has {'no' if clear else 'three'} security questions")


@click.command(cls=Verb)
@click.argument("name")
@shared_options
def question(name: str) -> None:
    """
    usage: watchword user question NAME

    Prints one of the user's security questions, at random, and the id that its answer needs. The
    same until it is answered. Every name gets one, also a name that nobody has.

    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword user question alice
    """
    with enter() as door:
        asked = door.question(name)
    tell(asked.question)
    tell(f"id {asked.id}")


@click.command(cls=Verb)
@click.argument("name")
@click.argument("id")
@click.option("--address", metavar="IP", default=None)
@shared_options
def answer(name: str, id: str, address: str | None) -> None:
    """
    usage: watchword user answer NAME ID [--address IP]

    Decides one answer, read from a prompt or from standard input, to the question of that id.
    Exits 0 when it is right. A wrong one is counted; three in a row lock the user.

    --address IP     from where the user comes
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword user answer alice "$ID"
    """
    text = secret_line("answer")
    with enter() as door:
        told = door.answer(name, id, text, address)
    speak(told, detail=False)


@click.command(cls=Verb)
@click.argument("user")
@click.option("--device", metavar="SERIAL", default=None)
@click.option("--challenge", metavar="ID", default=None)
@click.option("--platform", type=PLATFORMS, default="portal")
@click.option("--address", metavar="IP", default=None)
@click.option("--personal", metavar="TEXT", multiple=True)
@shared_options
def pin(
    user: str, device: str | None, challenge: str | None, platform: str, address: str | None,
    personal: tuple[str, ...],
) -> None:  # fmt: skip
    """
    usage: watchword device pin USER [options]

    Changes the PIN of a device, as the user does it. Reads the old PIN, a code without it, and
    the new PIN. A login like any other: counted, and with a wrong word nothing changes. A phone
    has one PIN: it is another for each of its users.

    --device        the one device whose code it is
    --challenge ID  the one challenge it answers
    --platform      where the user is                                portal
    --address IP    from where the user comes
    --personal TEXT  birth date, phone, address, ID or name: no PIN may be part of it; again for
                    each
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword device pin alice --personal 1970-12-31
    """
    old, code, new = secret_line("old PIN"), secret_line("code"), secret_line("new PIN")
    with enter() as door:
        told = door.change_pin(
            user, old, code, new, Change(device, challenge, platform, personal, address)
        )
    speak(told, detail=False)
