"""src/watchword/serve/metrics.py, probes.py, vitals.py: what operators read, and gateways do not.

A daemon is scraped over HTTP and its text is parsed by Prometheus' own parser.
"""

import http.client
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families
from served import SECONDS_MAX, ReplyError, Served, serving

import watchword
from watchword import Engine
from watchword._engine import Clients, Gather
from watchword.serve import limits
from watchword.serve.metrics import COUNTERS, FLEET, GAUGES
from watchword.serve.probes import Probes
from watchword.serve.vitals import Vitals

METRICS = 'metrics = "127.0.0.1:0"\n'
README = Path(__file__).parents[1] / "README.md"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("metrics"), METRICS) as served:
        yield served
        assert served.stop() == 0
        assert served.healthy(), served.said()


def port_of(daemon: Served) -> int:
    line = next(line for line in daemon.log if line.startswith("watchword: metrics on "))
    return int(line.rpartition(":")[2])


def get(port: int, path: str, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS_MAX)
    try:
        connection.request(method, path)
        reply = connection.getresponse()
        return reply.status, reply.read().decode()
    finally:
        connection.close()


Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scraped(port: int) -> Samples:
    status, text = get(port, "/metrics")
    assert status == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, tuple(sorted(labels.items()))]


def test_a_scrape_counts_what_was_answered(daemon: Served) -> None:
    port, codes = port_of(daemon), daemon.enrol("alice")
    with daemon.client() as client:
        assert client.ask("VERIFY", "alice", codes.at(0)) == "ACCEPTED"
        for _ in range(10):
            client.ask("VERIFY", "alice", "nosuch")
        assert client.ask("VERIFY", "alice", codes.at(1)) == "LOCKED"
        client.ask("VERIFYMANY", 3, "nobody", "1", "nobody", "2", "nobody", "3")
        found = scraped(port)
    total = "watchword_attempts_total"
    assert of(found, total, verdict="ACCEPTED", reason="NONE") == 1
    assert of(found, total, verdict="REJECTED", reason="WRONG") == 10
    assert of(found, total, verdict="LOCKED", reason="LOCKED") == 1
    assert of(found, total, verdict="REJECTED", reason="UNKNOWN_USER") == 3
    assert of(found, "watchword_lockouts_total", of="users") == 1
    assert of(found, "watchword_users") == 1 and of(found, "watchword_clients") == 1
    assert of(found, "watchword_turn_attempts_sum") == 15
    assert of(found, "watchword_turn_attempts_bucket", le="+Inf") == 13
    assert of(found, "watchword_turn_attempts_bucket", le="2.0") == 12
    for name in ("answer", "commit"):
        count = of(found, f"watchword_{name}_seconds_count")
        assert count >= 13 and of(found, f"watchword_{name}_seconds_bucket", le="+Inf") == count
        assert 0 < of(found, f"watchword_{name}_seconds_sum") < 60 * count
    assert of(found, "watchword_answer_seconds_count") == 15
    assert of(found, "watchword_lanes_total", use="filled") > 0
    assert of(found, "watchword_busy") == of(found, "watchword_clock_doubted") == 0
    assert of(found, "process_resident_memory_bytes") > 0


def test_every_family_is_in_the_readme_and_follows_the_conventions(daemon: Served) -> None:
    _, text = get(port_of(daemon), "/metrics")
    said = README.read_text()
    names = {family.name for family in text_string_to_metric_families(text)}
    own = {name for name in names if name.startswith("watchword_")}
    assert {f"watchword_{name}" for name, *_ in (*COUNTERS, *GAUGES)} <= own
    for name in own | {f"watchword_{name}" for name, *_ in FLEET}:
        assert f"`{name}" in said, f"README's table lacks {name}"
        assert name == name.lower() and not name.endswith(("_ms", "_us", "_mb", "_total"))


def test_buckets_grow_and_end_in_all(daemon: Served) -> None:
    found = scraped(port_of(daemon))
    for name in ("turn_attempts", "commit_seconds", "answer_seconds"):
        ends = sorted(
            (float(dict(labels)["le"]), value)
            for (sample, labels), value in found.items()
            if sample == f"watchword_{name}_bucket"
        )
        counts = [count for _, count in ends]
        assert len(ends) > 10 and counts == sorted(counts)
        assert counts[-1] == of(found, f"watchword_{name}_count")


def test_the_fleet_is_sampled(tmp_path: Path) -> None:
    with serving(tmp_path, METRICS) as daemon:
        daemon.enrol("bob")
        port = port_of(daemon)
        while True:
            found = scraped(port)
            if found.get(("watchword_devices", (("state", "active"),))) == 1:
                break
        assert of(found, "watchword_users_locked") == 0
        assert of(found, "watchword_devices_drift", steps="0") == 0  # it is HOTP
        assert daemon.stop() == 0


# ---- health and readiness ----


def test_probes_answer_and_nothing_else_does(daemon: Served) -> None:
    port = port_of(daemon)
    assert get(port, "/healthz") == get(port, "/readyz?full=1") == (200, "ok\n")
    assert get(port, "/healthz", "HEAD") == (200, "")
    assert get(port, "/")[0] == get(port, "/metrics/..")[0] == 404
    assert get(port, "/metrics", "POST")[0] == 501
    with socket.create_connection(("127.0.0.1", port), SECONDS_MAX) as raw:
        raw.sendall(b"\x00garbage\r\n\r\n")
        assert b"400" in raw.recv(4096) + raw.recv(4096)


