"""tests/timing: its instruments see what is planted, and see nothing in the core as it stands.

No time is asserted here: that `python -m tests.timing` measures is shown by early exits whose |t|
comes out in the hundreds, and by columns of numbers whose t is known.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.timing import code, daemon, secrets, token
from tests.timing.built import HERE, Plant, Tree
from tests.timing.measure import CONTROLS, TARGETS, measure
from tests.timing.welch import CONTROL, weighed

MEASUREMENTS = 20_000
# One plant of each sort is seen here; `secrets` and `code`, as .ci/run runs them, see all of them.
LEAKS = ("early_exit", "digits_are_looked_at", "offset_is_an_index", "id_is_compared_by_bytes")
JUMPS = ("equal_exits_early", "answers_divide")


def named(plants: Sequence[Plant], names: tuple[str, ...]) -> list[Plant]:
    found = [plant for plant in plants if plant.name in names]
    assert len(found) == len(names)
    return found


@pytest.fixture(scope="session")
def tree() -> Tree:
    """The core at the release's level, with secrets marked; other compilers and levels are for
    `python -m tests.timing secrets` and `code`."""
    return secrets.release_tree("gcc")


def test_a_turn_makes_no_branch_and_no_index_from_a_secret(tree: Tree) -> None:
    assert secrets.leaks(tree.program(HERE / "secrets.c", secrets.WRAP)) == ""


def test_rows_make_no_branch_and_no_index_from_a_secret(tree: Tree) -> None:
    """At every ragged size. Valgrind hides the rows it cannot run, and runs the others."""
    program = tree.program(secrets.LANES, core=["dispatch.c"])
    assert secrets.leaks(program) == ""
    assert "uninitialised" in secrets.leaks(program, "leak")


@pytest.mark.parametrize("plant", named(secrets.PLANTS, LEAKS), ids=lambda plant: plant.name)
def test_a_planted_leak_is_reported(plant: Plant, tree: Tree) -> None:
    assert "ninitialised" in secrets.planted_leaks(tree, plant)


def test_nothing_that_touches_secrets_divides_or_jumps(tree: Tree) -> None:
    """In every row of the kernel's table, those too that valgrind cannot run."""
    assert code.complaints(tree) == []


@pytest.mark.parametrize("plant", named(code.PLANTS, JUMPS), ids=lambda plant: plant.name)
def test_a_planted_jump_or_division_is_seen(plant: Plant, tree: Tree) -> None:
    assert code.complaints(tree.planted(plant))


def test_t_is_what_it_should_be() -> None:
    rng = np.random.default_rng(1)
    times = rng.normal(100.0, 10.0, 300_000)
    classes = rng.integers(0, 3, times.size)
    times[classes == 2] += 1.0
    times[rng.random(times.size) < 0.01] += 1e6  # interruptions, which would drown anything
    same, slower = weighed(times, classes, ("first", "same", "slower"))
    assert abs(same.t) < 4.5
    assert slower.t > 20
    assert 0.8 < slower.apart_ns < 1.2


@pytest.mark.parametrize("name", CONTROLS)
def test_a_planted_early_exit_is_measured(name: str, tree: Tree) -> None:
    assert max(abs(pair.t) for pair in measure(name, tree, MEASUREMENTS, 1)) > CONTROL


@pytest.mark.parametrize("name", TARGETS)
def test_every_class_is_answered_as_it_should_be(name: str, tree: Tree) -> None:
    """The measuring programs stop when an attempt of a class gets another verdict."""
    pairs = measure(name, tree, MEASUREMENTS, 2)
    assert [pair.name for pair in pairs] == list(TARGETS[name][1:])
    assert all(pair.median_ns > 0 for pair in pairs)


def test_a_list_that_looks_names_up_is_measured() -> None:
    assert max(abs(pair.t) for pair in token.asked(4_000, 1, token.leaky)) > CONTROL
    assert [pair.name for pair in token.asked(4_000, 2)] == list(token.CLASSES[1:])


def test_the_daemon_is_asked_for_names_that_exist_and_names_that_do_not(tmp_path: Path) -> None:
    found = daemon.answered(tmp_path, users=1_000, answers=4_096, seed=3)
    assert found.count >= 4_096
    assert found.median_ns > 0
