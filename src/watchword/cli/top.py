"""`watchword top`: what a running daemon is doing, live.

Figures are differences between two answers to STATS, so that a rate is of the last moment and not
of the daemon's life. It needs the daemon: what it shows is the daemon's own.
"""

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click
from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from watchword.cli.connection import Connection, mapping
from watchword.cli.doors import ADMIN_SOCKET
from watchword.cli.options import settings, shared_options
from watchword.cli.words import Verb, console, duration, paint, tell
from watchword.errors import Error, InvalidArgument, NotFound
from watchword.formats.lockouts import blocks
from watchword.stats import percentile_us

__all__ = ["daemon", "top"]

SECONDS_MIN, SECONDS_MAX = 0.2, 3_600.0
PAST = 40                       # moments in the picture of logins
BAR = 24
REDRAWN_PER_SECOND = 4
GROUP = {"ACCEPTED": "green", "REJECTED": "yellow", "LOCKED": "red", "BUSY": "magenta"}
COUNTED = ("attempts", "turns", "commands", "lanes", "idle_lanes")
STANDING = (
    "version", "kernel", "uptime_ms", "clients", "users", "memory_bytes", "resident_bytes",
    "buffer_bytes", "lag_bytes", "lag_bytes_max", "disk_free_bytes", "subscribers",
    "busy_because", "head",
)  # fmt: skip


@click.command(cls=Verb)
@click.option("--once", is_flag=True)
@click.option("--json", "as_json", is_flag=True)
@click.option("--interval", metavar="SECONDS", type=float, default=1.0)
@shared_options
def top(once: bool, as_json: bool, interval: float) -> None:
    """
    usage: watchword top [--once] [--json] [--interval SECONDS]

    Shows what the daemon does: logins a second and how they end, how long answers and commits
    take, sizes of turns, lanes, queues, lockouts, memory. Ends with ctrl-c.

    --once               one look, and done
    --json               a JSON object a look, for programs
    --interval SECONDS   between two looks                        1
    --store PATH         the store's directory
    --config FILE        the daemon's settings

    try:
        watchword top
        watchword top --once --json
    """
    if not SECONDS_MIN <= interval <= SECONDS_MAX:
        raise InvalidArgument(f"--interval is {SECONDS_MIN} to {SECONDS_MAX:.0f} seconds")
    with daemon() as connection:
        looks = figures(connection, interval)
        if as_json:
            for found in looks:
                tell(json.dumps(found, ensure_ascii=False))
                if once:
                    return
        elif once:
            paint(picture(next(looks), []))
        else:
            with suppress(KeyboardInterrupt):  # its one way to end
                watched(looks)


@contextmanager
def daemon() -> Iterator[Connection]:
    """The administration socket of the daemon that owns the store."""
    store = settings().store
    path = Path(store) / ADMIN_SOCKET
    try:
        connection = Connection(path)
    except NotFound:
        raise Error(
            f"no daemon serves {store}", hint="watchword serve, and try again"
        ) from None
    try:
        yield connection
    finally:
        connection.close()


# ---- figures ----


def asked(connection: Connection) -> dict[str, Any]:
    """STATS, its names with dots as tables again."""
    found: dict[str, Any] = {"verdicts": {}}  # of which there are none at first
    for name, figure in mapping(connection.ask("STATS")).items():
        *tables, last = name.split(".")
        into = found
        for table in tables:
            into = into.setdefault(table, {})
        into[last] = figure
    return found


def figures(
    connection: Connection, interval: float, clock: Callable[[], float] = time.monotonic
) -> Iterator[dict[str, Any]]:
    """What happened between one look and the next, for ever."""
    before, at = asked(connection), clock()
    while True:
        time.sleep(interval)
        after, now = asked(connection), clock()
        yield between(before, after, now - at)
        before, at = after, now


