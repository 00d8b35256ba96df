"""serve/roll.py: numbers that stay, and holes in it, each found by what gateways then get."""

import contextlib
import signal
import time
from pathlib import Path

import pytest
from papers import listed, token_of
from served import Served, frame
from test_gateways import LIST, known

from watchword import InvalidArgument
from watchword.serve.gateways import VERBS, Access
from watchword.serve.roll import Roll, refused, rights_of


class Rows:
    """What a gather is told of gateways."""

    names, gateways = b"", 0


def access(name: str) -> Access:
    return Access(name=name, local_user=name)


def test_a_gateway_keeps_its_number_whatever_becomes_of_the_list() -> None:
    """An attempt under way names its gateway by number, and a row lists every name by it."""
    rows = Rows()
    roll = Roll([access("a"), access("b")], rows, {})  # type: ignore[arg-type]
    assert [(who.name, who.index) for who in roll.rights] == [("a", 3), ("b", 4)]
    roll.take([access("c"), access("b")])
    assert [(who.name, who.index) for who in roll.rights] == [("c", 5), ("b", 4)]
    roll.take([access("a")])
    assert [(who.name, who.index) for who in roll.rights] == [("a", 3)]
    assert rows.names.startswith(b"\x03tcp\x05admin\x04unix\x01a\x01b\x01c\x00")
    assert rows.gateways == 6


@pytest.mark.parametrize("verb", ["ACTIVATE a s 1", "OPTIN a 1", "SHARE a b s 1",
                                  "CHANGEPIN a 1 2 3", "CHANGEPASSWORD a 1 2 3"])  # fmt: skip
def test_what_is_changed_is_changed_on_the_portal_where_nothing_is_said(verb: str) -> None:
    words = verb.encode().split()
    for platforms, may in (((), True), (("portal",), True), (("trading",), False)):
        who = rights_of(Access(name="a", local_user="u", verbs=VERBS, platforms=platforms), 3)
        assert (refused(who, verb.split()[0], words) is None) == may, platforms
        said = refused(who, verb.split()[0], [*words, b"PLATFORM", b"trading"])
        assert (said is None) == (platforms != ("portal",)), platforms


def test_a_list_with_more_names_than_numbers_changes_nothing() -> None:
    rows = Rows()
    roll = Roll([access("a")], rows, {})  # type: ignore[arg-type]
    for turn in range(3):
        roll.take([access(f"g{turn}-{i}") for i in range(64)])
    before = rows.names
    with pytest.raises(InvalidArgument, match="start it again"):
        roll.take([access(f"h{i}") for i in range(64)])
    with pytest.raises(InvalidArgument, match="admin names 'USER'"):
        roll.take([Access(name="x", local_user="x", admin=("USER",))])
    assert (rows.names, len(roll)) == (before, 64)
    assert roll.by_place("", "g2-63") is not None
    assert roll.by_place("", "a") is None


def test_a_gateway_with_no_token_is_not_let_in_by_one() -> None:
    roll = Roll([access("a")], Rows(), {})  # type: ignore[arg-type]
    for token in (b"", bytes(32), b"a"):
        assert roll.by_token(b"a", token, "", "a") is None
        assert roll.by_token(b"", token, "", "a") is None
    assert roll.refused == 6


HOLES = {
    "a name is a token": "Roll.by_token = lambda self, name, *_: "
    "self._listed.get(name.decode(), (0, None))[1]",
    "any token is right": "roll.hmac.compare_digest = lambda *_: True",
    "strangers are answered": "roll.STRANGERS |= roll.SMALL_TALK",
    "verbs are not looked at": "roll.refused = lambda *_: None",
    "users are not looked at": "roll.names_within = lambda *_: True",
    "platforms are not looked at": "roll.platform_of = lambda *_: ''",
    "rates are not looked at": "roll.rights_of = (lambda was: lambda access, number: "
    "was(replace(access, rate=0), number))(roll.rights_of)",
    "reasons are everybody's": "roll.rights_of = (lambda was: lambda access, number: "
    "was(replace(access, rights=('reasons',)), number))(roll.rights_of)",
    "who was taken off stays": "Roll.readmit = lambda *_: 0",
}
DRIVER = """
import sys
from dataclasses import replace
from watchword.serve import roll
from watchword.serve.roll import Roll, refused, rights_of
{}
from watchword.cli.main import run
sys.exit(run(["serve", "--config", sys.argv[1]]))
"""


def holes_in(daemon: Served, after: str) -> list[str]:
    """What the list should have kept, and did not."""
    found = []
    tries: list[tuple[tuple[object, ...], tuple[object, ...], str]] = [
        ((), ("PING",), "NOAUTH"),
        (("AUTH", "open", "wrong"), ("ECHO", "in"), "NOAUTH"),
        (("AUTH", "blind", token_of("open")), ("ECHO", "in"), "NOAUTH"),
        (("AUTH", "open", token_of("open")), ("QUESTION", "alice"), "NOPERM"),
        (("AUTH", "eu", token_of("eu")), ("CHALLENGE", "al", "PLATFORM", "portal"), "NOPERM"),
        (("AUTH", "eu", token_of("eu")), ("CHALLENGE", "eu1"), "NOPERM"),
        (("AUTH", "slow", token_of("slow")), ("VERIFYMANY", 9, *["", ""] * 9), "['BAD"),
        (("AUTH", "slow", token_of("slow")), ("VERIFY", "rated", "0"), "BUSY"),
    ]
    for said, words, expected in tries:
        with daemon.client() as client:
            if said:
                client.send(frame(*said))
                client.read()
            client.send(frame(*words))
            if not str(client.read()).startswith(expected):
                found.append(f"{said[1:2]} {words[0]}")
    with daemon.acts() as acts, known(daemon, "blind") as client:
        acts.ask("VERIFYMANY", 11, *["shut", "0"] * 11)
        if client.ask("VERIFY", "shut", "0") != "REJECTED":
            found.append("reasons")
        daemon.configure(after)
        daemon.send_signal(signal.SIGHUP)
        while "on the access list" not in daemon.said():
            time.sleep(0.01)
        client.send(frame("PING"))
        with contextlib.suppress(EOFError, ConnectionError):
            client.read()
            found.append("taken off")
    return found


@pytest.mark.parametrize("hole", ["", *HOLES])
def test_a_planted_hole_in_the_list_is_found(tmp_path: Path, hole: str) -> None:
    daemon = Served(tmp_path, LIST, driver=["-c", DRIVER.format(HOLES.get(hole, ""))])
    after = f'listen = "127.0.0.1:0"\nstore = "{daemon.store}"\n' + listed("open")
    daemon.start()
    try:
        assert bool(holes_in(daemon, after)) == bool(hole)
    finally:
        daemon.stop()
