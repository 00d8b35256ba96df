"""src/watchword/engine.py: opening, closing, forking, keys, and a disk that refuses."""

import asyncio
import contextlib
import copy
import os
import pickle
import threading
import time

import pytest
from standing import KEY, T, on_disk, step_code

import watchword
from watchword import (
    Code,
    Device,
    Engine,
    Exists,
    InvalidArgument,
    Reason,
    StoreFailed,
    StoreOwned,
    WrongKey,
    keeper,
)

# ---- threads, tasks, forks ----


@pytest.mark.parametrize("disk", [False, True])
def test_many_threads_with_one_code_make_one_acceptance(path, disk):
    rounds, threads = (20, 8) if disk else (200, 8)
    now = [T]
    with Engine.open(path if disk else ":memory:", b"k" * 32, clock=lambda: now[0]) as engine:
        engine.add_user("alice")
        engine.add_device("alice", Device.totp(KEY))
        gate = threading.Barrier(threads)
        verdicts = [[] for _ in range(rounds)]

        def race():
            for n in range(rounds):
                if gate.wait() == 0:
                    now[0] = T + n * 30_000
                    engine.unlock("alice", by="the test")
                gate.wait()
                verdicts[n].append(engine.verify("alice", step_code(n)).code)

        team = [threading.Thread(target=race) for _ in range(threads)]
        for thread in team:
            thread.start()
        for thread in team:
            thread.join()
        assert [v.count(Code.ACCEPTED) for v in verdicts] == [1] * rounds


@pytest.mark.parametrize("disk", [False, True])
def test_concurrent_awaits_share_a_turn(path, disk):
    with Engine.open(path if disk else ":memory:", b"k" * 32, clock=lambda: T) as engine:
        engine.add_user("alice")
        engine.add_device("alice", Device.totp(KEY))
        before = engine.counters()["turns"]

        async def ask():
            return await asyncio.gather(
                *(engine.averify("alice", step_code()) for _ in range(50)),
                *(engine.averify("nobody", "1") for _ in range(50)),
            )

        verdicts = asyncio.run(ask())
        assert [v.code for v in verdicts].count(Code.ACCEPTED) == 1
        assert verdicts[0], "the first asked is the first served"
        assert engine.counters()["turns"] == before + 1
        assert engine.user("alice").failures == 40 + 9, "ten lock, refusals count on"


def test_after_a_fork_the_childs_use_raises(engine):
    child = os.fork()
    if child == 0:
        code = 1
        try:
            engine.verify("alice", step_code())
        except watchword.Error:
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert engine.verify("alice", step_code())


# ---- the store ----


def test_state_survives_a_close_and_so_do_locks(path):
    with on_disk(path) as engine:
        engine.add_user("alice", state="pending", realm="paper")
        engine.add_device("alice", Device.totp(KEY, algorithm="sha512"))
        engine.add_user("bob" + "y" * 60)
        for _ in range(12):
            engine.verify("alice", "000000")
        before = engine.user("alice")
    for _ in range(3):
        with on_disk(path) as engine:
            assert engine.user("alice") == before
            assert engine.users() == ["alice", "bob" + "y" * 60]


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, pickle.dumps])
def test_an_engine_is_not_copied(engine, again):
    """The copy would count for itself, and close what is not its own."""
    with pytest.raises(TypeError, match="neither copied nor pickled"):
        again(engine)
    assert engine.verify("alice", step_code())


def test_a_second_owner_is_told_who_the_first_is(path):
    with on_disk(path), pytest.raises(StoreOwned, match=str(os.getpid())):
        on_disk(path)


def test_a_wrong_key_is_named(path):
    on_disk(path).close()
    with pytest.raises(WrongKey):
        on_disk(path, key=b"x" * 32)


def test_a_key_is_rotated_while_logins_go_on(path):
    with on_disk(path) as engine:
        for n in range(30):
            engine.add_user(f"u{n}")
            engine.add_device(f"u{n}", Device.totp(KEY))
        stop, verdicts = threading.Event(), []

        def logins():
            n = 0
            while not stop.is_set() and n < 30:
                verdicts.append(engine.verify(f"u{n}", step_code()).code)
                n += 1

        thread = threading.Thread(target=logins)
        thread.start()
        engine.rotate_key()
        stop.set()
        thread.join()
        assert set(verdicts) <= {Code.ACCEPTED}
        assert engine._store.stale_pages() == 0
        done = len(verdicts)
    with on_disk(path) as engine:
        for n in range(done):
            assert engine.verify(f"u{n}", step_code()).reason == Reason.REPLAYED


def test_a_commit_that_fails_ends_the_engine(path, monkeypatch):
    engine = on_disk(path)
    engine.add_user("alice")
    engine.add_device("alice", Device.totp(KEY))

    def refuse(rows):
        raise StoreFailed("the disk is full")

    monkeypatch.setattr(engine._store, "append", refuse)
    with pytest.raises(StoreFailed):
        engine.verify("alice", step_code())
    monkeypatch.undo()
    for act in (
        lambda: engine.verify("alice", step_code(1)),
        lambda: engine.verify_many(["alice"], ["1"]),
        lambda: engine.add_user("bob"),
        lambda: asyncio.run(engine.averify("alice", "1")),
    ):
        with pytest.raises(StoreFailed, match="open the store anew"):
            act()
    with pytest.raises(StoreFailed):
        engine.close()
    with on_disk(path) as engine:
        assert engine.verify("alice", step_code()), "what was never answered was never used up"


