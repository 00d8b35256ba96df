"""Child processes of a benchmark: a fresh one for each peer, on one core, rows told as JSON lines.

The parent starts `python -m bench <verb> --only <name>` with its own arguments. A child prepares,
then runs a round whenever it is told to; children take turns, a round each, so that a noisy minute
is everybody's. A child that fails ends the run, for its figures would be of something else.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.rows import RESULTS, Row
from watchword import _engine

ROOT = Path(__file__).parents[1]
PAUSE = "pause"  # the only name in the line that ends preparation or a round


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that every benchmark with children has."""
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run at all")
    parser.add_argument("--rounds", type=int, default=5, help="rounds each, after one to warm up")
    parser.add_argument(
        "--kernels", default="best,avx512,avx2,portable", help="kernel rows, where they run"
    )
    parser.add_argument("--cpu", type=int, help="the core to stay on; the last one if not given")
    parser.add_argument("--save", action="store_true", help="keep the raw rows")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder for raw rows")
    parser.add_argument("--only", help=argparse.SUPPRESS)


def rows_here(wanted: str) -> list[str]:
    """Of the kernel rows wanted those that this machine can run; the first is the one in use."""
    here = _engine.kernels()
    return [row for row in wanted.split(",") if row in here] or [_engine.kernel_in_use()]


def pin(cpu: int | None) -> None:
    """This process and its children stay on one core."""
    allowed = os.sched_getaffinity(0)
    if cpu is not None and cpu not in allowed:
        raise SystemExit(f"--cpu is one of {', '.join(map(str, sorted(allowed)))}")
    os.sched_setaffinity(0, {max(allowed) if cpu is None else cpu})


def banner(host: Row) -> str:
    """One line over a table: what it was measured on."""
    return (
        f"{host['cpu']}, {host['cpus']} CPUs, core {host['cpu_used']} used, "
        f"{host['memory_gb']} GB, {host['system']}, Python {host['python']}, {host['date']}, "
        f"commit {host['commit']}, load before {host['load']}; kernel {host['kernel']}"
    )


# ---- the child's side ----


def tell(row: Row) -> None:
    """A row from a child to its parent."""
    print(json.dumps(row), flush=True)


def timed(call: Callable[[], Any]) -> tuple[Any, Row]:
    """What a call said, and the wall and CPU seconds it took."""
    wall, cpu = time.perf_counter(), time.thread_time()
    said = call()
    wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
    return said, {"wall_s": wall, "cpu_s": cpu}


def rounds(count: int) -> Iterator[int]:
    """Numbers of rounds, 0 to warm up and then `count`, each when the parent says so."""
    for number in range(count + 1):
        tell({PAUSE: number})
        if not sys.stdin.readline():
            raise SystemExit("the benchmark that started this is gone")
        yield number
    tell({PAUSE: count + 1})


# ---- the parent's side ----


class Child:
    """A child that has prepared itself and waits, or has left because its library is missing."""

    def __init__(
        self, verb: str, only: str, arguments: list[str], environment: dict[str, str] | None = None
    ) -> None:
        command = [sys.executable, "-m", "bench", verb, *arguments, "--only", only]
        self.name, self.rows = f"{verb} {only}", list[Row]()
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
            env={**os.environ, **(environment or {})},
        )  # fmt: skip
        self.waits = self._listen()

    def round(self) -> None:
        if self.waits:
            assert self._process.stdin
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
            self.waits = self._listen()

    def end(self) -> list[Row]:
        """All its rows, once it has ended well."""
        self._process.communicate()
        if self._process.returncode:
            raise SystemExit(f"{self.name} failed with exit code {self._process.returncode}")
        return self.rows

    def _listen(self) -> bool:
        """Takes rows until the child pauses; False when it is gone."""
        assert self._process.stdout
        for line in self._process.stdout:
            row = json.loads(line)
            if PAUSE in row:
                return True
            self.rows.append(row)
        self.end()
        return False


def take_turns(
    verb: str, names: dict[str, dict[str, str]], arguments: list[str], count: int
) -> list[Row]:
    """The rows of children by name, each with its environment, prepared one after the other and
    then run round by round."""
    family = []
    for name, environment in names.items():
        family.append(Child(verb, name, arguments, environment))
        print(f"  {name}: {'ready' if family[-1].waits else 'left out'}", file=sys.stderr)
    for number in range(count + 1):
        for child in family:
            child.round()
        print(f"  round {number}: all answers agree", file=sys.stderr)
    return [row for child in family for row in child.end()]
