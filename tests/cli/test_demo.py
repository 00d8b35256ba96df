"""`watchword demo` tells its story to the end, for real, and leaves nothing behind."""

import os
import re
import subprocess
import sys
from pathlib import Path

from watchword.cli.main import run


def test_the_story(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "TMPDIR": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
    }
    done = subprocess.run(
        [sys.executable, "-m", "watchword", "demo"],
        env=environment, text=True, capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    verdicts = re.findall(r"VERIFY alice (\d{6}) +([A-Z]+)", done.stdout)
    codes, names = zip(*verdicts, strict=True)
    # A login, its replay, its replay after kill -9; with seven guesses that makes nine failures.
    # The tenth locks: it still reads REJECTED, what comes after it LOCKED.
    assert names[:3] == ("ACCEPTED", "REJECTED", "REJECTED")
    assert codes[0] == codes[1] == codes[2]
    assert names[3:] == ("REJECTED",) * 8 + ("LOCKED",) * 2
    assert codes[-1] != codes[-2]
    asked = re.findall(r"VERIFY bob (\d{8}) +([A-Z]+)", done.stdout)
    assert [name for _, name in asked] == ["ACCEPTED", "REJECTED", "REJECTED", "ACCEPTED"]
    assert asked[0] == (asked[1][0], "ACCEPTED") and asked[2][0] == asked[3][0]
    pushed = re.findall(r"VERIFY fay \S+ +([A-Z]+)", done.stdout)
    assert pushed == ["CHALLENGE", "ACCEPTED", "REJECTED", "REJECTED", "ACCEPTED"]
    let_in = set(re.findall(r"VERIFY (\w+) \S+ +ACCEPTED", done.stdout))
    assert let_in == {
        "alice", "bob", "carol", "dave", "erin", "fay", "frank", "grace", "heidi", "ivan",
        "alpine", "dsc", "hotp", "gold", "platinum", "ibkey", "online",
    }  # fmt: skip
    said = re.findall(r"> (?:CHANGEPIN|ANSWER) .*: ([A-Z]+)", done.stdout)
    assert said == ["ACCEPTED", "REJECTED", "ACCEPTED"]
    assert re.findall(r"VERIFY ivan \w* +([A-Z]+)", done.stdout) == [
        "REJECTED", "CHALLENGE", "ACCEPTED",
    ]  # fmt: skip
    assert "kill -9" in done.stdout
    assert "watchword init" in done.stdout
    assert not list(tmp_path.iterdir()), "the demo left something behind"


def test_a_demo_that_cannot_run_says_why(
    tmp_path: Path, monkeypatch, capsys  # type: ignore[no-untyped-def]
) -> None:
    """The daemon's own words reach whoever tried."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("deep" * 40)))
    (tmp_path / ("deep" * 40)).mkdir()  # too deep for a unix socket's path
    assert run(["demo"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("watchword: the daemon did not start: ")
    assert "administration socket" in said
