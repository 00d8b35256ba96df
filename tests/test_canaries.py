"""Secrets that are planted, and looked for in everything the daemon says: its log, its errors to
others, INFO, the audit trail, also in Python's debug mode and when it crashes.
"""

import base64
import contextlib
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyotp
import pytest
from papers import Authority, listed, token_of
from served import Client, ReplyError, Served, frame

KEY = b"canary key of twenty"
PIN, NEW_PIN = "804713", "731958"
PASSWORD, ANSWER = "canary horse battery", "Canary Rex the Third"
PHONE_KEY = bytes(range(32)).hex()
WRONG_TOKEN = "wwt_a canary token that is wrong"
DEBUG = {"PYTHONDEVMODE": "1", "PYTHONASYNCIODEBUG": "1", "PYTHONFAULTHANDLER": "1"}
POLICY = "[policy]\nsecurity_questions = true\n"


class Planted:
    """What must be nowhere, in every spelling that it might have."""

    def __init__(self, authority: Authority, server: tuple[Path, Path]) -> None:
        self.codes = pyotp.HOTP(base64.b32encode(KEY).decode())
        typed = [self.codes.at(i) for i in range(20)]
        tls_key = server[1].read_text().splitlines()[1:-1]
        said = [PIN, NEW_PIN, PASSWORD, ANSWER, WRONG_TOKEN, token_of("one"), PHONE_KEY, *tls_key]
        keys = [base64.b32encode(KEY).decode(), base64.b64encode(KEY).decode()]
        self.secrets = [*said, *typed, KEY.decode(), KEY.hex(), *keys]

    def seen_in(self, text: str) -> list[str]:
        return [
            secret for secret in self.secrets
            if re.search(rf"(?<![0-9a-zA-Z]){re.escape(secret)}(?![0-9a-zA-Z])", text)
        ]  # fmt: skip


@pytest.fixture(params=["uvloop", "asyncio"])
def scene(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Served, Authority, Planted]]:
    authority = Authority(tmp_path / "papers")
    server = authority.issue("server", "/CN=localhost")
    gateway = listed("one", 'verbs = ["VERIFY", "VERIFYMANY", "CHALLENGE", "QUESTION", "ANSWER", '
                     '"CHANGEPIN", "CHANGEPASSWORD", "PHONE"]', 'admin = ["DEVICE", "USER"]',
                     "rate = 0")  # fmt: skip
    tls = authority.settings(server)
    daemon = Served(tmp_path, f'loop = "{request.param}"\n{tls}{gateway}{POLICY}')
    daemon.start(**DEBUG)
    try:
        yield daemon, authority, Planted(authority, server)
    finally:
        daemon.stop(signal.SIGKILL)


def told(client: Client, *words: object) -> Any:
    client.send(frame(*words))
    return client.read()


