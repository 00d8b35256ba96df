"""Child processes of a benchmark: a fresh one for each peer, on one core, rows told as JSON lines.

The parent starts `python -m bench <verb> --only <name>` with its own arguments and reads rows from
its standard output; a child that fails ends the run, for its figures would be of something else.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from bench.rows import RESULTS, Row
from watchword import _engine

ROOT = Path(__file__).parents[1]


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that every benchmark with children has."""
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


def tell(row: Row) -> None:
    """A row from a child to its parent."""
    print(json.dumps(row), flush=True)


def run(
    verb: str, only: str, arguments: list[str], environment: dict[str, str] | None = None
) -> list[Row]:
    """The rows of one child, which must succeed. Whatever it says on stderr is shown as it comes."""
    command = [sys.executable, "-m", "bench", verb, *arguments, "--only", only]
    paths = [str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=False, cwd=ROOT,
        env={**os.environ, **(environment or {}), "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{verb} {only} failed with exit code {done.returncode}")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    print(f"  {only}: {len(rows)} rows, answers agree" if rows else f"  {only}: left out",
          file=sys.stderr)  # fmt: skip
    return rows


def banner(host: Row) -> str:
    """One line over a table: what it was measured on."""
    return (
        f"{host['cpu']}, {host['cpus']} CPUs, core {host['cpu_used'][0]} used, "
        f"{host['memory_gb']} GB, {host['system']}, Python {host['python']}, {host['date']}, "
        f"commit {host['commit']}, load before {host['load']}; kernel {host['kernel']}"
    )
