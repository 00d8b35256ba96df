"""What every test shares: a seed that is printed, and the banner that says what ran.

WATCHWORD_SEED=n repeats a run. A random source carries its seed in its repr, so that it stands in
the assertion that failed. The standing engine and the place for a store serve
every door's tests; any other fixture lives beside the tests that use it.
"""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from standing import KEY, T

from watchword import Device, Engine, _engine

SEED = int(os.environ.get("WATCHWORD_SEED") or random.SystemRandom().randrange(2**32))


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
