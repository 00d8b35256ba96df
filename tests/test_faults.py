"""Disks that fail and owners that are killed: what was acknowledged is there afterwards.

The failing disk is faults.c, preloaded into the process of faults_sweep.py.
"""

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Seeded
from faults import contents, quick, row

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faults") / "faults.so"
    command = ["cc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-shared", "-fPIC"]
    subprocess.run([*command, "-o", path, HERE / "faults.c", "-ldl"], check=True)
    return path


def sweep(
    library: Path, place: Path, code: int, how: str, kind: str, rng: Seeded
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", HERE / "faults_sweep.py"]
    return subprocess.run(
        [*command, library, place, str(code), how, kind, rng.text],
        env={**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("kind", ["birth", "life"])
@pytest.mark.parametrize("how", ["once", "on"])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
def test_whatever_call_fails_no_acknowledged_row_is_lost(
    library: Path, rng: Seeded, code: int, how: str, kind: str
) -> None:
    with quick() as place:
        done = sweep(library, place, code, how, kind, rng)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20  # a sweep in which nothing fails would prove nothing


def test_a_promise_before_the_commit_would_be_found_out(library: Path, rng: Seeded) -> None:
    """The same sweep over a life that counts a row as acknowledged before it is."""
    with quick() as place:
        done = sweep(library, place, errno.EIO, "on", "hasty", rng)
    assert done.returncode == 1
    assert "is lost" in done.stderr


WRITER = """
import os, random, sys, threading
sys.path[:0] = sys.argv[2].split(":")
from faults import row
from watchword.store import Page, open_store
store = open_store(sys.argv[1], bytes(range(1, 33)), segment_bytes=60_000)
def keep():
    while True:
        store.tick()
        turn = store.head
        store.write_pages([Page("state", turn % 3, turn, b"%d" % turn)])
        os.write(1, b"page %d %d\\n" % (turn % 3, turn))
threading.Thread(target=keep, daemon=True).start()
for turn in range(store.head + 1, 1 << 40):
    store.append([(turn, row(turn, 90, random.Random(turn)))])
    os.write(1, b"row %d\\n" % turn)
"""


def test_a_killed_writer_has_lost_nothing_it_printed(tmp_path: Path, rng: Seeded) -> None:
    path, rows, turns = tmp_path / "store", 0, {0: 0, 1: 0, 2: 0}
    for life in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, path, os.pathsep.join([str(HERE), *sys.path])],
            stdout=subprocess.PIPE,
        ) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline()  # it is open and writing
            time.sleep(rng.uniform(0, 0.1))
            writer.send_signal(signal.SIGKILL)
            for line in writer.stdout:  # each was one write, so each is whole
                what, *figures = line.split()
                if what == b"row":
                    rows = int(figures[0])
                else:
                    turns[int(figures[0])] = int(figures[1])
        found = contents(path)
        assert len(found.rows) >= rows, (life, rng)
        for turn, plain in found.rows.items():
            assert plain == row(turn, 90, random.Random(turn)), (life, turn, rng)
        for (_table, number), (turn, image) in found.pages.items():
            assert turn >= turns[number], (life, rng)
            assert image == b"%d" % turn, (life, rng)
    assert rows > 0, rng