def everything(client: Client, codes: "pyotp.HOTP") -> list[Any]:
    """Every command that carries a secret, right, wrong, and misspelt."""
    questions = [word for pool in ("p1", "p2", "p3") for word in (pool, f"Which {pool}?", ANSWER)]
    said = [
        told(client, "USER", "ADD", "alice"),
        told(client, "DEVICE", "ADD", "alice", "HOTP", "KEY", KEY.hex(), "SERIAL", "T1",
             "PIN", PIN),
        told(client, "DEVICE", "ADD", "alice", "HOTP", "KEY", KEY.hex() + "zz"),
        told(client, "DEVICE", "ADD", "alice", "HOTP", "BASE32", base64.b32encode(KEY), "PIN", "x"),
        told(client, "DEVICE", "ADD", "alice", "HOTP", "KEY", KEY.hex(), "DIGITS", "99"),
        told(client, "DEVICE", "ADD", "alice", "IB-KEY", "KEY", KEY.hex(), "PHONE", PHONE_KEY),
        told(client, "USER", "PASSWORD", "alice", "SET", PASSWORD),
        told(client, "USER", "PASSWORD", "nobody", "SET", PASSWORD),
        told(client, "USER", "PASSWORD", "alice", "SET", PASSWORD, "more"),
        told(client, "USER", "QUESTIONS", "alice", "SET", *questions),
        told(client, "USER", "QUESTIONS", "nobody", "SET", *questions),
    ]  # fmt: skip
    code = [codes.at(i) for i in range(20)]
    for words in (
        ("VERIFY", "alice", PIN + code[0], "PASSWORD", PASSWORD),
        ("VERIFY", "alice", code[1], "PIN", PIN, "PASSWORD", PASSWORD, "DETAIL"),
        ("VERIFY", "alice", code[1], "PIN", PIN, "PASSWORD", PASSWORD),
        ("VERIFY", "alice", code[2], "NOSUCH", PASSWORD),
        ("VERIFY", "alice", code[2], "PASSWORD"),
        ("VERIFY", "alice", code[2], "SESSION", PIN + "z"),
        ("VERIFYY", "alice", code[3], "PASSWORD", PASSWORD),
        ("VERIFYMANY", "2", "alice", code[4], "alice"),
        ("VERIFYMANY", "1", "alice", code[4], "PASSWORD", PASSWORD),
        ("CHANGEPIN", "alice", PIN, code[5], NEW_PIN),
        ("CHANGEPIN", "alice", PIN, code[5], "1"),
        ("CHANGEPIN", "alice", PIN, code[5], NEW_PIN, "NOSUCH", PIN),
        ("CHANGEPASSWORD", "alice", PASSWORD, PIN + code[6], "x"),
        ("ANSWER", "alice", "an id that is none", ANSWER),
        ("PHONE", "ENROL", "alice", "no id", code[7], PHONE_KEY, PIN),
        ("PHONE", "PUSHES", "alice", "T1", "1", PHONE_KEY),
        ("CHALLENGE", "alice", "NOSUCH", PIN),
        ("AUTH", "one", WRONG_TOKEN), ("AUTH", WRONG_TOKEN), ("AUTH", "one", WRONG_TOKEN, "x"),
        ("HELLO", "3", "AUTH", "one", WRONG_TOKEN), ("HELLO", "3", WRONG_TOKEN),
        ("HELLO", "3", "AUTH", token_of("one")), ("HELLO", token_of("one")),
        ("AUDIT", "READ"), ("CONFIG", "GET", "requirepass"), ("CLIENT", "LIST"), ("INFO",),
        ("DEVICE", "LIST", "alice"), ("USER", "GET", "alice"), ("DEVICE", "GET", "alice", "T1"),
    ):  # fmt: skip
        said.append(told(client, *words))
    return said


def test_no_secret_is_in_anything_the_daemon_says(
    scene: tuple[Served, Authority, Planted],
) -> None:
    daemon, authority, planted = scene
    said: list[Any] = []
    with daemon.client(authority.context()) as client:
        said.append(told(client, "VERIFY", "alice", PIN + planted.codes.at(0)))
        said.append(told(client, "AUTH", "one", token_of("one")))
        said += everything(client, planted.codes)
        client.send(b"*2\r\n$4\r\nAUTH\r\n$x\r\n" + token_of("one").encode() + b"\r\n")
        said.append(client.rest())
    with daemon.acts() as acts:
        said += [told(acts, *words) for words in (
            ("INFO",), ("AUDIT", "READ"), ("AUDIT", "EXPLAIN", "alice"), ("POLICY", "SHOW"),
            ("EXPORT", "ROWS"), ("DEVICE", "ADD", "alice", "HOTP", "KEY", KEY.hex(), "NOSUCH"),
        )]  # fmt: skip
    assert said[2] == "OK"
    assert "ACCEPTED" in [reply for reply in said if isinstance(reply, str)]
    assert planted.seen_in(repr(said)) == []
    daemon.send_signal(signal.SIGHUP)
    assert daemon.stop() == 0
    assert planted.seen_in(daemon.said()) == []


def test_no_secret_is_in_a_crash(scene: tuple[Served, Authority, Planted]) -> None:
    """A broken handshake, then a fault of the process itself: frames are told, values are not."""
    daemon, authority, planted = scene
    with daemon.client() as plain, contextlib.suppress(OSError):
        plain.send(frame("AUTH", token_of("one")) + frame("VERIFY", "alice", PIN))
        plain.rest()
    with daemon.client(authority.context()) as client:
        assert told(client, "AUTH", token_of("one")) == "OK"
        everything(client, planted.codes)
        client.send(frame("VERIFY", "alice", PIN + planted.codes.at(9), "PASSWORD", PASSWORD)[:-4])
        daemon.send_signal(signal.SIGSEGV)
        assert daemon.wait() == -signal.SIGSEGV
    assert "Fatal Python error" in daemon.said()
    assert planted.seen_in(daemon.said()) == []


def test_a_canary_would_be_seen(scene: tuple[Served, Authority, Planted]) -> None:
    """The net has no holes: what an echo gives back is found."""
    daemon, authority, planted = scene
    with daemon.client(authority.context()) as client:
        assert not isinstance(told(client, "AUTH", token_of("one")), ReplyError)
        for secret in planted.secrets:
            assert planted.seen_in(repr([told(client, "ECHO", f"code={secret}")])), secret
