"""python -m tests.sim: plays stories from a seed on, and tells every failure as short as it can.

    python -m tests.sim --seconds 60 --seed 1          for a while
    python -m tests.sim --seeds 10000 --until 10000    the long form: so many in all, kept in totals
    python -m tests.sim --plant answer_before_sync     until a planted bug is found
"""

import argparse
import sys
import time
from collections import Counter
from itertools import count

from tests import totals
from tests.sim.many import played, small_pages
from tests.sim.plants import PLANTS, planted
from tests.sim.shrink import shrunk, told
from tests.sim.story import story_of

RIG = "sim"
PROGRESS_SECONDS, KEEP_SECONDS = 20.0, 50.0
PLANT_SEEDS_MAX = 2_000


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--seconds", type=float, default=0, help="play for so long")
    parser.add_argument("--seeds", type=int, default=0, help="play so many")
    parser.add_argument("--turns", type=int, default=300, help="turns of a story, about")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--plant", choices=sorted(PLANTS), default="", help="plant a bug; find it")
    parser.add_argument("--keep", action="store_true", help="add the figures to the totals")
    parser.add_argument("--until", type=int, default=0, help="go on until the totals have so many")
    parser.add_argument("--no-shrink", action="store_true", help="tell a failure as it came")
    return parser.parse_args()


def tell(seed: int, said: str, turns: int, plant: str, shrink: bool) -> None:
    story = story_of(seed, turns)
    print(f"seed {seed} failed{f' with {plant} planted' if plant else ''}: {said}", flush=True)
    if shrink:
        with planted(plant):
            steps, said = shrunk(seed, story)
        print(told(seed, story, said, steps), flush=True)


def main() -> int:
    given = arguments()
    small_pages()
    first = given.seed
    if given.until:
        so_far = totals.so_far(RIG, "seeds")
        first, given.seeds = first + so_far, max(0, given.until - so_far)
        given.keep = True
        if not given.seeds:
            print(f"{so_far:,} seeds are kept already")
            return 0
    if given.plant and not given.seeds:
        given.seeds = PLANT_SEEDS_MAX
    if not given.seeds and not given.seconds:
        given.seconds = 60.0
    seeds = count(first) if not given.seeds else range(first, first + given.seeds)
    began = shown = written = time.monotonic()
    figures, kept = Counter[str](), Counter[str]()
    for seed, said, counted in played(seeds, given.turns, given.plant, given.jobs):
        figures += counted
        if said:
            tell(seed, said, given.turns, given.plant, not given.no_shrink)
            if given.plant:
                break
        now = time.monotonic()
        if now - shown >= PROGRESS_SECONDS:
            shown = now
            print(line(figures, now - began), flush=True)
        if given.keep and now - written >= KEEP_SECONDS:
            written = now
            keep(figures - kept, given.turns)
            kept = Counter(figures)
        if given.seconds and now - began >= given.seconds:
            break
    print(line(figures, time.monotonic() - began))
    if given.keep and figures["seeds"] > kept["seeds"]:
        keep(figures - kept, given.turns)
    return int(figures["failures"] > 0) ^ bool(given.plant)


def line(figures: Counter[str], seconds: float) -> str:
    said = ", ".join(f"{value:,} {name}" for name, value in figures.items())
    return f"{said}; {figures['seeds'] / max(seconds, 0.001):.1f} seeds/s"


def keep(figures: Counter[str], turns: int) -> None:
    """A line of the totals; `failures` stands there even when there are none."""
    totals.add(RIG, story_turns=str(turns), **{"failures": 0, **figures})


if __name__ == "__main__":
    sys.exit(main())
