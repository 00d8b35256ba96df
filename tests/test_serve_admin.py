"""src/watchword/serve/admin.py: administration over the store's own socket, of a real daemon."""

import base64
import os
import re
import socket
import threading
from collections.abc import Iterator

import pyotp
import pytest
from served import KEY, Client, ReplyError, Served, frame, serving

from watchword.serve.admin import Admin
from watchword.serve.peers import PEER


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("admin")) as served:
        yield served
        assert served.stop() == 0
        assert served.healthy(), served.said()


@pytest.fixture
def acts(daemon: Served) -> Iterator[Client]:
    with daemon.acts() as connection:
        yield connection


def mapping(flat: list[object]) -> dict[str, object]:
    return {str(name): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


def test_the_life_of_a_user(acts: Client) -> None:
    assert acts.ask("USER", "ADD", "alice", "REALM", "paper", "state", "pending") == "OK"
    user = mapping(acts.ask("user", "get", "alice"))
    assert list(user) == [
        "name", "state", "realm", "failures", "locked_until_ms", "last_failure_ms", "devices",
    ]  # fmt: skip
    assert (user["name"], user["state"], user["realm"]) == ("alice", "pending", "paper")
    assert (user["failures"], user["locked_until_ms"], user["devices"]) == (0, 0, [])
    assert acts.ask("USER", "SET", "alice", "STATE", "open") == "OK"
    assert mapping(acts.ask("USER", "GET", "alice"))["state"] == "open"
    assert mapping(acts.ask("USER", "GET", "alice"))["realm"] == "paper"
    acts.ask("VERIFYMANY", 10, *["alice", "0"] * 10)
    user = mapping(acts.ask("USER", "GET", "alice"))
    assert user["failures"] == 10
    assert isinstance(user["locked_until_ms"], int)
    assert user["locked_until_ms"] > 0
    assert acts.ask("USER", "UNLOCK", "alice", "BY", "desk 4") == "OK"
    assert mapping(acts.ask("USER", "GET", "alice"))["failures"] == 0
    assert acts.ask("USER", "REMOVE", "alice") == "OK"
    with pytest.raises(ReplyError, match=r"^NOTFOUND there is no user 'alice'$"):
        acts.ask("USER", "GET", "alice")


def test_users_are_listed_a_share_at_a_time(acts: Client) -> None:
    names = [f"listed{i}" for i in range(7)]
    for name in names:
        acts.ask("USER", "ADD", name)
    seen: list[str] = []
    while share := acts.ask("USER", "LIST", "COUNT", 3, *(("AFTER", seen[-1]) if seen else ())):
        assert len(share) <= 3
        seen += share
    assert [name for name in seen if name.startswith("listed")] == names
    assert acts.ask("USER", "LIST") == seen


def test_the_life_of_a_device(acts: Client) -> None:
    acts.ask("USER", "ADD", "bob")
    base32 = base64.b32encode(KEY).decode().lower()
    made = acts.ask("DEVICE", "ADD", "bob", "HOTP", "BASE32", base32, "COUNTER", 5,
                    "LOOKAHEAD", 3, "DIGITS", 7, "ALGORITHM", "sha1", "SERIAL", "H1")  # fmt: skip
    assert made == "H1"
    codes = pyotp.HOTP(base32.upper(), digits=7)
    assert acts.ask("VERIFY", "bob", codes.at(9)) == "REJECTED"
    assert acts.ask("VERIFY", "bob", codes.at(8)) == "ACCEPTED"
    device = mapping(acts.ask("DEVICE", "GET", "bob", "H1"))
    assert (device["kind"], device["state"], device["digits"]) == ("hotp", "active", 7)
    assert (device["moving"], device["look_ahead"], device["failures"]) == (9, 3, 0)
    assert not re.search("key|secret", " ".join(device))
    assert acts.ask("DEVICE", "LIST", "bob") == [acts.ask("DEVICE", "GET", "bob", "H1")]
    assert acts.ask("DEVICE", "SET", "bob", "H1", "STATE", "suspended") == "OK"
    assert acts.ask("VERIFY", "bob", codes.at(9)) == "REJECTED"
    assert acts.ask("DEVICE", "SET", "bob", "H1", "STATE", "active") == "OK"
    assert acts.ask("DEVICE", "RESYNC", "bob", "H1", codes.at(60), codes.at(61)) == "ACCEPTED"
    assert acts.ask("VERIFY", "bob", codes.at(62)) == "ACCEPTED"
    assert acts.ask("DEVICE", "REMOVE", "bob", "H1") == "OK"
    assert acts.ask("DEVICE", "LIST", "bob") == []
    # the same key, enrolled again, begins where it ended
    acts.ask("DEVICE", "ADD", "bob", "HOTP", "KEY", KEY.hex(), "DIGITS", 7, "SERIAL", "H2")
    assert acts.ask("VERIFY", "bob", codes.at(62)) == "REJECTED"
    assert acts.ask("VERIFY", "bob", codes.at(63)) == "ACCEPTED"


def test_a_totp_device_has_its_own_figures(acts: Client) -> None:
    acts.ask("USER", "ADD", "tess")
    serial = acts.ask("DEVICE", "ADD", "tess", "TOTP", "KEY", KEY.hex(), "PERIOD", 60, "WINDOW",
                      2, 0, "DRIFT", 4, "T0", 30, "ALGORITHM", "sha512", "DIGITS", 8)  # fmt: skip
    acts.ask("HELLO", 3)
    device = acts.ask("DEVICE", "GET", "tess", serial)
    assert (device["period"], device["window"], device["drift_max"]) == (60, [2, 0], 4)
    assert (device["t0"], device["algorithm"], device["digits"]) == (30, "sha512", 8)


MISUSE = [
    ("USER", "ERR wrong number of arguments for 'user' command"),
    ("USER ADD", "ERR wrong number of arguments for 'user|add' command"),
    (
        "USER NOSUCH x",
        "ERR unknown subcommand 'NOSUCH', one of ADD, GET, SET, REMOVE, UNLOCK, LIST",
    ),
    ("USER ADD Upper", "INVALID user is lower case"),
    ("USER ADD not/legal", "INVALID user is 1 to 64"),
    ("USER ADD carol", "EXISTS user 'carol' exists already"),
    ("USER ADD dave STATE ajar", "INVALID state is one of open, pending, closed"),
    ("USER ADD dave STATE", "ERR syntax error, options are STATE, REALM, BY, each at most once"),
    ("USER ADD dave STATE open STATE open", "ERR syntax error"),
    ("USER GET nobody", "NOTFOUND there is no user 'nobody'"),
    ("USER GET carol extra", "ERR syntax error"),
    ("USER SET nobody STATE open", "NOTFOUND"),
    ("USER REMOVE nobody", "NOTFOUND"),
    ("USER UNLOCK nobody", "NOTFOUND"),
    ("USER LIST COUNT 0", "INVALID COUNT is 1 to 1000"),
    ("USER LIST COUNT x", "INVALID COUNT is a whole number"),
    ("USER LIST AFTER nobody", "NOTFOUND"),
    ("DEVICE ADD carol GOLDEN KEY 00", "ERR a device is one of TOTP, HOTP, OCRA, DSC-PLUS, GOLD"),
    ("DEVICE ADD carol OCRA KEY 00", "ERR syntax error, SUITE is needed"),
    ("DEVICE ADD carol OCRA KEY 00 SUITE OCRA-1:HOTP-SHA1-6:QN08", "INVALID key is 10 to 128"),
    (f"DEVICE ADD carol OCRA KEY {KEY.hex()} SUITE OCRA-1", "INVALID suite must be OCRA-1:HOTP"),
    (f"DEVICE ADD carol GOLD KEY {KEY.hex()} DIGITS 6", "ERR syntax error, options are KEY"),
    (f"DEVICE ADD carol GOLD KEY {KEY.hex()} PIN 1234", "INVALID pin must not be one character"),
    (f"DEVICE ADD carol GOLD KEY {KEY.hex()} PIN 47a1", "INVALID pin must be text of 4 to 16"),
    (f"DEVICE ADD carol GOLD KEY {KEY.hex()} COUNTER 1", "INVALID counter and look_ahead must"),
    (f"DEVICE ADD carol IB-KEY KEY {KEY.hex()}", "INVALID pin or pin_hash, one of the two"),
    (f"DEVICE ADD carol IB-KEY KEY {KEY.hex()} PIN 123", "INVALID pin must be text of 4 to 6"),
    (f"DEVICE ADD carol IB-KEY KEY {KEY.hex()} PINHASH 0g", "INVALID PINHASH is hex digits"),
    (f"DEVICE ADD carol IB-KEY KEY {KEY.hex()} PINHASH 00", "INVALID pin_hash must be bytes, 32"),
    ("DEVICE ADD carol TOTP", "ERR syntax error, one of KEY hex and BASE32 text is needed"),
    ("DEVICE ADD carol TOTP KEY 0g", "INVALID the key is not written as it is said to be"),
    ("DEVICE ADD carol TOTP BASE32 0189", "INVALID the key is not written as it is said to be"),
    ("DEVICE ADD carol TOTP KEY 00", "INVALID key is 10 to 128 bytes"),
    ("DEVICE ADD carol TOTP KEY 00 COUNTER 1", "ERR syntax error, options are KEY, BASE32"),
    (f"DEVICE ADD carol TOTP KEY {KEY.hex()} DIGITS 9", "INVALID digits"),
    (f"DEVICE ADD carol TOTP KEY {KEY.hex()} DIGITS six", "INVALID DIGITS is a whole number"),
    (f"DEVICE ADD carol TOTP KEY {KEY.hex()} WINDOW 1", "ERR syntax error"),
    (f"DEVICE ADD carol TOTP KEY {KEY.hex()} WINDOW 11 0", "INVALID window"),
    (f"DEVICE ADD carol TOTP KEY {KEY.hex()} SERIAL a/b", "INVALID serial is 1 to 32"),
    (f"DEVICE ADD nobody TOTP KEY {KEY.hex()}", "NOTFOUND"),
    ("DEVICE GET carol NOSUCH", "NOTFOUND user 'carol' has no device 'NOSUCH'"),
    ("DEVICE SET carol NOSUCH", "ERR syntax error, STATE is needed"),
    ("DEVICE SET carol NOSUCH STATE active", "NOTFOUND"),
    ("DEVICE REMOVE carol NOSUCH", "NOTFOUND"),
    ("DEVICE RESYNC carol S 1", "ERR wrong number of arguments for 'device|resync' command"),
    ("KEY", "ERR wrong number of arguments for 'key' command"),
    ("KEY ROTATE now", "ERR syntax error"),
    ("CLOCK SET 0", "ERR unknown subcommand 'SET', one of ACCEPT"),
    ("USER ADD \xff", "ERR an argument is not UTF-8"),
    ("NOSUCH", "ERR unknown command"),
]


@pytest.mark.parametrize(("line", "error"), MISUSE, ids=[row[0][:40] for row in MISUSE])
def test_misuse_is_told_and_does_nothing(acts: Client, line: str, error: str) -> None:
    acts.send(frame("USER", "ADD", "carol"))
    acts.read()
    acts.send(frame(*[word.encode("latin-1") for word in line.split()]))
    reply = acts.read()
    assert isinstance(reply, ReplyError)
    assert str(reply).startswith(error)
    assert mapping(acts.ask("USER", "GET", "carol"))["devices"] == []


def test_acts_and_attempts_keep_the_order_they_were_sent_in(daemon: Served, acts: Client) -> None:
    codes = daemon.enrol("ordered", "SERIAL", "one")
    acts.send(
        frame("VERIFY", "ordered", codes.at(0))
        + frame("DEVICE", "SET", "ordered", "one", "STATE", "suspended")
        + frame("VERIFY", "ordered", codes.at(1))
        + frame("PING")
        + frame("DEVICE", "SET", "ordered", "one", "STATE", "active")
        + frame("VERIFYMANY", 2, "ordered", codes.at(2), "ordered", codes.at(2))
        + frame("USER", "REMOVE", "ordered")
        + frame("VERIFY", "ordered", codes.at(3))
    )
    expected = ["ACCEPTED", "OK", "REJECTED", "PONG", "OK", ["ACCEPTED", "REJECTED"], "OK"]
    assert [acts.read() for _ in range(7)] == expected
    assert acts.read() == "REJECTED"


def test_keys_rotate_while_logins_go_on(daemon: Served, acts: Client) -> None:
    codes = daemon.enrol("rotated", "LOOKAHEAD", 100)
    said: list[str] = []
    stop = threading.Event()

    def login() -> None:
        with daemon.client() as client:
            while not stop.is_set():
                said.append(client.ask("VERIFY", "rotated", codes.at(len(said))))

    gateway = threading.Thread(target=login)
    gateway.start()
    for _ in range(3):
        assert acts.ask("KEY", "ROTATE") == "OK"
    stop.set()
    gateway.join()
    assert set(said) == {"ACCEPTED"}
    assert acts.ask("CLOCK", "ACCEPT", "BY", "the test") == ""


class Peer:
    """A transport whose kernel says that this user is at the other end."""

    def __init__(self, user: int) -> None:
        self.user = user

    def get_extra_info(self, name: str) -> "Peer":
        assert name == "socket"
        return self

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        assert (level, option) == (socket.SOL_SOCKET, socket.SO_PEERCRED)
        return PEER.pack(1, self.user, 0)


@pytest.mark.parametrize(
    ("user", "admitted"),
    [(0, True), (os.geteuid(), True), (os.geteuid() + 1, False), (65_534, False)],
)
def test_only_root_and_our_own_user_may_speak(user: int, admitted: bool) -> None:
    assert Admin.admits(Admin.__new__(Admin), Peer(user)) is admitted  # type: ignore[arg-type]
