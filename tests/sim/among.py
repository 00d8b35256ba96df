"""What comes between a story's own steps, each sort by dice of its own: a seed does besides what it
always did."""

from collections.abc import Callable
from typing import Any

from tests.sim.asking import with_asking
from tests.sim.entering import entered
from tests.sim.given import with_ids
from tests.sim.living import with_life
from tests.sim.passing import with_passwords
from tests.sim.repins import with_repins

__all__ = ["with_more"]

Step = tuple[Any, ...]


def with_more(
    seed: int, steps: list[Step], users: list[str], device: Callable[..., dict[str, Any]]
) -> list[Step]:
    """device: draws words, by dice that are lent to it."""
    told = with_ids(seed, entered(seed, with_life(seed, steps, users, device)))
    told = with_passwords(seed, with_repins(seed, told, users), users)
    return with_asking(seed, told, users)
