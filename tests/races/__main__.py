"""`python -m tests.races --rounds N`: the contests; `threads`: the core under ThreadSanitizer.

Ends with 1 when in some round not exactly one was let in, when the sanitizer says anything, or when
it does not see what is planted.
"""

import random
import sys
import tempfile
import time
from pathlib import Path

import click

from tests import totals
from tests.races.contests import CONTESTS, CountError
from tests.races.sanitized import PLANTED, reported

BLOCK = 2_000  # rounds on one store; a line is added to the totals after each
NAMES = [contest.name for contest in CONTESTS]


@click.group(invoke_without_command=True)
@click.option("--rounds", default=10_000, help="Of each contest.")
@click.option("--contest", "names", multiple=True, type=click.Choice(NAMES), help="Only these.")
@click.option("--seed", default=None, type=int, help="Draws the same keys and orders again.")
@click.option("--keep", is_flag=True, help="Adds the figures to tests/totals.jsonl.")
@click.option("--until", default=0, help="Goes on until each contest has so many in the totals.")
@click.pass_context
def main(context: click.Context, rounds: int, names: tuple[str, ...], seed: int | None,
         keep: bool, until: int) -> None:
    """Contests with one code: exactly one is let in, in every round."""
    if context.invoked_subcommand is not None:
        return
    drawn = time.time_ns() % 2**32 if seed is None else seed
    click.echo(f"{rounds:,} rounds of each contest, seed {drawn}")
    try:
        for contest in CONTESTS:
            if names and contest.name not in names:
                continue
            wanted = rounds
            if until:
                wanted = max(0, until - totals.so_far("races", contest.name))
            began, done = time.monotonic(), 0
            while done < wanted:
                block = min(BLOCK, wanted - done)
                with tempfile.TemporaryDirectory(prefix="watchword-races-") as folder:
                    contest(Path(folder), random.Random(f"{drawn}:{done}"), block).judge()
                done += block
                if keep:
                    totals.add("races", seed=str(drawn), **{contest.name: block})
                rate = done / (time.monotonic() - began)
                click.echo(f"{contest.name}: {done:,} rounds, one let in each; {rate:,.0f}/s")
    except CountError as error:
        click.echo(f"{error} (--seed {drawn})")
        sys.exit(1)


@main.command("threads")
@click.option("--rounds", default=2_000, help="Turns of each thread.")
@click.option("--keep", is_flag=True, help="Adds the figures to tests/totals.jsonl.")
def under_sanitizer(rounds: int, keep: bool) -> None:
    """Turns, acts and copies of pages from six threads; then the same with a race in it."""
    with tempfile.TemporaryDirectory(prefix="watchword-races-") as folder:
        said = reported(Path(folder), rounds)
        seen = all("data race" in reported(Path(folder), rounds, plant) for plant in PLANTED)
    click.echo(said or f"{rounds:,} rounds of six threads: no race")
    click.echo(f"planted races: {'seen' if seen else 'NOT SEEN'}")
    if keep and not said and seen:
        totals.add("races threads", rounds=rounds)
    sys.exit(0 if seen and not said else 1)


if __name__ == "__main__":
    main(prog_name="python -m tests.races")
