"""src/watchword/keeper.py: passes over the pages that are lazy, paced, interrupted, or too late."""

import os
import shutil
import sys
import threading
import time

import pytest
from standing import KEY, on_disk, step_code

import watchword
from watchword import Code, keeper


def wait_for(what, seconds=60.0):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.005)


@pytest.fixture
def asked(monkeypatch):
    """The keeper comes when it is asked and not by itself."""
    monkeypatch.setattr(keeper, "PASS_SECONDS", 600.0)


def almost_full(real):
    def look(at):
        found = list(real(at))
        found[4] = keeper.RESERVE_BYTES // found[1] - 1
        return os.statvfs_result(found)

    return look


# ---- when a pass begins ----


def test_a_pass_over_the_pages_begins_when_enough_rows_wait_for_it(path, monkeypatch):
    monkeypatch.setattr(keeper, "PASS_SECONDS", 0.01)
    with on_disk(path) as engine:
        engine.add_user("alice")
        wait_for(lambda: engine._uncovered() == 0)  # the first look after an opening writes
        engine.add_user("bob")
        time.sleep(0.1)
        assert engine._uncovered() > 0, "a row alone waits"
        monkeypatch.setattr(keeper, "PASS_BYTES", 1)
        wait_for(lambda: engine._uncovered() == 0)


def test_rows_far_ahead_of_their_pages_make_logins_busy(path, asked, monkeypatch):
    monkeypatch.setattr("watchword.engine.UNCOVERED_BYTES_MAX", 100_000)
    with on_disk(path) as engine:
        engine.add_users(["alice"], [KEY])
        engine.verify_many(["nobody"] * 4000, ["1"] * 4000)
        assert engine.verify("alice", step_code()).code == Code.BUSY
        assert "behind the journal" in engine.busy_because
        engine._keeper.write()
        assert engine.busy_because == ""
        assert engine.verify("alice", step_code())


def test_rows_that_were_replayed_have_no_pages_either(path, asked, tmp_path):
    engine = on_disk(path)
    engine.add_users(["alice"], [KEY])
    engine.verify_many(["nobody"] * 4000, ["1"] * 4000)
    left, copy = engine._uncovered(), str(tmp_path / "copy")
    shutil.copytree(path, copy)
    engine.close()
    with on_disk(copy) as again:
        assert again._uncovered() >= left


def test_enrolling_many_leaves_no_login_busy(path, asked, monkeypatch):
    monkeypatch.setattr("watchword.engine.UNCOVERED_BYTES_MAX", 1 << 20)
    with on_disk(path) as engine:
        engine.add_users([f"user{n}" for n in range(10_000)], [b"%020d" % n for n in range(10_000)])
        assert engine.verify("user1", "000000").code == Code.REJECTED


# ---- a pass under way ----


def test_a_pass_rests_less_the_more_rows_wait_for_it(path, asked, monkeypatch):
    with on_disk(path) as engine:
        eases = []
        for waiting in (0, keeper.PASS_BYTES, (keeper.PASS_BYTES + keeper.HURRY_BYTES) // 2,
                        keeper.HURRY_BYTES, keeper.UNCOVERED_BYTES_MAX):  # fmt: skip
            monkeypatch.setattr(engine, "_uncovered", lambda waiting=waiting: waiting)
            eases.append(engine._keeper._ease(1.0))
        monkeypatch.undo()
    assert eases == [1.0, 1.0, 0.5, 0.0, 0.0]


def test_a_pass_without_rests_takes_more_pages_at_once(path, asked, monkeypatch):
    with on_disk(path) as engine:
        wrote, written = engine._store.write_pages, []
        engine._store.write_pages = lambda pages: (wrote(pages), written.append(len(pages)))
        for letter, pace in (("a", 0.001), ("b", 0.0)):
            engine.add_users([f"{letter}{n}" for n in range(20 * 1024)])
            engine._keeper.write(pace)
            most, written[:] = max(written), []
            users = keeper.PAGES_PER_WRITE if pace else keeper.PAGES_PER_WRITE_MAX
            assert users <= most <= users + 1  # with its identity a page is two


def slow_pass(path, monkeypatch, pace):
    """An engine in the midst of a pass that rests far longer than this test waits."""
    monkeypatch.setattr(keeper, "PASS_SECONDS", 0.02)
    monkeypatch.setattr(keeper, "PAGES_PER_WRITE", 1)
    engine = on_disk(path)
    engine._keeper.pace = pace
    wrote, begun = engine._store.write_pages, threading.Event()

    def write_pages(pages):
        wrote(pages)
        begun.set()

    engine._store.write_pages = write_pages
    engine.add_users([f"u{n}" for n in range(20 * 1024)])
    engine._keeper._ticks = engine._keeper.pass_ticks
    assert begun.wait(60)
    return engine


def test_the_disk_is_looked_at_in_the_midst_of_a_pass(path, monkeypatch):
    with slow_pass(path, monkeypatch, 6.0) as engine:
        monkeypatch.setattr(os, "statvfs", almost_full(os.statvfs))
        wait_for(lambda: engine._keeper.low_disk)
        assert engine._keeper._ticks, "the pass was over"


@pytest.mark.parametrize("verb", ["close", "rotate_key"])
def test_nobody_waits_for_a_pass_that_rests(path, monkeypatch, verb):
    engine = slow_pass(path, monkeypatch, 1e6)
    thread = threading.Thread(target=getattr(engine, verb), daemon=True)
    thread.start()
    wait_for(lambda: not thread.is_alive())
    engine.close()


def test_a_pass_that_was_interrupted_is_made_again(path, asked):
    """Between copying pages and writing them: their rows must not count as covered."""
    with on_disk(path) as engine:
        engine.add_users(["alice"], [KEY])
        engine._keeper.write()
        assert engine.verify("alice", step_code())
        wait = engine._commits.wait

        def interrupted(turn):
            if sys._getframe(1).f_code.co_name == "write":
                engine._commits.wait = wait
                raise KeyboardInterrupt
            wait(turn)

        engine._commits.wait = interrupted
        with pytest.raises(KeyboardInterrupt):
            engine.rotate_key()
        engine.verify("nobody", "000000")
    with on_disk(path) as engine:
        assert engine.verify("alice", step_code()).code == Code.REJECTED


def test_an_engine_that_ended_writes_no_pages(path, asked):
    """An interrupt between a turn's effects and its row: no page may hold what no row does."""
    with on_disk(path) as engine:
        engine.add_users(["alice"], [KEY])
        engine._keeper.write()
        real = engine._core

        class Core:
            def __getattr__(self, name):
                return getattr(real, name)

            def turn(self, *given):
                real.turn(*given)
                raise KeyboardInterrupt  # where a signal that came meanwhile is handled

        engine._core = Core()
        with pytest.raises(KeyboardInterrupt):
            engine.verify("alice", step_code())
        engine._core = real
        with pytest.raises(watchword.StoreFailed):
            engine._keeper.write()
    with on_disk(path) as engine:
        assert engine.verify("alice", step_code())
