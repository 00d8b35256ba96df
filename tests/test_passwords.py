"""Passwords beside the tables of test_secrets.py: hashed off every lock and loop, in a queue with
an end; what is kept of them; what is refused; and what a store that is opened again still knows.
"""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from secret_doors import POLICY, serving
from served import KEY, SECONDS_MAX, ReplyError, frame

import watchword
from watchword import hashing
from watchword._engine import secrets_kept

SLOW = {"password_memory_kib": 65_536, "password_passes": 8}     # about a second each
PASSWORD = "correct horse battery"


def opened(path: Any = ":memory:", **figures: Any) -> watchword.Engine:
    return watchword.Engine.open(path, policy=watchword.Policy(**{**POLICY, **figures}))


def enrolled(engine: watchword.Engine, name: str = "alice") -> None:
    engine.add_user(name)
    engine.add_device(name, watchword.Device.hotp(KEY + name.encode()))


def code(n: int, name: str = "alice") -> str:
    return watchword.hotp(KEY + name.encode(), n)


def kept(engine: watchword.Engine, name: str = "alice") -> Any:
    slot = engine._core.find(name.encode())
    assert slot is not None
    return secrets_kept(engine._core, slot)[0]


def test_a_store_opened_again_knows_it_and_no_journal_shows_it(tmp_path: Path) -> None:
    """Through the journal, and then through pages."""
    with opened(tmp_path / "s") as engine:
        engine.tap = rows = []
        enrolled(engine)
        engine.set_password("alice", PASSWORD)
        assert all(PASSWORD.encode() not in row for row in rows)
    for n in range(3):
        with opened(tmp_path / "s") as engine:
            assert engine.verify("alice", code(3 * n)).code.name == "REJECTED"
            assert not engine.verify("alice", code(3 * n + 1), password="wrong")
            assert engine.verify("alice", code(3 * n + 2), password=PASSWORD)
    with opened(tmp_path / "s") as engine:
        engine.clear_password("alice")
        engine.clear_password("alice")
    with opened(tmp_path / "s") as engine:
        assert engine.verify("alice", code(9))
        assert kept(engine) is None


def test_old_figures_still_verify_and_new_ones_are_kept(tmp_path: Path) -> None:
    with opened(tmp_path / "s") as engine:
        enrolled(engine)
        engine.set_password("alice", PASSWORD)
    with opened(tmp_path / "s", password_memory_kib=64, password_lanes=2) as engine:
        assert engine.verify("alice", code(0), password=PASSWORD)
        assert hashing.KEPT.unpack(kept(engine)[1])[2:5] == (32, 1, 1)
        engine.set_password("alice", PASSWORD)
        assert engine.verify("alice", code(1), password=PASSWORD)
        assert hashing.KEPT.unpack(kept(engine)[1])[2:5] == (64, 1, 2)


def test_one_text_is_kept_differently_each_time() -> None:
    with opened() as engine:
        for name in ("alice", "bob"):
            enrolled(engine, name)
            engine.set_password(name, PASSWORD)
        assert kept(engine)[1] != kept(engine, "bob")[1]


def test_a_password_is_changed_by_an_attempt() -> None:
    with opened() as engine:
        enrolled(engine)
        engine.set_password("alice", PASSWORD)
        said = [
            engine.change_password("alice", old, code(n), "another horse").reason.name
            for n, old in enumerate(("wrong", PASSWORD, PASSWORD))
        ]
        assert said == ["PASSWORD", "NONE", "PASSWORD"]
        assert engine.verify("alice", code(4), password="another horse")
        told = engine.change_password("nobody", PASSWORD, "123456", "another horse")
        assert told.reason.name == "UNKNOWN_USER"
        enrolled(engine, "bob")
        told = engine.change_password("bob", PASSWORD, code(0, "bob"), "another horse")
        assert told.reason.name == "PASSWORD"
        assert kept(engine, "bob") is None


def test_a_password_that_is_another_by_now_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was right when it was hashed; the attempt's turn came after the change."""
    with opened() as engine:
        enrolled(engine)
        engine.set_password("alice", PASSWORD)
        real = engine._hasher.hash

        def late(text: bytes, figures: Any) -> bytes | None:
            made = real(text, figures)
            monkeypatch.setattr(engine._hasher, "hash", real)
            engine.set_password("alice", PASSWORD)
            return made

        monkeypatch.setattr(engine._hasher, "hash", late)
        assert engine.verify("alice", code(0), password=PASSWORD).reason.name == "PASSWORD"
        assert engine.verify("alice", code(1), password=PASSWORD)


