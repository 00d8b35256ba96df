"""`python -m bench engine`: verify and verify_many against pyotp, cryptography and the stdlib.

Every peer gets the same keys, the same codes and a process of its own; the processes take turns,
a round each, so that a noisy minute is everybody's. A round is three passes
over all users at one moment: wrong codes, right codes, and the right codes again. Answers are
compared with what the round was made to give; a peer that differs ends the run. Each pass is timed
in wall time and in this thread's CPU time, and the raw rows keep both. The table shows medians:
attempts a second of CPU time, which other work on the machine disturbs least, but of wall time
where the disk is waited for.
"""

import argparse
import importlib
import json
import os
import platform
import random
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench.peers.stdlib import code_of
from watchword import _engine

RESULTS = Path(__file__).parent / "results"
START_S = 1_700_000_000
STEP_S = 30
ROUND_S = 300  # between rounds, so that no window of one reaches into the next

# Peer, way of calling it, users: slow ones get fewer, so that each pass takes about a second.
ROWS = [
    ("pyotp", "", 20_000),
    ("cryptography", "", 40_000),
    ("stdlib", "", 60_000),
    ("watchword", "one", 60_000),
    ("watchword", "many", 200_000),
    ("watchword", "columns", 200_000),
    ("watchword", "one-durable", 2_000),
    ("watchword", "columns-durable", 200_000),
]
PASSES = ("wrong", "right", "again")


class Round:
    """The moment of a round, its codes, and which users may use their right code twice.

    Wrong codes match no step of the window. A right code stands for two of its three steps for
    about two users in a million: used up for the one, it is still good for the other.
    """

    def __init__(self, keys: list[bytes], number: int, seed: int) -> None:
        rng = random.Random(f"{seed}:{number}")
        self.time_s = START_S + number * ROUND_S + rng.randrange(STEP_S)
        middle = self.time_s // STEP_S
        self.wrong: list[str] = []
        self.right: list[str] = []
        self.twice: set[int] = set()
        for user, key in enumerate(keys):
            window = [code_of(key, middle + k) for k in (-1, 0, 1)]
            code = f"{rng.randrange(1_000_000):06d}"
            while code in window:
                code = f"{rng.randrange(1_000_000):06d}"
            self.wrong.append(code)
            self.right.append(window[1])
            if window.count(window[1]) > 1:
                self.twice.add(user)

    def expected(self, name: str, order: list[int], remembers: bool) -> bytes:
        """The answers of one pass, a byte an attempt."""
        if name == "again" and remembers:
            return bytes(user in self.twice for user in order)
        return bytes([name != "wrong"]) * len(order)


def measure(peer_name: str, way: str, users: int, rounds: int, seed: int) -> None:
    """The child's part: one peer, a round for each line it is told, a JSON line for each pass."""
    rng = random.Random(seed)
    keys = [rng.randbytes(20) for _ in range(users)]
    adapter = importlib.import_module(f"bench.peers.{peer_name}")
    ways = (way,) if way else ()
    peer = adapter.open_peer(keys, *ways)
    order = list(range(users))
    remembers = peer_name == "watchword"
    for number in range(rounds + 1):  # round 0 warms up and is kept out of the medians
        sys.stdin.readline()
        now = Round(keys, number, seed)
        rng.shuffle(order)
        for name in PASSES:
            codes = now.wrong if name == "wrong" else now.right
            prepared = peer.prepare(order, [codes[user] for user in order])
            wall, cpu = time.perf_counter(), time.thread_time()
            answers = peer.decide(prepared, now.time_s)
            wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
            if answers != now.expected(name, order, remembers):
                raise SystemExit(f"{peer_name} {way}: {name} codes were not all decided as made")
            row = {
                "peer": peer_name, "way": way, "does": adapter.describe(*ways), "pass": name,
                "round": number, "attempts": users, "wall_s": wall, "cpu_s": cpu,
            }  # fmt: skip
            print(json.dumps(row), flush=True)
    peer.close()


