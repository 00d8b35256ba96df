"""src/watchword/cli/top.py, events.py: rates from two looks, the live picture, lines in a pipe."""

import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from watchword.cli.top import between, picture, size

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS))

from served import SECONDS_MAX, Served, serving  # noqa: E402

PLACES = 192


def look(**changed: Any) -> dict[str, Any]:
    """STATS of a daemon that has done nothing yet, but for what is given."""
    empty = [0] * PLACES
    plain: dict[str, Any] = {
        "attempts": 0, "turns": 0, "commands": 0, "lanes": 0, "idle_lanes": 0, "verdicts": {},
        "queued": {"open": 0, "in_flight": 0, "waiting": 0},
        "stalled": {"batch": 0, "unread": 0}, "lockouts": {"users": 0, "nobody": 0},
        "answers": {"places": empty}, "commits": {"places": empty}, "version": "1",
        "kernel": "avx2", "uptime_ms": 61_000, "clients": 3, "users": 10, "memory_bytes": 4_096,
        "resident_bytes": 1 << 26, "buffer_bytes": 0, "lag_bytes": 0, "lag_bytes_max": 1 << 28,
        "disk_free_bytes": 1 << 36, "subscribers": 0, "busy_because": "", "head": 7,
    }  # fmt: skip
    return plain | changed


def placed(**counts: int) -> dict[str, list[int]]:
    places = [0] * PLACES
    for name, count in counts.items():
        places[int(name[1:])] = count
    return {"places": places}


BEFORE = look(
    attempts=100, turns=10, verdicts={"REJECTED": {"WRONG": 100}}, answers=placed(p9=100)
)
AFTER = look(
    attempts=300, turns=20, commands=50, lanes=900, idle_lanes=100,
    verdicts={"REJECTED": {"WRONG": 200}, "ACCEPTED": {"NONE": 100}},
    lockouts={"users": 4, "nobody": 1}, answers=placed(p9=100, p16=150, p80=50),
    commits=placed(p40=10), stalled={"batch": 2, "unread": 0},
)  # fmt: skip


def test_rates_are_of_the_time_between_two_looks() -> None:
    found = between(BEFORE, AFTER, 2.0)
    assert found["logins_per_s"] == 100 and found["attempts_per_turn"] == 20
    assert found["verdicts_per_s"] == {"REJECTED": {"WRONG": 50}, "ACCEPTED": {"NONE": 50}}
    assert found["lanes_filled_percent"] == 90
    assert (found["lockouts_of_users_per_s"], found["lockouts_of_nobody"]) == (2, 1)
    assert found["answer_p50_us"] == 18, "those of before are left out"
    assert found["answer_p99_us"] == 4_608
    assert found["commit_p50_us"] == found["commit_p99_us"] == 144
    assert found["commits_per_s"] == 5
    assert json.loads(json.dumps(found)) == found


def test_a_look_at_nothing_divides_by_nothing() -> None:
    found = between(look(), look(), 1.0)
    assert found["logins_per_s"] == found["answer_p99_us"] == found["lanes_filled_percent"] == 0
    assert "no login yet" in drawn(found, [])


def drawn(found: dict[str, Any], past: list[int]) -> str:
    out = io.StringIO()
    Console(file=out, width=110).print(picture(found, past))
    return out.getvalue()


def test_the_picture_holds_every_figure() -> None:
    text = drawn(between(BEFORE, AFTER, 2.0), [1, 5, 9])
    for words in (
        "up 1 min 1 s", "ready", "0.02 ms", "4.61 ms", "20.0 logins a turn", "lanes 90% filled",
        "rejected, wrong", "50.0%", "stalled: 2 by batch", "4 of users (2.0/s)", "64.0 MB in all",
        "4 kB for 10 users", "turn 7",
    ):  # fmt: skip
        assert words in text, words
    busy = between(BEFORE, look(busy_because="the clock has stepped by 7 ms"), 1.0)
    assert "the clock has stepped by 7 ms" in drawn(busy, [])


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (1_023, "1,023 B"), (1_024, "1 kB"), (1 << 20, "1.0 MB"), (5 << 40, "5,120.0 GB")],
)
def test_sizes_are_said_in_their_unit(count: int, said: str) -> None:
    assert size(count) == said


def started(daemon: Served, *words: str, **given: Any) -> "subprocess.Popen[bytes]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    environment |= {"TERM": "xterm-256color", "COLUMNS": "100"}
    # Whoever runs the suite in the background ignores Ctrl-C; a person at a terminal does not.
    command = ["env", "--default-signal=INT", sys.executable, "-m", "watchword", *words]
    command += ["--store", str(daemon.store)]
    return subprocess.Popen(command, env=environment, start_new_session=True, **given)


def test_events_are_lines_in_a_pipe_until_ctrl_c(tmp_path: Path) -> None:
    with serving(tmp_path) as daemon:
        child = started(daemon, "events", "acts", stdout=subprocess.PIPE)
        try:
            assert child.stdout is not None
            with daemon.acts() as acts:
                until = time.monotonic() + SECONDS_MAX
                while acts.ask("STATS")[acts.ask("STATS").index("subscribers") + 1] == 0:
                    assert time.monotonic() < until
                acts.ask("USER", "ADD", "alice", "BY", "desk 4")
            told = json.loads(child.stdout.readline())
            assert (told["event"], told["user"], told["by"]) == ("user add", "alice", "desk 4")
            child.send_signal(signal.SIGINT)
            assert child.wait(SECONDS_MAX) == 0
        finally:
            child.kill()
            child.wait()
            assert child.stdout is not None
            child.stdout.close()


def test_top_draws_on_a_terminal_until_ctrl_c(tmp_path: Path) -> None:
    with serving(tmp_path) as daemon:
        ours, theirs = pty.openpty()
        child = started(daemon, "top", "--interval", "0.2", stdin=theirs, stdout=theirs,
                        stderr=theirs)  # fmt: skip
        os.close(theirs)
        seen, interrupted = b"", False
        try:
            while select.select([ours], [], [], SECONDS_MAX)[0]:
                try:
                    seen += os.read(ours, 65_536)
                except OSError:  # Linux says so when the other side is closed
                    break
                if b"lockouts" in seen and not interrupted:
                    interrupted = True
                    child.send_signal(signal.SIGINT)
            assert child.wait(SECONDS_MAX) == 0, seen.decode()[-600:]
        finally:
            child.kill()
            child.wait()
            os.close(ours)
        text = seen.decode()
        assert "logins a turn" in text and "Traceback" not in text
        assert text.rstrip().endswith("\x1b[?1049l\x1b[?25h") or "\x1b[?1049l" in text
