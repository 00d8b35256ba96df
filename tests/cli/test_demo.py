"""`watchword demo` and `demo --story` go to their ends, for real, and leave nothing behind."""

import os
import pty
import re
import subprocess
import sys
import termios
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cli_words import parses

from watchword import Engine
from watchword.cli.main import run

# Of `demo --story`: who typed on which platform, and what became of it.
DAYS = [
    ("alice", "trading", "ACCEPTED"),           # the card
    ("alice", "trading", "REJECTED"),           # lost
    ("alice", "trading", "ACCEPTED"),           # the passcode
    ("alice", "portal", "ACCEPTED"),
    ("alice", "trading", "NOT_PERMITTED"),      # after two days
    ("alice", "portal", "ACCEPTED"),
    ("alice", "portal", "ACCEPTED"),            # an online card, activated
    ("alice", "trading", "ACCEPTED"),
    ("alice2", "portal", "not shared"),
    ("alice2", "portal", "not shared"),
    ("alice", "portal", "REJECTED"),            # the new card: mistyped, and right
    ("alice", "portal", "ACCEPTED"),
    ("alice", "portal", "EXPIRED"),             # the passcode
    ("alice", "trading", "EXPIRED"),            # the online card
    ("alice", "trading", "ACCEPTED"),
    ("alice2", "portal", "not shared"),
    ("alice", "portal", "ACCEPTED"),            # shared
    ("alice2", "trading", "ACCEPTED"),
    ("dave", "trading", "CHALLENGE"),           # before, and after opting out
    ("dave", "trading", "ACCEPTED"),
    ("dave", "portal", "CHALLENGE"),
    ("dave", "trading", "NOT_PERMITTED"),       # from abroad
    ("dave", "portal", "NOT_PERMITTED"),
    ("dave", "portal", "ACCEPTED"),             # and in again
    ("dave", "trading", "CHALLENGE"),
]
REFUSALS = [
    "different identification information", "temporary device in use", "less secure device",
]  # fmt: skip
LIMITS = [
    ("dsc-plus", "any amount"), ("temporary-passcode", "USD 50,000"),
    ("online-code-card", "USD 200,000"), ("dsc-plus", "any amount"),
]  # fmt: skip


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


def test_the_days(tmp_path: Path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run(["demo", "--story"]) == 0
    said = capsys.readouterr().out
    attempts = r"^ {7}(\w+) +(trading|portal) +\w+ +([A-Z_]+|not shared) "
    assert re.findall(attempts, said, re.M) == DAYS
    whys = " ".join(said.split())
    assert [text for text in REFUSALS if f"not shared {text}: " in whys] == REFUSALS
    assert "user 'dave' has no address restriction, which opting out needs" in whys
    assert "refused unlooked at: it came from elsewhere" in whys
    assert "right, but the temporary device had ended" in whys
    withdrawn = re.findall(
        r"^ {9}\w{3} [ \d]\d \d\d:\d\d +(\S+) +\d +(any amount|USD \S+) ", said, re.M
    )  # fmt: skip
    assert withdrawn == LIMITS
    days = re.findall(r"^(\w+ \d+ \w+) \u2500", said, re.M)
    assert len(days) == 7
    for name in days:
        day = datetime.strptime(f"{name} 2026", "%A %d %B %Y").replace(tzinfo=UTC)
        assert f"{day:%A}" == name.split()[0]
    lines = re.findall(r"^ +\$ (watchword .*)", said.replace("\\\n", ""), re.M)
    assert len(lines) == len(said.split("$ watchword ")) - 1 > 10
    for line in lines:
        parses(line)
    assert not list(tmp_path.iterdir()), "the story left something behind"


def test_days_that_go_another_way_end_with_an_error(
    tmp_path: Path, monkeypatch, capsys  # type: ignore[no-untyped-def]
) -> None:
    """A right code that is refused, and a device that is lent to a stranger."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with monkeypatch.context() as wrong:
        wrong.setattr("watchword.cli.day.ocra", lambda *_: "00000000")
        assert run(["demo", "--story"]) == 1
    said = capsys.readouterr()
    assert said.err == "watchword: the story expected ACCEPTED and got REJECTED\n"
    assert "client services look back" not in said.out
    monkeypatch.setattr(Engine, "_why_not", lambda *_: 0)
    assert run(["demo", "--story"]) == 1
    assert "expected 'different identification information' and got" in capsys.readouterr().err
    assert not list(tmp_path.iterdir()), "the story left something behind"


@pytest.mark.parametrize("columns", [60, 80, 100, 200])
def test_the_days_fit_the_terminal(columns: int) -> None:
    """No line is wider, or than a page; verdicts have colours."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (50, columns))
    # Its size is the terminal's, whatever whoever runs the suite has said of another.
    env = {name: word for name, word in os.environ.items() if name not in ("COLUMNS", "LINES")}
    env |= {"TERM": "xterm-256color", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    child = subprocess.Popen(
        [sys.executable, "-m", "watchword", "demo", "--story"], stdout=theirs, env=env
    )
    os.close(theirs)
    shown = b""
    with suppress(OSError):         # the terminal is gone when its last program is
        while piece := os.read(ours, 65536):
            shown += piece
    os.close(ours)
    assert child.wait(60) == 0
    assert b"\x1b[1;32mACCEPTED" in shown
    plain = re.sub(r"\x1b\[[\d;]*m", "", shown.decode()).splitlines()
    assert max(map(len, plain)) <= min(columns, 100)
    assert any(line.endswith("nothing of it is left on the disk") for line in plain)
