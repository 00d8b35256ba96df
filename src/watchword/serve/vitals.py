"""How the daemon stands: every figure that INFO, STATS, the metrics and readiness are made of.

The rule: what tells one refusal from another is in `stats` alone, which goes to operators; `info`
goes to gateways and holds nothing of it. Reading waits for no turn; looks at the fleet are short
and between turns.
"""

import os
import resource
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from watchword._engine import Clients, Fleet, Gather, kernel_in_use
from watchword.engine import Engine
from watchword.serve import limits
from watchword.serve.heads import journal_facts
from watchword.serve.logs import say
from watchword.stats import times_of

if TYPE_CHECKING:
    from watchword.serve.feeds import Feeds

__all__ = ["Vitals"]

MB = 1 << 20


class Vitals:
    """Of one daemon. `look` is called about once a second, `step` for each look at the fleet."""

    def __init__(self, engine: Engine, gather: Gather, clients: Clients, version: str) -> None:
        self._engine = engine
        self._gather = gather
        self._clients = clients
        self.version = version
        self.feeds: Feeds | None = None
        self.stopping = False
        self.doors: Callable[[], dict[str, object]] | None = None
        self._began_s = self.looked_s = time.monotonic()
        self._busy, self._doubt = engine.busy_because, engine.clock_doubt
        self._fleet, self._slot = Fleet(), 0
        self.fleet: Fleet | None = None
        """As of the last time every user was looked at."""

    # ---- as time goes by ----

    def look(self) -> None:
        """The loop is alive; and whether what makes every login BUSY has come or gone."""
        self.looked_s = time.monotonic()
        self._engine._now()  # where nobody logs in the clock is held against itself here
        busy, doubt = self._engine.busy_because, self._engine.clock_doubt
        if bool(doubt) != bool(self._doubt):
            known = "clock doubted" if doubt else "clock believed"
            self._engine._happened("clock", known, doubt or self._doubt)
        if busy and busy != self._busy:
            say(f"warning: {busy}: every login is BUSY until that is seen to", event="busy",
                level="warning", because=busy)  # fmt: skip
        elif self._busy and not busy:
            say("logins are decided again", event="busy over")
        self._busy, self._doubt = busy, doubt

    def step(self) -> None:
        """Some users more of the fleet's sample."""
        engine = self._engine
        with engine._lock:
            self._slot = self._fleet.add(
                engine._core, self._slot, limits.FLEET_SLOTS_PER_STEP, time.time_ns() // MILLION
            )
        if self._slot == 0:
            self.fleet, self._fleet = self._fleet, Fleet()

    def unready(self) -> list[str]:
        """Why logins are not decided now; nothing when they are."""
        because = [self._engine.busy_because] if self._engine.busy_because else []
        if self._engine._ended is not None:
            because.append("the engine has ended")
        elif self.stopping:
            because.append("the daemon is stopping")
        return because

    def stuck(self) -> bool:
        """Whether the loop has not come by for so long that it will hardly come again."""
        return time.monotonic() - self.looked_s > limits.STUCK_SECONDS

    # ---- for operators ----

    def stats(self) -> dict[str, Any]:
        """Engine.stats, and what the daemon has besides. Times and counts are since the start."""
        gather, clients = self._gather, self._clients
        opened, flying, waiting = gather.queued()
        watch = self._engine._watching
        found = self._engine.stats() | {
            "version": self.version,
            "uptime_ms": int((time.monotonic() - self._began_s) * 1000),
            "answers": times_of(gather.answers),
            "queued": {"open": opened, "in_flight": flying, "waiting": waiting},
            "clients": len(clients),
            "stalled": clients.stalled(),
            "accepted": clients.accepted,
            "refused": clients.refused,
            "commands": clients.commands,
            "buffer_bytes": clients.held_bytes(),
            "resident_bytes": resident_bytes(),
            "subscribers": 0 if self.feeds is None else len(self.feeds),
            "subscribers_dropped": 0 if self.feeds is None else self.feeds.dropped,
            "events": 0 if watch is None else watch.events,
            "events_lost": 0 if watch is None else watch.events_lost,
        }
        if self.fleet is not None:
            drift = {str(steps): count for steps, count in self.fleet.drift.items()}
            found["fleet"] = {
                "users": self.fleet.users, "locked": self.fleet.locked,
                "devices": self.fleet.devices, "drift": drift,
            }  # fmt: skip
        return found

    # ---- for gateways, as a Redis server has it ----

    def info(self) -> dict[str, dict[str, object]]:
        """INFO's sections. No count here tells one refusal from another."""
        clients, engine = self._clients, self._engine
        used, stalled = engine._core.memory_bytes, clients.stalled()
        spent = resource.getrusage(resource.RUSAGE_SELF)
        up = int(time.monotonic() - self._began_s)
        return {
            "Server": {
                "process_id": os.getpid(),
                "uptime_in_seconds": up,
                "uptime_in_days": up // 86_400,
            },
            "Clients": {
                "connected_clients": len(clients),
                "maxclients": limits.CONNECTIONS_MAX,
                "blocked_clients": stalled["push"],
            },
            "Memory": {
                "used_memory": used,
                "used_memory_human": f"{used / MB:.2f}M",
                "used_memory_rss": resident_bytes(),
                "used_memory_peak": spent.ru_maxrss * 1024,
                "client_buffers_bytes": clients.held_bytes(),
                "maxmemory": 0,
            },
            "Persistence": {
                "loading": 0,
                "aof_enabled": 1,
                "aof_last_write_status": "ok" if engine._ended is None else "err",
                "aof_pending_bio_fsync": int(self._gather.queued()[1] > 0),
                **journal_facts(engine),
            },
            "Stats": {
                "total_connections_received": clients.accepted,
                "rejected_connections": clients.refused,
                "total_commands_processed": clients.commands,
            },
            "Replication": {"role": "master", "connected_slaves": 0},
            "CPU": {
                "used_cpu_sys": f"{spent.ru_stime:.6f}",
                "used_cpu_user": f"{spent.ru_utime:.6f}",
            },
            "Keyspace": {"db0": f"keys={engine._core.users_live},expires=0,avg_ttl=0"},
            "Watchword": {
                "watchword_version": self.version,
                "attempts": self._gather.attempts,
                "turns": self._gather.turns,
                "kernel": kernel_in_use(),
                "ready": int(not self.unready()),
            },
            **({"Gateways": self.doors()} if self.doors is not None else {}),
        }


MILLION = 1_000_000


def resident_bytes() -> int:
    """Of this process, as the kernel counts them."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
