"""What only a person at a terminal sees: hidden prompts, and a QR code."""

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import segno
from standing import enrolled

from watchword import Engine


def at_terminal(folder: Path, *words: str, typed: str = "") -> tuple[int, str]:
    """The exit code, and all that stood on a terminal of 100 columns."""
    ours, theirs = pty.openpty()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "COLUMNS": "100",
        "TERM": "xterm-256color",
    }
    child = subprocess.Popen(
        [sys.executable, "-m", "watchword", *words],
        cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs,
        start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    while True:
        try:
            piece = os.read(ours, 65_536)
        except OSError:  # Linux says so when the other side is closed
            break
        seen += piece
        if typed and b"code:" in seen.lower():
            os.write(ours, typed.encode() + b"\n")
            typed = ""
        if not piece:
            break
    os.close(ours)
    return child.wait(60), seen.decode()


def test_the_code_is_asked_for_and_not_shown(tmp_path: Path) -> None:
    enrolled(tmp_path)
    code, seen = at_terminal(tmp_path, "verify", "alice", typed="755224")
    assert code == 0
    assert "code:" in seen
    assert "accepted" in seen
    assert "755224" not in seen


def test_enrolment_shows_a_qr_code_of_the_address(tmp_path: Path) -> None:
    enrolled(tmp_path)
    code, seen = at_terminal(tmp_path, "device", "add", "totp", "alice")
    assert code == 0
    address = re.search(r"otpauth://\S+", seen)
    assert address
    drawn = io.StringIO()
    segno.make(address[0], error="l", micro=False).terminal(out=drawn, compact=True)
    assert drawn.getvalue().strip() in seen.replace("\r\n", "\n")


def test_a_store_that_a_program_holds_is_not_a_daemons(tmp_path: Path) -> None:
    with Engine.open(tmp_path / "store"):
        for verb in ("user", "list"), ("audit", "verify"):
            code, seen = at_terminal(tmp_path, "--store", "store", *verb)
            said = " ".join(seen.split())
            assert code == 1
            assert f"is owned by process {os.getpid()} (" in said
            assert "hint: no daemon answers at store/admin.sock: is one starting," in said
