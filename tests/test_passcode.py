"""Temporary passcodes and phones in the library: how they are made, what is kept of them, bulk, bad
input, and an engine opened anew. The rules are in test_codes.py's tables.
"""

import hashlib
import hmac
import queue
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from served import SECONDS_MAX

import watchword
from watchword.devices import passcode
from watchword.keys import derive

DAY_MS = 86_400_000
TEXT = "ABCDEFGH23"


class Clock:
    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def __call__(self) -> int:
        return self.ms


def opened(path: str = ":memory:", clock: Clock | None = None, **given: Any) -> watchword.Engine:
    return watchword.Engine.open(path, clock=clock or Clock(), **given)


def test_the_alphabet_is_32_without_look_alikes() -> None:
    assert len(set(passcode.ALPHABET)) == 32
    assert not set(passcode.ALPHABET) & set("0O1I") and passcode.ALPHABET.isupper()


def test_every_character_is_as_likely_as_any_other() -> None:
    """32 divides 256: each byte of entropy becomes a character, evenly."""
    made = "".join(passcode.made(lambda n, at=at: bytes([at] * n)) for at in range(256))
    assert {made.count(character) for character in passcode.ALPHABET} == {8 * passcode.CHARS}


def test_issued_once_and_kept_as_a_hash(tmp_path: Path) -> None:
    path = tmp_path / "store"
    with opened(str(path)) as engine:
        engine.add_user("alice")
        engine.tap = []
        issued = engine.issue_passcode("alice", serial="T1")
        assert re.fullmatch(f"[{passcode.ALPHABET}]{{10}}", issued.passcode)
        assert issued.serial == "T1" and issued.passcode not in repr(issued)
        assert engine.verify("alice", issued.passcode)
        assert issued.passcode.encode() not in b"".join(engine.tap)
        assert issued.passcode not in repr(engine.user("alice"))
        slot = engine._core.find(b"alice")
        assert slot is not None
        kept = engine._core.device_key(slot, 1)
        assert kept is not None and len(kept) == 64
        key = derive(engine._store.secret, "watchword passcodes", 32)
        text = kept[:16] + issued.passcode.encode()
        assert hmac.digest(key, text, hashlib.sha256) == kept[16:48]
        second = engine.issue_passcode("alice")
        assert second.passcode != issued.passcode
        other = engine._core.device_key(slot, 2)
        assert other is not None and other[:16] != kept[:16], "each has a salt of its own"


def test_a_passcode_of_one_s_own() -> None:
    made = watchword.Device.temporary_passcode(TEXT)
    assert made.passcode == TEXT and TEXT not in repr(made)
    assert (made.mechanism, made.label, made.digits) == ("passcode", 9, 10)
    assert watchword.Device.temporary_passcode().passcode != made.passcode
    for policy in (watchword.Policy(), watchword.Policy.profile("strict")):
        with opened(policy=policy) as engine:
            engine.add_user("alice")
            engine.add_device("alice", made)
            assert engine.verify("alice", TEXT).scope == "full"


@pytest.mark.parametrize(
    "text", ["", "ABCDEFGH2", "ABCDEFGH233", "abcdefgh23", "ABCDEFGH20", "ABCDEFGHI2", "ABCD FGH23",
             "ABCDEFGH\u0662\u0663", 7, b"ABCDEFGH20", b"\xff" * 10],
)  # fmt: skip
def test_what_is_no_passcode_is_refused_and_not_repeated(text: Any) -> None:
    with pytest.raises(watchword.InvalidArgument, match="passcode must be 10 upper-case") as caught:
        watchword.Device.temporary_passcode(text)
    assert not text or str(text) not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("sms", {"digits": 8}, "multiple values|unexpected|digits"),
        ("sms", {"counter": 5}, "has no figures"),
        ("sms", {"suite": "OCRA-1:HOTP-SHA1-6:QN06"}, "pin_hash must be left out"),
        ("temporary-passcode", {"window": (1, 1)}, "has no figures"),
        ("temporary-passcode", {"pin_hash": b"x"}, "pin_hash must be left out"),
    ],
)
def test_they_have_no_figures_of_their_own(kind: str, given: dict[str, Any], said: str) -> None:
    with pytest.raises((watchword.InvalidArgument, TypeError), match=said):
        watchword.Device.of(kind, TEXT.encode(), **given)
    with pytest.raises(watchword.InvalidArgument, match="no temporary-passcode"):
        _ = watchword.Device.sms().passcode
    with pytest.raises(watchword.InvalidArgument, match="key is 10 to 128 bytes"):
        watchword.Device.sms(b"short")


def test_neither_is_found_again_by_two_codes() -> None:
    got: queue.Queue[watchword.Delivery] = queue.Queue()
    with opened(deliver=got.put) as engine:
        engine.add_user("alice")
        engine.add_device("alice", watchword.Device.sms(), serial="P1")
        engine.add_device("alice", watchword.Device.temporary_passcode(TEXT), serial="T1")
        engine.send_code("alice")
        code = got.get(timeout=SECONDS_MAX).code
        for serial, typed in (("T1", TEXT), ("P1", code)):
            verdict = engine.resync("alice", typed, typed, device=serial)
            assert verdict.reason is watchword.Reason.NO_CHALLENGE
        assert engine.verify("alice", code)


