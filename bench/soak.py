"""`python -m bench soak`: minutes of logins at half of the highest rate; does anything grow?

One daemon, one open loop of our own loader in slices; after each slice the daemon's resident memory
is read. A reply that is an error, or BUSY, or nothing that a verdict is, ends with exit code 1. The
highest rate is that of a closed loop before it. Memory is flat when the last slices stand where
those of the second fifth stood: by then every table was touched.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from bench import loads, servers
from bench.children import banner
from bench.rows import RESULTS, Row, host, save

DEPTH = 16
HALF = 0.5
BAD = ("busy", "errors", "other")


def soaked(options: argparse.Namespace, folder: Path) -> list[Row]:
    allowed = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {allowed[-1]})
    store, rows = servers.make_store(folder, int(options.users)), []
    with servers.watchword(folder, store, allowed[0]) as server:
        pool = loads.verify_pool(int(options.users), servers.code_now(), 1)
        for _ in range(2):  # the first touches every table
            closed = loads.ours(server.port, pool, options.slice_seconds, depth=DEPTH)
        rate = HALF * closed["commands"] / closed["seconds"]
        count = max(2, round(options.minutes * 60 / options.slice_seconds))
        for number in range(count):
            row = loads.ours(server.port, pool, options.slice_seconds, depth=DEPTH, rate=rate)
            rows.append({**row, "what": "soak", "slice": number, "users": int(options.users),
                         "resident_bytes": server.resident_bytes(), "cpu_s": server.cpu_s()})
            if sys.stderr.isatty():
                print(f"\r  {number + 1} of {count} slices", end="", file=sys.stderr)
    return rows


def table(rows: list[Row]) -> str:
    """The run in fifths, as Markdown."""
    lines = ["| part of the run | logins a second | p50 | p99 | resident memory | not a verdict |",
             "| --- | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
    parts = min(5, len(rows))
    for part in range(parts):
        some = rows[part * len(rows) // parts : (part + 1) * len(rows) // parts]
        middle = {key: statistics.median(row[key] for row in some)
                  for key in ("p50_s", "p99_s", "resident_bytes")}  # fmt: skip
        logins = sum(row["commands"] for row in some)
        lines.append(
            f"| {part + 1} of {parts} | {logins / sum(row['seconds'] for row in some):,.0f} | "
            f"{middle['p50_s'] * 1e3:.2f} ms | {middle['p99_s'] * 1e3:.2f} ms | "
            f"{middle['resident_bytes'] / 1e6:.1f} MB | {bad(some)} |"
        )
    minutes = sum(row["seconds"] for row in rows) / 60
    asked = sum(row["commands"] for row in rows)
    lines += ["", f"{asked:,} logins in {minutes:.1f} minutes, {rows[0]['users']:,} users."]
    return "\n".join(lines)


def bad(rows: list[Row]) -> int:
    """Replies that are no verdict."""
    return sum(row[name] for row in rows for name in BAD)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench soak", description=__doc__)
    parser.add_argument("--users", type=float, default=1e6)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--slice-seconds", type=float, default=10.0)
    parser.add_argument("--folder", help="where the store is made, and kept for the next run")
    parser.add_argument("--save", action="store_true", help="keep the raw rows")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder for raw rows")
    options = parser.parse_args(arguments)
    run_host = host(users=int(options.users), minutes=options.minutes)
    run_host["cpu_used"] = "first serves, last asks"
    print(banner(run_host))
    folder = Path(options.folder or tempfile.mkdtemp(prefix="watchword-bench-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        rows = soaked(options, folder)
    finally:
        if not options.folder:
            shutil.rmtree(folder)
    print(table(rows))
    if options.save:
        print(f"\nraw rows: {save('soak', run_host, rows, options.results)}")
    return int(bad(rows) > 0)
