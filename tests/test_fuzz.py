"""tests/fuzz: each target for a bounded number of executions, and each planted bug that it finds.

The long form is `python -m tests.fuzz`. Every target begins from its committed seeds, which are
inputs that once reached new ground, so that even a short run walks most of the code.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fuzz.__main__ import Found, fuzz, hunt
from tests.fuzz.built import HERE, PLANTS, TARGETS, build

CORPUS_BYTES_MAX = 16_384
RUNS = {"wire": 200_000, "rows": 20_000, "pages": 20_000, "kernels": 2_000, "turn": 2_000}


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    """Every fuzzer, two at a time: what both need is compiled once."""
    build("turn")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(build, TARGETS))
        list(pool.map(lambda name: build(PLANTS[name].target, name), PLANTS))


@pytest.mark.parametrize("target", TARGETS)
def test_nothing_breaks_a_target(target: str, tmp_path: Path, seed: int) -> None:
    try:
        done = fuzz(build(target), target, RUNS[target], seed, tmp_path / "corpus", deep=False)
    except Found as found:
        pytest.fail(str(found), pytrace=False)
    assert done >= RUNS[target]


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_bug_is_found(plant: str, tmp_path: Path, seed: int) -> None:
    said = hunt(plant, seed, tmp_path / "corpus")
    assert "SUMMARY: " in said, f"{plant}: not found (seed {seed})\n{said}"


def test_every_target_has_a_plant_and_seeds_that_stay_small() -> None:
    assert {plant.target for plant in PLANTS.values()} == set(TARGETS)
    assert {path.stem.removeprefix("fuzz_") for path in HERE.glob("fuzz_*.c")} == set(TARGETS)
    for target in TARGETS:
        assert list((HERE / "corpus" / target).iterdir()), f"{target} begins from nothing"
    seeds = [path for path in (HERE / "corpus").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in seeds) <= CORPUS_BYTES_MAX
