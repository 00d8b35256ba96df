"""`watchword user`: who may log in."""

import time

import click

from watchword.cli.doors import enter
from watchword.cli.entering import entry_lines
from watchword.cli.options import act_options, shared_options, who
from watchword.cli.words import Verb, Verbs, duration, note, table, tell

__all__ = ["user"]

STATES = ("open", "pending", "closed")
REALMS = ("live", "paper")
NAMES_AT_ONCE = 1000  # as many as the daemon gives in one answer


@click.group(cls=Verbs)
@shared_options
def user() -> None:
    """
    usage: watchword user add | list | show | unlock | remove | password | addresses ...

        add NAME       enrol a user
        list           every user's name, one a line
        show NAME      state, failures, lock and devices
        unlock NAME    end a lock, and take back what it counted
        remove NAME    forget a user; codes already used stay used
        password NAME  set, change or clear a password
        questions NAME  set or clear security questions
        question NAME  ask one
        answer NAME ID  decide its answer
        addresses NAME RANGE ...  from where alone attempts may come
        identity NAME  who is behind it, for sharing a device
        opt-out NAME   no device on trading; opt-in NAME: again
        limits NAME    what may be withdrawn; withdrawal NAME CENTS: what is

    try:
        watchword user add alice
        watchword user show alice
    """


@user.command(cls=Verb)
@click.argument("name")
@click.option("--state", type=click.Choice(STATES), default="open")
@click.option("--realm", type=click.Choice(REALMS), default="live")
@act_options
def add(name: str, state: str, realm: str) -> None:
    """
    usage: watchword user add NAME [--state open|pending|closed] [--realm live|paper]

    Enrols a user: 1 to 64 lower-case letters and digits. A user who is pending or closed opens
    the portal only.

    --by WHO         who does it, for the record; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword user add alice
        watchword device add totp alice
    """
    with enter() as door:
        door.add_user(name, state, realm)
    note(f"{name} is enrolled")


@user.command("list", cls=Verb)
@shared_options
def list_users() -> None:
    """
    usage: watchword user list

    Prints every user's name, one a line, in no particular order.

    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword user list | wc -l
    """
    with enter() as door:
        names = door.users("", NAMES_AT_ONCE)
        while names:
            tell("\n".join(names))
            names = door.users(names[-1], NAMES_AT_ONCE)


@user.command(cls=Verb)
@click.argument("name")
@shared_options
def show(name: str) -> None:
    """
    usage: watchword user show NAME

    Prints what the store knows of a user, and a line for each device. Never a key.

    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword user show alice
    """
    with enter() as door:
        seen, entry = door.user(name), door.entry(name)
    left_ms = (seen.locked_until_ms or 0) - time.time_ns() // 1_000_000
    lock = f"locked for {duration(left_ms)}" if left_ms > 0 else "not locked"
    tell(f"{seen.name}: {seen.state}, {seen.realm}, {lock}, failures in a row: {seen.failures}")
    for line in entry_lines(entry):
        tell(line)
    if seen.devices:
        columns = ["serial", "kind", "state", "algorithm", "digits", "failures"]
        table(columns, [[str(getattr(d, name)) for name in columns] for d in seen.devices])


@user.command(cls=Verb)
@click.argument("name")
@act_options
def unlock(name: str) -> None:
    """
    usage: watchword user unlock NAME [--by WHO]

    Empties the streak of failures, and makes devices active again that too many failures had
    suspended. The journal keeps who did it.

    --by WHO        who unlocks; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword user unlock alice --by "desk 4"
    """
    with enter() as door:
        door.unlock(name, who())
    note(f"{name} is unlocked")


@user.command(cls=Verb)
@click.argument("name")
@act_options
def remove(name: str) -> None:
    """
    usage: watchword user remove NAME

    Forgets a user and the user's devices. Codes already used stay used: a key that is enrolled
    again begins where it ended.

    --by WHO         who does it, for the record; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword user remove alice
    """
    with enter() as door:
        door.remove_user(name)
    note(f"{name} is removed")
