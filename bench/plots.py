"""Raw rows as pictures (SVG): throughput against users and against batch size, and over commits;
the daemon's latency against the rate it is asked at.

Text stays text and ids are fixed, so that the same rows draw the same file.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.rows import Row, Run
from bench.tables import in_use, lanes_of, middle, user_counts, where, wrong

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none", "svg.hashsalt": "watchword", "font.size": 9, "axes.grid": True,
    "grid.alpha": 0.3, "axes.spines.top": False, "axes.spines.right": False,
    "figure.figsize": (7, 4),
}  # fmt: skip


def draw(path: Path, title: str, across: str, lines: Mapping[str, Sequence[tuple[float, float]]],
         flat: Mapping[str, float]) -> None:  # fmt: skip
    """Lines over points (x, logins a second), and flat ones for what does not depend on x."""
    with pyplot.rc_context(STYLE):
        figure, axes = pyplot.subplots()
        for name, points in lines.items():
            if points:
                axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=name)
        for (name, height), dash in zip(flat.items(), ("--", ":", "-."), strict=False):
            axes.axhline(height, color="grey", linestyle=dash, label=name)
        axes.set(title=title, xlabel=across, xscale="log")
        axes.set(ylabel="a second, one core", yscale="log")
        save(figure, axes, path)


def save(figure: Figure, axes: Axes, path: Path) -> None:
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    no_date: dict[str, Any] = {"Date": None, "Creator": None}
    figure.savefig(path, format="svg", metadata=no_date, bbox_inches="tight")
    pyplot.close(figure)


def peers(rows: list[Row]) -> dict[str, float]:
    """Flat lines: what the peers do with the same attempts."""
    named = {"liboath": "liboath in C", "pyotp": "pyotp"}
    found = {said: middle(where(rows, what="peer", peer=name)) for name, said in named.items()}
    return {said: rate for said, rate in found.items() if rate}


def plot_users(rows: list[Row], path: Path) -> None:
    counts = user_counts(rows)
    kernels = list(dict.fromkeys(row["kernel"] for row in where(rows, what="wrong")))
    lines = {
        f"wrong codes, row {name}": [(n, middle(wrong(rows, n, name))) for n in counts]
        for name in kernels
    }
    for what, said in (("hot", "1,000 hot users"), ("right", "right codes")):
        lines[said] = [(n, middle(where(rows, what=what, users=n))) for n in counts]
    draw(path, "verify_many against users", "users", lines, peers(rows))


def plot_sizes(rows: list[Row], path: Path) -> None:
    sized = where(rows, what="size")
    sizes = sorted({row["batch"] for row in sized})
    points = [(size, middle(where(sized, batch=size))) for size in sizes]
    lines = {f"wrong codes, row {in_use(rows)}": points}
    title = f"verify_many against the size of a batch, {sized[0]['users']:,} users"
    draw(path, title, "attempts in a batch", lines, peers(rows))


def plot_rates(rows: list[Row], path: Path) -> None:
    """Latency of an open loop; the bare disk's as a flat line."""
    opened = where(rows, what="open")
    with pyplot.rc_context(STYLE):
        figure, axes = pyplot.subplots()
        for users in sorted({row["users"] for row in opened}):
            own = where(opened, users=users)
            rates = [row["commands"] / row["seconds"] for row in own]
            for key, dash in (("p50", ":"), ("p99", "-")):
                took = [row[f"{key}_s"] * 1e3 for row in own]
                axes.plot(rates, took, dash, marker="o", markersize=3,
                          label=f"{users:,} users, {key}")  # fmt: skip
        syncs = sorted(row["p99_s"] for row in where(rows, what="sync"))
        if syncs:
            axes.axhline(syncs[len(syncs) // 2] * 1e3, color="grey", linestyle="--",
                         label="4 KiB synced, p99")  # fmt: skip
        axes.set(title="VERIFY over TCP, every reply after its sync: latency from when it was due",
                 xlabel="logins a second", ylabel="milliseconds", yscale="log")  # fmt: skip
        save(figure, axes, path)


def history(kernel: list[Run], scale: list[Run]) -> dict[str, list[tuple[str, float]]]:
    """For each figure worth following: label of the run and what it gave, oldest first."""
    lines: dict[str, list[tuple[str, float]]] = {}

    def note(name: str, run: Run, rate: float) -> None:
        if rate:
            label = f"{run.host.get('commit', '')[:8]}\n{run.host['date']}"
            lines.setdefault(name, []).append((label, rate))

    for run in kernel:
        for row in ("avx512", "avx2", "portable"):
            rate = middle(lanes_of(run.rows, "sha1", 192, "watchword", row), "hmacs")
            note(f"HMAC-SHA-1, row {row}", run, rate)
    for run in scale:
        most = user_counts(run.rows)[-1]
        note(f"wrong codes, {most:,} users", run, middle(wrong(run.rows, most)))
        for users in sorted({row["users"] for row in where(run.rows, what="durable")}):
            durable = where(run.rows, what="durable", users=users)
            note(f"durable, {users:,} users", run, middle(durable, clock="wall_s"))
    return lines


def plot_history(kernel: list[Run], scale: list[Run], path: Path) -> None:
    """Runs on the newest one's processor, for figures of two machines are no history."""
    runs = sorted(kernel + scale, key=lambda run: (run.host["date"], run.host.get("at", "")))
    runs = [run for run in runs if run.host["cpu"] == runs[-1].host["cpu"]]
    found = history([run for run in kernel if run in runs], [run for run in scale if run in runs])
    labels = list(dict.fromkeys(
        f"{run.host.get('commit', '')[:8]}\n{run.host['date']}" for run in runs
    ))  # fmt: skip
    with pyplot.rc_context(STYLE):
        figure, axes = pyplot.subplots()
        for name, points in found.items():
            at = [labels.index(label) for label, _ in points]
            axes.plot(at, [rate for _, rate in points], marker="o", markersize=3, label=name)
        axes.set_xticks(range(len(labels)), labels)
        axes.set(title="over commits", ylabel="a second, one core", yscale="log")
        save(figure, axes, path)
