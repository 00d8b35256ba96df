"""The benchmarks run, in tiny sizes, and notice when somebody answers differently.

No time is asserted: a benchmark is tested for what it compares and keeps. A peer whose library is
not installed has to say which package brings it.
"""

import importlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from bench import kinds, scale
from bench.attempts import STEP_S, Field
from bench.native import MissingError
from bench.peers import oath
from bench.rows import Row, Run, load
from watchword import Code, Engine, _engine

ROOT = Path(__file__).parents[1]
README = "Words before.\n\n<!-- kernel -->\nold\n<!-- /kernel -->\n\nWords between.\n"
README += "<!-- scale -->\n<!-- /scale -->\n<!-- goals -->\n<!-- /goals -->\nWords after.\n"


def bench(*arguments: str) -> tuple[str, str]:
    """What a benchmark prints, and what it says on stderr."""
    command = [sys.executable, "-m", "bench", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=dict(os.environ), text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Raw rows of one quick run of each."""
    folder = tmp_path_factory.mktemp("results")
    for verb in ("kernel", "scale"):
        _, said = bench(verb, "--quick", "--save", "--results", str(folder))
        (folder / f"{verb}.txt").write_text(said)
    return folder


def kept(folder: Path, verb: str) -> Run:
    (run,) = load(verb, folder)
    return run


def where(rows: list[Row], **wanted: object) -> list[Row]:
    return [row for row in rows if all(row.get(name) == value for name, value in wanted.items())]


def test_raw_rows_say_what_they_were_measured_on(folder: Path) -> None:
    for verb in ("kernel", "scale"):
        host = kept(folder, verb).host
        for name in ("commit", "date", "cpu", "cpus", "system", "python", "kernel", "load", "seed"):
            assert name in host, f"{verb} says nothing of {name}"
        assert host["quick"] is True


def test_kernel_measures_every_row_of_this_machine(folder: Path) -> None:
    rows = where(kept(folder, "kernel").rows, what="lanes", peer="watchword")
    assert {row["kernel"] for row in rows} == set(_engine.kernels())
    assert {row["hash"] for row in rows} == set(_engine.HASH_NAMES)
    assert {row["round"] for row in rows} == {0, 1}, "a round to warm up and another"
    for row in rows:
        assert row["hmacs"] > 0 and row["cpu_s"] > 0 and row["wall_s"] > 0


def test_kernel_reads_a_table_bare_and_matching(folder: Path) -> None:
    rows = where(kept(folder, "kernel").rows, what="table", peer="watchword")
    loops = Counter((row["kernel"], row["loop"]) for row in rows)
    assert {kernel for kernel, _ in loops} <= set(_engine.kernels())
    assert {loop for _, loop in loops} == {"bare", "match"}
    assert set(loops.values()) == {2}


@pytest.mark.parametrize(
    ("verb", "peer", "package"),
    [
        ("kernel", "openssl", "libssl-dev"),
        ("kernel", "intel", "libipsec-mb-dev"),
        ("scale", "liboath", "liboath-dev"),
        ("scale", "openssl", "libssl-dev"),
    ],
)
def test_a_peer_is_measured_or_named_as_missing(
    folder: Path, verb: str, peer: str, package: str
) -> None:
    measured = where(kept(folder, verb).rows, peer=peer)
    missing = f"{peer}: not installed (Debian package {package})"
    assert bool(measured) != (missing in (folder / f"{verb}.txt").read_text())


def test_scale_counts_verdicts_and_no_wrong_code_meets_a_lock(folder: Path) -> None:
    rows = kept(folder, "scale").rows
    for row in rows:
        if row["what"] in ("wrong", "hot", "size", "durable"):
            assert set(row["verdicts"]) <= {"REJECTED", "ACCEPTED"}, row
            assert row["verdicts"]["REJECTED"] > 0.99 * row["attempts"]
            assert sum(row["verdicts"].values()) == row["attempts"]
    for row in where(rows, what="right"):
        assert row["verdicts"] == {"ACCEPTED": row["attempts"]}
    for row in where(rows, what="one user"):
        assert row["verdicts"]["REJECTED"] <= 10 < row["verdicts"]["LOCKED"]


def test_scale_measures_each_number_of_users_and_the_disk(folder: Path) -> None:
    rows = kept(folder, "scale").rows
    for what in ("add", "wrong", "hot", "right", "one user", "one"):
        assert {row["users"] for row in where(rows, what=what)} == {1000, 10_000}, what
    for what in ("add on disk", "open", "durable", "journal", "sync"):
        assert {row["users"] for row in where(rows, what=what)} == {10_000}, what
    assert {row["batch"] for row in where(rows, what="size")} == {1, 64, 1024, 8192}
    assert where(rows, what="peer", peer="pyotp")


def test_report_writes_between_its_markers_alone_and_draws(folder: Path, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(README)
    arguments = ("report", "--with-quick", "--results", str(folder), "--readme", str(readme))
    bench(*arguments)
    text = readme.read_text()
    parts = ["Words before.", "<!-- kernel -->", "| watchword, row portable |", "<!-- /kernel -->",
             "Words between.", "<!-- scale -->", "Verdicts of all rounds", "| pyotp",
             "<!-- /scale -->", "| goal |", "Words after."]  # fmt: skip
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert "old" not in text
    bench(*arguments)
    assert readme.read_text() == text, "a second time changes nothing"
    for name in ("users", "sizes", "history"):
        picture = ElementTree.parse(folder / f"{name}.svg").getroot()
        assert picture.tag.endswith("svg")


def test_report_leaves_quick_runs_out(folder: Path, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(README)
    command = [sys.executable, "-m", "bench", "report", "--results", str(folder)]
    done = subprocess.run(
        [*command, "--readme", str(readme)], cwd=ROOT, text=True, capture_output=True, check=False
    )
    assert done.returncode == 1 and "nothing to write" in done.stdout
    assert readme.read_text() == README


def test_engine_keeps_both_tables_and_report_draws_them(tmp_path: Path) -> None:
    said, progress = bench(
        "engine", "--scale", "0.001", "--rounds", "1", "--save", "--results", str(tmp_path)
    )
    assert said.count("\n|") >= 8 and "all answers agree" in progress
    rows = kept(tmp_path, "kinds").rows
    assert {row["kind"] for row in rows} >= set(kinds.KINDS)
    assert {row["round"] for row in rows} == {0, 1}
    readme = tmp_path / "README.md"
    readme.write_text("<!-- engine -->\n<!-- /engine -->\n<!-- kinds -->\n<!-- /kinds -->\n")
    bench("report", "--with-quick", "--results", str(tmp_path), "--readme", str(readme))
    text = readme.read_text()
    places = [text.index(part) for part in ("| pyotp", "<!-- kinds -->", "| 100 | push-approval")]
    assert places == sorted(places)
    assert text.count("Measured ") == 2, "each table says on what"


# ---- what is compared ----


@pytest.mark.parametrize(
    ("name", "ways"),
    [
        ("pyotp", ()),
        ("cryptography", ()),
        ("stdlib", ()),
        ("liboath", ()),
        ("openssl", ("midstates",)),
        ("openssl", ("oneshot",)),
    ],
)
def test_an_adapter_decides_as_the_standard_library(name: str, ways: tuple[str, ...]) -> None:
    field = Field(300, seed=5)
    wrong, right = field.wrong(0, 300), field.right(0, 300)
    adapter = importlib.import_module(f"bench.peers.{name}")
    keys = [field.key(user) for user in range(field.users)]
    try:
        peer = adapter.open_peer(keys, *ways)
    except MissingError as missing:
        assert "Debian package" in str(missing)
        return
    for done in (wrong, right):
        codes = [code.decode() for code in done.codes]
        users = done.users.tolist()
        expected = bytes(
            code in field.window(user, done.time_s) for user, code in zip(users, codes, strict=True)
        )
        assert peer.decide(peer.prepare(users, codes), done.time_s) == expected
        assert any(expected) == (done is right)
    for shift, accepted in ((-2, 0), (-1, 1), (1, 1), (2, 0)):
        users, codes = right.users[:1].tolist(), [right.codes[0].decode()]
        at = right.time_s + shift * STEP_S
        answer = peer.decide(peer.prepare(users, codes), at)
        assert answer == bytes([accepted]), f"{shift} steps away"
    peer.close()


def rounds_of(kind: str, users: int = 60) -> list[Row]:
    """Two rounds of one kind, or one peer, as the table's child."""
    command = [sys.executable, "-m", "bench", "engine", "--only", f"kinds/{kind}",
               "--users", str(users), "--rounds", "1"]  # fmt: skip
    done = subprocess.run(
        command, cwd=ROOT, env=dict(os.environ), text=True, capture_output=True, check=False,
        input="go\ngo\n",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    "kind", [*kinds.KINDS, *(peer for peer in kinds.PEERS if peer.startswith("ocra/"))]
)
def test_every_kind_of_device_has_a_row(kind: str) -> None:
    """Its verdicts are those the round was made to give, or the child ends."""
    rows = rounds_of(kind)
    assert [row["pass"] for row in rows] == ["wrong", "right", "again"] * 2
    assert {row["attempts"] % 60 for row in rows} == {0}
    table = kinds.table([{**row, "users": 60} for row in rows] + [
        {**row, "users": 60, "kind": "totp"} for row in rows
    ])  # fmt: skip
    assert len(table.splitlines()) in (3, 4) and "| 60 |" in table


def test_a_peer_that_is_not_installed_says_which_package_brings_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "oath", None)
    oath.suite_of.cache_clear()
    assert kinds.peers_here() == ["ocra/ocra-sha1", "ocra/ocra-sha1-counter"]
    assert "pip install oath" in capsys.readouterr().err


