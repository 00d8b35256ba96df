"""The crash rigs from the command line, from the project's root: short runs and long ones.

    python -m tests.crash replay --states 10000     recorded writes, cut and torn
    python -m tests.crash loop --cuts 20            a real ext4, shut down without flushing
    python -m tests.crash kill --rounds 50          kill -9 of the daemon under load
    python -m tests.crash faults --every 3          every third call on the disk fails

--until N instead goes on from what earlier runs with --keep came to, until N in all; --keep writes
a line to tests/totals.jsonl every minute or so. Exit code 1: something was lost; the last lines
say what, and from which seed. Keys and threads are not drawn from it, so a seed brings back much,
not all: WATCHWORD_CRASH_KEEP=folder keeps the very disks that failed a replay.
"""

import argparse
import json
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import totals

from .preload import build, is_preloaded, preloaded

Told = Callable[[int], None]
Turn = Callable[[int, str, Told], tuple[dict[str, int], list[str]]]

CHUNKS = {"states": 20_000, "cuts": 250, "rounds": 50}  # about a minute each
PLAIN_SECONDS = 15.0


class Progress:
    """A line that moves on a terminal; one now and then elsewhere."""

    def __init__(self, rig: str, count: str, begun: int, goal: int) -> None:
        self._rig, self._count, self._begun, self._goal = rig, count, begun, goal
        self.before = begun  # what the parts that are over came to
        self._start = self._last = time.monotonic()
        self._moves = sys.stderr.isatty()

    def at(self, part: int) -> None:
        """So much of the part that is running is done."""
        done, now = self.before + part, time.monotonic()
        if now - self._last < (0.2 if self._moves else PLAIN_SECONDS):
            return
        self._last = now
        rate = (done - self._begun) / (now - self._start)
        line = f"{self._rig}: {done:,} of {self._goal:,} {self._count}, {rate:,.1f} a second"
        print(f"\r{line}\x1b[K" if self._moves else line, end="" if self._moves else "\n",
              file=sys.stderr, flush=True)

    def done(self) -> None:
        if self._moves:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


@contextmanager
def quick() -> Iterator[Path]:
    """A folder in memory where there is one."""
    home = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="watchword-crash-", dir=home) as folder:
        yield Path(folder)


def replay(states: int, seed: str, told: Told) -> tuple[dict[str, int], list[str]]:
    from .replay import Replay

    with quick() as folder:
        done = Replay(str(folder), seed).run(states, lambda rig: told(rig.states))
    counts = {"states": done.states, "disks": done.disks, "recordings": done.recordings}
    counts |= {policy.replace(" ", "_"): count for policy, count in done.policies.items()}
    return counts, done.failures


def loop(cuts: int, seed: str, told: Told) -> tuple[dict[str, int], list[str]]:
    from .loop import Loop

    with quick() as folder:
        rig = Loop(folder, seed)
        rig.run(cuts, lambda rig: told(rig.cuts))
    return {"cuts": rig.cuts, "turns": rig.turns}, rig.failures


def kill(rounds: int, seed: str, told: Told) -> tuple[dict[str, int], list[str]]:
    from .kill import Kill

    rig = Kill(seed)
    rig.run(rounds, lambda rig: told(rig.rounds))
    return {"rounds": rig.rounds, "accepted": rig.accepted, "again": rig.again}, rig.failures


def faults(every: int, seed: str, keep: bool) -> int:
    """Every life, every error, once and for good; each in a process of its own."""
    from .sweep import CODES, HOWS, KINDS

    calls, failures, start = 0, [], time.monotonic()
    with quick() as folder:
        library = build(folder)
        for kind in KINDS:
            for code in CODES:
                for how in HOWS:
                    place = folder / f"{kind}-{code}-{how}"
                    place.mkdir()
                    done = preloaded(library, "sweep", place, code, how, kind, seed, every,
                                     quiet=True)
                    if done.returncode:
                        failures.append(done.stderr.strip()[-2000:])
                        continue
                    calls += int(done.stdout)
                    print(f"crash faults: {kind}, {code}, {how}: {int(done.stdout):,} calls failed",
                          file=sys.stderr, flush=True)
    return ended("crash faults", {"calls": calls}, failures, start, seed, keep, every=every)


