"""src/watchword/serve/feeds.py: redis-py's publish and subscribe, both protocols; slow clients."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from served import SECONDS_MAX, Client, ReplyError, Served, frame, serving

from watchword.serve import limits


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("feeds")) as served:
        yield served
        assert served.stop() == 0
        assert served.healthy(), served.said()


def heard(listener: Any) -> dict[str, Any]:
    """The next message's words."""
    until = time.monotonic() + SECONDS_MAX
    while time.monotonic() < until:
        message = listener.get_message(timeout=1.0, ignore_subscribe_messages=True)
        if message is not None and message["type"] == "message":
            words = json.loads(message["data"])
            assert isinstance(words, dict)
            assert message["channel"].decode() == words["channel"]
            return words
    raise AssertionError("nothing was heard")


def confirmed(listener: "redis.client.PubSub") -> int:
    """To how many channels it listens, as the next reply to it says. None is the answer to a look
    at the connection's health, which redis-py takes whenever a second has passed."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        message = listener.get_message(timeout=SECONDS_MAX)
        if message is not None:
            return int(message["data"])
    raise AssertionError("nothing was said")


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py_hears_lockouts_replays_and_acts(daemon: Served, protocol: int) -> None:
    user = f"heard{protocol}"
    with redis.Redis(
        unix_socket_path=str(daemon.admin), protocol=protocol, health_check_interval=1
    ) as client:
        listener = client.pubsub()
        listener.subscribe("lockouts", "replays", "acts")
        assert [confirmed(listener) for _ in range(3)] == [1, 2, 3]
        key = f"the key of {user} is so".encode()
        with daemon.acts() as acts, daemon.client() as gateway:
            acts.ask("USER", "ADD", user, "BY", "desk 4")
            acts.ask("DEVICE", "ADD", user, "TOTP", "KEY", key.hex(), "BY", "desk 4")
            code = totp(key)
            assert gateway.ask("VERIFY", user, code, "ADDRESS", "192.0.2.7") == "ACCEPTED"
            assert gateway.ask("VERIFY", user, code, "ADDRESS", "192.0.2.7") == "REJECTED"
            for _ in range(9):
                gateway.ask("VERIFY", user, "nosuch")
            acts.ask("USER", "UNLOCK", user, "BY", "desk 5")
        told = [heard(listener) for _ in range(5)]
        assert [words["seq"] for words in told] == [1, 2, 3, 4, 5]
        assert [words["turn"] for words in told] == sorted({words["turn"] for words in told})
        assert [words["channel"] for words in told] == [
            "acts", "acts", "replays", "lockouts", "acts"
        ]  # fmt: skip
        assert {words["user"] for words in told} == {user}
        assert told[2]["address"] == "192.0.2.7" and told[2]["gateway"] == "tcp"
        assert told[3]["locked_ms"] == 86_400_000
        assert (told[4]["event"], told[4]["by"]) == ("user unlock", "desk 5")
        assert code not in json.dumps(told) and key.hex() not in json.dumps(told)
        listener.unsubscribe("acts")
        listener.unsubscribe()
        left = [confirmed(listener) for _ in range(3)]
        assert left == [2, 1, 0] or sorted(left) == [0, 1, 2]
        listener.close()


def totp(key: bytes) -> str:
    """A code that is good for a while yet, from a library that is not ours."""
    import base64

    import pyotp

    maker = pyotp.TOTP(base64.b32encode(key).decode())
    while time.time() % 30 > 25:
        time.sleep(0.2)
    return maker.now()


def test_messages_are_arrays_in_resp2_and_pushes_in_resp3(daemon: Served) -> None:
    with Client(daemon.admin) as acts, Client(daemon.admin) as listener:
        assert listener.ask("SUBSCRIBE", "acts") == ["subscribe", "acts", 1]
        acts.ask("USER", "ADD", "shape2", "BY", "desk")
        words = ""
        while "shape2" not in words:  # what was done before may be told now as well
            kind, channel, words = listener.read()
        assert (kind, channel, json.loads(words)["user"]) == ("message", "acts", "shape2")
        assert listener.ask("PING") == ["pong", ""] and listener.ask("PING", "x") == ["pong", "x"]
        with pytest.raises(ReplyError, match="Can't execute 'user'"):
            listener.ask("USER", "LIST")
        assert listener.ask("UNSUBSCRIBE", "acts") == ["unsubscribe", "acts", 0]
        assert listener.ask("USER", "GET", "shape2")
        assert listener.ask("UNSUBSCRIBE") == ["unsubscribe", None, 0]
    with Client(daemon.admin) as acts, Client(daemon.admin) as listener:
        listener.ask("HELLO", 3)
        listener.send(frame("SUBSCRIBE", "acts"))
        assert listener.socket.recv(100) == b">3\r\n$9\r\nsubscribe\r\n$4\r\nacts\r\n:1\r\n"
        assert listener.ask("PING") == "PONG"
        assert listener.ask("USER", "GET", "shape2")["name"] == "shape2"
        acts.ask("USER", "REMOVE", "shape2", "BY", "desk")
        assert listener.socket.recv(100).startswith(b">3\r\n$7\r\nmessage\r\n$4\r\nacts\r\n$")


def test_channels_that_are_none_are_refused_by_name(daemon: Served) -> None:
    with Client(daemon.admin) as listener:
        for words in (["SUBSCRIBE"], ["SUBSCRIBE", "acts", "nosuch"]):
            with pytest.raises(ReplyError, match="lockouts, replays, acts, policy, clock"):
                listener.ask(*words)
        for verb in ("SUBSCRIBE", "UNSUBSCRIBE"):
            said = f"no pattern: {verb} names channels, which are lockouts, replays, acts, policy"
            with pytest.raises(ReplyError, match=said):
                listener.ask(f"P{verb}", "lock*")
        assert listener.ask("PING") == "PONG", "and nothing was subscribed to"
        assert listener.ask("SUBSCRIBE", "acts") == ["subscribe", "acts", 1]
        with pytest.raises(ReplyError, match="no pattern"):
            listener.ask("psubscribe", "*")
        assert listener.ask("RESET") == "RESET"
        assert listener.ask("PING") == "PONG"


def test_a_subscriber_that_does_not_read_is_told_so_and_closed(tmp_path: Path) -> None:
    """Its memory is bounded, what it missed is in the journal, and others hear on."""
    with serving(tmp_path) as daemon:
        with Client(daemon.admin) as acts, Client(daemon.admin) as slow:
            assert slow.ask("SUBSCRIBE", "acts") == ["subscribe", "acts", 1]
            name, sent = "n" * 60, 0
            while b"too slow" not in daemon.said().encode():
                for _ in range(200):
                    acts.send(frame("USER", "ADD", f"{name}{sent:04d}", "BY", "b" * 128))
                    sent += 1
                for _ in range(200):
                    assert acts.read() == "OK"
                assert sent < 9_000, "it was never too slow"
                time.sleep(0.2)  # what comes faster is a gap, which takes no room
            read = slow.rest()
            assert read.endswith(b"goes on after the last turn that was told\r\n")
            assert b"-ERR too slow" in read
            assert len(read) < 2 * limits.EVENT_UNREAD_BYTES_MAX + (1 << 20)
            flat = acts.ask("STATS")
            stats = dict(zip(flat[::2], flat[1::2], strict=True))
            assert (stats["subscribers"], stats["subscribers_dropped"]) == (0, 1)
        assert daemon.stop() == 0
        assert daemon.healthy()


def test_who_has_gone_is_forgotten(daemon: Served) -> None:
    with daemon.acts() as acts:
        for _ in range(100):
            with Client(daemon.admin) as listener:
                listener.ask("SUBSCRIBE", "lockouts", "acts")
        until = time.monotonic() + SECONDS_MAX
        while time.monotonic() < until:
            flat = acts.ask("STATS")
            if dict(zip(flat[::2], flat[1::2], strict=True))["subscribers"] == 0:
                return
        raise AssertionError("subscribers stayed")


def test_a_daemon_that_stops_lets_its_listeners_go(tmp_path: Path) -> None:
    with serving(tmp_path) as daemon, Client(daemon.admin) as listener:
        listener.ask("SUBSCRIBE", "acts")
        assert daemon.stop() == 0
        assert listener.rest() == b""
