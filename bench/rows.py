"""Raw rows: what was measured, on what, at which commit; JSON lines in bench/results/.

The first line of a file is the run: machine, commit, options. Every other line is one measurement.
Rule: a row keeps counts and seconds, never a rate; whoever reads it divides.
"""

import json
import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.engine import machine

Row = dict[str, Any]

RESULTS = Path(__file__).parent / "results"
ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Run:
    """One run of one benchmark, as it was kept."""

    bench: str
    host: Row
    rows: list[Row]


def host(**options: object) -> Row:
    """What the figures were measured on, with which code and options."""
    return {
        **machine(),
        "at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": commit(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30),
        **options,
    }


def commit() -> str:
    """The commit the tree stands at; a plus says that it was changed since. Without git: none."""
    try:
        said = subprocess.run(
            ["git", "describe", "--always", "--abbrev=8", "--exclude=*", "--dirty=+"],
            cwd=ROOT, text=True, capture_output=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return "none"
    return said.stdout.strip()


def save(bench: str, run_host: Row, rows: list[Row], folder: Path = RESULTS) -> Path:
    """Keeps a run; the file's name says which benchmark, day and commit."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{bench}-{run_host['date']}-{run_host['commit']}.jsonl"
    lines = [{"machine": run_host}, *rows]
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    return path


def load(bench: str, folder: Path = RESULTS) -> list[Run]:
    """Every kept run of a benchmark, oldest first."""
    runs = []
    for path in folder.glob(f"{bench}-*.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        runs.append(Run(bench, lines[0]["machine"], lines[1:]))
    return sorted(runs, key=lambda run: (run.host["date"], run.host.get("at", "")))
