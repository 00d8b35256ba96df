"""`watchword user addresses | identity | opt-out | opt-in | limits | withdrawal` and `watchword
device share | unshare`: entry by other roads than a device of one's own.

Rule: codes, passwords and identity data come by prompt or standard input, a line each and in the
order that help says.
"""

import sys

import click

from watchword import EntryView, Limits
from watchword.cli.doors import enter
from watchword.cli.entry_doors import Credentials
from watchword.cli.logins import speak
from watchword.cli.options import act_options, secret_line, shared_options
from watchword.cli.words import Verb, complain, note, tell
from watchword.errors import InvalidArgument

__all__ = [
    "addresses", "entry_lines", "identity", "limits", "opt_in", "opt_out", "share", "unshare",
    "withdrawal",
]  # fmt: skip

PLATFORMS = click.Choice(["trading", "portal"])


def entry_lines(entry: EntryView) -> list[str]:
    """What `user show` says of entry; nothing of a user who has nothing of it."""
    said = []
    if entry.has_password or entry.questions:
        known = ["a password"] * entry.has_password
        known += [f"{entry.questions} security questions"] if entry.questions else []
        said.append(f"knows {' and '.join(known)}")
    if entry.addresses:
        said.append(f"may come from {', '.join(entry.addresses)} alone")
    if entry.opted_out:
        said.append("opted out: no device on trading")
    if entry.identity_set:
        said.append("identity data are told")
    return said + [f"device {one}" for one in entry.shared]


@click.command(cls=Verb)
@click.argument("name")
@click.argument("ranges", nargs=-1)
@click.option("--clear", is_flag=True)
@act_options
def addresses(name: str, ranges: tuple[str, ...], clear: bool) -> None:
    """
    usage: watchword user addresses NAME RANGE ... | --clear

    From where alone a user may come: up to 15 ranges, IPv4 or IPv6. An attempt from elsewhere, or
    that says no address, is not permitted, whatever else it says; it is not looked at, uses up
    nothing and is charged to where it came from. What was set before goes.

    --clear         from anywhere again
    --by WHO         who does it, for the record; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword user addresses alice 192.0.2.0/24 2001:db8::/32
        watchword user opt-out alice
    """
    if clear == bool(ranges):
        raise click.UsageError("one range or more, or --clear")
    with enter() as door:
        door.set_addresses(name, ranges)
    note(f"{name} may come from {', '.join(ranges) + ' alone' if ranges else 'anywhere'}")


@click.command(cls=Verb)
@click.argument("name")
@click.option("--clear", is_flag=True)
@act_options
def identity(name: str, clear: bool) -> None:
    """
    usage: watchword user identity NAME [--clear]

    Who is behind a user: birth date, ID, names and so on, a line each from standard input, in one
    order for every user. Only a keyed digest is kept, and only held against another user's when a
    device is to be shared.

    --clear         forget it
    --by WHO         who does it, for the record; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword user identity alice < alice.txt
        watchword device share bob alice W00000001
    """
    texts = [] if clear else told_lines()
    with enter() as door:
        door.set_identity(name, texts)
    note(f"{name}'s identity data are {'forgotten' if clear else 'told'}")


def told_lines() -> list[str]:
    if sys.stdin.isatty():
        return [secret_line("identity data")]
    texts = [line for line in sys.stdin.read(8192).splitlines() if line]
    if not texts:
        raise InvalidArgument("no identity data on standard input")
    return texts


@click.command("opt-out", cls=Verb)
@click.argument("name")
@act_options
def opt_out(name: str) -> None:
    """
    usage: watchword user opt-out NAME

    A user needs no device on the trading platform any more: nothing is typed, and the password
    must be right or a gateway vouch for it. The portal always asks. Only for a user who may not
    come from anywhere.

    --by WHO         who does it, for the record; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword user addresses alice 192.0.2.0/24
        watchword user opt-out alice
    """
    with enter() as door:
        door.opt_out(name)
    note(f"{name} has opted out: no device on trading")