def test_probes_are_bounded_and_a_silent_one_is_closed() -> None:
    probes = Probes(("127.0.0.1", 0))
    try:
        silent = [
            socket.create_connection(probes.address, SECONDS_MAX)
            for _ in range(limits.PROBES_AT_ONCE + 4)
        ]
        closed = [peer for peer in silent[-4:] if peer.recv(1) == b""]
        assert len(closed) == 4
        assert silent[0].recv(1) == b"", "its time is up"
        for peer in silent:
            peer.close()
    finally:
        probes.close()


class Doubt:
    """A clock's guard that doubts."""

    doubt = ""

    def __call__(self) -> int:
        return 1_700_000_000_000


def test_readiness_says_what_is_amiss(tmp_path: Path) -> None:
    probes = Probes(("127.0.0.1", 0))
    try:
        assert probes.answer("/healthz", "")[0] == 200
        assert probes.answer("/readyz", "")[::2] == (503, b"the store is being opened\n")
        assert probes.answer("/metrics", "")[0] == 503
        with Engine.open(tmp_path / "store") as engine:
            gather, guard = Gather(engine), Doubt()
            clients = Clients(gather, Loop(), limits, 10)
            vitals = Vitals(engine, gather, clients, "1")
            probes.show(vitals)
            assert probes.answer("/readyz", "")[0] == 200
            told: SimpleQueue[watchword.Event] = SimpleQueue()
            engine.subscribe(told.put, "clock")
            engine._guard = engine._clock = guard  # type: ignore[assignment]
            guard.doubt = "the clock has stepped by 7 ms"
            vitals.look()
            assert probes.answer("/readyz", "")[::2] == (503, b"the clock has stepped by 7 ms\n")
            assert b"watchword_clock_doubted 1.0" in probes.answer("/metrics", "")[2]
            guard.doubt = ""
            vitals.look()
            for said in ("clock doubted", "clock believed"):
                entry = told.get(timeout=SECONDS_MAX).entry
                assert (entry.event, entry.text) == (said, "the clock has stepped by 7 ms")
            assert engine._keeper is not None
            engine._keeper.low_disk = "the disk is almost full"
            assert probes.answer("/readyz", "")[2] == b"the disk is almost full\n"
            engine._keeper.low_disk = ""
            assert probes.answer("/readyz", "")[0] == 200
            vitals.stopping = True
            assert probes.answer("/readyz", "")[::2] == (503, b"the daemon is stopping\n")
            vitals.looked_s -= limits.STUCK_SECONDS + 1
            assert probes.answer("/healthz", "")[0] == 503
        assert probes.answer("/readyz", "")[0] == 503, "the engine is closed"
    finally:
        probes.close()


class Loop:
    def time(self) -> float:
        return 0.0


def test_a_daemon_that_stops_lets_go_of_the_port(tmp_path: Path) -> None:
    daemon = Served(tmp_path, METRICS).start()
    port = port_of(daemon)
    assert get(port, "/healthz")[0] == 200
    assert daemon.stop(signal.SIGTERM) == 0
    with pytest.raises(ConnectionRefusedError):
        get(port, "/healthz")
    assert not [t for t in threading.enumerate() if t.name == "watchword-probes"]


def test_a_port_that_is_taken_is_said_before_the_store_is_opened(
    daemon: Served, tmp_path: Path
) -> None:
    second = Served(tmp_path, f'metrics = "127.0.0.1:{port_of(daemon)}"\n')
    with pytest.raises(AssertionError, match="for metrics: Address already in use"):
        second.start()
    assert not second.store.exists()


# ---- INFO and STATS ----


def test_info_has_the_sections_of_a_redis_server(daemon: Served) -> None:
    with redis.Redis(port=daemon.port, protocol=2) as client:
        info = client.info()
        for name, kind in {
            "redis_version": str, "process_id": int, "uptime_in_seconds": int,
            "connected_clients": int, "maxclients": int, "used_memory": int,
            "used_memory_rss": int, "loading": int, "aof_enabled": int,
            "total_connections_received": int, "total_commands_processed": int, "role": str,
            "used_cpu_sys": float, "db0": dict, "attempts": int, "ready": int,
        }.items():  # fmt: skip
            assert isinstance(info[name], kind), name
        assert info["process_id"] == daemon.pid and info["ready"] == 1
        assert set(client.info("keyspace")) == {"db0"}
        assert set(client.info("memory")) >= {"used_memory", "maxmemory"}
        assert client.info("nosuch") == {}


def test_gateways_see_no_count_that_tells_refusals_apart(daemon: Served) -> None:
    with daemon.client() as client:
        info = client.ask("INFO", "everything")
        for name in ("rejected_connections", "blocked_clients"):    # Redis' own, of connections
            assert name in info
            info = info.replace(name, "")
        for word in ("reject", "lock", "wrong", "unknown", "verdict", "refus"):
            assert word not in info.lower()
        for verb in ("STATS", "SUBSCRIBE lockouts", "UNSUBSCRIBE"):
            with pytest.raises(ReplyError, match="NOPERM"):
                client.ask(*verb.split())


def test_stats_are_one_map(daemon: Served) -> None:
    with daemon.acts() as acts:
        flat = acts.ask("STATS")
        stats = dict(zip(flat[::2], flat[1::2], strict=True))
        assert stats["queued.open"] == 0 and stats["clients"] >= 1
        assert len(stats["answers.places"]) == len(stats["commits.places"]) == 192
        assert sum(stats["answers.places"]) == stats["answers.count"] == stats["attempts"]
        assert stats["resident_bytes"] > stats["memory_bytes"] > 0
        acts.ask("HELLO", 3)
        assert set(acts.ask("STATS")) >= set(stats)
