"""Phones come with a token that was sent, RULES section 6: an attempt, a record row of its own, one
phone a user, one PIN a phone; and what was enrolled is there after a crash.
"""

import contextlib
import hashlib
import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from push_doors import PIN, SUITE, public, signed
from served import SECONDS_MAX

import watchword
from watchword import lifecycle
from watchword.enrolment import ACTIVATION

NOW_MS = 1_700_000_000_000
OTHER_PIN = "0815"


class Store:
    """An engine with a clock that is told, entropy that is known, and codes caught on their way."""

    def __init__(self, path: str = ":memory:", **figures: Any) -> None:
        self.now_ms, self.count = NOW_MS, 0
        self.sent: queue.Queue[watchword.Delivery] = queue.Queue()
        self.path, self.figures = path, figures
        self.open()

    def open(self) -> None:
        self.engine = watchword.Engine.open(
            self.path, policy=watchword.Policy(**self.figures), clock=lambda: self.now_ms,
            entropy=self.random, deliver=self.sent.put,
        )  # fmt: skip

    def random(self, n: int) -> bytes:
        self.count += 1
        return hashlib.shake_128(b"%d" % self.count).digest(n)

    def token(self, user: str, purpose: str | None = ACTIVATION, **options: Any) -> tuple[str, str]:
        asked = self.engine.send_code(user, purpose=purpose, **options)
        while (got := self.sent.get(timeout=SECONDS_MAX)).kind != "sms":
            assert not got.code, "a phone was told to look"
        return asked.id, got.code

    def enrol(self, user: str, serial: str, pin: str = PIN, **options: Any) -> watchword.Enrolment:
        id, code = self.token(user)
        return self.engine.enrol_phone(user, id, code, public(serial), pin, **options)

    def devices(self, user: str) -> list[tuple[str, str]]:
        return [(d.serial, d.kind) for d in self.engine.user(user).devices]

    def approve(self, user: str, serial: str, key: str) -> watchword.Verdict:
        """A login by push, approved by the phone with this key."""
        push, now = self.engine.push(user), self.now_ms
        signature = signed(key, "watchword push list 1", user, serial, str(now))
        shown = self.engine.pushes(user, serial, time_ms=now, signature=signature)[0]
        fields = [shown.id, str(push.number), user, "trading", "", "", "approve", "pin"]
        signature = signed(key, "watchword push answer 1", *fields)
        self.engine.decide_push(
            push.id, decision="approve", number=push.number, unlocked="pin", signature=signature
        )
        return self.engine.verify(user, "", challenge=push.id)


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store()
    for user in ("alice", "bob"):
        made.engine.add_user(user)
        made.engine.add_device(user, watchword.Device.sms(hashlib.sha1(user.encode()).digest()))
    yield made
    made.engine.close()


def test_a_right_token_enrols_once(store: Store) -> None:
    id, code = store.token("alice")
    made = store.engine.enrol_phone("alice", id, code, public("phone"), PIN, serial="p1")
    assert made and (made.serial, made.suite, made.replaced) == ("p1", SUITE, ())
    assert len(made.key) == 32 and made.key.hex() not in repr(made)
    view = store.engine.user("alice").devices[-1]
    assert (view.kind, view.state, view.phone[:2]) == ("ib-key", "active", "ed")
    again = store.engine.enrol_phone("alice", id, code, public("phone"), PIN)
    assert not again and again.verdict.code.name == "REJECTED" and not again.serial
    assert store.approve("alice", "p1", "phone").session_ms == 12 * 3_600_000
    asked = store.engine.challenge("alice")     # of equal rank, the lower serial is asked: W...
    assert asked.kind == "sms"
    asked = store.engine.challenge("alice", device="p1")
    response = watchword.ocra(made.suite, made.key, asked.prompt, pin=PIN)
    assert store.engine.verify("alice", response, challenge=asked.id).session_ms == 12 * 3_600_000


def test_a_wrong_token_is_a_failure_and_locks(store: Store) -> None:
    id, code = store.token("alice")
    for at in range(10):
        said = store.engine.enrol_phone("alice", id, "wrong", public("phone"), PIN)
        assert said.verdict.code.name == "REJECTED"
        assert store.engine.user("alice").failures == at + 1
    said = store.engine.enrol_phone("alice", id, code, public("phone"), PIN)
    assert said.verdict.code.name == "LOCKED" and len(store.devices("alice")) == 1


def test_a_code_for_anything_else_is_no_token(store: Store) -> None:
    for purpose in (None, "wire 100"):
        id, code = store.token("alice", purpose)
        said = store.engine.enrol_phone("alice", id, code, public("phone"), PIN)
        assert said.verdict.reason.name == "NO_CHALLENGE"
        store.now_ms += 3_600_000
    id, code = store.token("bob")
    said = store.engine.enrol_phone("alice", id, code, public("phone"), PIN)
    assert said.verdict.reason.name == "NO_CHALLENGE"
    for name in ("nobody", "alice"):
        said = store.engine.enrol_phone(name, "0" * 96, "000000", public("phone"), PIN)
        assert said.verdict.code.name == "REJECTED"


def test_a_token_of_another_device_than_a_phone(store: Store) -> None:
    store.engine.add_device("alice", watchword.Device.gold(bytes(20)), serial="gold")
    asked = store.engine.challenge("alice", purpose=ACTIVATION, device="gold")
    response = watchword.ocra("OCRA-1:HOTP-SHA1-6:QN06", bytes(20), asked.prompt)
    with pytest.raises(watchword.InvalidArgument, match="challenge is one that send_code gave"):
        store.engine.enrol_phone("alice", asked.id, response, public("phone"), PIN)
    assert len(store.devices("alice")) == 2


