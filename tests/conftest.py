"""What every test shares: a seed that is printed, and the banner that says what ran.

WATCHWORD_SEED=n repeats a run. A random source carries its seed in its repr, so that it stands in
the assertion that failed. The standing engine and the place for a store serve
every door's tests; any other fixture lives beside the tests that use it. Files that take long go
first, so that two processes that share the files end together.
"""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from standing import KEY, T

from watchword import Device, Engine, _engine

SEED = int(os.environ.get("WATCHWORD_SEED") or random.SystemRandom().randrange(2**32))


# The files that take more than some ten seconds, the longest first. Nothing else hangs on it.
LONGEST_FIRST = (
    "test_agreement.py", "test_timing.py", "test_fuzz.py", "test_bad_clients.py",
    "test_transcripts.py", "test_lanes.py", "test_tidy.py", "test_races.py", "test_bench.py",
    "test_bench_daemon.py", "test_crash.py", "test_client.py", "test_whatif.py", "test_sim.py",
    "test_interrupts.py", "test_serve_life.py", "test_faults.py",
)  # fmt: skip


class Seeded(random.Random):
    """A random source whose repr says how to have it again."""

    def __init__(self, seed: str) -> None:
        super().__init__(seed)
        self.text = seed

    def __repr__(self) -> str:
        return f"Seeded({self.text!r})"


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> Seeded:
    """A source of its own for each test, so that running one alone draws the same numbers."""
    return Seeded(f"{SEED}:{request.node.nodeid}")


@pytest.fixture(scope="session")
def seed() -> int:
    return SEED


def pytest_report_header(config: pytest.Config) -> list[str]:
    rows, used = ", ".join(_engine.kernels()), _engine.kernel_in_use()
    return [f"watchword: kernel rows {rows}; in use {used}; WATCHWORD_SEED={SEED}"]


def pytest_configure(config: pytest.Config) -> None:
    """xdist would rather begin with the files that hold most tests, which are the quick ones."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {name: at for at, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An engine in memory at moment T, with one user who has one TOTP device."""
    with Engine.open(clock=lambda: T) as engine:
        engine.add_user("alice")
        engine.add_device("alice", Device.totp(KEY))
        yield engine


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a store may be made."""
    return tmp_path / "store"