def machine() -> dict[str, str | int]:
    """What the figures were measured on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(": ", 1)[1] for line in lines if line.startswith("model name")]
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cpu": models[0] if models else platform.machine(),
        "cpus": os.cpu_count() or 1,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
        "kernel": f"{_engine.kernel_in_use()} of {', '.join(_engine.kernels())}",
    }


class Child:
    """A peer in a process of its own, which does a round when it is told."""

    def __init__(self, only: str, users: int, options: argparse.Namespace) -> None:
        self.rows: list[dict[str, Any]] = []
        command = [
            sys.executable, "-m", "bench", "engine", "--only", only, "--users", str(users),
            "--rounds", str(options.rounds), "--seed", str(options.seed),
        ]  # fmt: skip
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    def round(self) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        for _ in PASSES:
            line = self._process.stdout.readline()
            if not line:
                raise SystemExit(self._process.wait())
            self.rows.append(json.loads(line))

    def end(self) -> None:
        if self._process.communicate()[0] or self._process.returncode:
            raise SystemExit("a peer did not end as it should")


def rates(rows: list[dict[str, Any]], name: str, clock: str) -> list[float]:
    """Attempts a second of one pass, round by round, the warming round left out."""
    kept = [row for row in rows if row["pass"] == name and row["round"]]
    return [row["attempts"] / row[clock] for row in kept]


def table(runs: list[list[dict[str, Any]]]) -> str:
    """The Markdown table of README.md. Ratios are to the first row of the same round and clock."""
    lines = [
        "| what | wrong codes/s | right codes/s | by | used again | wrong: ratio |",
        "| --- | ---: | ---: | --- | --- | ---: |",
    ]
    for rows in runs:
        clock = "wall_s" if rows[0]["way"].endswith("durable") else "cpu_s"
        wrong, first = rates(rows, "wrong", clock), rates(runs[0], "wrong", clock)
        ratio = median(mine / its for mine, its in zip(wrong, first, strict=True))
        right = median(rates(rows, "right", clock))
        again = "refused" if rows[0]["peer"] == "watchword" else "accepted"
        lines.append(
            f"| {rows[0]['does']} | {median(wrong):,.0f} | {right:,.0f} | {clock.split('_')[0]} "
            f"| {again} | {ratio:.{2 if ratio < 1 else 1 if ratio < 10 else 0}f} |"
        )
    return "\n".join(lines)


def numbers(text: str) -> list[int]:
    """1e5,1e6 as whole numbers; 0 as none."""
    return [int(float(word)) for word in text.split(",") if float(word)]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench engine", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="rounds each, after one to warm up")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the usual users")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--save", action="store_true", help="keep the raw rows in bench/results/")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder for raw rows")
    parser.add_argument(
        "--peers", type=int, choices=(0, 1), default=1, help="0: the table of kinds alone"
    )
    parser.add_argument("--only", metavar="PEER/WAY", help="one peer, here, raw rows to stdout")
    parser.add_argument("--users", type=int, default=1000, help="with --only")
    parser.add_argument(
        "--kinds", type=numbers, default=[100_000], metavar="N,N",
        help="users of the table of kinds; 0: no such table",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    if options.only:
        name, _, way = options.only.partition("/")
        if name == "kinds":
            importlib.import_module("bench.kinds").measure(
                way, options.users, options.rounds, options.seed
            )
            return 0
        measure(name, way, options.users, options.rounds, options.seed)
        return 0
    host = machine()
    print(
        f"{host['cpu']}, {host['cpus']} CPUs, {host['system']}, Python {host['python']}, "
        f"{host['date']}, load before {host['load']}; kernel {host['kernel']}; "
        f"median of {options.rounds} rounds, seed {options.seed}\n"
    )
    if options.peers:
        runs = run(options)
        print(table(runs))
        if options.save:
            path = options.results / f"engine-{host['date']}.jsonl"
            lines = [{"machine": host, "seed": options.seed}]
            lines += [row for rows in runs for row in rows]
            path.write_text("".join(json.dumps(line) + "\n" for line in lines))
            print(f"\nraw rows: {path}")
    if options.kinds:
        kinds = importlib.import_module("bench.kinds")
        rows = kinds.run(options)
        print("\n" + kinds.table(rows))
        if options.save:
            print(f"\nraw rows: {kinds.keep(options, rows)}")
    return 0


def run(options: argparse.Namespace) -> list[list[dict[str, Any]]]:
    """The rows of every peer, a list each."""
    children = [
        Child(f"{name}/{way}", max(10, int(users * options.scale)), options)
        for name, way, users in ROWS
    ]
    for number in range(options.rounds + 1):
        for child in children:
            child.round()
        print(f"  round {number}: all answers agree", file=sys.stderr)
    for child in children:
        child.end()
    return [child.rows for child in children]
