"""What comes between a story's own steps, each sort by dice of its own: a seed does besides what it
always did."""

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tests.sim import asking, lending, pinned, pushing, repins
from tests.sim.entering import entered
from tests.sim.given import with_ids
from tests.sim.living import with_life
from tests.sim.passing import Episode

__all__ = ["with_more"]

Step = tuple[Any, ...]


class Sort(NamedTuple):
    """Episodes of one sort: in how many stories there are none, how many a story may have, and one
    of them; users_min: fewer have no use for them."""

    name: str
    without: float
    counts: tuple[int, ...]
    drawn: Callable[[random.Random, Sequence[str]], list[Step]]
    users_min: int = 1


SORTS = (
    Sort("repins", 0.5, (1, 2, 3), repins.episode, users_min=2),
    Sort("passwords", 0.4, (1, 2, 4), lambda rng, users: Episode(rng, users).steps()),
    Sort("asking", 0.5, (1, 2, 3), asking.episode),
    Sort("pushing", 0.5, (1, 2, 3), pushing.episode),
    Sort("lending", 0.5, (1, 2), lending.episode, users_min=2),
    Sort("pins", 0.6, (1, 2, 3), pinned.episode),
)


def with_more(
    seed: int, steps: list[Step], users: list[str], device: Callable[..., dict[str, Any]]
) -> list[Step]:
    """device: draws words, by dice that are lent to it."""
    told = with_ids(seed, entered(seed, with_life(seed, steps, users, device)))
    for sort in SORTS:
        told = among(told, sort, random.Random(f"{sort.name} {seed}"), users)
    return told


def among(
    steps: list[Step], sort: Sort, rng: random.Random, users: Sequence[str]
) -> list[Step]:
    """A story's steps, and in some stories episodes of a sort between them."""
    if len(users) < sort.users_min or rng.random() < sort.without:
        return steps
    told = list(steps)
    for _ in range(rng.choice(sort.counts)):
        at = rng.randrange(len(told) // 4, len(told))
        told[at:at] = sort.drawn(rng, users)
    return told