def test_a_field_is_the_same_for_whoever_asks() -> None:
    one, other = Field(5000, seed=3), Field(5000, seed=3)
    assert (one.keys == other.keys).all() and len(np.unique(one.names)) == 5000
    mine, theirs = one.wrong(7, 9000), other.wrong(7, 9000)
    assert (mine.users == theirs.users).all() and (mine.codes == theirs.codes).all()
    assert mine.time_s == theirs.time_s
    assert max(Counter(mine.users.tolist()).values()) == 2, "nobody twice before everybody once"
    assert not (one.wrong(8, 9000).users == mine.users).all()


def test_a_wrong_verdict_ends_a_run() -> None:
    field = Field(100, seed=1)
    done, right = field.wrong(0, 100), field.right(1, 100)
    verdicts = np.full(100, Code.REJECTED, np.uint8)
    assert field.expect(done, verdicts, Code.REJECTED) == []
    for code in (Code.LOCKED, Code.ACCEPTED):
        verdicts[5] = code
        with pytest.raises(SystemExit, match=f"{code.name} where REJECTED was due"):
            field.expect(done, verdicts, Code.REJECTED)
    with pytest.raises(SystemExit, match="REJECTED where ACCEPTED was due"):
        field.expect(right, np.full(100, Code.REJECTED, np.uint8), Code.ACCEPTED)
    assert field.expect(right, np.full(100, Code.ACCEPTED, np.uint8), Code.REJECTED)


