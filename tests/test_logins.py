"""src/watchword/logins.py: one attempt and many, in text and in columns, and misuse told."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
from standing import KEY, T, step_code

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
    hotp,
)

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


class Made(Sequence):
    """A sequence whose entries are made at each look and die after it."""

    def __init__(self, texts):
        self.texts = texts

    def __len__(self):
        return len(self.texts)

    def __getitem__(self, at):
        return "".join(list(self.texts[at]))


def test_columns_of_bytes_and_sequences_of_text_give_the_same_verdicts():
    outcomes = []
    shapes = (
        list, tuple, Made, lambda x: np.array(x, "S"), lambda x: np.array(x, object),
        lambda x: np.array(x, "U"),
    )
    for column in shapes:
        with Engine.open(clock=lambda: T) as engine:
            for n in range(50):
                engine.add_user(f"u{n}")
                engine.add_device(f"u{n}", Device.totp(KEY))
            users = [f"u{n % 60}" for n in range(20_000)]
            typed = [step_code() if n % 7 else "000000" for n in range(20_000)]
            outcomes.append(list(engine.verify_many(column(users), column(typed))))
    assert all(outcome == outcomes[0] for outcome in outcomes)
    assert outcomes[0].count(Code.ACCEPTED) == 50
    assert outcomes[0].count(Code.LOCKED) > 15_000


def test_a_strided_column_is_read_where_it_lies(engine):
    users = np.array(["alice", "x", "nobody", "x"], "S")[::2]
    typed = np.array([step_code(), "0", "1", "0"], "S")[::2]
    assert list(engine.verify_many(users, typed)) == [Code.ACCEPTED, Code.REJECTED]


@pytest.mark.parametrize("suite", ["OCRA-1:HOTP-SHA1-6:C-QN08", "OCRA-1:HOTP-SHA1-10:C-QN28"])
@pytest.mark.parametrize("first", [0, 2**32 - 7, 2**48 - 1, 2**64 - 10])
@pytest.mark.parametrize("look_ahead", [1, 10, 15, 16, 100])
def test_an_answer_at_each_counter_of_a_window_of_a_batch(
    suite: str, first: int, look_ahead: int
) -> None:
    """Up to sixteen counters sixteen windows are laid side by side; those that are left over, and
    wider ones, lane after lane, and a chunk of lanes ends anywhere in one."""
    engine = Engine.open(clock=lambda: T)
    counters = range(first, min(first + look_ahead + 1, 2**64))
    names = [f"user{n:03d}" for n in range(max(40, len(counters)))]
    matched = [counters[n % len(counters)] for n in range(len(names))]
    right, wrong = [], []
    for n, counter in enumerate(matched):
        key = bytes([n]) * 20
        engine.add_user(names[n])
        made = Device.ocra(key, suite, counter=first, look_ahead=look_ahead)
        engine.add_device(names[n], made)
        asked = engine.challenge(names[n]).prompt
        answers = {watchword.ocra(suite, key, asked, counter=one) for one in counters}
        right.append(watchword.ocra(suite, key, asked, counter=counter))
        wrong.append(next(code for code in (f"{at:0{len(right[0])}d}" for at in range(999))
                          if code not in answers))  # fmt: skip
    assert set(engine.verify_many(names, wrong)) == {Code.REJECTED}
    assert set(engine.verify_many(names, right)) == {Code.ACCEPTED}
    after = [engine.user(name).devices[0].moving for name in names]
    assert after == [min(counter + 1, 2**64 - 1) for counter in matched]


# ---- misuse ----

MISUSE = [
    (lambda e: e.verify("alice", "1", platform="phone"), InvalidArgument, "platform"),
    (lambda e: e.verify("alice", "1", realm="demo"), InvalidArgument, "realm"),
    (lambda e: e.verify("alice", "1", address="nowhere"), InvalidArgument, "address"),
    (lambda e: e.verify("alice", "1", address=5), InvalidArgument, "address"),
    (lambda e: e.verify("alice", "1", gateway=""), InvalidArgument, "gateway"),
    (lambda e: e.verify(7, "1"), InvalidArgument, "str or bytes"),
    (lambda e: e.verify("alice", None), InvalidArgument, "str or bytes"),
    (lambda e: e.verify_many(["alice"], []), InvalidArgument, "responses has 0"),
    (lambda e: e.verify_many(["a"], ["b"], devices=[]), InvalidArgument, "devices has 0"),
    (lambda e: e.verify_many(["a"], ["b"], threads=0), InvalidArgument, "threads"),
    (lambda e: e.verify_many("alice", "12345"), InvalidArgument, "users is a sequence"),
    (lambda e: e.verify_many(None, None), InvalidArgument, "users is a sequence"),
    (lambda e: e.verify_many(["alice"] * 9_000, ["1"] * 9_000, devices=[None] * 8_999 + [5]),
     InvalidArgument, "str or bytes"),
    (lambda e: e.resync("alice", "1", "2", device=None), InvalidArgument, "serial"),
    (lambda e: e.verify("alice", "1", gateway=7), InvalidArgument, "gateway"),
    (lambda e: Device("totp", KEY), InvalidArgument, "period"),
    (lambda e: Device("hotp", KEY * 20), InvalidArgument, "key"),
    (lambda e: e.unlock("alice", by="\ud800"), InvalidArgument, "by"),
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


def test_the_strict_profile_asks_for_no_window_short_steps_and_longer_keys():
    with Engine.open(policy=Policy.profile("strict"), clock=lambda: T) as engine:
        engine.add_user("alice")
        with pytest.raises(InvalidArgument, match="window"):
            engine.add_device("alice", Device.totp(KEY))
        with pytest.raises(InvalidArgument, match="14 bytes"):
            engine.add_device("alice", Device.totp(KEY[:13], window=0))
        with pytest.raises(InvalidArgument, match="30 seconds"):
            engine.add_device("alice", Device.totp(KEY, window=0, period=31))
        with pytest.raises(InvalidArgument, match="30 seconds"):
            engine.add_users(["bob"], [KEY], device=Device.totp(KEY, window=0, period=60))
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


def test_a_zero_inside_a_column_entry_is_part_of_it(engine):
    users = np.array([b"alice\0x", b"alice", b"alice"], "S")
    typed = np.array([step_code().encode(), step_code().encode() + b"\0x", step_code().encode()])
    codes = [Code(c) for c in engine.verify_many(users, typed)]
    assert codes == [Code.BAD_CHARACTER, Code.REJECTED, Code.ACCEPTED]


def test_a_lock_says_nothing_of_the_device_that_would_have_matched(engine):
    engine.verify_many(["alice"] * 10, ["000000"] * 10)
    locked = engine.verify("alice", step_code())
    assert locked.code == Code.LOCKED
    assert (locked.device, locked.kind, locked.offset) == (None, "none", 0)


def test_columns_with_addresses_and_devices_are_read_where_they_live(engine):
    users, typed = np.array(["alice"] * 3, "S"), np.array([step_code()] * 3, "S")
    codes = engine.verify_many(
        users, typed, addresses=Made(["192.0.2.1"] * 3), devices=Made(["W00000001"] * 3)
    )
    assert list(codes) == [Code.ACCEPTED, Code.REJECTED, Code.REJECTED]


# ---- one batch over several threads ----


@pytest.mark.parametrize("threads", [2, 3, 4, 64])
@pytest.mark.parametrize("way", ["list", "columns"])
def test_a_batch_over_threads_answers_and_records_what_one_thread_does(threads, way, rng):
    """Users who come often, users who do not exist, names that cannot be, devices that are named:
    the verdicts and the journal's rows are the same bytes."""
    rows: list[bytes] = []
    answers = []
    keys = {f"user{n}": rng.randbytes(20) for n in range(600)}
    names = list(keys)
    attempts = []
    for _ in range(5000):
        name = rng.choice([rng.choice(names), names[rng.randrange(7)], "nobody1", "No Name"])
        right = hotp(keys.get(name, KEY), T // 30_000)
        named = None if way == "columns" or rng.random() < 0.8 else "W00000001"
        attempts.append((name, rng.choice([right, f"{rng.randrange(10**6):06d}", ""]), named))
    for count in (1, threads):
        with Engine.open(clock=lambda: T, entropy=lambda n: bytes(n)) as engine:
            engine.tap = rows
            engine.add_users(names[:400], [keys[name] for name in names[:400]])
            for name in names[400:]:
                engine.add_user(name)
                engine.add_device(name, Device.totp(keys[name]))
                engine.add_device(name, Device.hotp(keys[name]))
            users, responses, devices = ([row[n] for row in attempts] for n in range(3))
            if way == "columns":
                codes = engine.verify_many(np.array(users, "S"), np.array(responses, "S"),
                                           threads=count)  # fmt: skip
            else:
                codes = engine.verify_many(users, responses, devices=devices, threads=count)
            answers.append(codes.tolist())
    assert answers[0] == answers[1], rng
    half = len(rows) // 2
    assert rows[:half] == rows[half:], rng
    assert {Code.ACCEPTED, Code.REJECTED, Code.LOCKED, Code.CHALLENGE, Code.BAD_CHARACTER} <= set(
        answers[0]
    )


def test_attempts_with_addresses_are_counted_by_one_thread(rng):
    with Engine.open(clock=lambda: T, policy=Policy(source_failures=20)) as engine:
        codes = engine.verify_many(["nobody"] * 2000, ["000000"] * 2000, threads=2,
                                   addresses=["192.0.2.1"] * 2000)  # fmt: skip
        assert codes.tolist()[:10] == [Code.REJECTED] * 10
        assert codes.tolist()[20:] == [Code.BUSY] * 1980


LAST_CALLS = """
import _thread, atexit, sys, numpy as np
real, started = _thread.start_new_thread, []
def start(*thread):
    started.append(thread)
    if len(started) > int(sys.argv[1]):
        raise RuntimeError("can't start new thread")
    real(*thread)
_thread.start_new_thread = start
import watchword
engine = watchword.Engine.open()
users, codes = np.array([f"u{n}" for n in range(2000)], "S"), np.full(2000, b"000000", "S6")
def last():
    both = engine.verify_many(users, codes, threads=8)[:2]
    print(both.tolist(), len(started), engine.verify("a", "1").code.name)
last() if sys.argv[2] == "now" else atexit.register(last)
"""


@pytest.mark.parametrize(("threads", "when"), [(0, "now"), (1, "now"), (9, "at exit")])
def test_where_no_thread_is_to_be_had_the_caller_does_it_all(threads, when):
    done = subprocess.run([sys.executable, "-c", LAST_CALLS, str(threads), when], text=True,
                          capture_output=True, check=False)  # fmt: skip
    assert done.stdout == f"[2, 2] {min(threads + 1, 7)} REJECTED\n", done.stderr


# One that falls into a weak reference's callback is told to nobody: then another comes.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_part_of_a_batch_is_at_work_after_an_interrupt():
    names = np.array([f"user{n}" for n in range(8192)], "S")
    codes = np.full(len(names), b"000000", "S6")
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        for trial in range(10):
            with Engine.open(clock=lambda: T) as engine:
                engine.add_users(names, [b"%020d" % n for n in range(8192)])
                with pytest.raises((KeyboardInterrupt, watchword.Error)):
                    # Again and again: one that falls into a callback nobody hears of.
                    signal.setitimer(signal.ITIMER_REAL, 0.0005 + trial * 0.0005, 1.0)
                    for _ in range(20_000):
                        engine.verify_many(names, codes, threads=8)
                signal.setitimer(signal.ITIMER_REAL, 0)
                pages = [engine._core.page_state(page) for page in range(8)]
                time.sleep(0.02)
                assert pages == [engine._core.page_state(page) for page in range(8)], trial
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("said", ["no", "True", 1, 0, None, np.True_])
def test_who_vouches_says_true_or_false(said: Any) -> None:
    """A settings file's "no" counts as true wherever truth is all that is asked."""
    words: dict[str, Any] = {"platform": "portal", "first_factor": said}
    with Engine.open() as engine:
        engine.add_user("alice")
        changes = (
            partial(engine.verify, "alice", ""),
            partial(engine.verify_many, ["alice"], [""]),
            lambda **words: asyncio.run(engine.averify("alice", "", **words)),
            partial(engine.opt_in, "alice", "1"),
            partial(engine.activate, "alice", "serial", "1"),
            partial(engine.share_device, "alice", "bob", "serial", "1"),
        )
        for change in changes:
            with pytest.raises(InvalidArgument, match="first_factor is True or False"):
                change(**words)
        assert engine.stats()["attempts"] == 0


@pytest.mark.parametrize("path", [5, None, b"store", "st\0re"])
def test_a_path_is_text(path: Any) -> None:
    with pytest.raises(InvalidArgument, match="path is text"):
        Engine.open(path)