def test_who_has_none_costs_as_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same figures go to the same threads, whoever is named."""
    with opened() as engine:
        enrolled(engine)
        enrolled(engine, "bob")
        engine.set_password("alice", PASSWORD)
        asked: list[Any] = []
        real = engine._hasher.hash

        def hash(text: bytes, figures: Any) -> bytes | None:
            asked.append(figures[1:])
            return real(text, figures)

        monkeypatch.setattr(engine._hasher, "hash", hash)
        for name in ("alice", "bob", "nobody", "Nobody"):
            engine.verify(name, "123456", password=PASSWORD)
        assert asked == [(32, 1, 1)] * 4
        engine.verify("al_ice", "123456", password=PASSWORD)
        assert len(asked) == 4, "no name that may be: refused before anything"


def test_many_at_once_are_busy_and_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "PASSWORDS_WAITING_MAX", 0)
    with opened() as engine:
        enrolled(engine)
        verdict = engine.verify("alice", code(0), password=PASSWORD)
        assert (verdict.code.name, verdict.reason.name) == ("BUSY", "LOAD")
        awaited = asyncio.run(engine.averify("alice", code(0), password=PASSWORD))
        assert awaited.code.name == "BUSY"
        with pytest.raises(watchword.Busy):
            engine.set_password("alice", PASSWORD)
        with pytest.raises(watchword.Busy):
            engine.change_password("alice", PASSWORD, code(0), PASSWORD + "!")
        assert engine.user("alice").failures == 0
        assert engine.verify("alice", code(0))


def test_awaited_and_from_many_threads() -> None:
    with opened() as engine:
        names = [f"u{i}" for i in range(20)]
        for name in names:
            enrolled(engine, name)
            engine.set_password(name, PASSWORD + name)

        async def all_of_them() -> list[Any]:
            return await asyncio.gather(
                *(engine.averify(n, code(0, n), password=PASSWORD + n) for n in names)
            )

        assert all(asyncio.run(all_of_them()))
        said: dict[str, bool] = {}
        threads = [
            threading.Thread(
                target=lambda n=name: said.update(  # type: ignore[misc]
                    {n: bool(engine.verify(n, code(1, n), password=PASSWORD + n))}
                )
            )
            for name in names
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert said == dict.fromkeys(names, True)


def test_lanes_of_many_at_once() -> None:
    """OpenSSL has one pool of threads for them: two that hashed at once failed, or never ended."""
    with opened(password_lanes=2, password_memory_kib=64) as engine:
        enrolled(engine)
        engine.set_password("alice", PASSWORD)
        told: list[str] = []

        def tries() -> None:
            for _ in range(8):
                told.append(engine.verify("alice", "000000", password=PASSWORD).reason.name)

        threads = [threading.Thread(target=tries, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(SECONDS_MAX)
        assert len(told) == 32 and set(told) <= {"WRONG", "LOCKED"}


def test_other_logins_go_on_while_one_is_hashed() -> None:
    """In the library: neither a thread nor a loop that hashes holds anybody up."""
    with opened(**SLOW) as engine:
        enrolled(engine)
        began = time.monotonic()
        slow = threading.Thread(target=lambda: engine.verify("nobody", "1", password="x"))
        slow.start()
        assert engine.verify("alice", code(0))
        assert slow.is_alive(), f"it was hashed in {time.monotonic() - began:.3f} s"

        async def beside() -> None:
            hashed = asyncio.ensure_future(engine.averify("nobody", "1", password="x"))
            assert await engine.averify("alice", code(1))
            assert not hashed.done()
            await hashed

        asyncio.run(beside())
        slow.join()


def test_other_connections_go_on_while_one_is_hashed(tmp_path: Path) -> None:
    settings = "reasons = true\n[policy]\n" + "".join(f"{n} = {f}\n" for n, f in SLOW.items())
    with serving(tmp_path, settings) as served:
        served.enrol("alice")
        with served.client() as hashes, served.client() as other:
            other.ask("PING")
            hashes.send(frame("VERIFY", "nobody", "123456", "PASSWORD", "x") + frame("PING"))
            began = time.monotonic()
            for _ in range(20):
                assert other.ask("VERIFY", "alice", "wrong") in ("REJECTED", "LOCKED")
            took_s = time.monotonic() - began
            assert hashes.read() == "REJECTED"
            hashed_s = time.monotonic() - began
            assert hashes.read() == "PONG", "replies keep their order"
            assert took_s < hashed_s / 2, (took_s, hashed_s)


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("short", "8 to 128 bytes"), ("", "8 to 128 bytes"), ("x" * 129, "8 to 128 bytes"),
        ("aaaaaaaaaa", "one character"), ("Long.Name", "user's name"), (b"12345678", "is str"),
        ("\ud800" * 8, "UTF-8"), (None, "is str"),
    ],
)  # fmt: skip
def test_what_may_be_set(password: Any, said: str) -> None:
    with opened(names="any") as engine:
        engine.add_user("long.name")
        with pytest.raises(watchword.InvalidArgument, match=said) as told:
            engine.set_password("long.name", password)
        if isinstance(password, str) and password:
            assert password not in str(told.value)
        with pytest.raises(watchword.NotFound):
            engine.set_password("nobody", PASSWORD)
        engine.set_password("long.name", "x" * 64 + "\u00e4" * 32)     # 128 bytes


def test_a_text_that_no_password_may_be_is_wrong() -> None:
    with opened() as engine:
        enrolled(engine)
        engine.set_password("alice", "p" * 127 + "q")
        for n, text in enumerate(("p" * 127 + "qq", "", "p" * 4096)):
            assert engine.verify("alice", code(n), password=text).reason.name == "PASSWORD"
        assert engine.verify("alice", code(3), password="p" * 127 + "q")
        with pytest.raises(watchword.InvalidArgument, match="password is str"):
            engine.verify("alice", code(4), password=12345678)  # type: ignore[arg-type]


def test_many_say_that_a_gateway_vouches() -> None:
    with opened() as engine:
        enrolled(engine)
        engine.set_password("alice", PASSWORD)
        assert list(engine.verify_many(["alice"], [code(0)])) == [watchword.Code.REJECTED]
        for n, threads in ((1, 1), (2, 4)):
            said = engine.verify_many(
                ["alice", *(f"x{i}" for i in range(2000))], [code(n)] + ["1"] * 2000,
                first_factor=True, threads=threads,
            )  # fmt: skip
            assert said[0] == watchword.Code.ACCEPTED and set(said[1:]) == {2}


def test_the_daemon_takes_every_option_beside_a_password(tmp_path: Path) -> None:
    settings = "[policy]\npassword_memory_kib = 32\npassword_passes = 1\n"
    with serving(tmp_path, settings) as served, served.acts() as acts:
        acts.ask("HELLO", 3)
        acts.ask("USER", "ADD", "alice")
        acts.ask("DEVICE", "ADD", "alice", "HOTP", "KEY", KEY.hex(), "SERIAL", "T1", "PIN", "4711")
        acts.ask("USER", "PASSWORD", "alice", "SET", PASSWORD)
        with served.client() as client:
            client.ask("HELLO", 3)
            words = [
                "platform", "PORTAL", "REALM", "live", "DEVICE", "T1", "ADDRESS", "192.0.2.1",
                "SESSION", "00ff", "PIN", "4711",
            ]  # fmt: skip
            told = client.ask(
                "VERIFY", "alice", watchword.hotp(KEY, 0), *words, "PASSWORD", PASSWORD, "DETAIL"
            )
            plain = client.ask("VERIFY", "alice", "x", "DETAIL")
            assert list(told) == list(plain)
            assert told | {"device": "T1", "kind": "hotp"} == told
            assert (told["verdict"], told["code"], told["scope"]) == ("ACCEPTED", 1, "full")
            assert client.ask("VERIFY", "al_ice", "1", "PASSWORD", "x") == "BAD_CHARACTER"
            for words, said in (
                (["PASSWORD"], "ERR syntax error, an option lacks its value"),
                (["PASSWORD", "a", "PASSWORD", "b"], "ERR syntax error, an option is given twice"),
                (["PASSWORD", "a", "PLATFORM", "moon"], "ERR PLATFORM is"),
                (["PASSWORD", "a", "ADDRESS", "moon"], "ERR ADDRESS is"),
                (["PASSWORD", "a", "FIRST-FACTOR", "1"], "ERR syntax error"),
            ):
                with pytest.raises(ReplyError, match=rf"^{said}"):
                    client.ask("VERIFY", "alice", "1", *words)
            with pytest.raises(ReplyError, match=r"^NOPERM"):
                client.ask("USER", "PASSWORD", "alice", "CLEAR")
        for words, said in (
            (["alice", "SET"], "ERR syntax error"), (["alice", "SET", "short"], "INVALID password"),
            (["nobody", "CLEAR"], "NOTFOUND"), (["alice"], "ERR wrong number"),
            (["alice", "FORGET"], "ERR syntax error"),
        ):  # fmt: skip
            with pytest.raises(ReplyError, match=rf"^{said}"):
                acts.ask("USER", "PASSWORD", *words)
        assert PASSWORD not in served.said()
