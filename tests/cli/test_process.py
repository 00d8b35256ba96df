"""The program as what starts it meets it: its signals, and streams that are closed or full."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from served import Served
from standing import KEY, enrolled

from watchword import Device, Engine, Policy

COMMAND = [sys.executable, "-m", "watchword"]
WAIT_SECONDS_MAX = 120  # whatever takes longer hangs; sanitizers make some ten times slower


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **more}


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose name leaves room for a socket's, unlike those that pytest makes."""
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_what_ends_the_demo_ends_its_daemon_and_leaves_nothing(
    number: signal.Signals, short: Path
) -> None:
    demo = subprocess.Popen(
        [*COMMAND, "demo"], env=environment(TMPDIR=str(short)), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert demo.stdout is not None
    while "alice" not in demo.stdout.readline():  # its daemon serves by then
        assert demo.poll() is None
    demo.send_signal(number)
    _, err = demo.communicate(timeout=WAIT_SECONDS_MAX)
    assert (demo.returncode, err.strip()) == (1, "watchword: interrupted")
    assert list(short.iterdir()) == [], "keys, and a daemon that serves them"
    with pytest.raises(ProcessLookupError):
        os.killpg(demo.pid, 0)


def test_a_signal_that_was_to_be_ignored_stays_so(tmp_path: Path) -> None:
    """`nohup watchword import -`: the terminal goes, the work goes on."""
    Engine.open(tmp_path / "watchword-store").close()
    beforehand = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        child = subprocess.Popen(
            [*COMMAND, "import", "-"], cwd=tmp_path, env=environment(), text=True,
            stdin=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGHUP, beforehand)
    status, deadline = Path(f"/proc/{child.pid}/status"), time.monotonic() + WAIT_SECONDS_MAX
    while "SigCgt:\t0000000000000000" in status.read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(signal.SIGHUP)
    _, err = child.communicate("name\nalice\n", timeout=WAIT_SECONDS_MAX)
    assert (child.returncode, "1 users" in err) == (0, True), err


def closed(folder: Path, number: int, *words: str) -> tuple[int, str, str]:
    """A command one of whose streams is closed: its exit code and the two others' words."""
    shell = ["sh", "-c", f'exec "$@" {number}>&-', "sh", *COMMAND, *words]
    done = subprocess.run(
        shell, cwd=folder, env=environment(), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=WAIT_SECONDS_MAX, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_without_a_standard_input_there_is_no_code(tmp_path: Path) -> None:
    enrolled(tmp_path)
    said = closed(tmp_path, 0, "verify", "alice")
    assert said == (2, "", "watchword: no code on standard input\n")


@pytest.mark.parametrize("words", ["user show alice", "user list", "export", "device list alice"])
def test_without_a_standard_output_nothing_was_told(words: str, tmp_path: Path) -> None:
    enrolled(tmp_path)
    code, _, err = closed(tmp_path, 1, *words.split())
    assert (code, err) == (1, "watchword: standard output: Bad file descriptor\n")


def test_without_a_standard_error_the_exit_code_tells(tmp_path: Path) -> None:
    enrolled(tmp_path)
    assert closed(tmp_path, 2, "user", "show", "nobody") == (1, "", "")
    code, out, _ = closed(tmp_path, 2, "user", "list")
    assert (code, out) == (0, "alice\n")


@pytest.mark.parametrize("words", ["user show alice", "user list", "config show", "audit --csv"])
def test_a_full_standard_output_is_named(words: str, tmp_path: Path) -> None:
    enrolled(tmp_path)
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, *words.split()], cwd=tmp_path, env=environment(), stdout=full,
            stderr=subprocess.PIPE, text=True, timeout=WAIT_SECONDS_MAX, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == "watchword: standard output: No space left on device\n"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("export --out users.csv", "users.csv"),
        ("card print alice C1 c.pdf", "c.pdf"),
        ("phone new alice.phone", "alice.phone"),
        ("audit head --save head.json", "head.json"),
    ],
)
def test_a_file_that_cannot_be_written_is_named_and_leaves_nothing(
    words: str, name: str, short: Path
) -> None:
    """A limit on the size of files refuses as a full disk does: here, and not what others write."""
    with Engine.open(short / "store") as engine:
        engine.add_user("alice")
        engine.add_device("alice", Device.code_card(KEY), serial="C1")
    here = short / "here"
    here.mkdir()
    daemon = Served(short).start()
    try:
        shell = ["sh", "-c", 'ulimit -f 0 && exec "$@"', "sh", *COMMAND, *words.split()]
        done = subprocess.run(
            [*shell, "--store", str(daemon.store)], cwd=here, env=environment(), text=True,
            stderr=subprocess.PIPE, timeout=WAIT_SECONDS_MAX, check=False,
        )  # fmt: skip
    finally:
        daemon.stop(signal.SIGKILL)
    assert (done.returncode, list(here.iterdir())) == (1, [])
    assert re.fullmatch(rf"watchword: (\S+/)?{name}: File too large\n", done.stderr)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("words", ["user list", "audit", "audit --csv", "audit --json", "export"])
def test_a_name_in_a_pipe_is_utf8_whatever_the_locale(
    words: str, encoding: str, tmp_path: Path
) -> None:
    with Engine.open(tmp_path / "watchword-store", policy=Policy(names="any")) as engine:
        engine.add_user("josé@example.com")
    done = subprocess.run(
        [*COMMAND, *words.split()], cwd=tmp_path, env=environment(PYTHONIOENCODING=encoding),
        capture_output=True, timeout=WAIT_SECONDS_MAX, check=False,
    )  # fmt: skip
    assert (done.returncode, "josé@example.com" in done.stdout.decode()) == (0, True), done.stderr


def test_an_exported_file_is_utf8_whatever_the_locale(tmp_path: Path) -> None:
    with Engine.open(tmp_path / "watchword-store", policy=Policy(names="any")) as engine:
        engine.add_user("josé@example.com")
    other = environment(LC_ALL="POSIX", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    done = subprocess.run(
        [*COMMAND, "export", "--out", "users.csv"], cwd=tmp_path, env=other,
        capture_output=True, timeout=WAIT_SECONDS_MAX, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "josé@example.com" in (tmp_path / "users.csv").read_text("utf-8")
