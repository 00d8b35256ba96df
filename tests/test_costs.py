"""What a name without a password pays, and passwords that are kept under older figures: renewed by
a login that was let in and by nothing less, in one row, over a restart too.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from served import KEY, SECONDS_MAX, Served

import watchword
from watchword import hashing, lifecycle, passwords
from watchword._engine import password_figures, secrets_kept
from watchword.costs import Costs

OLD, NEW, OTHER = (32, 1, 1), (64, 1, 1), (48, 2, 1)
PASSWORD = "correct horse battery"


def test_shares_are_as_many_as_are_held_and_names_move_one_way() -> None:
    names = [b"name%d" % n for n in range(4_000)]
    costs = Costs(bytes(32), {OLD: 3_000, NEW: 0 + 1_000})
    before = {name: costs.of(name, NEW) for name in names}
    shares = Counter(before.values())
    assert abs(shares[OLD] - 3_000) < 120 and shares[OLD] + shares[NEW] == 4_000
    for _ in range(2_000):
        costs.moved(OLD, NEW)
    after = {name: costs.of(name, NEW) for name in names}
    assert abs(Counter(after.values())[OLD] - 1_000) < 120
    assert all(before[name] == OLD for name in names if after[name] == OLD), "none goes back"
    other = Costs(bytes(31) + b"1", {OLD: 1_000, NEW: 3_000})
    assert any(other.of(name, NEW) != after[name] for name in names), "the key draws"
    for _ in range(1_000):
        costs.moved(OLD, None)
    assert {costs.of(name, OTHER) for name in names} == {NEW}
    assert Costs(bytes(32), {}).of(b"name", OTHER) == OTHER


def policy(cost: tuple[int, int, int], **figures: Any) -> watchword.Policy:
    memory, passes, lanes = cost
    return watchword.Policy(
        password_memory_kib=memory, password_passes=passes, password_lanes=lanes, **figures
    )


def enrolled(engine: watchword.Engine, name: str) -> None:
    engine.add_user(name)
    engine.add_device(name, watchword.Device.hotp(KEY + name.encode()))
    engine.set_password(name, PASSWORD)


def code(n: int, name: str) -> str:
    return watchword.hotp(KEY + name.encode(), n)


def cost_of(engine: watchword.Engine, name: str) -> tuple[int, ...]:
    slot = engine._core.find(name.encode())
    assert slot is not None
    kept = secrets_kept(engine._core, slot)[0]
    assert kept is not None
    return hashing.KEPT.unpack(kept[1])[2:5]


def comes(what: Callable[[], bool]) -> bool:
    """Whether it comes about: nobody waits for what the hashing threads do by themselves."""
    until = time.monotonic() + SECONDS_MAX
    while not what() and time.monotonic() < until:
        time.sleep(0.005)
    return what()


def renewed(engine: watchword.Engine, name: str) -> bool:
    return cost_of(engine, name) == NEW


def drained(engine: watchword.Engine) -> None:
    """Whatever was to be hashed has been."""
    for _ in range(hashing.HASHING_THREADS):
        engine._hasher.hash(b"x", hashing.Figures(bytes(16), *OLD))


def test_a_login_renews_what_is_kept_and_nothing_less_does(tmp_path: Path) -> None:
    with watchword.Engine.open(tmp_path / "s", policy=policy(OLD)) as engine:
        for name in ("alice", "bob"):
            enrolled(engine, name)
    with watchword.Engine.open(tmp_path / "s", policy=policy(NEW)) as engine:
        assert password_figures(engine._core) == {OLD: 2}
        assert not engine.verify("alice", "000000", password=PASSWORD), "right, and no code"
        assert not engine.verify("alice", code(0, "alice"), password="wrong horse")
        assert not engine.verify("alice", code(1, "alice"))
        engine.set_user("alice", state="closed")
        assert not engine.verify("alice", code(2, "alice"), password=PASSWORD)
        engine.set_user("alice", state="open")
        drained(engine)
        assert cost_of(engine, "alice") == OLD
        engine.tap = []
        assert engine.verify("alice", code(3, "alice"), password=PASSWORD)
        assert comes(lambda: cost_of(engine, "alice") == NEW)
        assert [[r.event for r in lifecycle.records(row)] for row in engine.tap] == [
            [lifecycle.ATTEMPT], [lifecycle.DEVICE_REMOVE, lifecycle.DEVICE_ADD],
        ]  # fmt: skip
        assert engine._costs._held == password_figures(engine._core) == {OLD: 1, NEW: 1}
        assert engine.verify("alice", code(4, "alice"), password=PASSWORD)
        drained(engine)
        assert len(engine.tap) == 3, "it is renewed once"
    with watchword.Engine.open(tmp_path / "s") as engine:
        assert (cost_of(engine, "alice"), cost_of(engine, "bob")) == (NEW, OLD)
        assert engine.verify("alice", code(5, "alice"), password=PASSWORD)
        assert engine.verify("bob", code(0, "bob"), password=PASSWORD)
        assert comes(lambda: cost_of(engine, "bob") == NEW)


def test_every_door_renews(tmp_path: Path) -> None:
    names = ["verify", "many", "awaited", "activated", "opted", "sharing"]
    with watchword.Engine.open(tmp_path / "s", policy=policy(OLD)) as engine:
        for name in names:
            enrolled(engine, name)
    with watchword.Engine.open(tmp_path / "s", policy=policy(NEW)) as engine:
        typed = {name: code(0, name) for name in names}
        assert engine.verify("verify", typed["verify"], password=PASSWORD)
        many = ["many", "nobody"]
        engine.verify_many(many, [typed["many"], "1"], passwords=[PASSWORD, PASSWORD])

        async def awaited() -> None:
            assert await engine.averify("awaited", typed["awaited"], password=PASSWORD)

        asyncio.run(awaited())
        device = watchword.Device.hotp(b"another key of 20 by")
        engine.ship_device("activated", device, "new")
        assert engine.activate(
            "activated", "new", watchword.hotp(device.key, 0), password=PASSWORD
        )
        assert engine.opt_in("opted", typed["opted"], password=PASSWORD)
        serial = engine.user("sharing").devices[0].serial
        assert engine.share_device(
            "verify", "sharing", serial, typed["sharing"], password=PASSWORD
        ).verdict
        for name in names:
            assert comes(partial(renewed, engine, name)), name
        assert engine._costs._held == {NEW: len(names)}


def test_whoever_logs_in_and_closes_has_it_renewed(tmp_path: Path) -> None:
    """As the command line does: it ends as soon as it has said what came of the login."""
    slow = (65_536, 4, 1)
    with watchword.Engine.open(tmp_path / "s", policy=policy(OLD)) as engine:
        for name in ("alice", "bob", "carol"):
            enrolled(engine, name)
    with watchword.Engine.open(tmp_path / "s", policy=policy(slow)) as engine:
        for name in ("alice", "bob"):
            assert engine.verify(name, code(0, name), password=PASSWORD)
    with watchword.Engine.open(tmp_path / "s") as engine:
        assert password_figures(engine._core) == {slow: 2, OLD: 1}
        assert engine.verify("alice", code(1, "alice"), password=PASSWORD)


def renewals_held(
    engine: watchword.Engine, monkeypatch: pytest.MonkeyPatch
) -> tuple[Any, list[Any]]:
    """What really hashes, and the renewals that are kept from it from now on."""
    real, held = engine._hasher.take, list[Any]()

    def take(text: bytes, figures: Any, tell: Any) -> bool:
        if getattr(tell, "func", None) == engine._renewed:
            held.append((text, figures, tell))
            return True
        return bool(real(text, figures, tell))

    monkeypatch.setattr(engine._hasher, "take", take)
    return real, held


def test_a_renewal_that_does_not_end_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "RENEWAL_SECONDS_MAX", 0.05)
    with watchword.Engine.open(policy=policy(OLD)) as engine:
        enrolled(engine, "alice")
        engine.set_policy(policy(NEW), by="desk 4")
        real, held = renewals_held(engine, monkeypatch)
        assert engine.verify("alice", code(0, "alice"), password=PASSWORD)
    assert held
    assert real(*held[0]), "and it finds the engine closed"


def test_a_password_that_is_another_by_then_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is hashed in the meantime must not bring an old password back."""
    with watchword.Engine.open(policy=policy(OLD)) as engine:
        enrolled(engine, "alice")
        engine.set_policy(policy(NEW), by="desk 4")
        real, held = renewals_held(engine, monkeypatch)
        assert engine.verify("alice", code(0, "alice"), password=PASSWORD)
        engine.set_password("alice", "another horse")
        monkeypatch.undo()
        assert held and real(*held[0])
        drained(engine)
        assert not engine.verify("alice", code(1, "alice"), password=PASSWORD)
        assert engine.verify("alice", code(2, "alice"), password="another horse")
        engine.clear_password("alice")
        real(*held[0])
        drained(engine)
        assert engine.verify("alice", code(3, "alice")) and engine._costs._held == {}


