"""The daemon as gateways meet it: a process of its own on an ephemeral port, over a store on disk.

Frames and error texts are those of a redis-server 7.0.15; codes come from pyotp. Nothing is mocked.
"""

import base64
import hashlib
import random
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyotp
import pytest
from served import KEY, SECONDS_MAX, Client, ReplyError, Served, frame, serving

DETAIL = ["verdict", "code", "scope", "device", "kind", "rank", "session_ms", "retry_after_ms"]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("serve")) as served:
        yield served
        assert served.stop() == 0
        assert served.healthy(), served.said()


@pytest.fixture
def client(daemon: Served) -> Iterator[Client]:
    with daemon.client() as connection:
        yield connection


# ---- frames ----

PING = frame("PING")
BAD = "-ERR Protocol error: "
# sent, every byte that comes back before the connection closes
MALFORMED = [
    (b'ECHO "a\r\n', BAD + "unbalanced quotes in request"),
    (b"*abc\r\n", BAD + "invalid multibulk length"),
    (b"*1\r\n+PING\r\n", BAD + "expected '$', got '+'"),
    (b"*1\r\n\nPING\r\n", BAD + "expected '$', got ' '"),
    (b"*1\r\n$-5\r\n", BAD + "invalid bulk length"),
    (b"*1\r\n$536870913\r\n", BAD + "invalid bulk length"),
    (b"*1\r\n$65530\r\n", BAD + "too big command"),
    (b"*9000\r\n", BAD + "invalid multibulk length"),
    (b"a" * 70_000, BAD + "too big inline request"),
    (b"GET / HTTP/1.0\r\nHost: x\r\n\r\n", None),
    (b"POST /verify HTTP/1.1\r\nHost: x\r\n\r\n*1\r\n$4\r\nPING\r\n", None),
    (b"Host: x\r\n", None),
]


@pytest.mark.parametrize(("sent", "error"), MALFORMED, ids=[repr(row[0])[:30] for row in MALFORMED])
def test_a_bad_frame_is_answered_and_closed(daemon: Served, sent: bytes, error: str | None) -> None:
    expected = b"" if error is None else error.encode() + b"\r\n"
    with daemon.client() as client:
        client.send(PING + sent + PING)  # what came before is served, what comes after is not
        assert client.rest() == b"+PONG\r\n" + expected


# sent, every byte that comes back; the connection stays open
WHOLE = [
    (b"PING\r\n", b"+PONG\r\n"),
    (b"PING\n\r\n\nPING\n", b"+PONG\r\n+PONG\r\n"),
    (b'ECHO "a b"\r\n', b"$3\r\na b\r\n"),
    (b"*0\r\n*-1\r\n*1\r\n$4\r\nPING\r\n", b"+PONG\r\n"),
    (b"*1\r\n$4\r\nPINGxx" + PING, b"+PONG\r\n+PONG\r\n"),
    (b"verify nobody 123456\r\n", b"+REJECTED\r\n"),
    (b'VERIFY "not legal" ""\r\n', b"+BAD_CHARACTER\r\n"),
    (frame("vErIfY", "nobody", "1", "pLatform", "Portal", "DETAIL")[:-2] + b"\r\n",
     b"*16\r\n$7\r\nverdict\r\n+REJECTED\r\n$4\r\ncode\r\n:2\r\n$5\r\nscope\r\n$-1\r\n"
     b"$6\r\ndevice\r\n$-1\r\n$4\r\nkind\r\n$-1\r\n$4\r\nrank\r\n:0\r\n"
     b"$10\r\nsession_ms\r\n:0\r\n$14\r\nretry_after_ms\r\n:0\r\n"),
    (frame("VERIFYMANY", 2, "nobody", "1", "", "2"), b"*2\r\n+REJECTED\r\n+BAD_CHARACTER\r\n"),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "expected"), WHOLE, ids=[repr(row[0])[:30] for row in WHOLE])
def test_a_frame_is_answered_however_it_arrives(
    daemon: Served, sent: bytes, expected: bytes
) -> None:
    with daemon.client() as client:
        client.send(sent)
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in sent:
            client.send(bytes([byte]))
        client.socket.shutdown(socket.SHUT_WR)
        assert client.rest() == 2 * expected


