"""The root of the command line, and the one place where an exception becomes words and a number.

Exit codes: 0 done or accepted, 1 refused or failed, 2 misuse. A traceback is a bug of ours.
"""

import contextlib
import io
import os
import signal
import sys
from collections.abc import Sequence
from importlib import metadata
from types import FrameType
from typing import NoReturn

import click

from watchword.cli import (
    audit,
    backup,
    bulk,
    cards,
    demo,
    devices,
    entering,
    events,
    gateways,
    given,
    life,
    logins,
    policies,
    proof,
    pushes,
    replay,
    responders,
    secrets,
    stores,
    top,
    users,
)
from watchword.cli.options import shared_options
from watchword.cli.words import STANDARD_OUTPUT, Verbs, complain, hint, spoken, tell
from watchword.errors import Error, InvalidArgument

__all__ = ["main", "root"]


def version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        try:
            tell(f"watchword {metadata.version('watchword')}")
        except metadata.PackageNotFoundError:  # run from a source tree that was never installed
            tell("watchword, not installed")
        ctx.exit(0)


@click.group(cls=Verbs)
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=version)
@shared_options
def root() -> None:
    """
    usage: watchword [--store PATH] VERB ...

    Verifies one-time passcodes for login gateways: each is accepted once, and ten wrong ones
    in a day lock the user.

        demo                    see a login, a replay refused and a lockout, in seconds
        init                    make a new store
        serve                   answer gateways on TCP
        config show             the daemon's settings, commented, to copy and change; also unit
        gateway token NAME      make a token for a gateway of the access list
        user add NAME           enrol a user; also list, show, unlock, remove, password, questions
        device add totp USER    give a user a device; also hotp, ocra, preset, passcode, sms
        card print USER SERIAL  draw a code card to print; also show
        challenge USER          ask a device that answers challenges
        verify USER             decide one login
        push USER               ask a phone to approve one; and phone, one to try it with
        key rotate              encrypt the store under a new key
        clock accept            believe the clock again after it has jumped
        audit                   who did what, when, to whom; also verify, head, kept
        explain USER            why the last attempts went as they did
        replay                  the same logins under another policy
        import FILE             users and devices from CSV; export writes it
        top                     what the daemon does, live; events: what happens in it
        backup DIRECTORY        copy the store while it works; restore, floors, upgrade
        policy show             the rules' figures in force, as a file; also check, diff, set

    --store PATH     the store's directory; else $WATCHWORD_STORE, or ./watchword-store
    --config FILE    the daemon's settings: they name the store, its key and its policy
    --version        which one this is
    --help           after any verb: what it takes

    While a daemon owns the store, every verb asks the daemon. Codes and keys come by prompt
    or standard input, never as arguments. Exit code 1 is a refusal or failure, 2 misuse.

    try:
        watchword init
        watchword user add alice
        watchword device add totp alice
        watchword verify alice
    """


for verb in (
    demo.demo, stores.init, stores.serve, stores.config, users.user, devices.device,
    cards.card, logins.challenge, logins.verify, pushes.push, pushes.phone, stores.key,
    stores.clock, audit.audit, audit.explain, replay.replay, policies.policy,
    bulk.import_users, bulk.export, gateways.gateway, top.top, events.events, backup.backup,
    backup.restore, backup.floors, backup.upgrade,
):  # fmt: skip
    root.add_command(verb)
for verb in (proof.head, proof.verify, proof.kept):
    audit.audit.add_command(verb)
for verb in (responders.ocra, responders.preset, given.passcode, given.sms):
    devices.add.add_command(verb)
for verb in (secrets.password, secrets.questions, secrets.question, secrets.answer):
    users.user.add_command(verb)
for verb in (
    entering.addresses, entering.identity, entering.opt_out, entering.opt_in, entering.limits,
    entering.withdrawal,
):
    users.user.add_command(verb)
for verb in (secrets.pin, entering.share, entering.unshare, *life.VERBS):
    devices.device.add_command(verb)


def run(arguments: Sequence[str]) -> int:
    """The exit code of one command line. Every way to fail passes here, and only here."""
    try:
        return int(root.main(list(arguments), prog_name="watchword", standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return 2
    except click.UsageError as error:
        complain(misuse(error))
        hint(f"see {error.ctx.command_path if error.ctx else 'watchword'} --help")
        return 2
    except (click.Abort, KeyboardInterrupt):
        complain("interrupted")
        return 1
    except Error as error:
        complain(str(error.args[0]))
        if error.hint:
            hint(error.hint)
        return 2 if isinstance(error, InvalidArgument) else 1
    except BrokenPipeError:
        abandon_output()  # the reader left, as in `| head`
        return 1
    except OSError as error:
        complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        if error.filename == STANDARD_OUTPUT:
            abandon_output()
        return 1


def abandon_output() -> None:
    """Python would try and complain again while it closes stdout."""
    with contextlib.suppress(io.UnsupportedOperation):  # no file is behind it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def misuse(error: click.UsageError) -> str:
    """Click's sentence in our voice. An argument too many is not repeated: it may be a code."""
    text = error.format_message()
    if "unexpected extra argument" in text:
        return "one argument too many; codes and keys come by prompt or standard input"
    return spoken(text.replace(". Did you mean", "; did you mean"))


def stopped(_: int, __: FrameType | None) -> NoReturn:
    """SIGTERM and SIGHUP are ctrl-c: whoever makes something removes what is half made."""
    raise KeyboardInterrupt


def open_streams() -> None:
    """Where one of the three streams is closed, the next file opened would have its number, and be
    written to as if it were the stream. Nothing is read then, and what is written fails."""
    for number, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # the lowest number that is free, which is this one
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.isatty():
            stream.reconfigure(errors="replace")  # a name that this terminal cannot show
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")  # as files are read, whatever the locale says


def main() -> NoReturn:
    """The entry point of the `watchword` program."""
    open_streams()
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, stopped)
    sys.exit(run(sys.argv[1:]))
