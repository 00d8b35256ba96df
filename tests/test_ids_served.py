"""Request ids through a daemon: commands with one, pipelines, pairs, and lives."""

import base64
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyotp
import pytest
from served import Client, ReplyError, Served, ended_well, frame


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with ended_well(tmp_path_factory.mktemp("ids"), "reasons = true\n") as served:
        yield served


def refused(ask: Callable[[], Any]) -> str:
    with pytest.raises(ReplyError) as error:
        ask()
    return str(error.value)


MISUSED = "ERR request_id was given before, with other arguments"


def test_verify_with_an_id(daemon: Served) -> None:
    codes = daemon.enrol("idalice")
    with daemon.client() as one, daemon.client() as two:
        said = ("VERIFY", "idalice", codes.at(0), "ID", "idalice-1", "DETAIL")
        first = one.ask(*said)
        assert first[1] == "ACCEPTED"
        assert two.ask(*said) == first
        assert two.ask("VERIFY", "idalice", codes.at(0), "id", "idalice-1") == "ACCEPTED"
        asked = ("VERIFY", "idalice", codes.at(1), "ID", "idalice-1")
        assert refused(lambda: two.ask(*asked)) == MISUSED
        assert two.ask("VERIFY", "idalice", codes.at(1)) == "ACCEPTED", "it was not looked at"
        for short in ("seven77", "x" * 65, ""):
            asked = ("VERIFY", "idalice", codes.at(1), "ID", short)
            assert refused(lambda asked=asked: two.ask(*asked)) == "ERR ID is 8 to 64 bytes"


def test_a_pipeline_sees_itself(daemon: Served) -> None:
    codes = daemon.enrol("idbob")
    with daemon.client() as client:
        right = frame("VERIFY", "idbob", codes.at(0), "ID", "idbob-001")
        wrong = frame("VERIFY", "idbob", "000000", "ID", "idbob-001", "DETAIL")
        client.send(right * 3 + wrong + frame("PING") + right)
        replies = [client.read() for _ in range(6)]
        assert replies[:3] + replies[4:] == ["ACCEPTED"] * 3 + ["PONG", "ACCEPTED"]
        assert str(replies[3]) == MISUSED


def test_many_under_one_id_are_taken_whole_or_not_at_all(daemon: Served) -> None:
    codes = daemon.enrol("idcarol"), daemon.enrol("iddave")
    pairs = ["idcarol", codes[0].at(0), "nobody", "1", "iddave", codes[1].at(0)]
    with daemon.client() as one, daemon.client() as two:
        said = ("VERIFYMANY", 3, *pairs, "ID", "many-00001")
        assert one.ask(*said) == ["ACCEPTED", "REJECTED", "ACCEPTED"]
        assert two.ask(*said) == ["ACCEPTED", "REJECTED", "ACCEPTED"]
        assert one.ask("VERIFYMANY", 3, *pairs) == ["REJECTED"] * 3, "all were used up once"
        longer = [*pairs, "iddave", codes[1].at(1)]
        for asked in (
            ("VERIFYMANY", 4, *longer, "ID", "many-00001"),
            ("VERIFYMANY", 2, *pairs[:4], "ID", "many-00001"),
            ("VERIFYMANY", 3, *pairs, "PLATFORM", "portal", "ID", "many-00001"),
            ("VERIFY", *pairs[:2], "ID", "many-00001"),
        ):
            assert refused(lambda asked=asked: one.ask(*asked)) == MISUSED
        assert one.ask("VERIFY", "iddave", codes[1].at(1)) == "ACCEPTED", "it was not looked at"


def test_a_password_goes_with_its_id(daemon: Served) -> None:
    codes = daemon.enrol("idfrank")
    with daemon.client() as client:
        said = ("VERIFY", "idfrank", codes.at(0), "PASSWORD", "guess 1", "ID", "idfrank-1")
        first = client.ask(*said)
        assert client.ask(*said) == first == "REJECTED"
        asked = ("VERIFY", "idfrank", codes.at(0), "PASSWORD", "guess 2", "ID", "idfrank-1")
        assert refused(lambda: client.ask(*asked)) == MISUSED
        asked = (*asked[:-1], "short")
        assert refused(lambda: client.ask(*asked)) == "ERR ID is 8 to 64 bytes"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_ids_outlive_the_daemon(tmp_path: Path, number: signal.Signals) -> None:
    served = Served(tmp_path)
    try:
        codes = served.start().enrol("alice")
        with served.client() as client:
            said = ("VERIFY", "alice", codes.at(0), "ID", "alice-0001", "ADDRESS", "192.0.2.1")
            assert client.ask(*said) == "ACCEPTED"
        served.stop(number)
        with served.start().client() as client:
            assert client.ask(*said) == "ACCEPTED"
            assert client.ask(*said[:3]) == "REJECTED"
            asked = (*said[:2], codes.at(1), *said[3:])
            assert refused(lambda: client.ask(*asked)) == MISUSED
        assert served.stop() == 0
        assert served.healthy(), served.said()
    finally:
        served.stop(signal.SIGKILL)


def test_the_administration_socket_is_another_gateway(daemon: Served) -> None:
    codes = daemon.enrol("idgrace")
    said = ("VERIFY", "idgrace", codes.at(0), "ID", "idgrace-1")
    with daemon.client() as client, Client(daemon.admin) as admin:
        assert client.ask(*said) == "ACCEPTED"
        assert admin.ask(*said) == "REJECTED"


def test_an_activation_and_opting_in_bring_ids_too(daemon: Served) -> None:
    """The code of the first is used up, and the second is no failure for it."""
    codes = daemon.enrol("idzoe")
    with daemon.acts() as acts, daemon.client() as client:
        key = b"the shipped device's"
        acts.ask("DEVICE", "SHIP", "idzoe", "DSC", "KEY", key.hex(), "SERIAL", "NEW")
        said = ("ACTIVATE", "idzoe", "NEW", pyotp.HOTP(base64.b32encode(key).decode()).at(0),
                "ID", "idzoe-0001")  # fmt: skip
        assert [client.ask(*said) for _ in range(3)] == ["ACCEPTED"] * 3
        assert refused(lambda: client.ask(*said[:3], "000000", *said[4:])) == MISUSED
        acts.ask("USER", "ADDRESSES", "idzoe", "SET", "192.0.2.0/24")
        acts.ask("USER", "OPTOUT", "idzoe")
        said = ("OPTIN", "idzoe", codes.at(0), "ADDRESS", "192.0.2.7", "ID", "idzoe-0002")
        assert [client.ask(*said) for _ in range(3)] == ["ACCEPTED"] * 3
        assert acts.ask("USER", "GET", "idzoe")[7] == 0