def test_in_bulk() -> None:
    """Texts in a column in, hashes kept, one call that decides thousands."""
    count = 5_000
    names = [f"user{at}" for at in range(count)]
    texts = [
        "".join(passcode.ALPHABET[at >> 5 * place & 31] for place in range(10))
        for at in range(count)
    ]
    with opened() as engine:
        made = watchword.Device.temporary_passcode(TEXT)
        assert engine.add_users(names, [text.encode() for text in texts], device=made) == count
        wrong = [*texts[1:], texts[0]]
        assert set(engine.verify_many(names, texts)) == {watchword.Code.ACCEPTED}
        assert set(engine.verify_many(names, wrong, threads=2)) == {watchword.Code.REJECTED}
        columns = np.array(names, "S"), np.array(texts, "S")
        assert set(engine.verify_many(*columns, threads=2)) == {watchword.Code.ACCEPTED}
        assert engine.user("user7").devices[0].until_ms
        for keys in ([b"ABCDEFGH20"] * 2, [b"short"] * 2, [TEXT.encode() + b"A"] * 2):
            with pytest.raises(watchword.InvalidArgument, match="passcode must be 10"):
                engine.add_users(["x1", "x2"], keys, device=made)
        assert engine.add_users(["x1", "x2"], [bytes(20)] * 2, device=watchword.Device.sms()) == 2
        assert engine.user("x2").devices[0].kind == "sms"


@pytest.mark.parametrize("clean", [True, False], ids=["closed", "journal alone"])
def test_an_engine_opened_anew_knows_everything(tmp_path: Path, clean: bool) -> None:
    """From its pages, and from its journal before there are any: deadlines, what was sent and used
    up, and the hour's limit."""
    got: queue.Queue[watchword.Delivery] = queue.Queue()
    clock, path = Clock(), str(tmp_path / "store")
    with opened(path, clock, deliver=got.put) as engine:
        for name in ("alice", "bob"):
            engine.add_user(name)
        issued = engine.issue_passcode("alice")
        engine.add_device("bob", watchword.Device.sms(), serial="P1")
        engine.send_code("bob")
        old = got.get(timeout=SECONDS_MAX)
        engine.send_code("bob", platform="portal")
        new = got.get(timeout=SECONDS_MAX)
        before = engine.user("alice"), engine.user("bob")
        if not clean:
            assert engine._keeper is not None
            engine._keeper.write = lambda *_: None  # type: ignore[method-assign]
    with opened(path, clock, deliver=got.put) as engine:
        assert (engine.user("alice"), engine.user("bob")) == before
        assert engine.verify("alice", issued.passcode)
        assert not engine.verify("bob", old.code, challenge=old.id)
        assert engine.verify("bob", new.code, platform="portal", challenge=new.id)
        engine.send_code("bob")
        with pytest.raises(watchword.Busy, match="3 codes were sent"):
            engine.send_code("bob")
    with opened(path, clock, deliver=got.put) as engine:
        last = got.get(timeout=SECONDS_MAX)
        assert not engine.verify("bob", new.code, platform="portal", challenge=new.id)
        with pytest.raises(watchword.Busy):
            engine.send_code("bob")
        assert engine.verify("bob", last.code)
        clock.ms += 2 * DAY_MS
        assert engine.verify("alice", issued.passcode, platform="portal").scope == "card"
        clock.ms += 10 * DAY_MS
        verdict = engine.verify("alice", issued.passcode, platform="portal")
        assert verdict.code is watchword.Code.EXPIRED and verdict.scope == ""


def test_a_new_data_key_leaves_them_as_they_are(tmp_path: Path) -> None:
    path = str(tmp_path / "store")
    with opened(path) as engine:
        engine.add_user("alice")
        issued = engine.issue_passcode("alice")
        engine.rotate_key()
    with opened(path) as engine:
        assert engine.verify("alice", issued.passcode)


def test_the_strong_mix_names_phones_too() -> None:
    """A name that nobody has may seem to have a phone; then its limit holds as well."""
    policy = watchword.Policy(challenge_kinds=("sms",))
    with opened(policy=policy, deliver=lambda _: None) as engine:
        assert [engine.challenge("nobody").kind for _ in range(3)] == ["sms"] * 3
        with pytest.raises(watchword.Busy):
            engine.challenge("nobody")


def test_asking_and_sending_do_not_disturb_each_other() -> None:
    """A plausible challenge stands as a real one would while plausible codes are sent."""
    with opened(deliver=lambda _: None) as engine:
        asked = engine.challenge("nobody")
        sent = [engine.send_code("nobody") for _ in range(2)]
        assert engine.challenge("nobody") == asked
        assert len({one.id for one in [asked, *sent]}) == 3
