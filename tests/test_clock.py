"""src/watchword/clock.py: time that jumps is doubted, and doubt is BUSY."""

import asyncio

import numpy as np
import pytest
from standing import KEY, T, step_code

from watchword import (
    Code,
    Device,
    Engine,
    InvalidArgument,
    Reason,
    clock,
)

# ---- the clock ----


@pytest.fixture
def system(monkeypatch):
    """A system whose wall and boot clocks are moved by hand: [wall, boot]."""
    times = [T, 1_000_000]
    monkeypatch.setattr(clock, "wall_ms", lambda: times[0])
    monkeypatch.setattr(clock, "boot_ms", lambda: times[1])
    return times


@pytest.mark.parametrize("step", [60_001, -60_001])
def test_a_clock_that_steps_makes_everything_busy_until_it_is_undone_or_accepted(system, step):
    with Engine.open() as engine:
        engine.add_user("alice")
        engine.add_device("alice", Device.totp(KEY))
        system[0] += step
        busy = engine.verify("alice", step_code())
        assert (busy.code, busy.reason) == (Code.BUSY, Reason.LOAD)
        assert "stepped" in engine.clock_doubt
        assert engine.user("alice").failures == 0
        system[0] -= step
        assert engine.verify("alice", "000000").code == Code.REJECTED
        system[0] += step
        assert engine.verify("alice", "000000").code == Code.BUSY
        assert "stepped" in engine.accept_clock(by="operator")
        assert engine.verify("alice", "000000").code == Code.REJECTED


def test_a_second_of_correction_a_day_is_no_step(system):
    with Engine.open() as engine:
        system[0] += 86_400_000 + 1_000
        system[1] += 86_400_000
        assert engine.verify("alice", "1").code == Code.REJECTED


@pytest.mark.parametrize(
    ("moved", "busy"), [(-1_000, True), (7 * 86_400_000 + 1, True), (5, False)]
)
def test_a_store_from_another_time_asks_before_it_answers(system, path, moved, busy):
    with Engine.open(path, b"k" * 32) as engine:
        engine.add_user("alice")
    system[0] += moved
    system[1] += max(moved, 0)
    with Engine.open(path, b"k" * 32) as engine:
        assert (engine.verify("alice", "1").code == Code.BUSY) is busy
        if busy:
            assert engine.accept_clock(by="operator")
            assert engine.verify("alice", "1").code == Code.REJECTED


@pytest.mark.parametrize(
    ("told", "said"),
    [(1.7e12, "not float"), ("now", "not str"), (None, "not NoneType"),
     (10**15 + 1, "10\\*\\*15 either way"), (-(2**63) - 1, "10\\*\\*15 either way")],
)  # fmt: skip
def test_a_clock_that_gives_no_time_is_told_so(told, said):
    with Engine.open(clock=lambda: now[0]) as engine:
        now = [T]
        engine.add_user("alice")
        engine.add_device("alice", Device.totp(KEY))
        now = [told]
        with pytest.raises(InvalidArgument, match=said):
            engine.verify("alice", step_code())
        with pytest.raises(InvalidArgument, match=said):
            engine.add_user("bob")
        with pytest.raises(InvalidArgument, match=said):
            asyncio.run(engine.averify("alice", step_code()))
        now = [np.int64(T)]
        assert engine.verify("alice", step_code())