def test_replies_keep_the_order_of_commands(daemon: Served) -> None:
    """Answers known at once wait behind attempts; HELLO changes what comes after it alone."""
    codes = daemon.enrol("order")
    with daemon.client() as client:
        client.send(
            frame("VERIFY", "order", codes.at(0))
            + frame("PING")
            + frame("VERIFY", "order", codes.at(0), "DETAIL")
            + frame("HELLO", 3)
            + frame("VERIFY", "order", codes.at(1), "DETAIL")
            + frame("ECHO", "between")
            + frame("NOSUCH", "a", "b")
            + frame("VERIFYMANY", 2, "order", codes.at(1), "order", codes.at(2))
            + frame("HELLO", 2)
            + frame("QUIT")
            + frame("PING")
        )
        assert client.read() == "ACCEPTED"
        assert client.read() == "PONG"
        assert client.read()[:2] == ["verdict", "REJECTED"]
        assert client.read()["proto"] == 3
        accepted = client.read()
        assert list(accepted) == DETAIL
        assert (accepted["verdict"], accepted["code"], accepted["kind"]) == ("ACCEPTED", 1, "hotp")
        assert (accepted["scope"], accepted["retry_after_ms"]) == ("full", 0)
        assert client.read() == "between"
        assert str(client.read()).startswith("ERR unknown command 'NOSUCH'")
        assert client.read() == ["REJECTED", "ACCEPTED"]
        assert client.read()[4:6] == ["proto", 2]
        assert client.read() == "OK"
        assert client.rest() == b""


def test_a_half_closed_client_hears_what_it_is_owed(daemon: Served) -> None:
    with daemon.client() as client:
        client.send(frame("VERIFY", "", "1") * 500 + frame("PING"))
        client.socket.shutdown(socket.SHUT_WR)
        assert client.rest() == b"+BAD_CHARACTER\r\n" * 500 + b"+PONG\r\n"


def test_any_bytes_charge_nobody_and_crash_nothing(daemon: Served, rng: random.Random) -> None:
    """Garbage, and real frames cut and altered, from many connections; the daemon serves on."""
    codes = daemon.enrol("bystander")
    words = [
        b"*3\r\n",
        b"$6\r\nVERIFY\r\n",
        b"$-1\r\n",
        b"\r\n",
        b'"',
        b"PING\r\n",
        b"*",
        b"$9999\r\n",
    ]
    words += [
        b"VERIFYMANY 9 a\r\n",
        b"HELLO 3 AUTH\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"CLIENT\r\n",
    ]
    for _ in range(150):
        sent = b"".join(rng.choices(words, k=rng.randrange(8))) + rng.randbytes(rng.randrange(200))
        with daemon.client() as client:
            client.send(sent)
            client.socket.shutdown(socket.SHUT_WR)
            client.rest()
    with daemon.acts() as acts, daemon.client() as client:
        seen = acts.ask("USER", "GET", "bystander")
        assert seen[seen.index("failures") + 1] == 0, rng
        assert client.ask("VERIFY", "bystander", codes.at(0)) == "ACCEPTED", rng


# ---- limits of commands ----


def test_a_command_may_have_64_kb_and_no_more(client: Client) -> None:
    assert client.ask("ECHO", "a" * 65_000) == "a" * 65_000
    client.send(b"*2\r\n$4\r\nECHO\r\n$65536\r\n")
    assert str(client.read()) == "ERR Protocol error: too big command"
    assert client.rest() == b""


def test_verify_many_takes_4096_pairs(client: Client) -> None:
    pairs = [word for i in range(4_096) for word in (f"nobody{i}", "123456")]
    assert client.ask("VERIFYMANY", 4_096, *pairs, "PLATFORM", "portal") == ["REJECTED"] * 4_096
    with pytest.raises(ReplyError, match="1 to 4096 pairs"):
        client.ask("VERIFYMANY", 4_097, "a", "b")


