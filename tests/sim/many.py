"""Many seeds one after the other, or spread over processes; each is played on its own."""

import ctypes
import multiprocessing
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice

from tests.sim.plants import planted
from tests.sim.shrink import outcome_of
from tests.sim.story import story_of

__all__ = ["Played", "play", "played", "small_pages"]

PR_SET_THP_DISABLE = 41
BLOCK_SEEDS, CHUNK_SEEDS = 50, 5  # handed out to each process at a time, and in pieces of
Played = tuple[int, str, Counter[str]]


def small_pages() -> None:
    """An engine's tables are hardly used here: huge pages would be cleared for every life."""
    ctypes.CDLL(None).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)


def play(task: tuple[int, int, str]) -> Played:
    """One seed: what was broken, and the figures."""
    seed, turns, plant = task
    with planted(plant):
        said, world = outcome_of(seed, story_of(seed, turns))
    checker = world.checker
    return seed, said, Counter(
        seeds=1, turns=checker.turns, answers=checker.answers, accepted=checker.accepted,
        lives=checker.lives, crashes=world.crashes, faults=world.machine.disk.struck,
        operations=world.machine.disk.operations, failures=int(bool(said)),
    )  # fmt: skip


def played(seeds: Iterable[int], turns: int, plant: str, jobs: int) -> Iterator[Played]:
    """Every outcome, in the order of seeds: whoever stops here goes on from their count."""
    tasks = ((seed, turns, plant) for seed in seeds)
    if jobs == 1:
        yield from map(play, tasks)
        return
    context = multiprocessing.get_context("forkserver")
    # An executor, not a pool: a process that dies of a bug in the core is told, not replaced.
    with ProcessPoolExecutor(jobs, context, small_pages) as pool:
        while block := list(islice(tasks, BLOCK_SEEDS * jobs)):
            yield from pool.map(play, block, chunksize=CHUNK_SEEDS)
