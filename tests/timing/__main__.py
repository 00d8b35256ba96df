"""`python -m tests.timing`: measures, or runs one of the other instruments.

Measuring ends with 1 when a difference shows that should not, twice, or when a planted one does
not. What stands in ALLOWED_NS is known, and bounded in nanoseconds instead.
"""

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click

from tests import totals
from tests.timing import code, secrets, token
from tests.timing.built import Tree
from tests.timing.daemon import APART_NS_MAX, answered
from tests.timing.measure import ALLOWED_NS, CONTROLS, TARGETS, measure
from tests.timing.welch import CONTROL, GOAL, Weighed

SEED = click.option("--seed", default=None, type=int, help="Draws the same inputs again.")
KEEP = click.option("--keep", is_flag=True, help="Adds the figures to tests/totals.jsonl.")
A_PROCESS, PROCESSES_MAX = 50_000, 200


def pin() -> None:
    """One core, so that no measurement runs from one clock to another."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def drawn(seed: int | None) -> int:
    return time.time_ns() % 2**32 if seed is None else seed


def folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="watchword-timing-")


@click.group(invoke_without_command=True)
@click.option("--measurements", default=1_000_000, help="Of each pair of classes.")
@click.option("--target", "targets", multiple=True, type=click.Choice([*TARGETS, *CONTROLS]),
              help="Only these; all, and the controls, unless any is named.")
@SEED
@KEEP
@click.option("--processes", type=click.IntRange(1), help="Each measures its part; 1 for every "
              f"{A_PROCESS:,} measurements, {PROCESSES_MAX} at most, unless said.")
@click.option("--until", default=0, help="Goes on until that many stand in the totals.")
@click.pass_context
def main(context: click.Context, measurements: int, targets: tuple[str, ...], seed: int | None,
         keep: bool, processes: int | None, until: int) -> None:
    """Welch's t between classes of attempts; each class is held against `wrong`."""
    if context.invoked_subcommand is None:
        again = True
        while again:
            if until and totals.so_far("timing", "measurements") >= until:
                return
            names = targets or (*CONTROLS, *TARGETS)
            spread = processes or min(max(measurements // A_PROCESS, 1), PROCESSES_MAX)
            if not measure_all(measurements, names, drawn(seed), keep, spread):
                sys.exit(1)
            again = until > 0 and keep


def measure_all(
    count: int, names: tuple[str, ...], seed: int, keep: bool, processes: int
) -> bool:
    pin()
    sound, figures = True, dict[str, float]()
    click.echo(f"{count:,} measurements of each pair, in {processes} processes each, seed {seed}")
    with folder() as where:
        tree = Tree(Path(where), "gcc")
        for name in names:
            found = timed(name, tree, count, seed, processes)
            if name in CONTROLS:
                seen = max(abs(pair.t) for pair in found)
                sound &= seen > CONTROL
                click.echo(f"  planted early exit: |t| {seen:.1f}"
                           + ("" if seen > CONTROL else f", not above {CONTROL}: NOT SEEN"))
                continue
            if not told_of(name, found):
                # One of so many pairs comes above GOAL now and then; what is there is seen again.
                found = timed(name, tree, 4 * count, seed + 1, 4 * processes)
                sound &= told_of(name, found)
            for pair in found:
                figures[f"{name} {pair.name} t"] = round(abs(pair.t), 2)
                figures[f"{name} {pair.name} ns"] = round(pair.apart_ns, 2)
    if keep:
        totals.add("timing", measurements=count, seed=str(seed), **figures)
    return sound


def timed(name: str, tree: Tree, count: int, seed: int, processes: int) -> list[Weighed]:
    began = time.monotonic()
    shown = [0, began]

    def told(done: int) -> None:
        shown[0] += done
        if time.monotonic() - shown[1] > 10:
            shown[1] = time.monotonic()
            click.echo(f"{name}: {int(shown[0]):,} so far", err=True)

    found = measure(name, tree, count, seed, told, processes)
    click.echo(f"\n{name} ({time.monotonic() - began:.0f} s)")
    return found


def told_of(name: str, found: Sequence[Weighed]) -> bool:
    """Whether every pair is as it should be; what each is, said."""
    verdicts = [judged(name, pair) for pair in found]
    for pair, (_, said) in zip(found, verdicts, strict=True):
        click.echo(f"  {pair.said()}{said}")
    return all(fine for fine, _ in verdicts)


def judged(name: str, pair: Weighed) -> tuple[bool, str]:
    """Whether a pair is as it should be, and what to say of it."""
    if abs(pair.t) < GOAL:
        return True, ""
    allowed = ALLOWED_NS.get((name, pair.name))
    if allowed is None:
        return False, f": above {GOAL}"
    if abs(pair.apart_ns) <= allowed:
        return True, f": known, at most {allowed} ns"
    return False, f": known, but more than {allowed} ns"


@main.command("daemon")
@click.option("--users", default=1_000, help="Names that exist; as many are asked for that do not.")
@click.option("--answers", default=100_000)
@SEED
@KEEP
def over_a_socket(users: int, answers: int, seed: int | None, keep: bool) -> None:
    """The difference of medians between known and unknown names, over a daemon's socket."""
    with folder() as where:
        found = answered(Path(where), users, answers, drawn(seed))
    fine = abs(found.apart_ns) <= APART_NS_MAX
    click.echo(f"{users:,} users: {found.said()}")
    if not fine:
        click.echo(f"more than {APART_NS_MAX:,.0f} ns apart")
    if keep:
        totals.add("timing daemon", users=str(users), answers=found.count,
                   apart_ns=round(found.apart_ns, 1), median_ns=round(found.median_ns, 1))
    sys.exit(0 if fine else 1)


@main.command("token")
@click.option("--measurements", default=20_000, help="Of each pair of classes.")
@SEED
def of_the_list(measurements: int, seed: int | None) -> None:
    """What the access list takes over a wrong token, by class; and the control."""
    pin()
    seen = max(abs(pair.t) for pair in token.asked(measurements, drawn(seed), token.leaky))
    found = token.asked(measurements, drawn(seed))
    for pair in found:
        click.echo(f"  {pair.said()}, {100 * pair.apart_ns / pair.median_ns:+.2f} %")
    click.echo(f"  planted lookup by name: |t| {seen:.1f}")
    fine = all(abs(pair.apart_ns) <= token.APART_NS_MAX for pair in found)
    sys.exit(0 if fine and seen > CONTROL else 1)


@main.command("secrets")
def under_valgrind() -> None:
    """Whole turns with every secret marked: two compilers, four levels; then the planted leaks."""
    sound = True
    with folder() as where:
        for name, turns, rows in secrets.matrix(Path(where)):
            sound &= not turns and not rows
            click.echo(f"{name}: {'clean' if not turns + rows else turns + rows}")
        tree = secrets.sound_tree(Path(where), "gcc")
        for plant in secrets.PLANTS:
            seen = bool(secrets.planted_leaks(tree, plant))
            sound &= seen
            click.echo(f"planted {plant.name}: {'reported' if seen else 'NOT SEEN'}")
    sys.exit(0 if sound else 1)


@main.command("code")
def as_compiled() -> None:
    """No division by or into a secret, no jump on one, in what each compiler makes of the core."""
    sound = True
    with folder() as where:
        for compiler in secrets.COMPILERS:
            tree = Tree(Path(where) / compiler, compiler)
            found = code.complaints(tree)
            sound &= not found
            click.echo("\n".join([f"{compiler}: {len(found)} complaints", *found]))
            for plant in code.PLANTS:
                seen = bool(code.complaints(tree.planted(plant)))
                sound &= seen
                click.echo(f"{compiler}, planted {plant.name}: {'seen' if seen else 'NOT SEEN'}")
    sys.exit(0 if sound else 1)


if __name__ == "__main__":
    main(prog_name="python -m tests.timing")