def test_a_name_or_response_past_its_limit_is_never_right(daemon: Served, client: Client) -> None:
    daemon.enrol("long")
    assert client.ask("VERIFY", "a" * 129, "1") == "BAD_CHARACTER"
    assert client.ask("VERIFY", "a" * 60_000, "1") == "BAD_CHARACTER"
    assert client.ask("VERIFY", "long", "1" * 129) == "REJECTED"
    assert client.ask("VERIFY", "long", "1" * 60_000) == "REJECTED"


def test_pipelines_past_every_queue_are_answered_in_order(daemon: Served) -> None:
    """20,000 attempts without a pause: more than a connection or a batch may hold."""
    with daemon.client() as client:
        sent = b"".join(
            frame("VERIFY", f"deep{i}", "1") + PING + frame("VERIFY", "", "1")
            for i in range(10_000)
        )
        sender = threading.Thread(target=client.send, args=(sent,))
        sender.start()
        for _ in range(10_000):
            assert [client.read() for _ in range(3)] == ["REJECTED", "PONG", "BAD_CHARACTER"]
        sender.join()


# ---- options ----

# words after VERIFY name 1 -> the verdict, or the error
OPTIONS = [
    (["PLATFORM", "trading"], "REJECTED"),
    (["platform", "PORTAL", "Realm", "Paper"], "REJECTED"),
    (["REALM", "live", "DEVICE", "X", "ADDRESS", "192.0.2.1", "PLATFORM", "portal"], "REJECTED"),
    (["ADDRESS", "2001:db8::1"], "REJECTED"),
    (["DEVICE", "s" * 500], "REJECTED"),
    (["DEVICE", ""], "REJECTED"),
    (["PLATFORM", "web"], "ERR PLATFORM is trading or portal"),
    (["REALM", "demo"], "ERR REALM is live or paper"),
    (["ADDRESS", "192.0.2"], "ERR ADDRESS is not an IPv4 or IPv6 address"),
    (["ADDRESS", "1" * 100], "ERR ADDRESS is not an IPv4 or IPv6 address"),
    (["ADDRESS", "::1\0"], "ERR ADDRESS is not an IPv4 or IPv6 address"),
    (["ADDRESS", ""], "ERR ADDRESS is not an IPv4 or IPv6 address"),
    (["PLATFORM"], "ERR syntax error, an option lacks its value"),
    (["DETAIL", "DETAIL"], "ERR syntax error, an option is given twice"),
    (["REALM", "live", "realm", "live"], "ERR syntax error, an option is given twice"),
    (["NOSUCH", "x"], "ERR syntax error"),
    (["CHALLENGE", "x"], "REJECTED"),
    (["CHALLENGE", "", "SESSION", ""], "REJECTED"),
    (["CHALLENGE", "f" * 500], "REJECTED"),
    (["session", "00" * 512, "Challenge", "0" * 96], "REJECTED"),
    (["PIN"], "ERR syntax error, an option lacks its value"),
    (["PIN", "x", "pin", "y"], "ERR syntax error, an option is given twice"),
    (["PASSWORD", "x", "PASSWORD", "y"], "ERR syntax error, an option is given twice"),
    (["SESSION", "0g"], "ERR SESSION is hex, of 0 to 512 bytes"),
    (["SESSION", "012"], "ERR SESSION is hex, of 0 to 512 bytes"),
    (["SESSION", "00" * 513], "ERR SESSION is hex, of 0 to 512 bytes"),
    (["CHALLENGE", "x", "CHALLENGE", "x"], "ERR syntax error, an option is given twice"),
    (["ID", "x"], "ERR ID is 8 to 64 bytes"),
    (["ID", "x" * 65], "ERR ID is 8 to 64 bytes"),
    (["ID"], "ERR syntax error, an option lacks its value"),
    (["ID", "x" * 8, "id", "y" * 8], "ERR syntax error, an option is given twice"),
]


@pytest.mark.parametrize(("words", "expected"), OPTIONS, ids=[" ".join(r[0])[:30] for r in OPTIONS])
def test_options(client: Client, words: list[str], expected: str) -> None:
    client.send(frame("VERIFY", f"options{OPTIONS.index((words, expected))}", "1", *words))
    assert str(client.read()) == expected


