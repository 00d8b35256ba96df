"""The daemon's figures as Prometheus reads them: names, units and labels; the table is in README.

The rule: a scrape reads what is counted anyway, on the thread of whoever scrapes, and no login
waits for it. No label holds a user, an address or anything else that grows with use.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

__all__ = ["registry"]

OCTAVES: Final = range(4, 24)       # upper ends of times: 16 us to 8.4 s, each twice the last
SECONDS = 1_000_000                 # microseconds in one

Table = dict[str, Any]

# name, help, and where it is among the stats: a number, or a table with a label.
COUNTERS: Final = (
    ("suspended_devices", "Devices suspended for too many failures", "suspended", ""),
    ("lockouts", "Lockouts begun, of users and of names that nobody has", "lockouts", "of"),
    ("commands", "Commands of clients", "commands", ""),
    ("connections_accepted", "Connections accepted", "accepted", ""),
    ("connections_refused", "Connections refused, for there were too many", "refused", ""),
    ("events", "Events told to subscribers and to the log", "events", ""),
    ("events_lost", "Events that came too fast to be told", "events_lost", ""),
    ("subscribers_dropped", "Subscribers closed because they read too slowly",
     "subscribers_dropped", ""),
)  # fmt: skip
GAUGES: Final = (
    ("queued_attempts", "Attempts in the open batch, in flight, and without room", "queued",
     "queue"),
    ("clients", "Connections", "clients", ""),
    ("clients_stalled", "Connections that are not read on, by what they wait for", "stalled",
     "on"),
    ("client_buffers_bytes", "Bytes held for what clients said and are owed", "buffer_bytes", ""),
    ("subscribers", "Clients that listen to events", "subscribers", ""),
    ("users", "Users", "users", ""),
    ("tables_bytes", "Memory of users, devices, keys and names", "memory_bytes", ""),
    ("journal_head", "Number of the last turn", "head", ""),
    ("journal_lag_bytes", "Rows of the journal whose pages are not written", "lag_bytes", ""),
    ("journal_lag_bytes_max", "Beyond it every login is BUSY", "lag_bytes_max", ""),
    ("disk_free_bytes", "Room on the store's disk", "disk_free_bytes", ""),
    ("disk_reserve_bytes", "Below it every login is BUSY", "disk_reserve_bytes", ""),
)  # fmt: skip
FLEET: Final = (
    ("users_locked", "Users locked out", "locked", ""),
    ("devices", "Devices by state", "devices", "state"),
    ("devices_drift", "Active TOTP devices by the steps they run ahead", "drift", "steps"),
)


def registry(stats: Callable[[], Table]) -> CollectorRegistry:
    """What a scrape collects. stats: Vitals.stats."""
    collected = CollectorRegistry()
    collected.register(Figures(stats))
    ProcessCollector(registry=collected)
    return collected


class Figures(Collector):
    """Every family, made anew for a scrape."""

    def __init__(self, stats: Callable[[], Table]) -> None:
        self._stats = stats

    def describe(self) -> list[Metric]:
        return []  # nothing is read before somebody scrapes

    def collect(self) -> Iterator[Metric]:
        stats = self._stats()
        yield InfoMetricFamily(
            "watchword", "Which Watchword this is",
            {"version": stats["version"], "kernel": stats["kernel"]},
        )  # fmt: skip
        yield attempts(stats)
        yield turns(stats)
        yield times("commit", "Commits of the journal, each with its sync", stats["commits"])
        yield times("answer", "From a turn's first attempt read to its answers written, counted "
                    "for each of its attempts", stats["answers"])  # fmt: skip
        lanes = {"filled": stats["lanes"], "idle": stats["idle_lanes"]}
        yield family(CounterMetricFamily, "lanes", "Lanes of the kernel's vectors", lanes, "use")
        for name, said, key, label in COUNTERS:
            yield family(CounterMetricFamily, name, said, stats[key], label)
        for name, said, key, label in GAUGES:
            yield family(GaugeMetricFamily, name, said, stats[key], label)
        for name, doubted in (("clock_doubted", "clock_doubt"), ("busy", "busy_because")):
            said = "1 while every login is BUSY" + (
                " because the clock has jumped" if name == "clock_doubted" else ""
            )
            yield family(GaugeMetricFamily, name, said, int(bool(stats[doubted])), "")
        for name, said, key, label in FLEET if "fleet" in stats else ():
            yield family(GaugeMetricFamily, name, said, stats["fleet"][key], label)


def family(kind: Any, name: str, said: str, figure: int | Table, label: str) -> Metric:
    """A family with one figure, or one for each value of a label."""
    found: Metric = kind(f"watchword_{name}", said, labels=[label] if label else [])
    for value, number in figure.items() if isinstance(figure, dict) else (("", figure),):
        found.add_metric([value] if label else [], number)  # type: ignore[attr-defined]
    return found


def attempts(stats: Table) -> Metric:
    found = CounterMetricFamily(
        "watchword_attempts", "Attempts decided, by verdict and reason",
        labels=["verdict", "reason"],
    )  # fmt: skip
    for verdict, reasons in stats["verdicts"].items():
        for reason, count in reasons.items():
            found.add_metric([verdict, reason], count)
    return found


def turns(stats: Table) -> Metric:
    """Sizes: at most 1 attempt, 2, 4, ..."""
    sizes, buckets, below = stats["turn_sizes"], [], 0
    for power, count in enumerate(sizes):
        below += count
        buckets.append((str(float(1 << power)), below))
    found = HistogramMetricFamily("watchword_turn_attempts", "Attempts that shared a turn")
    found.add_metric([], [*buckets, ("+Inf", below)], sum_value=stats["attempts"])
    return found


def times(name: str, said: str, histogram: Table) -> Metric:
    """A histogram of times in seconds; its upper ends are powers of two of a microsecond."""
    places = histogram["places"]
    buckets = [
        (str((1 << octave) / SECONDS), sum(places[: (octave - 2) * 8])) for octave in OCTAVES
    ]
    found = HistogramMetricFamily(f"watchword_{name}_seconds", said)
    found.add_metric(
        [], [*buckets, ("+Inf", histogram["count"])], sum_value=histogram["sum_us"] / SECONDS
    )
    return found