@click.command("opt-in", cls=Verb)
@click.argument("name")
@click.option("--password", is_flag=True)
@click.option("--device", metavar="SERIAL", default=None)
@click.option("--challenge", metavar="ID", default=None)
@click.option("--platform", type=PLATFORMS, default="portal")
@click.option("--address", metavar="IP", default=None)
@shared_options
def opt_in(
    name: str, password: bool, device: str | None, challenge: str | None, platform: str,
    address: str | None,
) -> None:  # fmt: skip
    """
    usage: watchword user opt-in NAME [options]

    A device is asked for again, as the user does it: reads a code, which has to be right. A login
    like any other: counted, and with a wrong code nothing changes.

    --password      read the user's password first
    --device        the one device whose code it is
    --challenge ID  the one challenge it answers
    --platform      where the user is                                portal
    --address IP    from where the user comes
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword user opt-in alice --address 192.0.2.7
    """
    first = secret_line("password") if password else None
    code = secret_line("code")
    with enter() as door:
        told = door.opt_in(name, Credentials(code, first, platform, device, challenge, address))
    speak(told, detail=False)


@click.command(cls=Verb)
@click.argument("name")
@shared_options
def limits(name: str) -> None:
    """
    usage: watchword user limits NAME

    Prints what a user may withdraw, by the highest rank of an active device, and what gateways
    reported: in US dollars, today and over five business days.

    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword user limits alice
    """
    with enter() as door:
        found = door.limits(name)
    for line in limit_lines(found):
        tell(line)


@click.command(cls=Verb)
@click.argument("name")
@click.argument("cents", type=click.IntRange(1))
@act_options
def withdrawal(name: str, cents: int) -> None:
    """
    usage: watchword user withdrawal NAME CENTS

    Reports a withdrawal that is about to be made, in cents. Within the limits it counts, and the
    exit code is 0; beyond them it is refused, which the journal keeps, and the exit code is 1.

    --by WHO         who does it, for the record; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword user withdrawal alice 250000
        watchword user limits alice
    """
    with enter() as door:
        within, found = door.withdraw(name, cents)
    for line in limit_lines(found):
        tell(line)
    if not within:
        complain(f"{dollars(cents)} is beyond the limit")
        click.get_current_context().exit(1)


def limit_lines(found: Limits) -> list[str]:
    by = f"device {found.device} ({found.kind})" if found.device else "no active device"
    return [
        f"rank {found.rank}, by {by}",
        f"a day: {share_of(found.day_used_cents, found.day_cents)}",
        f"five business days: {share_of(found.five_days_used_cents, found.five_days_cents)}",
    ]


def share_of(used: int, most: int | None) -> str:
    return f"{dollars(used)} of {'any amount' if most is None else dollars(most)}"


def dollars(cents: int) -> str:
    return f"USD {cents // 100:,}.{cents % 100:02d}"


@click.command(cls=Verb)
@click.argument("user")
@click.argument("owner")
@click.argument("serial")
@click.option("--password", is_flag=True)
@click.option("--challenge", metavar="ID", default=None)
@click.option("--platform", type=PLATFORMS, default="portal")
@click.option("--address", metavar="IP", default=None)
@shared_options
def share(
    user: str, owner: str, serial: str, password: bool, challenge: str | None, platform: str,
    address: str | None,
) -> None:  # fmt: skip
    """
    usage: watchword device share USER OWNER SERIAL [options]

    USER is to have OWNER's device as well: reads a code of it. A login of OWNER like any other:
    counted, and with a wrong code nothing changes. Refused when the identity data of the two
    differ, when either has a temporary device, or when another device of theirs ranks higher.
    From then on a code that one of them used is used; failures and locks stay each one's own.

    --password      read OWNER's password first
    --challenge ID  the one challenge it answers
    --platform      where it is asked                                portal
    --address IP    from where it is asked
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword device share bob alice W00000001
    """
    first = secret_line("password") if password else None
    code = secret_line("code")
    by = Credentials(code, first, platform, None, challenge, address)
    with enter() as door:
        told, refused = door.share(user, owner, serial, by)
    if told and refused:
        complain(f"not shared: {refused}")
        click.get_current_context().exit(1)
    if told:
        note(f"{user} has device {serial} of {owner} as well")
    speak(told, detail=False)


@click.command(cls=Verb)
@click.argument("user")
@click.argument("serial")
@act_options
def unshare(user: str, serial: str) -> None:
    """
    usage: watchword device unshare USER SERIAL

    Takes a shared device back: from USER, to whom it was lent, or, where USER is its owner, from
    everyone else.

    --by WHO         who does it, for the record; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword device unshare bob W00000001
    """
    with enter() as door:
        door.unshare(user, serial)
    note(f"device {serial} is not shared any more")