def test_a_closed_engine_says_so(engine):
    engine.close()
    engine.close()
    for call in (
        lambda: engine.verify("alice", "1"),
        lambda: engine.verify_many(["alice"], ["1"]),
        lambda: engine.verify_many([], []),
        engine.stats,
    ):
        with pytest.raises(watchword.Error, match="closed"):
            call()


def test_an_almost_full_disk_makes_logins_busy_and_lets_administration_go_on(path, monkeypatch):
    with on_disk(path) as engine:
        engine.add_user("alice")
        engine.add_device("alice", Device.totp(KEY))
        real = os.statvfs

        def almost_full(at):
            found = list(real(at))
            found[4] = keeper.RESERVE_BYTES // found[1] - 1
            return os.statvfs_result(found)

        monkeypatch.setattr(os, "statvfs", almost_full)
        engine._keeper.look_at_disk()
        assert engine.verify("alice", step_code()).code == Code.BUSY
        assert "MB left" in engine.busy_because
        engine.add_user("bob")
        monkeypatch.undo()
        engine._keeper.look_at_disk()
        assert engine.verify("alice", step_code())


def test_whoever_closes_while_others_verify_leaves_a_store_that_opens(path):
    for _ in range(5):
        engine = on_disk(path)
        answered = []

        def logins(engine=engine, answered=answered):
            try:
                while True:
                    answered.append(engine.verify("nobody", "000000"))
            except watchword.Error as error:
                answered.append(str(error))

        team = [threading.Thread(target=logins) for _ in range(3)]
        for thread in team:
            thread.start()
        while len(answered) < 20:
            time.sleep(0.001)
        engine.close()
        for thread in team:
            thread.join()
        assert [word for word in answered if isinstance(word, str)] == ["the engine is closed"] * 3
        turns = engine._turn
        with on_disk(path) as engine:
            assert engine.counters()["turns"] == turns


def test_a_child_that_closes_after_a_fork_leaves_the_parents_store_alone(path):
    engine = on_disk(path)
    engine.add_user("alice")
    engine.add_device("alice", Device.totp(KEY))
    stop = threading.Event()

    def logins():
        while not stop.is_set():
            engine.verify("nobody", "000000")

    thread = threading.Thread(target=logins)
    thread.start()
    for _ in range(10):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                engine.verify("alice", "000000")
            except watchword.Error:
                engine.close()
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
    stop.set()
    thread.join()
    assert engine.verify("alice", step_code())
    engine.close()
    with on_disk(path) as engine:
        assert engine.verify("alice", step_code()).reason == Reason.REPLAYED


def test_a_turn_from_within_a_turn_is_refused(engine):
    class Meddling(list):
        def __getitem__(self, at):
            engine.verify("alice", step_code())
            return super().__getitem__(at)

    with pytest.raises(watchword.Error, match="within one of its own turns"):
        engine.verify_many(Meddling(["mallory"]), ["000000"])
    assert engine.verify("mallory", "000000").code == Code.REJECTED
    assert engine.verify("alice", step_code())


def test_a_refusal_waits_for_what_it_saw(path, monkeypatch):
    with on_disk(path) as engine:
        real, gate, seen = engine._store.append, threading.Event(), []

        def slow(rows):
            gate.wait()
            real(rows)

        monkeypatch.setattr(engine._store, "append", slow)

        def add():
            with contextlib.suppress(Exists):
                engine.add_user("carol")
            seen.append(engine._store.head)

        team = [threading.Thread(target=add) for _ in range(2)]
        for thread in team:
            thread.start()
        time.sleep(0.1)
        assert seen == []
        gate.set()
        for thread in team:
            thread.join()
        assert seen == [1, 1]


def test_a_state_that_may_not_follow_is_refused_once_that_state_is_durable(path, monkeypatch):
    """That it is lost already is known by the refusal: a crash may not take it back."""
    with on_disk(path) as engine:
        engine.add_user("carol")
        serial = engine.add_device("carol", Device.hotp(KEY))
        real, gate, seen = engine._store.append, threading.Event(), []

        def slow(rows):
            gate.wait()
            real(rows)

        monkeypatch.setattr(engine._store, "append", slow)

        def lose(state):
            with contextlib.suppress(InvalidArgument):
                engine.set_device("carol", serial, state=state)
            seen.append(engine._store.head)

        before, team = engine._turn, [
            threading.Thread(target=lose, args=(state,)) for state in ("lost", "suspended")
        ]
        try:
            team[0].start()
            while engine._turn == before:
                time.sleep(0.001)
            team[1].start()
            time.sleep(0.1)
            assert seen == []
        finally:
            gate.set()
            for thread in team:
                thread.join()
        assert seen == [before + 1] * 2


def test_loops_that_begin_together_share_one_journal_thread(path):
    with on_disk(path) as engine:
        gate = threading.Barrier(4)

        def loop():
            gate.wait()
            asyncio.run(ask())

        async def ask():
            await engine.averify("nobody", "1")

        team = [threading.Thread(target=loop) for _ in range(4)]
        for thread in team:
            thread.start()
        for thread in team:
            thread.join()
        names = [thread.name for thread in threading.enumerate()]
        assert names.count("watchword-journal") == 1