def between(before: dict[str, Any], after: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Rates a second, percentiles of that time alone, and gauges as they stand."""
    grown = {name: after[name] - before[name] for name in COUNTED}
    lanes = grown["lanes"] + grown["idle_lanes"]
    found: dict[str, Any] = {
        "seconds": round(seconds, 3),
        "logins_per_s": round(grown["attempts"] / seconds, 1),
        "commands_per_s": round(grown["commands"] / seconds, 1),
        "attempts_per_turn": round(grown["attempts"] / max(1, grown["turns"]), 1),
        "lanes_filled_percent": round(100 * grown["lanes"] / lanes) if lanes else 0,
        "verdicts_per_s": {},
        "verdicts": after["verdicts"],
        "queued": after["queued"],
        "stalled": after["stalled"],
        **{name: after[name] for name in STANDING},
    }
    for verdict, reasons in after["verdicts"].items():
        for reason, count in reasons.items():
            was = before["verdicts"].get(verdict, {}).get(reason, 0)
            rates = found["verdicts_per_s"].setdefault(verdict, {})
            rates[reason] = round((count - was) / seconds, 1)
    for whose in ("users", "nobody"):
        more = after["lockouts"][whose] - before["lockouts"][whose]
        found[f"lockouts_of_{whose}_per_s"] = round(more / seconds, 1)
        found[f"lockouts_of_{whose}"] = after["lockouts"][whose]
    for name, key in (("answer", "answers"), ("commit", "commits")):
        places = [
            now - was for now, was in zip(after[key]["places"], before[key]["places"], strict=True)
        ]
        found[f"{name}s_per_s"] = round(sum(places) / seconds, 1)
        for percent in (50, 99):
            found[f"{name}_p{percent}_us"] = percentile_us(places, percent / 100)
    return found


# ---- the picture ----


def watched(looks: Iterator[dict[str, Any]]) -> None:
    past: deque[int] = deque(maxlen=PAST)
    with Live(
        Text("the first look takes a moment", style="dim"), console=console(), screen=True,
        refresh_per_second=REDRAWN_PER_SECOND,
    ) as live:  # fmt: skip
        for found in looks:
            past.append(round(found["logins_per_s"]))
            live.update(picture(found, list(past)), refresh=True)


def picture(found: dict[str, Any], past: list[int]) -> Panel:
    up = duration(found["uptime_ms"])
    busy = found["busy_because"]
    state = Text(busy or "ready", style="red" if busy else "green")
    return Panel(
        Group(rates(found, past), Text(), endings(found), Text(), standing(found)),
        title=Text.assemble("watchword ", (found["version"], "dim"), "  up ", up, "  ", state),
        title_align="left", border_style="dim", padding=(1, 2), expand=bool(past),
    )  # fmt: skip


def rates(found: dict[str, Any], past: list[int]) -> Table:
    table = columns("", "a second", "p50", "p99", "")
    drawn = blocks(past, max([1, *past])) if past else ""
    table.add_row(
        "logins", f"{found['logins_per_s']:,.0f}", ms(found["answer_p50_us"]),
        ms(found["answer_p99_us"]), Text(drawn, style="cyan"),
    )  # fmt: skip
    table.add_row(
        "commits", f"{found['commits_per_s']:,.0f}", ms(found["commit_p50_us"]),
        ms(found["commit_p99_us"]),
        f"{found['attempts_per_turn']:,.1f} logins a turn, lanes {found['lanes_filled_percent']}% "
        f"filled ({found['kernel']})",
    )  # fmt: skip
    return table


def endings(found: dict[str, Any]) -> Table:
    """Verdicts and reasons, the commonest first."""
    table = columns("verdict", "a second", "of all", "since the start", "")
    rows = [
        (rate, found["verdicts"][verdict][reason], verdict, reason)
        for verdict, reasons in found["verdicts_per_s"].items()
        for reason, rate in reasons.items()
    ]
    most = max([rate for rate, *_ in rows], default=0) or 1
    total = sum(rate for rate, *_ in rows) or 1
    for rate, count, verdict, reason in sorted(rows, reverse=True):
        said = verdict if reason in ("NONE", verdict) else f"{verdict}, {reason}"
        drawn = "█" * round(BAR * rate / most)
        style = GROUP.get(verdict, "blue")
        table.add_row(
            Text(said.lower().replace("_", " "), style=style), f"{rate:,.0f}",
            f"{100 * rate / total:.1f}%", f"{count:,}",
            Text(drawn, style=style),
        )  # fmt: skip
    if not rows:
        table.add_row(Text("no login yet", style="dim"), "", "", "", "")
    return table


def standing(found: dict[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    queued, stalled = found["queued"], found["stalled"]
    stalls = ", ".join(f"{count} by {on}" for on, count in stalled.items() if count)
    rows = (
        ("queue", f"{queued['open']:,} open, {queued['in_flight']:,} in flight, "
                  f"{queued['waiting']:,} without room"),
        ("clients", f"{found['clients']:,}, stalled: {stalls or 'none'}; "
                    f"{found['subscribers']:,} hear events"),
        ("lockouts", f"{found['lockouts_of_users']:,} of users "
                     f"({found['lockouts_of_users_per_s']:,.1f}/s), "
                     f"{found['lockouts_of_nobody']:,} of names nobody has "
                     f"({found['lockouts_of_nobody_per_s']:,.1f}/s)"),
        ("memory", f"{size(found['resident_bytes'])} in all, {size(found['memory_bytes'])} for "
                   f"{found['users']:,} users, {size(found['buffer_bytes'])} for clients"),
        ("journal", f"turn {found['head']:,}; {size(found['lag_bytes'])} of "
                    f"{size(found['lag_bytes_max'])} without pages; "
                    f"{size(found['disk_free_bytes'])} free on the disk"),
    )  # fmt: skip
    for name, words in rows:
        table.add_row(name, words)
    return table


def columns(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for place, name in enumerate(names):
        right = place in (1, 2, 3)
        table.add_column(
            name, justify="right" if right else "left", no_wrap=True,
            min_width=22 if place == 0 else 10 if right else None,
        )  # fmt: skip
    return table


def ms(us: int) -> str:
    return f"{us / 1000:,.2f} ms" if us else "-"


def size(count: int) -> str:
    """Bytes as a person says them."""
    left = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if left < 1024 or unit == "GB":
            return f"{left:,.0f} {unit}" if unit in ("B", "kB") else f"{left:,.1f} {unit}"
        left /= 1024
    raise AssertionError("no unit is left")
