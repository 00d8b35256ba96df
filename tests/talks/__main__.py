"""Conversations with a daemon's access list from the command line, from the project's root.

    python -m tests.talks --seeds 1000
    python -m tests.talks --until 100000 --keep     adds up in tests/totals.jsonl
    python -m tests.talks --planted                 hunts the planted bugs instead

Exit code 1: something was given that the list does not give, or kept that it does; the last lines
say what, and from which seed.
"""

import argparse
import random
import sys
import time
from collections import Counter

from tests import totals
from tests.talks.plants import PLANTS, planted
from tests.talks.story import BrokenError, play

KEEP_EVERY = 2_000
HUNT_SEEDS = 300


def hunt(plant: str, seed: int) -> str:
    """What the model says of a planted bug; empty when it was not found."""
    with planted(plant):
        for number in range(HUNT_SEEDS):
            try:
                play(f"{seed}.{number}")
            except BrokenError as found:
                return str(found)
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.talks", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1_000, help="conversations")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--until", type=int, help="go on until the kept total is this much")
    parser.add_argument("--keep", action="store_true", help="add up in tests/totals.jsonl")
    parser.add_argument("--planted", action="store_true")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(2**31) if given.seed is None else given.seed
    if given.planted:
        missed = [plant for plant in PLANTS if not hunt(plant, seed)]
        print(f"{len(PLANTS) - len(missed)} of {len(PLANTS)} found; missed: {missed}; seed {seed}")
        return int(bool(missed))
    wanted = given.seeds
    if given.until is not None:
        wanted = given.until - totals.so_far("talks", "seeds")
    met: Counter[str] = Counter()
    start = last = time.monotonic()
    kept = done = 0
    while done < wanted:
        try:
            met += play(f"{seed}.{done}")
        except BrokenError as error:
            print(error)
            return 1
        done += 1
        if given.keep and (done - kept == KEEP_EVERY or done == wanted):
            now = time.monotonic()
            totals.add("talks", seeds=done - kept, seconds=round(now - last), found=0)
            kept, last = done, now
    seconds = time.monotonic() - start
    print(f"talks: {done:,} conversations, {sum(met.values()):,} answers in {seconds:.0f} s; "
          f"0 failures; seed {seed}", file=sys.stderr)  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
