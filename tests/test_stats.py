"""src/watchword/stats.py, ext/tally.c: what is counted is what happened, and times keep place."""

import random

import numpy as np
import pytest

import watchword
from watchword import Code, Device, Engine, Policy, _engine
from watchword.stats import percentile_us, place_us

KEY, OTHER = b"1" * 20, b"2" * 20
T = 1_700_000_000_000


def engine(now: list[int], **figures: int) -> Engine:
    opened = Engine.open(clock=lambda: now[0], policy=Policy(**figures))
    opened.add_user("alice")
    opened.add_device("alice", Device.totp(KEY))
    return opened


def code(now_ms: int, key: bytes = KEY) -> str:
    return watchword.totp(key, now_ms // 1000)


def test_verdicts_are_counted_by_reason_and_lockouts_where_they_begin() -> None:
    now = [T]
    with engine(now) as opened:
        right = code(T)
        opened.verify("alice", right)
        opened.verify("alice", right)
        for _ in range(9):
            opened.verify("alice", "00000x")
        for _ in range(5):
            opened.verify("alice", right)
        for _ in range(12):
            opened.verify("nobody", right)
        opened.verify("no body", right)
        stats = opened.stats()
        assert stats["verdicts"] == {
            "ACCEPTED": {"NONE": 1},
            "REJECTED": {"REPLAYED": 1, "WRONG": 9, "UNKNOWN_USER": 10},
            "LOCKED": {"LOCKED": 7},
            "BAD_CHARACTER": {"NAME": 1},
        }
        assert stats["lockouts"] == {"users": 1, "nobody": 1}
        assert stats["attempts"] == stats["turns"] == 29
        assert stats["turn_sizes"] == [29] + [0] * 13


def test_what_came_due_is_no_attempt_and_hides_none() -> None:
    now = [T]
    with engine(now, source_failures=1) as opened:
        opened.ship_device("alice", Device.hotp(KEY), "N1", activates_ms=T + 1_000)
        assert not opened.verify("alice", "0", address="192.0.2.1", request_id="12345678")
        now[0] += 1_000
        assert not opened.verify("alice", "0", address="192.0.2.1", request_id="12345678")
        opened.set_dates("alice", "N1", expires_ms=T + 2_000)
        now[0] += 1_000
        assert opened.verify("alice", "1", address="192.0.2.1").code is Code.BUSY
        assert opened.stats()["verdicts"] == {
            "REJECTED": {"WRONG": 1}, "BUSY": {"SOURCE": 1},
        }


def test_a_lock_that_is_extended_begins_once() -> None:
    now = [T]
    with Engine.open(clock=lambda: now[0], policy=Policy(lockout_extend=True)) as opened:
        opened.add_user("alice")
        opened.add_device("alice", Device.totp(KEY))
        opened.verify_many(["alice"] * 40, ["0" * 6] * 40)
        assert opened.stats()["lockouts"] == {"users": 1, "nobody": 0}


@pytest.mark.parametrize("threads", [1, 2])
def test_a_batch_is_one_turn_however_it_is_decided(threads: int) -> None:
    now = [T]
    with engine(now) as opened:
        count = 3_000
        codes = opened.verify_many(["alice"] * count, ["1" * 6] * count, threads=threads)
        stats = opened.stats()
        assert stats["turns"] == 1 and stats["attempts"] == count
        assert stats["turn_sizes"][12] == 1  # 2,049 to 4,096
        told = {name: sum(reasons.values()) for name, reasons in stats["verdicts"].items()}
        said = np.bincount(codes, minlength=9)
        assert told == {name: said[Code[name]] for name in told} and sum(told.values()) == count


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 9, 4_097, 8_192])
def test_sizes_of_turns_go_by_powers_of_two(size: int) -> None:
    with engine([T]) as opened:
        opened.verify_many(["x"] * size, ["1" * 6] * size)
        sizes = opened.stats()["turn_sizes"]
        place = sizes.index(1)
        assert sum(sizes) == 1 and (1 << place) >= size > (1 << place) // 2


def test_lanes_are_counted_as_they_are_filled() -> None:
    now = [T]
    for name in _engine.kernels():
        _engine.kernel_force(name)
        try:
            with engine(now) as opened:
                opened.verify("alice", "000000")
                stats = opened.stats()
                assert stats["lanes"] == 3  # one step either side
                assert stats["idle_lanes"] in (0, 1, 5, 13)  # to whole vectors of 1, 4, 8, 16
        finally:
            _engine.kernel_force(None)


def test_times_keep_their_place() -> None:
    rng = random.Random(7)
    for us in [0, 1, 7, 8, 9, 15, 16, 17, 31, 32, *(rng.randrange(1 << 25) for _ in range(500))]:
        times = _engine.Times()
        times.add(us * 1000 + 999)
        place = times.counts().index(1)
        assert place_us(place) <= us < place_us(place + 1)
        assert us < 8 or place_us(place + 1) <= us * 9 / 8 + 1
    times.add(10**15, 3)
    assert times.counts()[-1] == 3 and times.total == 4


def test_a_percentile_is_the_ends_of_its_place() -> None:
    times = _engine.Times()
    assert percentile_us(times.counts(), 0.5) == 0
    for us in range(1, 101):
        times.add(us * 1000)
    assert 50 <= percentile_us(times.counts(), 0.5) <= 57
    assert 99 <= percentile_us(times.counts(), 0.99) <= 112
    assert percentile_us(times.counts(), 1.0) == 104
    assert times.sum_ns == 5_050_000


def test_the_fleet_is_looked_at_slot_by_slot() -> None:
    now = [T]
    with Engine.open(clock=lambda: now[0]) as opened:
        for number in range(30):
            opened.add_user(f"u{number}")
            opened.add_device(f"u{number}", Device.totp(KEY, drift_max=5, window=1))
        opened.remove_user("u7")
        opened.set_device("u8", opened.user("u8").devices[0].serial, state="lost", by="desk")
        late = watchword.totp(KEY, T // 1000 - 30)
        opened.verify("u9", late)
        for _ in range(10):
            opened.verify("u10", "00000x")
        fleet, start, looks = _engine.Fleet(), 0, 0
        while True:
            start, looks = fleet.add(opened._core, start, 8, T), looks + 1
            if not start:
                break
        assert looks == 4
        assert (fleet.users, fleet.locked) == (29, 1)
        assert fleet.devices["active"] == 28 and fleet.devices["lost"] == 1
        assert fleet.drift[-1] == 1 and fleet.drift[0] == 27


def test_commits_are_timed_and_the_store_is_measured(tmp_path) -> None:
    with Engine.open(tmp_path / "store") as opened:
        for number in range(5):
            opened.add_user(f"u{number}")
        stats = opened.stats()
        assert stats["commits"]["count"] == sum(stats["commits"]["places"]) == 5
        assert stats["commits"]["sum_us"] > 0
        assert stats["users"] == 5 and stats["head"] == 5
        assert stats["disk_free_bytes"] > 0 and stats["lag_bytes"] > 0
        assert stats["busy_because"] == stats["clock_doubt"] == ""
