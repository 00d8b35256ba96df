"""src/watchword/engine.py and acts.py: the library's door, over a store in memory and on disk."""

import asyncio
import os
import threading

import numpy as np
import pytest

import watchword
from watchword import (
    Code,
    Device,
    Engine,
    Exists,
    InvalidArgument,
    NotFound,
    Policy,
    Reason,
    StoreFailed,
    StoreOwned,
    WrongKey,
    clock,
    hotp,
    totp,
)

KEY = b"12345678901234567890"
T = 1_700_000_010_000


def step_code(steps=0, key=KEY):
    return totp(key, T // 1000 + 30 * steps)


@pytest.fixture
def engine():
    with Engine.open(clock=lambda: T) as engine:
        engine.add_user("alice")
        engine.add_device("alice", Device.totp(KEY))
        yield engine


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store"


def on_disk(path, **given):
    return Engine.open(path, given.pop("key", b"k" * 32), clock=given.pop("clock", lambda: T))


# ---- the answer ----


def test_only_accepted_is_true(engine):
    yes = engine.verify("alice", step_code())
    no = engine.verify("alice", step_code())
    assert yes and yes.code is Code.ACCEPTED
    assert not no and no.code is Code.REJECTED
    assert 0 not in set(Code)
    assert (yes.device, yes.kind, yes.reason) == ("W00000001", "totp", Reason.NONE)
    assert step_code() not in repr(yes)


def test_many_and_one_are_the_same_engine(engine):
    codes = engine.verify_many(["alice"] * 3 + ["nobody", "!"], [step_code()] * 2 + ["", "1", "1"])
    assert codes.dtype == np.uint8
    assert [Code(c) for c in codes] == [
        Code.ACCEPTED, Code.REJECTED, Code.CHALLENGE, Code.REJECTED, Code.BAD_CHARACTER
    ]


def test_columns_of_bytes_and_sequences_of_text_give_the_same_verdicts():
    outcomes = []
    for column in (list, tuple, lambda x: np.array(x, "S"), lambda x: np.array(x, object)):
        with Engine.open(clock=lambda: T) as engine:
            for n in range(50):
                engine.add_user(f"u{n}")
                engine.add_device(f"u{n}", Device.totp(KEY))
            users = [f"u{n % 60}" for n in range(20_000)]
            typed = [step_code() if n % 7 else "000000" for n in range(20_000)]
            outcomes.append(list(engine.verify_many(column(users), column(typed))))
    assert outcomes[0] == outcomes[1] == outcomes[2] == outcomes[3]
    assert outcomes[0].count(Code.ACCEPTED) == 50
    assert outcomes[0].count(Code.LOCKED) > 15_000


def test_a_strided_column_is_read_where_it_lies(engine):
    users = np.array(["alice", "x", "nobody", "x"], "S")[::2]
    typed = np.array([step_code(), "0", "1", "0"], "S")[::2]
    assert list(engine.verify_many(users, typed)) == [Code.ACCEPTED, Code.REJECTED]


# ---- misuse ----

MISUSE = [
    (lambda e: e.verify("alice", "1", platform="phone"), InvalidArgument, "platform"),
    (lambda e: e.verify("alice", "1", realm="demo"), InvalidArgument, "realm"),
    (lambda e: e.verify("alice", "1", address="nowhere"), InvalidArgument, "address"),
    (lambda e: e.verify("alice", "1", gateway=""), InvalidArgument, "gateway"),
    (lambda e: e.verify(7, "1"), InvalidArgument, "str or bytes"),
    (lambda e: e.verify("alice", None), InvalidArgument, "str or bytes"),
    (lambda e: e.verify_many(["alice"], []), InvalidArgument, "responses has 0"),
    (lambda e: e.verify_many(["a"], ["b"], devices=[]), InvalidArgument, "devices has 0"),
    (lambda e: e.verify_many(["a"], ["b"], threads=0), InvalidArgument, "threads"),
    (lambda e: e.add_user("Alice"), InvalidArgument, "lower case"),
    (lambda e: e.add_user("al ice"), InvalidArgument, "1 to 64"),
    (lambda e: e.add_user(""), InvalidArgument, "1 to 64"),
    (lambda e: e.add_user("a" * 65), InvalidArgument, "1 to 64"),
    (lambda e: e.add_user(b"bob"), InvalidArgument, "str"),
    (lambda e: e.add_user("bob", state="new"), InvalidArgument, "open, pending, closed"),
    (lambda e: e.add_user("alice"), Exists, "alice"),
    (lambda e: e.user("bob"), NotFound, "bob"),
    (lambda e: e.unlock("bob", by="me"), NotFound, "bob"),
    (lambda e: e.unlock("alice", by=""), InvalidArgument, "by"),
    (lambda e: e.add_device("alice", KEY), InvalidArgument, "watchword.Device"),
    (lambda e: e.add_device("alice", Device.totp(KEY), serial="a b"), InvalidArgument, "serial"),
    (lambda e: e.add_device("alice", Device.totp(KEY), serial="W00000001"), Exists, "W00000001"),
    (lambda e: e.remove_device("alice", "none"), NotFound, "none"),
    (lambda e: e.set_device("alice", "W00000001", state="gone"), InvalidArgument, "active"),
    (lambda e: Device.totp("text"), InvalidArgument, "key"),
    (lambda e: Device.totp(b"short"), InvalidArgument, "10 to 128"),
    (lambda e: Device.totp(KEY, period=0), InvalidArgument, "period"),
    (lambda e: Device.totp(KEY, window=11), InvalidArgument, "window"),
    (lambda e: Device.totp(KEY, window=(1, 2, 3)), InvalidArgument, "window"),
    (lambda e: Device.totp(KEY, digits=5), InvalidArgument, "digits"),
    (lambda e: Device.totp(KEY, algorithm="SHA1"), InvalidArgument, "algorithm"),
    (lambda e: Device.hotp(KEY, counter=-1), InvalidArgument, "counter"),
    (lambda e: Device.hotp(KEY, look_ahead=101), InvalidArgument, "look_ahead"),
    (lambda e: Policy(lockout_failures=0), InvalidArgument, "1 to 100"),
    (lambda e: Policy(lockout_failures=True), InvalidArgument, "whole number"),
    (lambda e: Policy(names="all"), InvalidArgument, "names"),
    (lambda e: Policy.profile("lax"), InvalidArgument, "strict"),
    (lambda e: Policy.from_table({"lockout_tries": 3}), InvalidArgument, "lockout_tries"),
    (lambda e: Engine.open(policy={}), InvalidArgument, "policy"),
    (lambda e: Engine.open(clock=5), InvalidArgument, "clock"),
]


@pytest.mark.parametrize(("misuse", "error", "says"), MISUSE)
def test_misuse_raises_with_the_argument_and_what_is_legal(engine, misuse, error, says):
    with pytest.raises(error, match=says) as raised:
        misuse(engine)
    assert isinstance(raised.value, watchword.Error)
    assert KEY.decode() not in str(raised.value)
    assert engine.verify("alice", step_code()), "misuse changes nothing"


def test_sixteen_devices_and_no_more(engine):
    for n in range(15):
        engine.add_device("alice", Device.hotp(KEY + bytes([n])))
    with pytest.raises(InvalidArgument, match="16"):
        engine.add_device("alice", Device.hotp(KEY))
    assert engine.verify("alice", hotp(KEY + bytes([14]), 3)).device == "W00000016"


def test_the_strict_profile_asks_for_no_window_and_longer_keys():
    with Engine.open(policy=Policy.profile("strict"), clock=lambda: T) as engine:
        engine.add_user("alice")
        with pytest.raises(InvalidArgument, match="window"):
            engine.add_device("alice", Device.totp(KEY))
        with pytest.raises(InvalidArgument, match="14 bytes"):
            engine.add_device("alice", Device.totp(KEY[:13], window=0))
        engine.add_device("alice", Device.totp(KEY, window=0))
        assert engine.verify("alice", step_code(1)).code == Code.REJECTED
        assert engine.verify("alice", step_code())


def test_any_names_are_utf8_without_control_characters():
    with Engine.open(policy=Policy(names="any"), clock=lambda: T) as engine:
        for name in ("ann@example.com", "Ünïcode", "ë" * 64, "漢字", "\U0001d4b3"):
            engine.add_user(name)
            engine.add_device(name, Device.totp(KEY))
            assert engine.verify(name, step_code())
        bad = ("", "a\n", "a\x7f", "a\u0085", "ë" * 65, b"\xc0\xaf", b"\xed\xa0\x80", b"\xff")
        for name in bad:
            assert engine.verify(name, "1").code == Code.BAD_CHARACTER


# ---- enrolment, removal, and what stays used ----


@pytest.mark.parametrize("remove", ["device", "user"])
@pytest.mark.parametrize("reopen", [False, True])
def test_a_code_stays_used_when_its_key_is_enrolled_again(path, remove, reopen):
    engine = on_disk(path)
    engine.add_user("alice")
    t = engine.add_device("alice", Device.totp(KEY))
    h = engine.add_device("alice", Device.hotp(KEY[::-1], algorithm="sha512"))
    assert engine.verify("alice", step_code())
    assert engine.verify("alice", hotp(KEY[::-1], 7, algorithm="sha512"))
    if remove == "user":
        engine.remove_user("alice")
        engine.add_user("alice")
    else:
        engine.remove_device("alice", t)
        engine.remove_device("alice", h)
    if reopen:
        engine.close()
        engine = on_disk(path)
    engine.add_device("alice", Device.totp(KEY))
    engine.add_device("alice", Device.hotp(KEY[::-1], algorithm="sha512"))
    assert engine.verify("alice", step_code()).reason == Reason.REPLAYED
    for counter in (0, 7):
        again = engine.verify("alice", hotp(KEY[::-1], counter, algorithm="sha512"))
        assert again.code == Code.REJECTED
    assert engine.verify("alice", hotp(KEY[::-1], 8, algorithm="sha512"))
    assert engine.verify("alice", step_code(1))
    engine.close()


def test_a_floor_is_kept_in_time_when_the_period_changes(engine):
    assert engine.verify("alice", step_code())
    engine.remove_device("alice", "W00000001")
    engine.add_device("alice", Device.totp(KEY, period=60))
    device = engine.user("alice").devices[0]
    used_until_s = (T // 30_000 + 1) * 30
    assert (device.moving - 1) * 60 < used_until_s <= device.moving * 60


def test_an_id_is_never_used_again(engine):
    _, first = engine._core.next_slot()
    engine.add_user("bob")
    engine.remove_user("bob")
    slot, second = engine._core.next_slot()
    assert (slot, second >> 32) == (first, 1)


def test_a_device_that_is_not_active_does_not_verify(engine):
    for state in ("shipped", "suspended", "lost", "returned", "expired"):
        engine.set_device("alice", "W00000001", state=state)
        refused = engine.verify("alice", step_code())
        assert (refused.code, refused.reason) == (Code.REJECTED, Reason.NO_DEVICE)
    engine.set_device("alice", "W00000001", state="active")
    assert engine.verify("alice", step_code())


def test_ten_thousand_users_come_and_go(engine):
    names = [f"user{n}" for n in range(3_000)]
    for name in names:
        engine.add_user(name)
    for name in names[::2]:
        engine.remove_user(name)
    assert engine.users(count=5_000) == ["alice", *names[1::2]]
    assert engine.users(after=names[1], count=2) == [names[3], names[5]]
    for name in names[::2]:
        with pytest.raises(NotFound):
            engine.user(name)
        engine.add_user(name)
    assert sorted(engine.users(count=5_000)) == sorted(["alice", *names])


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
    with pytest.raises(watchword.Error, match="closed"):
        engine.verify("alice", "1")


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


# ---- users in bulk ----


def test_users_in_bulk_are_users_like_any_other(path):
    names = [f"user{n}" for n in range(10_000)]
    keys = [KEY[:19] + bytes([n % 251]) for n in range(10_000)]
    with on_disk(path) as engine:
        engine.add_user("alice")
        engine.add_user("bob")
        engine.remove_user("alice")
        figures = Device.hotp(KEY, counter=3, digits=8)
        assert engine.add_users(names, keys, device=figures, state="pending") == 10_000
        assert engine.add_users(["x" * 64, "y" * 41]) == 2
        assert engine.verify("user77", hotp(keys[77], 5, digits=8), platform="portal")
    with on_disk(path) as engine:
        user = engine.user("user77")
        assert (user.state, user.devices[0].moving, user.devices[0].digits) == ("pending", 6, 8)
        assert len({engine.user(n).devices[0].serial for n in names[::97]}) == len(names[::97])
        assert engine.user("x" * 64).devices == ()
        assert len(engine.users(count=20_000)) == 10_003
        columns = np.array(names, "S"), np.array([hotp(k, 9, digits=8) for k in keys], "S")
        codes = engine.verify_many(*columns, platform="portal")
        assert list(codes) == [Code.ACCEPTED] * 10_000


BULK_MISUSE = [
    (["bob", "Bob"], None, InvalidArgument, r"names\[1\] is no user name"),
    (["bob", ""], None, InvalidArgument, r"names\[1\]"),
    (["bob", "alice"], None, Exists, r"names\[1\] is taken"),
    (["bob", "eve", "bob"], None, Exists, r"names\[2\] is repeated"),
    (["bob", 7], None, InvalidArgument, "names is str"),
    (["bob", "a\0"], None, InvalidArgument, "zero"),
    (["bob"], [KEY, KEY], InvalidArgument, "keys has 2"),
    (["bob", "eve"], [KEY, KEY[:-1]], InvalidArgument, "equal length"),
    (["bob"], [b"short"], InvalidArgument, "10 to 128"),
]


@pytest.mark.parametrize(("names", "keys", "error", "says"), BULK_MISUSE)
def test_a_bulk_that_is_not_legal_adds_nobody(engine, names, keys, error, says):
    with pytest.raises(error, match=says):
        engine.add_users(names, keys)
    assert engine.users() == ["alice"]


def test_bulk_enrolment_keeps_what_a_key_had_used(engine):
    assert engine.verify("alice", step_code())
    engine.remove_user("alice")
    engine.add_users(["bob", "eve"], [KEY[::-1], KEY])
    assert engine.verify("eve", step_code()).reason == Reason.REPLAYED
    assert engine.verify("bob", step_code(key=KEY[::-1]))