def test_it_runs_out_like_any_code(store: Store) -> None:
    id, code = store.token("alice")
    store.now_ms += 600_000
    said = store.engine.enrol_phone("alice", id, code, public("phone"), PIN)
    assert said.verdict.code.name == "EXPIRED" and store.engine.user("alice").failures == 0


def test_a_second_phone_takes_the_place_of_the_first(store: Store) -> None:
    store.engine.tap = []
    first = store.enrol("alice", "phone")
    push = store.engine.push("alice")
    second = store.enrol("alice", "phone2")
    assert second.replaced == (first.serial,)
    assert [kind for _, kind in store.devices("alice")] == ["sms", "ib-key"]
    rows = [[r.event for r in lifecycle.records(row)] for row in store.engine.tap]
    assert rows[-1] == [lifecycle.ATTEMPT, lifecycle.DEVICE_REMOVE, lifecycle.DEVICE_ADD]
    assert store.engine.verify("alice", "", challenge=push.id).code.name == "REJECTED"
    assert store.approve("alice", second.serial, "phone2")


def test_one_phone_has_one_pin_for_any_number_of_users(store: Store) -> None:
    assert store.enrol("alice", "phone") and store.enrol("bob", "phone")
    store.engine.add_user("carol")
    store.engine.add_device("carol", watchword.Device.sms())
    with pytest.raises(watchword.Exists, match="another PIN"):
        store.enrol("carol", "phone", OTHER_PIN)
    assert len(store.devices("carol")) == 1, "the token is used up, and nothing came of it"
    with pytest.raises(watchword.Exists, match="another PIN"):
        store.engine.add_device(
            "carol", watchword.Device.ib_key(bytes(32), OTHER_PIN, public("phone"))
        )
    with pytest.raises(watchword.Exists, match="a phone already"):
        store.engine.add_device(
            "alice", watchword.Device.ib_key(bytes(32), PIN, public("phone2"))
        )
    for user in ("alice", "bob"):
        store.engine.remove_user(user)
    assert store.enrol("carol", "phone", OTHER_PIN), "whoever held it to the other PIN has gone"


def test_many_phones_keep_their_own_pins(store: Store) -> None:
    """Past the table's first size, in bulk and one by one: no two phones are taken for one."""
    from cryptography.hazmat.primitives.asymmetric import ed25519

    for at in range(300):
        private = ed25519.Ed25519PrivateKey.from_private_bytes(at.to_bytes(32, "big"))
        key, name = private.public_key().public_bytes_raw(), f"u{at}"
        store.engine.add_user(name)
        device = watchword.Device.ib_key(bytes(32), f"{1000 + at}", key)
        store.engine.add_device(name, device)
        if at % 50 == 0:
            twins = [f"v{at}x{n}" for n in range(5)]
            store.engine.add_users(twins, [bytes(32)] * 5, device=device)
            with pytest.raises(watchword.Exists, match="another PIN"):
                store.engine.add_users(
                    ["w"], [bytes(32)], device=watchword.Device.ib_key(bytes(32), "zzzz", key)
                )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pin": "123"}, "pin must be text of 4 to 6"),
        ({"public_key": b"x"}, "public_key is an Ed25519 key"),
        ({"public_key": 7}, "public_key is an Ed25519 key"),
        ({"platform": "desk"}, "platform is one of"),
        ({"serial": "a b"}, "serial is 1 to 32"),
        ({"challenge": 7}, "challenge is str"),
        ({"token": 7}, "token is str or bytes, not int"),
        ({"gateway": ""}, "gateway is text"),
        ({"address": "x"}, "address is not"),
    ],
)
def test_misuse_is_told_and_costs_nothing(
    store: Store, given: dict[str, Any], message: str
) -> None:
    id, code = store.token("alice")
    right: dict[str, Any] = {
        "user": "alice", "challenge": id, "token": code, "public_key": public("phone"), "pin": PIN,
    }  # fmt: skip
    with pytest.raises(watchword.InvalidArgument, match=message) as error:
        store.engine.enrol_phone(**{**right, **given})
    assert code not in str(error.value)
    assert store.engine.user("alice").failures == 0
    assert store.engine.enrol_phone(**right)


def test_what_was_enrolled_is_there_after_a_crash(tmp_path: Path) -> None:
    """From the journal alone, then from pages; what was open is not, and nobody is charged."""
    store = Store(str(tmp_path / "store"))
    store.engine.add_user("alice")
    store.engine.add_device("alice", watchword.Device.sms())
    made = store.enrol("alice", "phone")
    phone = store.engine.user("alice").devices
    for crash in (True, False, True):
        push = store.engine.push("alice")
        if crash:
            with contextlib.suppress(BaseException):
                store.engine._store.close()
            store.engine._ended = watchword.Error("gone")
            store.engine._keeper.close()  # type: ignore[union-attr]
        else:
            store.engine.close()
        store.open()
        assert store.engine.user("alice").devices == phone
        assert store.engine.verify("alice", "", challenge=push.id).reason.name == "NO_CHALLENGE"
        assert store.approve("alice", made.serial, "phone").session_ms == 12 * 3_600_000
        with pytest.raises(watchword.Exists, match="another PIN"):
            store.engine.add_users(
                ["x"], [bytes(32)],
                device=watchword.Device.ib_key(bytes(32), OTHER_PIN, public("phone")),
            )  # fmt: skip
    store.engine.close()