MISUSE = [
    (["VERIFY"], "ERR wrong number of arguments for 'verify' command"),
    (["VERIFY", "alice"], "ERR wrong number of arguments for 'verify' command"),
    (["VERIFYMANY", "1", "alice"], "ERR wrong number of arguments for 'verifymany' command"),
    (["VERIFYMANY", "0", "a", "b"], "ERR VERIFYMANY takes 1 to 4096 pairs"),
    (["VERIFYMANY", "-1", "a", "b"], "ERR VERIFYMANY takes 1 to 4096 pairs"),
    (["VERIFYMANY", "x", "a", "b"], "ERR VERIFYMANY takes 1 to 4096 pairs"),
    (["VERIFYMANY", "99999999999", "a", "b"], "ERR VERIFYMANY takes 1 to 4096 pairs"),
    (["VERIFYMANY", "2", "a", "b", "c"], "ERR VERIFYMANY has fewer pairs than it says"),
    (["VERIFYMANY", "1", "a", "b", "DETAIL"], "ERR syntax error"),
    (["VERIFYMANY", "1", "a", "b", "REALM", "live"], "ERR syntax error"),
]


@pytest.mark.parametrize(("words", "error"), MISUSE, ids=[" ".join(row[0]) for row in MISUSE])
def test_misuse_is_an_error_and_no_attempt(client: Client, words: list[str], error: str) -> None:
    client.send(frame(*words))
    assert str(client.read()) == error


def test_a_device_that_is_named_is_the_only_one_tried(daemon: Served, client: Client) -> None:
    codes = daemon.enrol("two", "SERIAL", "first")
    with daemon.acts() as acts:
        acts.ask(
            "DEVICE", "ADD", "two", "HOTP", "KEY", b"another key of two".hex(), "SERIAL", "other"
        )
    assert client.ask("VERIFY", "two", codes.at(0), "DEVICE", "other") == "REJECTED"
    assert client.ask("VERIFY", "two", codes.at(0), "DEVICE", "nosuch") == "REJECTED"
    detail = client.ask("VERIFY", "two", codes.at(0), "DETAIL", "DEVICE", "first")
    assert detail[detail.index("device") + 1] == "first"


def test_account_state_and_realm_are_seen(daemon: Served, client: Client) -> None:
    codes = daemon.enrol("paper1")
    with daemon.acts() as acts:
        assert acts.ask("USER", "SET", "paper1", "STATE", "pending", "REALM", "paper") == "OK"
    assert client.ask("VERIFY", "paper1", codes.at(0)) == "NOT_PERMITTED"
    assert client.ask("VERIFY", "paper1", codes.at(1), "REALM", "paper") == "NOT_PERMITTED"
    assert client.ask("VERIFY", "paper1", codes.at(2), "REALM", "paper", "PLATFORM", "portal") == (
        "ACCEPTED"
    )


# ---- verdicts ----


def race(clients: list[Client], sent: bytes) -> list[str]:
    """What each of the clients hears when all of them send the same thing at once."""
    gate = threading.Barrier(8)

    def some(share: list[Client]) -> list[str]:
        gate.wait(SECONDS_MAX)
        for client in share:
            client.send(sent)
        return [client.read() for client in share]

    with ThreadPoolExecutor(8) as pool:
        said = pool.map(some, [clients[i::8] for i in range(8)])
        return [verdict for part in said for verdict in part]


def test_one_code_from_many_connections_is_accepted_once(daemon: Served) -> None:
    codes = daemon.enrol("raced")
    clients = [daemon.client() for _ in range(64)]
    for counter in range(3):
        said = race(clients, frame("VERIFY", "raced", codes.at(counter)))
        assert said.count("ACCEPTED") == 1
        assert set(said) <= {"ACCEPTED", "REJECTED", "LOCKED"}
        with daemon.acts() as acts:
            acts.ask("USER", "UNLOCK", "raced", "BY", "the test")
    for client in clients:
        client.close()