def test_a_peer_that_decides_differently_ends_a_run() -> None:
    ours = {"what": "wrong", "users": 10, "way": "columns", "odd": {"0": [3, 7]}}
    theirs = {"what": "peer", "does": "somebody", "pass": 0, "attempts": 5, "odd": [3]}
    scale.compare([ours, theirs])
    for odd in ([], [3, 4]):
        with pytest.raises(SystemExit, match="somebody: pass 0 was decided differently"):
            scale.compare([ours, {**theirs, "odd": odd}])


def test_a_locked_engine_is_noticed() -> None:
    """Passes lie far enough apart; pressed together they lock, and that is told."""
    field = Field(10, seed=2)
    now = field.wrong(0, 80)
    with Engine.open(clock=lambda: now.time_s * 1000) as engine:
        engine.add_users(field.names, field.keys)
        first = engine.verify_many(field.names[now.users], now.codes)
        assert field.expect(now, first, Code.REJECTED) == []
        again = engine.verify_many(field.names[now.users], now.codes)
        with pytest.raises(SystemExit, match="LOCKED where REJECTED was due"):
            field.expect(now, again, Code.REJECTED)


def test_raw_rows_are_json_lines(folder: Path) -> None:
    for path in folder.glob("*.jsonl"):
        first, *rest = [json.loads(line) for line in path.read_text().splitlines()]
        assert list(first) == ["machine"] and rest
