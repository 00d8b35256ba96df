"""CHALLENGE and VERIFY's options for it, over a real daemon: the tables of test_challenges.py once
more, on a clock that a file tells, and what a gateway sees beside them.
"""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from challenge_doors import DRIVER, DaemonDoor
from daemons import APART_S, Daemons
from served import KEY, Served, frame
from test_challenges import TABLES, played

import watchword


@pytest.fixture(scope="module")
def daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    started = Daemons(tmp_path_factory.mktemp("challenges"))
    with started.ended():
        yield started


@pytest.mark.parametrize("title", TABLES)
def test_table(title: str, daemons: Daemons) -> None:
    begins_s = APART_S * (1 + list(TABLES).index(title))
    played(DaemonDoor(daemons.of(TABLES[title][1]), begins_s), title)


@pytest.fixture
def served(daemons: Daemons) -> Served:
    return daemons.of({})


def test_a_challenge_asked_and_answered_in_one_breath(served: Served) -> None:
    """Commands of a connection are taken in their order, so a pipelined answer finds its ask."""
    with served.acts() as acts, served.client() as client:
        acts.ask("USER", "ADD", "piped")
        acts.ask("DEVICE", "ADD", "piped", "GOLD", "KEY", KEY.hex())
        client.ask("HELLO", 3)
        first = client.ask("CHALLENGE", "piped")
        code = watchword.ocra("OCRA-1:HOTP-SHA1-6:QN06", KEY, first["prompt"])
        client.send(frame("VERIFY", "piped", code) + frame("CHALLENGE", "piped") * 2)
        assert client.read() == "ACCEPTED"
        second, third = client.read(), client.read()
        assert second == third != first


def test_detail_names_the_kind_and_its_rank(served: Served) -> None:
    ranks = {"DSC-PLUS": 3, "GOLD": 3, "PLATINUM": 3, "IB-KEY": 1, "ALPINE": 1, "DSC": 2}
    ranks |= {"CODE-CARD": 1, "ONLINE-CODE-CARD": 1}
    with served.acts() as acts, served.client() as client:
        client.ask("HELLO", 3)
        for kind, rank in ranks.items():
            user, key = kind.lower().replace("-", ""), kind.encode().ljust(20)
            acts.ask("USER", "ADD", user)
            pin = ["PIN", "4711"] if kind == "IB-KEY" else []
            acts.ask("DEVICE", "ADD", user, kind, "KEY", key.hex(), *pin)
            asked = client.ask("CHALLENGE", user)
            view = acts.ask("HELLO", 3) and acts.ask("DEVICE", "LIST", user)[0]
            assert view["kind"] == kind.lower()
            if view["suite"]:
                assert asked["kind"] == kind.lower()
                code = watchword.ocra(
                    view["suite"], key, asked["prompt"], pin="4711" if pin else None
                )
            elif view["mechanism"] == "card":
                assert (asked["kind"], asked["expires_ms"]) == (kind.lower(), 0)
                shown = acts.ask("DEVICE", "CELLS", user, view["serial"], "BY", "a test")
                code = "".join(shown["cells"][int(at) - 1] for at in asked["prompt"].split())
            elif view["mechanism"] == "totp":
                code = watchword.totp(key, now_s(served))
            else:
                code = watchword.hotp(key, 0)
            told = client.ask("VERIFY", user, code, "DETAIL")
            assert (told["verdict"], told["kind"], told["rank"]) == (
                "ACCEPTED", kind.lower(), rank
            )  # fmt: skip


def now_s(served: Served) -> int:
    return int((served.store.parent / "watchword.toml.now").read_text()) // 1000


def test_the_admin_socket_answers_it_too(served: Served) -> None:
    with served.acts() as acts:
        acts.ask("HELLO", 3)
        asked = acts.ask("CHALLENGE", "nobody", "PURPOSE", "a wire", "PLATFORM", "portal")
        assert asked == acts.ask("CHALLENGE", "nobody", "platform", "portal", "purpose", "a wire")
        assert list(asked) == ["id", "kind", "prompt", "expires_ms"]


def test_known_and_unknown_names_read_the_same_bytes(served: Served) -> None:
    """The lengths of a reply, its kind and its life tell nothing of the name."""
    with served.acts() as acts, served.client() as client:
        acts.ask("USER", "ADD", "knownname")
        acts.ask("DEVICE", "ADD", "knownname", "DSC-PLUS", "KEY", KEY.hex())
        shapes = set()
        for name in ("knownname", "otherknown", "nobodyatall"):
            flat = client.ask("CHALLENGE", name)
            shapes.add((len(flat[1]), flat[3], len(flat[5]), flat[5].isdigit(), flat[7]))
        assert len(shapes) == 1


def test_survives_a_kill(tmp_path: Path) -> None:
    """What was shown stands after kill -9, and what was answered stays answered."""
    (tmp_path / "watchword.toml.now").write_text("600000")
    served = Served(tmp_path, driver=["-c", DRIVER]).start()
    try:
        with served.acts() as acts, served.client() as client:
            acts.ask("USER", "ADD", "alice")
            acts.ask("DEVICE", "ADD", "alice", "GOLD", "KEY", KEY.hex())
            asked = client.ask("CHALLENGE", "alice")
            portal = client.ask("CHALLENGE", "alice", "PLATFORM", "portal")
            code = watchword.ocra("OCRA-1:HOTP-SHA1-6:QN06", KEY, asked[5])
            assert client.ask("VERIFY", "alice", code) == "ACCEPTED"
        served.stop(signal.SIGKILL)
        served.start()
        with served.client() as client:
            assert client.ask("CHALLENGE", "alice", "PLATFORM", "portal") == portal
            assert client.ask("VERIFY", "alice", code, "CHALLENGE", asked[1]) == "REJECTED"
            assert client.ask("CHALLENGE", "alice") not in (asked, portal)
            code = watchword.ocra("OCRA-1:HOTP-SHA1-6:QN06", KEY, portal[5])
            words = ["PLATFORM", "portal", "CHALLENGE", portal[1]]
            assert client.ask("VERIFY", "alice", code, *words) == "ACCEPTED"
    finally:
        served.stop(signal.SIGKILL)