def test_ten_failures_lock_and_the_lock_tells_its_length(daemon: Served, client: Client) -> None:
    codes = daemon.enrol("locked")
    said = client.ask("VERIFYMANY", 11, *["locked", "000000"] * 11)
    assert said == ["REJECTED"] * 10 + ["LOCKED"]
    detail = client.ask("VERIFY", "locked", codes.at(0), "DETAIL")
    seen = dict(zip(detail[::2], detail[1::2], strict=True))
    assert (seen["verdict"], seen["code"], seen["device"], seen["scope"]) == (
        "LOCKED",
        3,
        None,
        None,
    )
    assert 86_000_000 < seen["retry_after_ms"] <= 86_400_000
    assert client.ask("VERIFY", "locked", "") == "LOCKED"
    assert client.ask("VERIFY", "nobody1", "") == "CHALLENGE"


def test_a_gateway_without_reasons_reads_the_same_bytes(tmp_path: Path) -> None:
    """LOCKED and NOT_PERMITTED read as a wrong code does, byte for byte, in every form."""
    with serving(tmp_path, "reasons = false\n") as daemon, daemon.client() as client:
        codes = daemon.enrol("locked")
        shut = daemon.enrol("shut")
        with daemon.acts() as acts:
            acts.ask("USER", "SET", "shut", "STATE", "closed")
            assert acts.ask("VERIFYMANY", 11, *["locked", "0"] * 11)[-1] == "LOCKED"
        forms = [b"", b"DETAIL "]
        for hello in (b"HELLO 2\r\n", b"HELLO 3\r\n"):
            client.send(hello)
            client.read()
            for form in forms:
                said = set()
                for user, code in (
                    ("nobody", "000000"), ("locked", codes.at(0)), ("locked", "000000"),
                    ("shut", shut.at(0)), ("shut", shut.at(0)),
                ):  # fmt: skip
                    client.send(
                        b"VERIFY %b %b %b\r\nPING\r\n" % (user.encode(), code.encode(), form)
                    )
                    said.add(b"".join(iter(client._stream.readline, b"+PONG\r\n")))
                assert len(said) == 1, said
        with daemon.acts() as acts:
            acts.ask("USER", "ADDRESSES", "shut", "SET", "192.0.2.0/24")
        push = "00112233445566778899aabbccddeeff"
        for more in (b"", b"ADDRESS 192.0.3.7 ", b"CHALLENGE x ", b"CHALLENGE %b " % push.encode()):
            told = set()
            for user in (b"shut", b"nobody"):  # nothing typed, from where shut may not come
                client.send(b'VERIFY %b "" %bDETAIL ID "%b, once"\r\nPING\r\n' % (user, more, user))
                told.add(b"".join(iter(client._stream.readline, b"+PONG\r\n")))
                client.send(b'VERIFY %b "" %bDETAIL ID "%b, once"\r\nPING\r\n' % (user, more, user))
                told.add(b"".join(iter(client._stream.readline, b"+PONG\r\n")))
            assert len(told) == 1, told
        with daemon.acts() as acts:  # the operator's own socket tells
            assert acts.ask("VERIFY", "shut", "") == "NOT_PERMITTED"
            assert acts.ask("VERIFY", "locked", "0") == "LOCKED"
            assert acts.ask("VERIFY", "shut", shut.at(1)) == "NOT_PERMITTED"


def test_a_totp_code_of_this_moment(daemon: Served, client: Client) -> None:
    """The clock the daemon reads is this machine's."""
    with daemon.acts() as acts:
        acts.ask("USER", "ADD", "timed")
        acts.ask("DEVICE", "ADD", "timed", "TOTP", "KEY", KEY.hex(), "DIGITS", 8,
                 "ALGORITHM", "sha256", "PERIOD", 60)  # fmt: skip
    codes = pyotp.TOTP(base64.b32encode(KEY).decode(), digits=8, digest=hashlib.sha256, interval=60)
    code = codes.at(int(time.time()))
    assert client.ask("VERIFY", "timed", code) == "ACCEPTED"
    assert client.ask("VERIFY", "timed", code) == "REJECTED"
