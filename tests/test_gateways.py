"""The access list against a real daemon: who one is, what one may, and what one hears before."""

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from papers import listed, token_of
from served import SECONDS_MAX, Client, ReplyError, Served, frame, serving

LIST = (
    listed("open", 'rights = ["reasons"]', "rate = 0")
    + listed("blind")
    + listed("many", 'verbs = ["VERIFYMANY"]')
    + listed("desk", 'verbs = []', 'admin = ["USER GET", "USER UNLOCK", "DEVICE"]')
    + listed("eu", 'users = "eu"', 'realm = "live"', 'platforms = ["portal"]',
             'verbs = ["VERIFY", "VERIFYMANY", "CHALLENGE", "PUSH", "PHONE"]',
             'admin = ["USER", "AUDIT READ"]')
    + listed("slow", "rate = 3")
    + listed("voucher", 'rights = ["first-factor"]', "rate = 0")
    + listed("ratedvoucher", 'rights = ["first-factor"]')
)  # fmt: skip


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def daemon(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("gated")
    with serving(folder, f'loop = "{request.param}"\n{LIST}') as served:
        yield served
        assert served.stop() == 0
        assert served.healthy(), served.said()


def known(daemon: Served, name: str) -> Client:
    client = daemon.client()
    assert client.ask("AUTH", name, token_of(name)) == "OK"
    return client


def error(client: Client, *words: object) -> str:
    client.send(frame(*words))
    said = client.read()
    assert isinstance(said, ReplyError), said
    return str(said)


def attempts(daemon: Served) -> int:
    with daemon.acts() as acts:
        lines = acts.ask("INFO", "watchword").splitlines()
    return int(next(line.partition(":")[2] for line in lines if line.startswith("attempts:")))


# ---- strangers ----

ASKED = [
    ("PING",), ("VERIFY", "nobody", "1"), ("VERIFYMANY", 1, "nobody", "1"), ("INFO",), ("NOSUCH",),
    ("USER", "LIST"), ("CLIENT", "ID"), ("VERIFY", "nobody"), ("CHALLENGE", "nobody"),
    ("COMMAND", "DOCS"), ("ECHO", "a"), ("VERIFY", "nobody", "1", "PASSWORD", "p"),
]  # fmt: skip


@pytest.mark.parametrize("words", ASKED)
def test_a_stranger_is_told_nothing(daemon: Served, words: tuple[object, ...]) -> None:
    before = attempts(daemon)
    with daemon.client() as client:
        assert error(client, *words) == "NOAUTH Authentication required."
    assert attempts(daemon) == before


def test_hello_says_how_to_say_who_one_is(daemon: Served) -> None:
    with daemon.client() as client:
        assert error(client, "HELLO", 3).startswith("NOAUTH HELLO must be called")
        hello = client.ask("HELLO", 3, "AUTH", "open", token_of("open"), "SETNAME", "me")
        assert hello["proto"] == 3
        assert client.ask("CLIENT", "GETNAME") == "me"
        assert client.ask("VERIFY", "nobody", "1") == "REJECTED"


WRONG = [
    ("open", "wrong"), ("open", ""), ("", "wrong"), ("nosuch", "wrong"),
    ("nosuch", token_of("open")), ("blind", token_of("open")),
    ("open", token_of("open") + "x"), ("open", token_of("open")[:-1]),
    ("open", "x" * 600), ("OPEN", token_of("open")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "token"), WRONG)
def test_a_wrong_token_or_name_hears_the_same(daemon: Served, name: str, token: str) -> None:
    with daemon.client() as client:
        said = {error(client, "AUTH", name, token), error(client, "HELLO", 2, "AUTH", name, token)}
        assert said == {"WRONGPASS invalid username-password pair or user is disabled."}
        assert error(client, "PING") == "NOAUTH Authentication required."


def test_a_token_alone_names_its_gateway(daemon: Served) -> None:
    for words in (("AUTH", token_of("blind")), ("AUTH", "default", token_of("blind"))):
        with daemon.client() as client:
            assert client.ask(*words) == "OK"
            assert client.ask("VERIFY", "nobody", "1") == "REJECTED"


def test_a_stranger_may_say_five_things_in_a_kilobyte(daemon: Served) -> None:
    with daemon.client() as client:
        for _ in range(5):
            assert error(client, "PING").startswith("NOAUTH")
        client.send(frame("PING") * 100)
        assert client.rest() == b"-NOAUTH Authentication required.\r\n"
    with daemon.client() as client:
        client.send(b"*2\r\n$4\r\nAUTH\r\n$5000\r\n" + b"a" * 2_000)
        assert client.rest() == b"-NOAUTH Authentication required.\r\n"
    with daemon.client() as client:  # what comes with the token is not lost, however much
        many = frame("VERIFYMANY", 400, *["manybody", "1"] * 400)
        client.send(frame("AUTH", token_of("open")) + many)
        assert client.read() == "OK"
        assert client.read() == ["REJECTED"] * 10 + ["LOCKED"] * 390


def test_a_stranger_who_says_nothing_is_closed(daemon: Served) -> None:
    began = time.monotonic()
    with daemon.client() as client, known(daemon, "open") as other:
        assert client.rest() == b""
        assert time.monotonic() - began > 4
        assert other.ask("PING") == "PONG"


def test_reset_makes_a_stranger_again(daemon: Served) -> None:
    with known(daemon, "open") as client:
        assert client.ask("RESET") == "RESET"
        assert error(client, "PING").startswith("NOAUTH")
        assert client.ask("AUTH", "blind", token_of("blind")) == "OK"


def test_half_open_connections_of_an_address_wait_their_turn(daemon: Served) -> None:
    """Eight at once say who they are; fifty get in all the same, and what waits is not read."""
    silent = [daemon.client() for _ in range(8)]
    late = daemon.client()
    late.send(frame("AUTH", token_of("open")) + frame("PING"))
    late.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        late.socket.recv(1)
    silent[0].close()
    late.socket.settimeout(SECONDS_MAX)
    late.close()
    for client in silent:
        client.close()
    pool = [daemon.client() for _ in range(50)]
    for client in pool:
        client.send(frame("AUTH", token_of("open")) + frame("PING"))
    for client in pool:
        assert (client.read(), client.read()) == ("OK", "PONG")
        client.close()


# ---- rights ----


def test_what_is_not_allowed_is_refused_before_any_work(daemon: Served) -> None:
    daemon.enrol("bounds") if "bounds" not in listed_users(daemon) else None
    refusals: list[tuple[str, tuple[object, ...], str]] = [
        ("open", ("PUSH", "bounds"), "may not use 'push'"),
        ("open", ("USER", "LIST"), "may not use 'user'"),
        ("open", ("NOSUCH", "a"), "may not use 'nosuch'"),
        ("open", ("CHANGEPIN", "bounds", "1", "2", "3"), "may not use 'changepin'"),
        ("many", ("VERIFY", "bounds", "1"), "may not use 'verify'"),
        ("many", ("VERIFY", "bounds", "1", "PASSWORD", "x"), "may not use 'verify'"),
        ("many", ("VER\u0131FY", "bounds", "1", "PASSWORD", "x"), "may not use"),
        ("eu", ("VER\u0131FY", "eu1", "1", "PLATFORM", "trading", "PASSWORD", "x"), "may not use"),
        ("eu", ("PU\u017fH", "eu1", "PLATFORM", "portal"), "may not use"),
        ("eu", ("U\u017fer", "LIST"), "may not use"),
        ("desk", ("VERIFYMANY", 1, "bounds", "1"), "may not use 'verifymany'"),
        ("desk", ("USER", "REMOVE", "bounds"), "may not use 'user'"),
        ("desk", ("USER",), "may not use 'user'"),
        ("desk", ("AUDIT", "HEAD"), "may not use 'audit'"),
        ("eu", ("VERIFY", "bounds", "1", "PLATFORM", "portal"), "may not name that user"),
        ("eu", ("VERIFYMANY", 2, "eu1", "1", "bounds", "1", "PLATFORM", "portal"), "that user"),
        ("eu", ("VERIFY", "e", "1", "PLATFORM", "portal"), "may not name that user"),
        ("eu", ("VERIFY", "eu1", "1"), "may not use that platform"),
        ("eu", ("VERIFY", "eu1", "1", "PLATFORM", "portal", "REALM", "paper"), "that realm"),
        ("eu", ("VERIFYMANY", 1, "eu1", "1"), "may not use that platform"),
        ("eu", ("CHALLENGE", "bounds", "PLATFORM", "portal"), "may not name that user"),
        ("eu", ("CHALLENGE", "eu1"), "may not use that platform"),
        ("eu", ("PUSH", "eu1", "PLATFORM", "trading"), "may not use that platform"),
        ("eu", ("PHONE", "PUSHES", "bounds", "s", "1", "x"), "may not name that user"),
        ("eu", ("USER", "GET", "bounds"), "may not name that user"),
        ("eu", ("USER", "LIST"), "may not name that user"),
        ("eu", ("AUDIT", "READ"), "may not name that user"),
    ]
    before = attempts(daemon)
    for name, words, said in refusals:
        with known(daemon, name) as client:
            assert error(client, *words).startswith("NOPERM "), words
            assert said in error(client, *words), words
    assert attempts(daemon) == before
    with daemon.acts() as acts:
        assert failures(acts, "bounds") == 0


def listed_users(daemon: Served) -> Any:
    with daemon.acts() as acts:
        return acts.ask("USER", "LIST")


def failures(acts: Client, user: str) -> int:
    seen = acts.ask("USER", "GET", user)
    return int(seen[seen.index("failures") + 1])


def test_what_is_allowed_is_done_under_the_gateways_name(daemon: Served) -> None:
    codes = daemon.enrol("eu1")
    with known(daemon, "eu") as client:
        assert client.ask("VERIFY", "eu1", codes.at(0), "PLATFORM", "portal") == "ACCEPTED"
        pairs = ("eu1", codes.at(0), "eu2", "1")
        said = client.ask("VERIFYMANY", 2, *pairs, "PLATFORM", "portal")
        assert said == ["REJECTED", "REJECTED"]
        assert client.ask("USER", "GET", "eu1")[1] == "eu1"
        assert "USER" not in client.ask("COMMAND", "DOCS")
    with known(daemon, "desk") as client:
        assert client.ask("USER", "UNLOCK", "eu1") == "OK"
        assert client.ask("USER", "UNLOCK", "eu1", "BY", "desk 4") == "OK"
        assert client.ask("DEVICE", "LIST", "eu1")
    with daemon.acts() as acts:
        page = acts.ask("AUDIT", "READ", "USER", "eu1")
        entries = [dict(zip(e[::2], e[1::2], strict=True)) for e in page[page.index("entries") + 1]]
        assert [e["gateway"] for e in entries if e["event"] == "login"] == ["eu", "eu"]
        by = [e["by"] for e in entries if e["event"] == "user unlock"]
        assert by == ["gateway desk", "desk 4 (gateway desk)"]


def test_vouching_for_the_first_factor_is_a_right(daemon: Served) -> None:
    codes = daemon.enrol("vouched")
    with daemon.acts() as acts:
        assert acts.ask("USER", "PASSWORD", "vouched", "SET", "correct horse battery") == "OK"
        refused = error(acts, "VERIFY", "vouched", codes.at(0), "FIRSTFACTOR")
    for name in ("open", "slow"):
        with known(daemon, name) as client:
            assert error(client, "VERIFY", "vouched", codes.at(0), "FIRSTFACTOR") == refused
            assert refused == "NOPERM only a gateway with the right first-factor vouches"
    for number, name in enumerate(("voucher", "ratedvoucher")):
        with known(daemon, name) as client:
            client.send(frame("VERIFY", "vouched", codes.at(2 * number)))
            assert client.read() == "REJECTED"
            code = codes.at(2 * number + 1)
            assert client.ask("VERIFY", "vouched", code, "firstfactor", "DETAIL")[1] == "ACCEPTED"
            both = error(client, "VERIFY", "vouched", "0", "FIRSTFACTOR", "PASSWORD", "x")
            assert both == "ERR syntax error, PASSWORD or FIRSTFACTOR"
            twice = error(client, "VERIFY", "vouched", "0", "FIRSTFACTOR", "FIRSTFACTOR")
            assert twice.endswith("an option is given twice")
            assert error(client, "VERIFYMANY", 1, "a", "1", "FIRSTFACTOR") == "ERR syntax error"


def test_reasons_are_a_right(daemon: Served) -> None:
    """Without it what is locked reads as a wrong code, byte for byte."""
    daemon.enrol("lockedout")
    with known(daemon, "open") as client:
        said = client.ask("VERIFYMANY", 12, *["lockedout", "000000"] * 12)
        assert said[-1] == "LOCKED"
    with known(daemon, "blind") as client:
        for user in ("lockedout", "noneofthem"):
            client.send(frame("VERIFY", user, "1", "DETAIL"))
        assert client.read() == client.read()


def test_beyond_its_rate_a_gateway_is_busy_and_nobody_is_charged(daemon: Served) -> None:
    daemon.enrol("rated")
    with known(daemon, "slow") as client:
        said = [client.ask("VERIFY", "rated", "000000") for _ in range(9)]
        assert said[:3] == ["REJECTED"] * 3
        assert said.count("BUSY") >= 4
        many = client.ask("VERIFYMANY", 50, *["rated", "000000"] * 50)
        detail = client.ask("VERIFY", "rated", "0", "DETAIL")
        assert many == ["BUSY"] * 50
        assert detail[1] == "BUSY"
        assert error(client, "CHALLENGE", "rated").startswith("BUSY ")
        assert client.ask("VERIFY", "rated", "0", "PASSWORD", "x") == "BUSY"
        assert client.ask("PING") == "PONG"
        assert error(client, "VERIFY", "rated", "0", "NOSUCH") == "ERR syntax error"
    with daemon.acts() as acts:
        assert failures(acts, "rated") == said.count("REJECTED")


# ---- another list ----


def test_a_hangup_reads_the_list_again_and_drops_nobody_else(tmp_path: Path) -> None:
    before = listed("stays") + listed("goes") + listed("curbed")
    with serving(tmp_path, before) as daemon, contextlib.ExitStack() as stack:
        stays, goes, curbed = (
            stack.enter_context(known(daemon, name)) for name in ("stays", "goes", "curbed")
        )
        after = listed("stays", 'rights = ["reasons"]') + listed("comes")
        after += listed("curbed", "verbs = []")
        common = 'listen = "127.0.0.1:0"\nunlocked_memory = true\n'
        daemon.configure(f'{common}store = "{daemon.store}"\n{after}')
        daemon.send_signal(signal.SIGHUP)
        assert goes.rest() == b""
        assert stays.ask("VERIFY", "nobody", "1") == "REJECTED"
        assert error(curbed, "VERIFY", "nobody", "1").startswith("NOPERM")
        with known(daemon, "comes") as client:
            assert client.ask("VERIFY", "nobody", "1") == "REJECTED"
        daemon.configure(f'{common}store = "{daemon.store}"\n[[gateway]]\nname = "x"\n')
        daemon.send_signal(signal.SIGHUP)
        while "gateway x: it needs" not in daemon.said():
            time.sleep(0.01)
        assert stays.ask("PING") == "PONG"
        daemon.configure(f'{common}store = "{daemon.store}"\n')
        daemon.send_signal(signal.SIGHUP)
        while "settled when the daemon starts" not in daemon.said():
            time.sleep(0.01)
        assert stays.ask("PING") == "PONG"
        assert daemon.stop() == 0
        assert daemon.healthy(), daemon.said()


# ---- what is told unasked ----


def test_listening_to_events_is_a_permission(tmp_path: Path) -> None:
    """A gateway's SIEM may be let listen; whoever is not hears no more than before."""
    settings = listed("siem", "verbs = []", 'admin = ["SUBSCRIBE"]') + listed("one")
    with serving(tmp_path, settings) as daemon:
        daemon.enrol("alice")
        with known(daemon, "siem") as siem, known(daemon, "one") as one:
            for words in (("SUBSCRIBE", "acts"), ("STATS",), ("UNSUBSCRIBE",), ("PSUBSCRIBE", "*")):
                assert error(one, *words).startswith("NOPERM")
            assert error(siem, "STATS").startswith("NOPERM")
            assert "SUBSCRIBE names channels" in error(siem, "PSUBSCRIBE", "*")
            assert siem.ask("SUBSCRIBE", "acts") == ["subscribe", "acts", 1]
            with daemon.acts() as acts:
                assert acts.ask("USER", "UNLOCK", "alice", "BY", "desk 4") == "OK"
            told = ""
            while "desk 4" not in told:  # how alice was enrolled may be told now as well
                kind, channel, told = siem.read()
                assert (kind, channel) == ("message", "acts")
            assert siem.ask("PING") == ["pong", ""]
            assert error(siem, "INFO").startswith("ERR Can't execute")
            assert error(siem, "STATS").startswith("NOPERM")
            assert siem.ask("UNSUBSCRIBE") == ["unsubscribe", "acts", 0]
            assert siem.ask("PING") == "PONG"
            assert siem.ask("SUBSCRIBE", "acts") == ["subscribe", "acts", 1]
            assert siem.ask("RESET") == "RESET"
            assert error(siem, "SUBSCRIBE", "acts").startswith("NOAUTH")
