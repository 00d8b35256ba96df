"""tests/races in its short form: one code at one moment lets one in, and a store has one owner.

`python -m tests.races --rounds N` is the long form. What is planted has to be seen.
"""

import random
import signal
from pathlib import Path

import pytest

from tests.races.contests import CONTESTS, STORE_KEY, Contest, CountError, Processes, Threads
from tests.races.plants import ForgetfulConnections, LostUpdate, TwoOwners
from tests.races.sanitized import PLANTED, reported
from tests.served import Served
from tests.timing.secrets import release_tree
from watchword import Engine, StoreOwned

ROUNDS = 60


@pytest.mark.parametrize("contest", CONTESTS, ids=lambda contest: contest.name)
def test_one_code_at_one_moment_lets_one_in(
    contest: type[Contest], tmp_path: Path, rng: random.Random
) -> None:
    contest(tmp_path, rng, ROUNDS // 6 if contest is Processes else ROUNDS).judge()


def test_an_update_that_is_lost_lets_two_in(tmp_path: Path, rng: random.Random) -> None:
    with pytest.raises(CountError, match="were let in"):
        Threads(tmp_path, rng, 1_000, LostUpdate.open).judge()


@pytest.mark.parametrize("contest", [ForgetfulConnections, TwoOwners], ids=lambda made: made.name)
def test_a_code_that_is_not_used_up_lets_two_in(
    contest: type[Contest], tmp_path: Path, rng: random.Random
) -> None:
    with pytest.raises(CountError, match="were let in"):
        contest(tmp_path, rng, 3).judge()


def test_the_core_has_no_race_under_the_locks_of_an_engine(tmp_path: Path) -> None:
    assert reported(tmp_path, 100, rows=release_tree("gcc")) == ""
    for plant in PLANTED:
        said = reported(tmp_path, 100, plant, release_tree("gcc"))
        assert "data race" in said, f"{plant} went unseen"


def test_a_store_has_one_owner_among_daemons_and_engines(tmp_path: Path) -> None:
    """Whoever comes second is told who is first, and the first goes on serving."""
    first, second = Served(tmp_path), Served(tmp_path)
    first.start()
    owned = f"owned by process {first.pid}"
    try:
        with pytest.raises(AssertionError, match=owned):
            second.start()
        key = (tmp_path / "store.key").read_bytes()
        with pytest.raises(StoreOwned, match=owned):
            Engine.open(first.store, tmp_path / "store.key")
        assert (tmp_path / "store.key").read_bytes() == key
        hotp = first.enrol("alice")
        with first.client() as client:
            assert client.ask("VERIFY", "alice", hotp.at(0)) == "ACCEPTED"
    finally:
        assert first.stop(signal.SIGTERM) == 0
    with Engine.open(first.store, tmp_path / "store.key") as engine:
        assert not engine.verify("alice", hotp.at(0))
        with pytest.raises(AssertionError, match="owned by process"):
            second.start()
    assert STORE_KEY not in key
