"""Shell sessions in text files, played line by line: what the command line promises to say.

A transcript is a .txt file beside this one. Its lines:

    # words               why the next lines stand here
    stdin FILE            the next command reads FILE
    $ program words ...   runs it; `watchword` in this process, anything else as it is
    times N $ words ...   the same N times, each time with the same input; the last one counts
    keep FILE             writes the last standard output to FILE
    & watchword serve ... starts a daemon in a process of its own, and waits until it answers
    end                   sends that daemon SIGTERM, and it must exit with 0
    stdout REGEX          the last standard output matches; `! stdout REGEX` must not
    stderr REGEX          the same for standard error
    exit N                the last exit code; a command without this line must exit with 0
    -- NAME --            what follows, up to the next such line, is the file NAME

Every transcript runs in an empty directory. ${PORT} is a port that was free a moment ago.
"""

import contextlib
import io
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from watchword.cli.main import run

HERE = Path(__file__).parent
TRANSCRIPTS = sorted(HERE.glob("*.txt"))
START_SECONDS_MAX = 20
HANGS_SECONDS = 180  # a command that takes longer hangs; sanitizers make some ten times slower
VERBS = ("stdin", "$", "times", "keep", "&", "end", "stdout", "stderr", "exit", "!")


@dataclass
class Session:
    """What a shell would remember from line to line."""

    name: str
    stdin: str = ""
    stdout: str = ""
    stderr: str = ""
    code: int = 0
    checked: bool = True
    number: int = 0
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def fail(self, why: str) -> None:
        said = f"exit {self.code}\nstdout: {self.stdout!r}\nstderr: {self.stderr!r}"
        pytest.fail(f"{self.name}.txt, line {self.number}: {why}\n{said}", pytrace=False)

    def settle(self) -> None:
        """A command whose exit code nobody looked at must have succeeded."""
        if not self.checked and self.code != 0:
            self.fail("exit code 0 was expected")
        self.checked = True

    def command(self, words: list[str]) -> None:
        if words[0] == "watchword":
            self.ours(words[1:])
        else:
            assert shutil.which(words[0]), f"{words[0]} is not installed: see tests/tools.sh"
            done = subprocess.run(
                words, input=self.stdin, text=True, capture_output=True, timeout=HANGS_SECONDS,
                check=False,
            )  # fmt: skip
            self.stdout, self.stderr, self.code = done.stdout, done.stderr, done.returncode
        self.stdin, self.checked = "", False

    def ours(self, words: list[str]) -> None:
        out, err, before = io.StringIO(), io.StringIO(), sys.stdin
        sys.stdin = io.TextIOWrapper(io.BytesIO(self.stdin.encode()))
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                self.code = run(words)
        finally:
            sys.stdin = before
        self.stdout, self.stderr = out.getvalue(), err.getvalue()

    def start(self, words: list[str], port: int) -> None:
        assert words[0] == "watchword"
        with Path("daemon.log").open("wb") as log:
            daemon = subprocess.Popen([sys.executable, "-m", *words], stderr=log)
        self.daemons.append(daemon)
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline and daemon.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            time.sleep(0.02)
        self.stderr = Path("daemon.log").read_text()
        self.fail("the daemon did not start")

    def end(self) -> None:
        daemon = self.daemons.pop()
        daemon.send_signal(signal.SIGTERM)
        self.code = daemon.wait(START_SECONDS_MAX)
        self.stdout, self.stderr = "", Path("daemon.log").read_text()
        self.checked = False

    def look(self, stream: str, pattern: str, wanted: bool) -> None:
        text = {"stdout": self.stdout, "stderr": self.stderr}[stream]
        if bool(re.search(pattern, text, re.M)) is not wanted:
            self.fail(f"{stream} {'does not match' if wanted else 'matches'} {pattern!r}")


def unpack(text: str) -> tuple[list[str], dict[str, str]]:
    """The lines to play, and the files at the end."""
    parts = re.split(r"^-- (\S+) --\n", text, flags=re.M)
    return parts[0].splitlines(), dict(zip(parts[1::2], parts[2::2], strict=True))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def play(session: Session, lines: list[str], port: int) -> None:
    for session.number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        verb, _, rest = line.partition(" ")
        assert verb in VERBS, f"line {session.number}: {verb} is no verb of a transcript"
        if verb in ("$", "times", "&", "stdin", "end"):
            session.settle()
        if verb == "stdin":
            session.stdin = Path(rest).read_text()
        elif verb == "$":
            session.command(shlex.split(rest))
        elif verb == "times":
            count, _, words = rest.partition(" $ ")
            typed = session.stdin
            for _ in range(int(count)):
                session.stdin = typed
                session.command(shlex.split(words))
        elif verb == "keep":
            Path(rest).write_text(session.stdout)
        elif verb == "&":
            session.start(shlex.split(rest), port)
        elif verb == "end":
            session.end()
        elif verb == "exit":
            session.checked = True
            if session.code != int(rest):
                session.fail(f"exit code {rest} was expected")
        else:
            stream, _, pattern = (rest if verb == "!" else line).partition(" ")
            session.look(stream, shlex.split(pattern)[0], wanted=verb != "!")
    session.settle()


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    lines, files = unpack(path.read_text().replace("${PORT}", str(port)))
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WATCHWORD_STORE", raising=False)
    # A child must find the same Python as ours, and the same package, installed or not.
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    folder = str(Path(sys.executable).parent)
    monkeypatch.setenv("PATH", os.pathsep.join([folder, os.environ["PATH"]]))
    session = Session(path.stem)
    try:
        play(session, lines, port)
    finally:
        for daemon in session.daemons:
            daemon.kill()
            daemon.wait()


def test_there_are_transcripts() -> None:
    assert TRANSCRIPTS


def test_a_transcript_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runner itself: each way to be wrong is noticed."""
    monkeypatch.chdir(tmp_path)
    good = ["$ watchword --version", "stdout watchword", "! stderr ."]
    play(Session("good"), good, 0)
    for bad in (["stdout nothing-like-it"], ["! stdout ."], ["stderr ."], ["exit 1"]):
        with pytest.raises(pytest.fail.Exception):
            play(Session("bad"), [*good, *bad], 0)
    with pytest.raises(pytest.fail.Exception):
        play(Session("unlooked"), ["$ watchword no-such-verb"], 0)
