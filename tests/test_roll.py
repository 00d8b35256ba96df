"""serve/roll.py with holes in it: each is found by what strangers and gateways then get."""

import contextlib
import signal
import time
from pathlib import Path

import pytest
from papers import listed, token_of
from served import Served, frame
from test_gateways import LIST, known

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
from watchword.serve.roll import Roll
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
