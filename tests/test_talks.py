"""Conversations with an access list, in their short form, and every bug planted for them
(tests/talks).

`python -m tests.talks` is the long form.
"""

from collections import Counter

import pytest
from conftest import Seeded

from tests.talks.__main__ import hunt
from tests.talks.plants import PLANTS
from tests.talks.story import BrokenError, play

SEEDS = 150
MET = ("OK", "server", "-NOAUTH", "-WRONGPASS", "-NOPERM", "-NOTFOUND", "-ERR", "RESET", "ACCEPTED",
       "REJECTED", "LOCKED", "CHALLENGE", "NOT_PERMITTED", "BUSY", "verdict", "id",
       "another list")  # fmt: skip


def test_a_gateway_gets_what_the_list_gives_it(rng: Seeded) -> None:
    met: Counter[str] = Counter()
    for number in range(SEEDS):
        try:
            met += play(f"{rng.text}.{number}")
        except BrokenError as error:
            pytest.fail(str(error), pytrace=False)
    assert [what for what in MET if not met[what]] == []


@pytest.mark.parametrize("plant", PLANTS)
def test_a_hole_that_is_planted_is_found(plant: str, seed: int) -> None:
    assert hunt(plant, seed), f"{plant}: not found (seed {seed})"
