"""`watchword policy`: the rules' figures, as a file to read, change, try and put in force."""

import sys
from contextlib import nullcontext

import click

from watchword.cli.doors import Door, enter, is_store
from watchword.cli.options import act_options, settings, shared_options, who
from watchword.cli.words import Verb, Verbs, complain, hint, note, table, tell
from watchword.figures import changes, dangers, text_of
from watchword.policy import Policy

__all__ = ["policy"]

PROFILES = ("default", "strict")


@click.group(cls=Verbs)
@shared_options
def policy() -> None:
    """
    usage: watchword policy show | check | diff | set ...

        show          every figure in force, as a file, with what it means and what is legal
        check FILE    whether a file is a policy, and what it would do that it should not
        diff FILE     what would change: the figure in force, and the file's
        set FILE      put a file in force, at once; recorded with who did it

    try:
        watchword policy show > policy.toml
        watchword policy diff policy.toml
    """


def read(file: str) -> Policy:
    """The policy of a file, or of standard input."""
    if file == "-":
        return Policy.from_text(sys.stdin.read(), name="standard input")
    return Policy.load(file)


@policy.command(cls=Verb)
@click.option("--profile", type=click.Choice(PROFILES), default=None)
@shared_options
def show(profile: str | None) -> None:
    """
    usage: watchword policy show [--profile default|strict]

    Prints the policy in force as a file that says the same: every figure with what it means, its
    unit, what is legal and the section of the rules that has it.

    --profile NAME   a profile's figures, whatever is in force: default or strict
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword policy show --profile strict > strict.toml
        watchword policy diff strict.toml
    """
    if profile is not None:
        shown = Policy.profile(profile)
    else:
        with enter() as door:
            shown = door.policy()
    tell(text_of(shown).removesuffix("\n"))


@policy.command(cls=Verb)
@click.argument("file")
@shared_options
def check(file: str) -> None:
    """
    usage: watchword policy check FILE

    Says whether a file is a policy, and what it would do that nobody means: lock everyone out, or
    lower a floor that NIST SP 800-63B sets. That is held against the policy in force, or where
    there is no store against the default. Exit code 1: `policy set` would refuse it.

    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword policy show > policy.toml
        watchword policy check policy.toml
    """
    wanted = read(file)
    with (enter() if is_store(settings()) else nullcontext()) as door:
        found, count = weighed(door, wanted)
    note(f"{file} is a policy; {count} of its figures differ from {against(door)}")
    if found:
        warn(found)


@policy.command(cls=Verb)
@click.argument("file")
@shared_options
def diff(file: str) -> None:
    """
    usage: watchword policy diff FILE

    Prints a line for each figure that differs: its name, what is in force, what the file says, and
    what the figure means.

    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword policy show --profile strict > strict.toml
        watchword policy diff strict.toml
    """
    wanted = read(file)
    with enter() as door:
        found = changes(door.policy(), wanted)
        warnings = door.check_policy(wanted)
    if not found:
        note(f"{file} is the policy in force")
        return
    rows = [[change.figure, change.old, "->", change.new, change.meaning] for change in found]
    table(["figure", "in force", "", file, "meaning"], rows)
    for warning in warnings:
        note(f"warning: {warning}")


@policy.command("set", cls=Verb)
@click.argument("file")
@click.option("--force", is_flag=True)
@act_options
def set_policy(file: str, force: bool) -> None:
    """
    usage: watchword policy set FILE [--force] [--by WHO]

    Puts a policy in force, from the next login on, without a restart. The journal keeps who did it
    and what changed, and the store keeps the policy. Devices that are enrolled keep their figures.
    Where a daemon's settings have a [policy], that one is in force again at its next start.

    --force          also one that would lock everyone out or lowers a floor; recorded as forced
    --by WHO         who sets it; else your login name
    --store PATH     the store's directory
    --config FILE    the daemon's settings

    try:
        watchword policy show > policy.toml
        watchword policy set policy.toml --by "desk 4"
    """
    wanted = read(file)
    with enter() as door:
        warnings = door.check_policy(wanted)
        if warnings and not force:
            warn(warnings)
        changed = door.set_policy(wanted, who(), force)
    for warning in warnings:
        note(f"warning: {warning}")
    note(f"{file} is in force; figures that changed: {changed}")


def weighed(door: Door | None, wanted: Policy) -> tuple[list[str], int]:
    """What is wrong with a policy, and how many figures it changes."""
    if door is None:
        return dangers(Policy(), wanted), len(changes(Policy(), wanted))
    return door.check_policy(wanted), len(changes(door.policy(), wanted))


def against(door: Door | None) -> str:
    return "the default" if door is None else "those in force"


def warn(found: list[str]) -> None:
    """Refused: every reason, then how it can be had all the same."""
    for danger in found:
        complain(danger)
    hint("if that is meant: watchword policy set FILE --force, which is recorded")
    click.get_current_context().exit(1)
