"""`python -m bench daemon`: its loaders ask what they say, count what comes back; it all runs."""

import subprocess
import sys
import threading
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from bench import daemon, loads, soak
from bench.rows import ROOT, Row, load

SECONDS_MAX = 240


class Answers(StreamRequestHandler):
    """A server that answers every command with the next of its replies, and keeps what it heard."""

    replies: tuple[bytes, ...]
    heard: list[bytes]

    def handle(self) -> None:
        count = 0
        while line := self.rfile.readline():
            assert line.startswith(b"*")
            words = []
            for _ in range(int(line[1:])):
                length = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(length + 2)[:-2])
            self.heard.append(b" ".join(words))
            self.wfile.write(self.replies[count % len(self.replies)])
            count += 1


def asked(replies: tuple[bytes, ...], pool: loads.Pool, **how: Any) -> tuple[Row, list[bytes]]:
    """A short run of our loader on one connection."""
    heard: list[bytes] = []
    kind = type("Answering", (Answers,), {"replies": replies, "heard": heard})
    with ThreadingTCPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            row = loads.ours(server.server_address[1], pool, 0.1, connections=1, **how)
        finally:
            server.shutdown()
            thread.join()
    return row, heard


def test_the_pool_is_commands_of_random_users() -> None:
    pool = loads.verify_pool(50, "123456", 1, 400)
    row, heard = asked((b"+REJECTED\r\n",), pool, depth=8)
    assert row["commands"] == row["rejected"] == row["answers"] == len(heard) > 0
    for said in heard:
        verb, name, code = said.split()
        assert verb == b"VERIFY" and name[:1] == b"u" and int(name[1:]) < 50 and len(code) == 6
    right = sum(said.endswith(b" 123456") for said in heard[:400]) / min(400, len(heard))
    assert 0.3 < right < 0.7, "half of them type the one code"


def test_every_reply_is_counted_by_what_it_says() -> None:
    replies = (b"+ACCEPTED\r\n", b"+LOCKED\r\n", b"+BUSY\r\n", b"-ERR no\r\n", b"$3\r\na\r\n\r\n",
               b"$-1\r\n")  # fmt: skip
    row, heard = asked(replies, loads.redis_pool("SET", 9, 1, 60), depth=6)
    sixth = row["commands"] // 6
    assert sixth > 0 and heard[0].startswith(b"SET u")
    assert [row[name] for name in ("accepted", "locked", "busy", "errors")] == [sixth] * 4
    assert row["other"] == 2 * sixth


def test_an_array_is_as_many_verdicts() -> None:
    many = b"*100\r\n" + b"+ACCEPTED\r\n" * 40 + b"+REJECTED\r\n" * 60
    row, heard = asked((many,), loads.many_pool(9, "000000", 1, 8), depth=2)
    assert row["answers"] == 100 * row["commands"] > 0
    assert row["accepted"] == 40 * row["commands"] and row["rejected"] == 60 * row["commands"]
    assert all(said.count(b" u") == 100 for said in heard)


def test_an_open_loop_counts_from_when_a_command_was_due() -> None:
    """A thousand a second for a tenth of one, whatever the server takes; none is left out."""
    row, heard = asked((b"+OK\r\n",), loads.redis_pool("GET", 9, 1, 64), depth=4, rate=1000.0)
    assert row["commands"] == len(heard) and 90 <= row["commands"] + row["late"] <= 100
    assert 0 < row["p50_s"] <= row["p99_s"] <= row["max_s"]


def test_latencies_are_a_histogram_that_others_read() -> None:
    from hdrh.histogram import HdrHistogram

    row = loads.latencies(np.arange(1, 100_001, dtype=np.uint32) * 1000)
    assert row["p50_s"] == pytest.approx(0.05, rel=2e-3)
    assert row["p99_s"] == pytest.approx(0.099, rel=2e-3)
    assert HdrHistogram.decode(row["hdr"]).get_total_count() == 100_000


def test_a_server_that_is_not_there_is_said() -> None:
    with pytest.raises(SystemExit, match="went away"):
        loads.ours(1, loads.redis_pool("GET", 9, 1, 64), 0.1)


def test_it_runs_and_is_reported(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "daemon", "--quick", "--save", "--results"]
    done = subprocess.run(
        [*command, str(tmp_path)], cwd=ROOT, text=True, capture_output=True, check=False,
        timeout=SECONDS_MAX,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = load("daemon", tmp_path)
    whats = {row["what"] for row in run.rows}
    assert whats == {
        "redis-benchmark", "known sync", "tls", "closed", "highest", "open", "pages", "sync",
    }  # fmt: skip
    for row in run.rows:
        if row["what"] == "closed" and row["command"].startswith("VERIFY"):
            assert row["accepted"] > 0 and row["rejected"] > 0 and row["cpu_s"] > 0
            assert row["errors"] == row["other"] == row["busy"] == 0
            assert row["accepted"] + row["rejected"] + row["locked"] == row["answers"]
    said = daemon.goals(run.rows)
    assert said.count("\n") == 16 and "| - |" not in said, "every bar has a figure"
    readme = tmp_path / "README.md"
    readme.write_text("Before.\n<!-- daemon -->\nold\n<!-- /daemon -->\nAfter.\n")
    report = [sys.executable, "-m", "bench", "report", "--with-quick", "--results", str(tmp_path)]
    subprocess.run([*report, "--readme", str(readme)], cwd=ROOT, check=True, capture_output=True)
    assert "old" not in readme.read_text() and "| goal |" in readme.read_text()
    assert ElementTree.parse(tmp_path / "rates.svg").getroot().tag.endswith("svg")


def test_a_soak_runs_and_is_reported(tmp_path: Path) -> None:
    """A few short slices; every reply is a verdict, and the table says what the rows say."""
    done = subprocess.run(
        [sys.executable, "-m", "bench", "soak", "--users", "2000", "--minutes", "0.01",
         "--slice-seconds", "0.2", "--save", "--results", str(tmp_path)],
        cwd=ROOT, text=True, capture_output=True, timeout=SECONDS_MAX, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = load("soak", tmp_path)
    assert [row["slice"] for row in run.rows] == [0, 1, 2]
    assert all(row["resident_bytes"] > 0 and row["commands"] > 0 for row in run.rows)
    assert f"{sum(row['commands'] for row in run.rows):,} logins" in done.stdout
    assert soak.bad(run.rows) == 0
    assert soak.bad([run.rows[0] | {"busy": 2, "errors": 1}]) == 3
