"""What every test shares: a seed that is printed, and the banner that says what ran.

WATCHWORD_SEED=n repeats a run. A random source carries its seed in its repr, so that it stands in
the assertion that failed. Nothing else belongs here: a fixture lives beside the tests that use it.
"""

import os
import random

import pytest

from watchword import _engine

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
