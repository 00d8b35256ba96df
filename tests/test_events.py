"""src/watchword/events.py: told once durable, in order, on the channels asked for; bounded."""

import threading
import time
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest

import watchword
from watchword import Device, Engine, Event, InvalidArgument, Policy, StoreFailed, events

KEY = b"1" * 20
T = 1_700_000_000_000
SECONDS_MAX = 30.0


class Ear:
    """Who listens, and in what order things were heard."""

    def __init__(self) -> None:
        self.heard: SimpleQueue[Event] = SimpleQueue()
        self.told = self.heard.put

    def next(self) -> Event:
        return self.heard.get(timeout=SECONDS_MAX)

    def silent(self) -> bool:
        try:
            event = self.heard.get(timeout=0.05)
        except Empty:
            return True
        raise AssertionError(event)


def opened(path: Path, now: list[int] | None = None) -> Engine:
    engine = Engine.open(path / "store", clock=None if now is None else lambda: now[0])
    engine.add_user("alice")
    engine.add_device("alice", Device.totp(KEY), "A1")
    return engine


def test_each_channel_tells_its_own(tmp_path: Path) -> None:
    now = [T]
    with opened(tmp_path, now) as engine:
        ears = {channel: Ear() for channel in events.CHANNELS}
        for channel, ear in ears.items():
            engine.subscribe(ear.told, channel)
        code = watchword.totp(KEY, T // 1000)
        engine.verify("alice", code, gateway="web", address="192.0.2.7")
        engine.verify("alice", code, gateway="web", address="192.0.2.7")
        for _ in range(9):
            engine.verify("alice", "00000x", gateway="web")
        for _ in range(5):
            engine.verify("alice", code)
        replay = ears["replays"].next().entry
        assert (replay.user, replay.reason, replay.gateway) == ("alice", "REPLAYED", "web")
        assert replay.address == "192.0.2.7"
        lock = ears["lockouts"].next().entry
        assert (lock.user, lock.locked_ms, lock.verdict) == ("alice", 86_400_000, "REJECTED")
        assert lock.turn > replay.turn
        engine.unlock("alice", by="desk 4")
        engine.set_policy(Policy(lockout_failures=5), by="desk 5")
        act, policy = ears["acts"].next().entry, ears["policy"].next().entry
        assert (act.event, act.user, act.by) == ("user unlock", "alice", "desk 4")
        assert (policy.event, policy.by, policy.text) == (
            "policy set", "desk 5", "lockout_failures"
        )  # fmt: skip
        assert all(ear.silent() for ear in ears.values())


def test_an_activation_is_an_attempt_that_locks_and_replays(tmp_path: Path) -> None:
    with opened(tmp_path, [T]) as engine:
        ear = Ear()
        engine.subscribe(ear.told, "lockouts", "replays")
        code = watchword.totp(KEY, T // 1000)
        assert engine.verify("alice", code)
        for _ in range(10):
            engine.activate("alice", "A1", code)
        told = [ear.next() for _ in range(11)]
        assert [one.channel for one in told].count("replays") == 10
        assert [one.channel for one in told].count("lockouts") == 1
        assert {one.entry.event for one in told} == {"activation"}


def test_what_goes_is_told_by_its_name(tmp_path: Path) -> None:
    with opened(tmp_path) as engine:
        ear = Ear()
        engine.subscribe(ear.told)
        engine.remove_device("alice", "A1", by="desk")
        engine.remove_user("alice", by="desk")
        gone = ear.next().entry
        assert (gone.event, gone.user, gone.device, gone.kind) == (
            "device remove", "alice", "A1", "totp"
        )  # fmt: skip
        gone = ear.next().entry
        assert (gone.event, gone.user, gone.by) == ("user remove", "alice", "desk")


def test_names_that_nobody_has_are_told_by_their_hash(tmp_path: Path) -> None:
    with opened(tmp_path) as engine:
        ear = Ear()
        engine.subscribe(ear.told, "lockouts")
        engine.verify_many(["nosuch"] * 12, ["1" * 6] * 12)
        told = ear.next().entry.user
        assert told.startswith("?") and "nosuch" not in told


def test_an_import_is_one_event_however_many_rows(tmp_path: Path) -> None:
    with opened(tmp_path) as engine:
        ear = Ear()
        engine.subscribe(ear.told)
        rows = "".join(f"user{i},totp,hex:{i:040x}\n" for i in range(50))
        (tmp_path / "rows.csv").write_text("name,kind,key\n" + rows)
        with open(tmp_path / "rows.csv", "rb") as file:
            engine.import_csv(file, by="desk")
        told = ear.next().entry
        assert (told.event, told.by) == ("import", "desk")
        assert ear.silent()


def told_too_soon(engine: Engine) -> bool:
    """Whether an act is heard of while the disk is still at it."""
    ear, held, let = Ear(), threading.Event(), threading.Event()
    engine.subscribe(ear.told)
    append = engine._store.append

    def slow(rows: object) -> None:
        held.set()
        assert let.wait(SECONDS_MAX)
        append(rows)  # type: ignore[arg-type]

    engine._store.append = slow  # type: ignore[method-assign,assignment]
    act = threading.Thread(target=engine.add_user, args=("bob",))
    act.start()
    assert held.wait(SECONDS_MAX)
    try:
        return not ear.silent()
    except AssertionError:
        return True
    finally:
        let.set()
        act.join()
        engine._store.append = append  # type: ignore[method-assign]


def test_nothing_is_told_before_it_is_durable(tmp_path: Path) -> None:
    with opened(tmp_path) as engine:
        assert not told_too_soon(engine)


def test_a_watch_that_does_not_wait_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted bug: the row is told as it is queued."""
    with opened(tmp_path) as engine:
        monkeypatch.setattr(engine, "_when_durable", lambda turn, tell: tell(None))
        assert told_too_soon(engine)


def test_what_the_disk_refused_is_never_told(tmp_path: Path) -> None:
    engine = opened(tmp_path)
    ear = Ear()
    engine.subscribe(ear.told)

    def refused(rows: object) -> None:
        raise StoreFailed("no room")

    engine._store.append = refused  # type: ignore[method-assign,assignment]
    with pytest.raises(StoreFailed):
        engine.add_user("bob")
    assert ear.silent()
    with pytest.raises(StoreFailed):
        engine.close()


def test_who_raises_or_has_closed_is_told_no_more(tmp_path: Path) -> None:
    with opened(tmp_path) as engine:
        good, calls = Ear(), []

        def bad(event: Event) -> None:
            calls.append(event)
            raise ValueError

        engine.subscribe(bad)
        with engine.subscribe(good.told) as subscription:
            engine.add_user("b0")
            engine.add_user("b1")
            assert [good.next().entry.user for _ in range(2)] == ["b0", "b1"]
            assert len(calls) == 1
        subscription.close()
        engine.add_user("b2")
        assert good.silent()
        assert engine._watched is None, "nobody listens, so no row is looked at"


def test_what_comes_too_fast_is_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "EVENTS_PER_SECOND_MAX", 20)
    monkeypatch.setattr(events, "GAP_SECONDS", 0.01)
    now = [T]
    with opened(tmp_path, now) as engine:
        ear = Ear()
        engine.subscribe(ear.told, "lockouts")
        users = [f"nosuch{i}" for i in range(500) for _ in range(10)]
        engine.verify_many(users, ["1" * 6] * len(users))
        told = lost = 0
        while told + lost < 500:
            event = ear.next()
            told, lost = told + (event.channel == "lockouts"), lost + event.lost
            assert event.channel in ("lockouts", events.GAP)
        assert told + lost == 500 and lost > 0
        assert engine.stats()["lockouts"]["nobody"] == 500


def test_rows_that_wait_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "ROWS_BYTES_MAX", 4_000)
    monkeypatch.setattr(events, "GAP_SECONDS", 0.01)
    with opened(tmp_path) as engine:
        ear, go = Ear(), threading.Event()

        def slow(event: Event) -> None:
            assert go.wait(SECONDS_MAX)
            ear.told(event)

        engine.subscribe(slow, "acts")
        for number in range(200):
            engine.add_user(f"u{number}")
        assert engine._watching is not None and engine._watching._held <= 4_000
        go.set()
        told, lost, last = 0, 0, 0
        while told + lost < 200:
            event = ear.next()
            told, lost = told + (not event.lost), lost + event.lost
            assert event.entry.turn >= last
            last = event.entry.turn
        assert lost > 0 and told > 0


def test_misuse_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "SUBSCRIPTIONS_MAX", 2)
    with opened(tmp_path) as engine:
        with pytest.raises(InvalidArgument, match="lockouts, replays, acts, policy, clock"):
            engine.subscribe(print, "nosuch")
        with pytest.raises(InvalidArgument, match="callable"):
            engine.subscribe(None)  # type: ignore[arg-type]
        for _ in range(2):
            engine.subscribe(print)
        with pytest.raises(InvalidArgument, match="at most 2"):
            engine.subscribe(print)


def test_closing_ends_the_thread(tmp_path: Path) -> None:
    engine = opened(tmp_path)
    ear = Ear()
    engine.subscribe(ear.told)
    engine.add_user("bob")
    engine.close()
    assert ear.next().entry.user == "bob"
    until = time.monotonic() + SECONDS_MAX
    while any(t.name == "watchword-events" for t in threading.enumerate()):
        assert time.monotonic() < until
