"""tests/proof.py and what is written of it: a table of rigs that exist, names that are true."""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests import proof, sanitize, totals
from tests.proof import RIGS, Rig, Short

ROOT = Path(__file__).parents[1]


def test_every_rig_is_there_and_its_line_says_how_much() -> None:
    assert len({rig.name for rig in RIGS}) == len(RIGS)
    for rig in RIGS:
        for line in filter(None, (rig.ci, rig.long)):
            module = line.split()[0]
            name = f"tests.{module}"
            spec = importlib.util.find_spec(f"{name}.__main__" if (ROOT / "tests" / module).is_dir()
                                            else name)  # fmt: skip
            assert spec is not None, f"there is no {name}"
        assert bool(rig.long) == bool(rig.unit) == bool(rig.total), rig.name


def test_the_short_forms_stop_at_the_first_that_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(proof, "LOGS", tmp_path)
    monkeypatch.setattr(proof, "SIDE_BY_SIDE", 1)
    said: list[str] = []
    good, bad = Rig("good", "proof --help"), Rig("bad", "proof no such rig")
    assert Short(said.append).all([good, bad, Rig("never", "proof --help")]) == 1
    assert "no such rig" in "".join(said)
    assert "FAILED" in said[-1]
    assert sorted(log.name for log in tmp_path.iterdir()) == ["bad.log", "good.log"]


def test_totals_add_up_and_are_gone_on_with(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(totals, "FILE", tmp_path / "totals.jsonl")
    rig = Rig("here", "", "proof no such rig", "here", "rounds", 10, (("size", "2"),))
    totals.add("here", rounds=6, size="2")
    totals.add("here", rounds=100, size="3")
    assert proof.so_far(rig) == 6
    assert proof.long([rig]) == 1
    totals.add("here", rounds=4, size="2", failures=1)
    assert proof.so_far(rig) == 10
    assert proof.failures(rig) == 1
    assert proof.long([rig]) == 0
    assert proof.so_far(rig._replace(parts=("rounds", "failures"))) == 1
    assert "6 of 10 rounds" in capfd.readouterr().out


def test_the_figures_in_the_readme_are_those_of_the_totals() -> None:
    """When not: `python -m tests.proof readme`."""
    text = proof.README.read_text()
    written = text.partition(proof.BEGIN)[2].partition(proof.END)[0]
    assert written == proof.readme_table()
    if totals.FILE.exists():
        for line in totals.FILE.read_text().splitlines():
            row: dict[str, Any] = json.loads(line)
            assert {"rig", "date", "commit", "machine"} <= set(row)


@pytest.mark.parametrize("name", ["SECURITY.md", "tests/README.md"])
def test_every_test_that_is_named_exists(name: str) -> None:
    source = "\n".join(path.read_text() for path in ROOT.glob("tests/**/*.py"))
    files = {path.stem for path in ROOT.glob("tests/**/test_*.py")}
    named = set(re.findall(r"`(test_\w+)`", (ROOT / name).read_text()))
    assert named
    missing = {test for test in named - files if f"def {test}(" not in source}
    assert not missing, f"{name} names tests that do not exist"


def test_what_is_not_sanitized_exists_and_has_a_reason() -> None:
    for name, reason in sanitize.APART.items():
        assert (ROOT / name).exists(), name
        assert len(reason) > 10
    for name in sanitize.APART_TESTS:
        path, _, test = name.partition("::")
        assert f"def {test}(" in (ROOT / path).read_text()
    path, old, _ = sanitize.PLANT
    assert old in (ROOT / path).read_text()