def test_what_was_hashed_before_a_renewal_is_right_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two logins close together: the second is hashed while the first one's renewal lands."""
    with watchword.Engine.open(policy=policy(OLD)) as engine:
        enrolled(engine, "alice")
        engine.set_policy(policy(NEW), by="desk 4")
        facts = [engine._fact("alice", text, False) for text in (PASSWORD, "wrong horse")]
        assert engine.verify("alice", code(0, "alice"), password=PASSWORD)
        assert comes(lambda: renewed(engine, "alice"))
        monkeypatch.setattr(engine, "_fact", lambda *_: facts.pop())
        assert not engine.verify("alice", code(1, "alice"), password="wrong horse")
        assert engine.verify("alice", code(2, "alice"), password=PASSWORD)


def test_who_has_none_pays_as_the_others_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with watchword.Engine.open(policy=policy(OLD)) as engine:
        for n in range(6):
            enrolled(engine, f"old{n}")
        engine.add_user("bare")
        engine.set_policy(policy(NEW), by="desk 4")
        asked: list[Any] = []
        real = engine._hasher.hash

        def hash(text: bytes, figures: Any) -> bytes | None:
            asked.append(figures[1:])
            return real(text, figures)

        monkeypatch.setattr(engine._hasher, "hash", hash)
        for name in ("bare", "nobody", "old0"):
            engine.verify(name, "123456", password=PASSWORD)
        assert asked == [OLD] * 3, "all are old yet"
        for n in range(6):
            enrolled(engine, f"new{n}")
        asked.clear()
        for n in range(200):
            engine.verify(f"nobody{n}", "123456", password=PASSWORD)
            engine.verify(f"nobody{n}", "123456", password=PASSWORD)
        assert asked[::2] == asked[1::2], "a name's own does not change"
        assert 60 < asked[::2].count(OLD) < 140
        engine.remove_user("old0")
        assert engine._costs._held == password_figures(engine._core) == {OLD: 5, NEW: 6}


def test_a_daemon_renews(tmp_path: Path) -> None:
    with watchword.Engine.open(tmp_path / "store", policy=policy(OLD)) as engine:
        enrolled(engine, "alice")
    figures = "password_memory_kib = 64\npassword_passes = 1\n"
    served = Served(tmp_path, f"[policy]\n{figures}").start()
    with served.client() as client:
        assert client.ask("VERIFY", "alice", code(0, "alice"), "PASSWORD", PASSWORD) == "ACCEPTED"
        assert client.ask("VERIFY", "alice", code(1, "alice"), "PASSWORD", PASSWORD) == "ACCEPTED"
    assert served.stop() == 0 and served.healthy(), served.said()
    with watchword.Engine.open(tmp_path / "store") as engine:
        assert cost_of(engine, "alice") == NEW
