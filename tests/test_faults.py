"""Disks that fail and owners that are killed: what was acknowledged is there afterwards.

The failing disk is faults.c, preloaded into a process of tests/crash/sweep.py for each kind of
failure. Here every ninth call fails; `python -m tests.crash faults --every 1` takes them all.
"""

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

from tests.crash.preload import build, preloaded

HERE = Path(__file__).parent
EVERY = 9


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("faults"))


def sweep(
    library: Path, *words: object, every: int = EVERY
) -> "subprocess.CompletedProcess[str]":
    with quick() as place:
        return preloaded(library, "sweep", place, *words, every, quiet=True)


@pytest.mark.parametrize("kind", ["birth", "life", "engine", "copy"])
@pytest.mark.parametrize("how", ["once", "on"])
@pytest.mark.parametrize("code", ["EIO", "ENOSPC"])
def test_whatever_call_fails_no_acknowledged_row_is_lost(
    library: Path, rng: Seeded, code: str, how: str, kind: str
) -> None:
    done = sweep(library, code, how, kind, rng.text)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10  # a sweep in which nothing fails would prove nothing


@pytest.mark.parametrize(
    ("kind", "how", "said"),
    [("hasty", "on", "is lost"), ("forgiving", "once", "lives on"),
     ("touchy", "once", "has ended the store")],
)
def test_a_store_that_breaks_its_word_would_be_found_out(
    library: Path, rng: Seeded, kind: str, how: str, said: str
) -> None:
    """A life that counts a row before it is written; a store that goes on after a failure, and one
    that does not after a backup's. Every call fails, for by chance none of each ninth may be one
    that matters."""
    done = sweep(library, "EIO", how, kind, rng.text, every=1)
    assert done.returncode == 1
    assert said in done.stderr


WRITER = """
import os, random, sys, threading
sys.path[:0] = sys.argv[2].split(":")
from faults import row
from watchword.store import Page, open_store
store = open_store(sys.argv[1], bytes(range(1, 33)), segment_bytes=60_000)
def keep():
    while True:
        store.tick()
        store.write_ahead(0.1)
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
