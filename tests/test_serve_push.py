"""The daemon and phones: waiting for a push without holding up anybody, misuse, rights, limits; and
the engine's own waiting forms.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from code_doors import WEBHOOK_SECRET, Hook
from push_doors import PASSWORD, PIN, Asked, EngineDoor, device_of, public, signed
from served import SECONDS_MAX, Client, ReplyError, Served, frame

import watchword
from watchword import _engine
from watchword.enrolment import ACTIVATION
from watchword.push_texts import WAITERS_MAX

LONG_S = 20.0       # a wait that ends by itself would be seen
SOON_S = 5.0


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    made = Hook()
    yield made
    made.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, hook: Hook) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("daemon")
    (folder / "secret").write_bytes(WEBHOOK_SECRET)
    delivery = f'[delivery]\nwebhook = "{hook.url}"\nsecret_file = "secret"\n'
    daemon = Served(folder, f"reasons = false\n{delivery}").start()
    yield daemon
    assert daemon.stop() == 0 and daemon.healthy(), daemon.said()


@pytest.fixture
def user(served: Served, request: pytest.FixtureRequest) -> str:
    """A user with a phone."""
    name = "u" + str(abs(hash(request.node.name)))
    made = device_of("phone")
    with served.acts() as acts:
        acts.ask("USER", "ADD", name)
        words = ["SERIAL", "phone", "KEY", made.key.hex(), "PIN", PIN]
        acts.ask("DEVICE", "ADD", name, "IB-KEY", *words, "PHONE", public("phone").hex())
    return name


def asked_of(client: Client, name: str, *words: object) -> Asked:
    client.ask("HELLO", 3)
    found = client.ask("PUSH", name, *words)
    told = found["id"], found["number"], found["prompt"], found["expires_ms"]
    return Asked(name, told, "trading", "", "")


def answer(client: Client, asked: Asked, decision: str) -> Any:
    number = asked.number if decision == "approve" else None
    signature = asked.answer("phone", decision, number, "pin").hex()
    words = [] if number is None else [number]
    return client.ask("PHONE", "ANSWER", asked.id, decision, *words, "pin", signature)


@pytest.mark.parametrize(("decision", "verdict"), [("approve", "ACCEPTED"), ("deny", "REJECTED")])
def test_a_wait_ends_when_the_phone_decides(
    served: Served, user: str, decision: str, verdict: str
) -> None:
    with served.client() as gateway, served.client() as other:
        asked = asked_of(gateway, user)
        began = time.monotonic()
        gateway.send(b"VERIFY %b '' CHALLENGE %b WAIT 60000\r\nPING\r\n" % (
            user.encode(), asked.id.encode()
        ))  # fmt: skip
        for _ in range(50):
            assert other.ask("VERIFY", "nobody", "000000") == "REJECTED", "others go on"
        assert other.ask("VERIFY", user, "", "CHALLENGE", asked.id) == "CHALLENGE"
        assert answer(other, asked, decision) == {"approve": "APPROVED", "deny": "DENIED"}[decision]
        assert gateway.read() == verdict and gateway.read() == "PONG", "in their order"
        assert time.monotonic() - began < LONG_S
        assert other.ask("VERIFY", user, "", "CHALLENGE", asked.id) == "REJECTED"


@pytest.mark.parametrize(("password", "verdict"), [(PASSWORD, "ACCEPTED"), ("x", "REJECTED")])
def test_a_wait_beside_a_password_ends_so_too(
    served: Served, user: str, password: str, verdict: str
) -> None:
    with served.acts() as acts:
        acts.ask("USER", "PASSWORD", user, "SET", PASSWORD)
    with served.client() as gateway, served.client() as other:
        asked = asked_of(gateway, user)
        words = "VERIFY", user, "", "CHALLENGE", asked.id, "PASSWORD", password
        with pytest.raises(ReplyError, match="WAIT is 0 to 60000 milliseconds"):
            other.ask(*words, "WAIT", 60_001)
        soon = "CHALLENGE" if verdict == "ACCEPTED" else verdict
        assert gateway.ask(*words, "WAIT", 1) == soon
        gateway.send(frame(*words, "WAIT", 60_000, "ID", asked.id[:16]))
        assert other.ask("VERIFY", "nobody", "000000") == "REJECTED", "others go on"
        assert answer(other, asked, "approve") == "APPROVED"
        assert gateway.read() == verdict
        assert gateway.ask(*words, "ID", asked.id[:16]) == verdict


def test_a_wait_ends_when_its_time_is_up(served: Served, user: str) -> None:
    with served.client() as gateway:
        asked = asked_of(gateway, user)
        began = time.monotonic()
        assert gateway.ask("VERIFY", user, "", "CHALLENGE", asked.id, "WAIT", 200) == "CHALLENGE"
        assert 0.15 < time.monotonic() - began < SOON_S
        assert gateway.ask("VERIFY", user, "", "WAIT", 60_000, "CHALLENGE", "0" * 32) == "REJECTED"
        assert gateway.ask("VERIFY", user, "", "WAIT", 60_000, "CHALLENGE", "x" * 96) == "CHALLENGE"
        assert gateway.ask("VERIFY", user, "", "WAIT", 60_000) == "CHALLENGE"
        assert gateway.ask("VERIFY", user, "", "CHALLENGE", asked.id, "WAIT", 0) == "CHALLENGE"
        assert time.monotonic() - began < SOON_S, "there is nothing to wait for"


def test_a_wait_ends_when_another_takes_its_place(served: Served, user: str) -> None:
    with served.client() as gateway, served.client() as other:
        asked = asked_of(gateway, user)
        gateway.send(b"VERIFY %b '' CHALLENGE %b WAIT 60000\r\n" % (
            user.encode(), asked.id.encode()
        ))  # fmt: skip
        assert other.ask("VERIFY", user, "", "CHALLENGE", asked.id) == "CHALLENGE"
        asked_of(other, user)
        assert gateway.read() == "REJECTED", "EXPIRED, which this gateway may not see"


def test_a_client_that_leaves_claims_nothing(served: Served, user: str) -> None:
    with served.client() as other:
        asked = asked_of(other, user)
        line = b"VERIFY %b '' CHALLENGE %b WAIT 60000\r\n" % (user.encode(), asked.id.encode())
        for _ in range(3 * WAITERS_MAX):
            with served.client() as gateway:
                gateway.send(line)
                gateway.send(b"PING\r\n")
        with served.client() as gateway:
            gateway.send(line)
            time.sleep(0.1)
            assert other.ask("VERIFY", user, "", "CHALLENGE", asked.id) == "CHALLENGE"
            assert answer(other, asked, "approve") == "APPROVED"
            assert gateway.read() == "ACCEPTED"


def test_no_more_wait_for_one_push_than_may(served: Served, user: str) -> None:
    gateways = [served.client() for _ in range(WAITERS_MAX + 1)]
    with served.client() as other:
        asked = asked_of(other, user)
        line = b"VERIFY %b '' CHALLENGE %b WAIT 60000\r\n" % (user.encode(), asked.id.encode())
        for gateway in gateways:
            gateway.send(line)
            other.ask("VERIFY", "nobody", "000000")
            time.sleep(0.02)
        assert gateways[0].read() == "CHALLENGE", "the longest is answered as things stand"
        assert answer(other, asked, "approve") == "APPROVED"
        said = sorted(gateway.read() for gateway in gateways[1:])
        assert said == ["ACCEPTED"] + ["REJECTED"] * (WAITERS_MAX - 1), "claimed once"
    for gateway in gateways:
        gateway.close()


def test_a_daemon_that_stops_answers_whoever_waits(tmp_path: Path) -> None:
    daemon = Served(tmp_path).start()
    with daemon.acts() as acts:
        acts.ask("USER", "ADD", "alice")
    with daemon.client() as gateway:
        asked = asked_of(gateway, "alice")
        gateway.send(b"VERIFY alice '' CHALLENGE %b WAIT 60000\r\n" % asked.id.encode())
        with daemon.client() as other:
            assert other.ask("PING") == "PONG"
        time.sleep(0.1)
        began = time.monotonic()
        assert daemon.stop() == 0 and daemon.healthy()
        assert time.monotonic() - began < SOON_S
        assert gateway.read() == "CHALLENGE"


def test_a_phone_is_told_to_look_and_enrols(served: Served, hook: Hook, user: str) -> None:
    with served.client() as gateway, served.acts() as acts:
        while not hook.bodies.empty():
            hook.bodies.get()
        asked = asked_of(gateway, user)
        told = hook.bodies.get(timeout=SECONDS_MAX)
        assert (told["kind"], told["user"], told["device"], told["code"]) == (
            "push", user, "phone", "",
        )  # fmt: skip
        assert asked.id not in str(told), "whoever carries it does not learn the id"
        acts.ask("DEVICE", "ADD", user, "SMS")
        found = gateway.ask("CHALLENGE", user, "KIND", "sms", "PURPOSE", ACTIVATION)
        code = hook.bodies.get(timeout=SECONDS_MAX)["code"]
        words = ["PHONE", "ENROL", user, found["id"]]
        refused = gateway.ask(*words, "wrong", public("phone2").hex(), PIN)
        assert refused == {
            "verdict": "REJECTED", "serial": None, "key": None, "suite": None, "replaced": [],
        }  # fmt: skip
        made = gateway.ask(*words, code, public("phone2").hex(), PIN, "SERIAL", "new")
        assert (made["verdict"], made["serial"], made["replaced"]) == ("ACCEPTED", "new", ["phone"])
        assert len(bytes.fromhex(made["key"])) == 32
        detail = acts.ask("DEVICE", "GET", user, "new")
        shown = dict(zip(detail[::2], detail[1::2], strict=True))
        assert bytes.fromhex(shown["phone"])[0] in (2, 3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["PUSH"], "ERR wrong number of arguments for 'push' command"),
        (["PUSH", "u", "PLATFORM"], "ERR syntax error, an option lacks its value"),
        (["PUSH", "u", "TEXT", "a", "TEXT", "b"], "ERR syntax error, an option is given twice"),
        (["PUSH", "u", "COLOUR", "a"], "ERR syntax error, options are PLATFORM, DEVICE, PURPOSE"),
        (["PUSH", "u", "PLATFORM", "desk"], "INVALID platform is one of"),
        (["PUSH", "u", "PURPOSE", ""], "INVALID purpose is text of 1 to 256 bytes"),
        (["PUSH", "u", "TEXT", "x" * 257], "INVALID text is at most 256 bytes"),
        (["PUSH", "a b"], "INVALID user holds what no name may hold"),
        (["PUSH", b"\xff"], "ERR an argument is not UTF-8"),
        (["PHONE"], "ERR wrong number of arguments for 'phone' command"),
        (["PHONE", "CALL", "u"], "ERR unknown subcommand 'CALL', one of PUSHES, ANSWER, ENROL"),
        (["PHONE", "PUSHES", "u", "s", "x", "00"], "INVALID time-ms is a whole number"),
        (["PHONE", "PUSHES", "u", "s", "1", "00"], "INVALID time_ms is more than 5 minutes"),
        (["PHONE", "PUSHES", "u", "s", "1", ""], "INVALID signature is bytes, hex or base64"),
        (["PHONE", "ANSWER", "x", "APPROVE", "10", "PIN", "00"], "INVALID id is 32 lower-case"),
        (["PHONE", "ANSWER", "x", "APPROVE", "PIN", "00"], "ERR syntax error, APPROVE takes a"),
        (["PHONE", "ANSWER", "x", "DENY", "10", "PIN", "00"], "ERR syntax error, APPROVE takes a"),
        (["PHONE", "ANSWER", "x", "APPROVE", "9", "PIN", "00"], "INVALID number is a whole number"),
        (["PHONE", "ANSWER", "x", "DENY", "EYE", "00"], "INVALID unlocked is pin or biometric"),
        (["PHONE", "ANSWER", "x", "APPROVE", "10", "NONE", "00"], "INVALID unlocked is pin or"),
        (["PHONE", "ANSWER", "x", "MAYBE", "PIN", "00"], "INVALID decision is one of"),
        (["PHONE", "ANSWER", "0" * 32, "DENY", "PIN", "00"], "NOTFOUND there is no such push"),
        (["PHONE", "ENROL", "u", "i", "t", "zz", "4711"], "INVALID public_key is an Ed25519 key"),
        (["PHONE", "ENROL", "u", "i", "t", "00" * 32, "1"], "INVALID pin must be text of 4 to 6"),
        (["PHONE", "PUSHES", "u"], "ERR wrong number of arguments for 'phone|pushes' command"),
        (["VERIFY", "u", "", "WAIT", "60001"], "ERR WAIT is 0 to 60000 milliseconds"),
        (["VERIFY", "u", "", "WAIT", "-1"], "ERR WAIT is 0 to 60000 milliseconds"),
        (["VERIFY", "u", "", "WAIT", ""], "ERR WAIT is 0 to 60000 milliseconds"),
        (["VERIFY", "u", "", "WAIT"], "ERR syntax error, an option lacks its value"),
        (["VERIFYMANY", "1", "u", "", "WAIT", "1"], "ERR syntax error"),
    ],
    ids=str,
)  # fmt: skip
def test_misuse(served: Served, words: list[object], said: str) -> None:
    with served.client() as gateway, pytest.raises(ReplyError) as error:
        gateway.ask(*words)
    assert str(error.value).startswith(said)


# ---- the engine's own forms ----


@pytest.fixture
def door() -> Iterator[EngineDoor]:
    made = EngineDoor()
    made.add_user("alice")
    made.add_device("alice", "phone")
    yield made
    made.close()


def later(act: Any) -> threading.Thread:
    thread = threading.Thread(target=lambda: (time.sleep(0.1), act()))
    thread.start()
    return thread


def test_wait_push(door: EngineDoor) -> None:
    asked = door.push("alice", platform="trading")
    assert door.engine.wait_push(asked.id, 0) is False
    assert door.engine.wait_push(asked.id, 0.05) is False
    thread = later(lambda: door.tell(asked, "phone", "deny", None, "pin"))
    began = time.monotonic()
    assert door.engine.wait_push(asked.id) is True
    assert time.monotonic() - began < SOON_S
    thread.join()
    assert door.engine.wait_push(asked.id) is True, "it says nothing of what was decided"
    for none in ("0" * 32, "x", ""):
        assert door.engine.wait_push(none) is True
    assert not door.engine._push_texts._waiting, "nobody is left waiting"


def test_await_push(door: EngineDoor) -> None:
    async def waits() -> None:
        asked = door.push("alice", platform="trading")
        assert await door.engine.await_push(asked.id, 0.05) is False
        waiting = [asyncio.create_task(door.engine.await_push(asked.id)) for _ in range(3)]
        cancelled = asyncio.create_task(door.engine.await_push(asked.id))
        await asyncio.sleep(0.05)
        cancelled.cancel()
        thread = later(lambda: door.tell(asked, "phone", "approve", asked.number, "pin"))
        assert await asyncio.gather(*waiting) == [True] * 3
        thread.join()
        first, second = await asyncio.gather(
            *[door.engine.averify("alice", "", challenge=asked.id) for _ in range(2)]
        )
        assert bool(first) and second.code.name == "REJECTED", "two claims in one turn"
        found = await door.engine.apush("alice", text="x")
        assert found.number and door.engine._push_texts.get(found.id)

    asyncio.run(waits())
    assert not door.engine._push_texts._waiting


def test_whoever_waits_is_told_that_the_engine_has_closed(door: EngineDoor) -> None:
    asked = door.push("alice", platform="trading")
    thread = later(door.engine.close)
    with pytest.raises(watchword.Error, match="closed"):
        door.engine.wait_push(asked.id)
    thread.join()


def test_claimed_once_by_however_many(door: EngineDoor) -> None:
    """Threads, and a batch split over threads: one is let in."""
    for _ in range(5):
        asked = door.push("alice", platform="trading")
        door.tell(asked, "phone", "approve", asked.number, "pin")
        codes: list[int] = []

        def claim(id: str = asked.id, codes: list[int] = codes) -> None:
            codes.append(int(door.engine.verify("alice", "", challenge=id).code))

        threads = [threading.Thread(target=claim) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(codes) == [1, 2, 2, 2]
        asked = door.push("alice", platform="trading")
        door.tell(asked, "phone", "approve", asked.number, "pin")
        count = 2_000
        users = ["alice" if at % 400 == 7 else f"x{at}" for at in range(count)]
        many = door.engine.verify_many(
            users, [""] * count, challenges=[asked.id] * count, threads=4
        )
        assert sorted(many)[:2] == [1, 2] and list(many).index(1) == 7


def test_busy_leaves_it_unclaimed(door: EngineDoor) -> None:
    asked = door.push("alice", platform="trading")
    door.tell(asked, "phone", "approve", asked.number, "pin")
    door.engine._shed = lambda: True  # type: ignore[method-assign]
    assert door.engine.verify("alice", "", challenge=asked.id).code.name == "BUSY"
    with pytest.raises(watchword.Busy):
        door.push("alice", platform="trading")
    del door.engine._shed
    assert door.engine.verify("alice", "", challenge=asked.id)


def test_a_full_table_is_busy_until_the_oldest_counts_no_more(door: EngineDoor) -> None:
    _engine.push_limit(door.engine._core, 4)
    asked = [door.push(f"u{at}", platform="trading") for at in range(4)]
    with pytest.raises(watchword.Busy, match="as many pushes as may be"):
        door.push("u9", platform="trading")
    door.now_s = 599
    with pytest.raises(watchword.Busy):
        door.push("u9", platform="trading")
    assert door.engine.verify("u0", "", challenge=asked[0].id).code.name == "EXPIRED"
    door.now_s = 600
    for at in range(20, 24):
        door.push(f"u{at}", platform="trading")
    with pytest.raises(watchword.Busy):
        door.push("u9", platform="trading")
    for at in range(4):
        assert door.engine.verify(f"u{at}", "", challenge=asked[at].id).code.name == "REJECTED"


def test_texts_go_with_the_life_of_their_push(door: EngineDoor) -> None:
    for at in range(5):
        door.now_s = 601 * at
        door.push("alice", platform="trading", text="x" * 256)
    assert len(door.engine._push_texts._asked) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"time_ms": 10**6}, "more than 5 minutes"),
        ({"time_ms": True}, "time_ms is a whole number"),
        ({"time_ms": "0"}, "time_ms is a whole number"),
        ({"user": 7}, "user is str"),
        ({"device": None}, "device is str"),
        ({"signature": ""}, "signature is bytes"),
    ],
)
def test_misuse_of_listing(door: EngineDoor, given: dict[str, Any], message: str) -> None:
    signature = signed("phone", "watchword push list 1", "alice", "phone", "0")
    right = {"user": "alice", "device": "phone", "time_ms": 0, "signature": signature}
    with pytest.raises(watchword.InvalidArgument, match=message):
        door.engine.pushes(**{**right, **given})


def test_misuse_of_waiting(door: EngineDoor) -> None:
    for timeout in (-1, "1", True, float("nan")):
        with pytest.raises(watchword.InvalidArgument, match="timeout_s is a number of seconds"):
            door.engine.wait_push("0" * 32, timeout)  # type: ignore[arg-type]