def plants(states: int, seed: str) -> int:
    """Each planted bug under the replay; one line of JSON: what was found, by name."""
    from .plants import REPLAY
    from .replay import Replay

    said = {}
    for name, plant in REPLAY.items():
        with quick() as folder:
            figures = Replay(str(folder), seed, plant).run(states)
        said[name] = [figures.states, *figures.failures]
    print(json.dumps(said))
    return 0


def drive(rig: str, count: str, amount: int, seed: str, keep: bool, until: int, turn: Turn) -> int:
    """Runs a rig in chunks, so that a kill of this process loses a minute; the exit code."""
    begun = totals.so_far(rig, count) if until else 0
    goal = until or amount
    progress, number, sums = Progress(rig, count, begun, goal), 0, {count: begun}
    start = time.monotonic()
    while sums[count] < goal:
        number += 1
        own, chunk_start = f"{seed}.{number}", time.monotonic()
        progress.before = sums[count]
        counts, failures = turn(min(CHUNKS[count], goal - sums[count]), own, progress.at)
        sums = {name: sums.get(name, 0) + more for name, more in counts.items()}
        if keep:
            note(rig, counts, failures, chunk_start, own)
        if failures:
            progress.done()
            return ended(rig, sums, failures, start, seed, False)
    progress.done()
    return ended(rig, sums, [], start, seed, False)


def note(rig: str, counts: dict[str, int], failures: list[str], start: float, seed: str,
         **more: int) -> None:
    seconds = round(time.monotonic() - start, 1)
    totals.add(rig, **counts, failures=len(failures), seconds=seconds, seed=seed, **more)


def ended(rig: str, counts: dict[str, int], failures: list[str], start: float, seed: str,
          keep: bool, **more: int) -> int:
    """The last words of a run."""
    if keep:
        note(rig, counts, failures, start, seed, **more)
    for failure in failures:
        print(f"{rig}: {failure}", file=sys.stderr)
    said = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items())
    print(f"{rig}: {said}; {len(failures)} failures; {time.monotonic() - start:.0f} s, seed {seed}")
    return 1 if failures else 0


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.crash", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    rigs = parser.add_subparsers(dest="rig", required=True)
    for name, count, usual in (
        ("replay", "states", 10_000), ("loop", "cuts", 20), ("kill", "rounds", 50)
    ):
        rig = rigs.add_parser(name)
        rig.add_argument(f"--{count}", dest="amount", type=int, default=usual,
                         help=f"how many {count} (default {usual:,})")
        rig.add_argument("--until", type=int, default=0,
                         help=f"go on until the runs that were kept come to so many {count}")
        rig.set_defaults(count=count)
    rig = rigs.add_parser("faults")
    rig.add_argument("--every", type=int, default=3, help="of the calls fail every so many-th")
    for rig in rigs.choices.values():
        rig.add_argument("--seed", default="", help="what the run is drawn from")
        rig.add_argument("--keep", action="store_true", help="add a line to tests/totals.jsonl")
    rig = rigs.add_parser("plants", help="the replay against bugs that were planted")
    rig.add_argument("--states", type=int, default=20_000, help="at most, for each")
    rig.add_argument("--seed", default="")
    one = rigs.add_parser("sweep", help="one part of faults, below the preloaded library")
    for word in ("place", "code", "how", "kind", "seed"):
        one.add_argument(word)
    one.add_argument("every", type=int)
    return parser


def main() -> int:
    given = arguments().parse_args()
    if given.rig == "sweep":
        from .sweep import sweep

        print(sweep(Path(given.place), given.code, given.how, given.kind, given.seed, given.every))
        return 0
    seed = given.seed or secrets.token_hex(4)
    if given.rig == "faults":
        return faults(given.every, seed, given.keep)
    if given.rig in ("replay", "plants") and not is_preloaded():
        with tempfile.TemporaryDirectory() as folder:
            return preloaded(build(Path(folder)), *sys.argv[1:]).returncode
    if given.rig == "plants":
        return plants(given.states, seed)
    if given.rig == "loop":
        from .loop import why_not

        with quick() as folder:
            why = why_not(folder)
        if why:
            print(f"crash loop: no loop device here ({why}); nothing was cut")
            return int("not found" in why)  # a program can be installed, a right cannot
    turn: Any = {"replay": replay, "loop": loop, "kill": kill}[given.rig]
    rig = f"crash {given.rig}"
    return drive(rig, given.count, given.amount, seed, given.keep, given.until, turn)


if __name__ == "__main__":
    sys.exit(main())
