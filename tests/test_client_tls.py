"""watchword.client against a daemon's own access list and certificates: who is let in, and what
whoever is not hears; and certificates that were taken back.
"""

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from papers import Authority, listed, token_of
from served import SECONDS_MAX, Served, frame, serving

from watchword import Code, InvalidArgument, Refused, Unanswered
from watchword.client import AsyncClient, Client
from watchword.serve.tls import Tls

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
LISTED = (
    listed("word", 'rights = ["reasons"]')
    + listed("paper", 'certificate = "CN=paper"', token=False)
    + listed("both", 'certificate = "CN=both"')
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module", params=LOOPS)
def daemon(
    request: pytest.FixtureRequest, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    tls = authority.settings(authority.issue("server", "/CN=localhost"), "optional")
    folder = tmp_path_factory.mktemp("tls")
    with serving(folder, f'loop = "{request.param}"\n{tls}{LISTED}') as served:
        yield served
        assert served.stop() == 0
        assert served.healthy(), served.said()


def plain(asked: Any, **peer: Any) -> Any:
    with Client(**peer) as client:
        return asked(client)


def awaited(loop: str) -> Callable[..., Any]:
    def ask(asked: Callable[[Any], Awaitable[Any]], **peer: Any) -> Any:
        async def run() -> Any:
            async with AsyncClient(**peer) as client:
                return await asked(client)

        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            return runner.run(run())

    return ask


WAYS = {"plain": plain, "asyncio": awaited("asyncio"), "uvloop": awaited("uvloop")}
Way = Callable[..., Any]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param]


def peer(daemon: Served, context: ssl.SSLContext, **more: Any) -> dict[str, Any]:
    return {"to": f"127.0.0.1:{daemon.port}", "tls": context, "retry_s": 5.0, **more}


def test_a_token_over_tls_is_let_in(daemon: Served, authority: Authority, way: Way) -> None:
    name = f"a{time.monotonic_ns()}"
    codes = daemon.enrol(name)
    who = peer(daemon, authority.context(), name="word", token=token_of("word"))
    verdict = way(lambda client: client.verify(name, codes.at(0)), **who)
    assert verdict.code is Code.ACCEPTED
    assert way(lambda client: client.verify(name, codes.at(0)), **who).code is Code.REJECTED
    by_name = peer(daemon, authority.context(), token=token_of("word"), server_name="localhost")
    assert not way(lambda client: client.verify(name, "000000"), **by_name)


def test_a_certificate_is_let_in_and_both_where_both_are_asked(
    daemon: Served, authority: Authority, way: Way
) -> None:
    for name, token in (("paper", None), ("both", token_of("both"))):
        shown = authority.context(authority.issue(name, f"/CN={name}"))
        who = peer(daemon, shown, token=token)
        assert not way(lambda client: client.verify("nobody", "000000"), **who)


@pytest.mark.parametrize(("name", "token", "subject"), [
    ("word", "wrong", ""), ("word", token_of("both"), ""), ("nobody", token_of("word"), ""),
    ("both", token_of("both"), ""), ("both", token_of("both"), "/CN=paper"),
    (None, token_of("both"), "/CN=word"),
])  # fmt: skip
def test_whoever_is_not_listed_is_refused_at_once(
    daemon: Served, authority: Authority, way: Way, name: str | None, token: str, subject: str
) -> None:
    shown = authority.issue("shown", subject) if subject else None
    who = peer(daemon, authority.context(shown), name=name, token=token)
    began = time.monotonic()
    with pytest.raises(Refused, match="invalid username-password pair") as refused:
        way(lambda client: client.verify("alice", "000000"), **who)
    assert time.monotonic() - began < who["retry_s"], "it was not tried again"
    assert token not in str(refused.value)


def test_whoever_shows_nothing_is_told_what_is_wanted(
    daemon: Served, authority: Authority, way: Way
) -> None:
    with pytest.raises(Refused, match="NOAUTH"):
        way(lambda c: c.verify("alice", "000000"), **peer(daemon, authority.context()))


NOT_TAKEN = "before a word: does it take our certificate"


def test_a_certificate_that_is_not_taken_is_asked_about(
    daemon: Served, authority: Authority, way: Way, tmp_path: Path
) -> None:
    """In TLS 1.3 it is after the client's side of the handshake; our daemon closes, and says no
    more to whoever is nobody."""
    other = Authority(tmp_path / "other")
    for shown in (other.issue("paper", "/CN=paper"), authority.expired("late", "/CN=paper")):
        who = peer(daemon, authority.context(shown), retry_s=0.3)
        with pytest.raises(Unanswered, match=NOT_TAKEN):
            way(lambda client: client.verify("alice", "000000"), **who)


def test_a_daemon_that_says_so_is_believed(authority: Authority, way: Way, tmp_path: Path) -> None:
    """As one behind another's TLS may: then it is not tried again."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("teller", "/CN=localhost"))
    context.load_verify_locations(authority.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    other = Authority(tmp_path / "other")
    late = authority.expired("late", "/CN=paper")
    for shown, said in (
        (other.issue("paper", "/CN=paper"), "unknown ca"), (late, "certificate expired"),
        (None, "certificate required"),
    ):  # fmt: skip
        with socket.create_server(("127.0.0.1", 0)) as listening:
            teller = threading.Thread(target=tells, args=(listening, context))
            teller.start()
            to = f"127.0.0.1:{listening.getsockname()[1]}"
            with pytest.raises(Refused, match=f"does not take our certificate: {said}"):
                way(lambda client: client.verify("alice", "0"), to=to, tls=authority.context(shown))
            teller.join()


def tells(listening: socket.socket, context: ssl.SSLContext) -> None:
    """One handshake, whose alert goes out; what comes then is read, or it would be taken back."""
    raw, _ = listening.accept()
    with context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False) as one:
        with contextlib.suppress(ssl.SSLError):
            one.do_handshake()
        one.settimeout(SECONDS_MAX)
        with contextlib.suppress(OSError):
            while os.read(one.fileno(), 65_536):
                pass


def test_a_daemon_that_is_not_the_one_is_not_told_the_token(
    daemon: Served, authority: Authority, way: Way, tmp_path: Path
) -> None:
    """Its certificate is of another authority, of another name, or of another year."""
    other = Authority(tmp_path / "other")
    late = authority.settings(authority.expired("late-server", "/CN=localhost"))
    with serving(tmp_path, late + listed("word")) as old:
        for where, context, named, said in (
            (daemon, other.context(), "localhost", "unable to get local issuer|self.signed"),
            (daemon, authority.context(), "gate.example", "[Hh]ostname mismatch"),
            (old, authority.context(), "localhost", "certificate has expired"),
        ):
            who = peer(where, context, token=token_of("word"), server_name=named)
            with pytest.raises(Refused, match=f"is not to be trusted: .*({said})"):
                way(lambda client: client.verify("alice", "000000"), **who)


def test_plain_words_to_a_port_with_tls_are_unanswered(daemon: Served, way: Way) -> None:
    who = {"to": f"127.0.0.1:{daemon.port}", "retry_s": 0.2, "timeout_s": 1.0}
    with pytest.raises(Unanswered, match="no answer from"):
        way(lambda client: client.verify("alice", "000000"), **who)


# ---- certificates that were taken back -----------------------------------------------------------


def reloaded(daemon: Served, said: str) -> None:
    until = time.monotonic() + SECONDS_MAX
    before = daemon.said().count(said)
    daemon.send_signal(signal.SIGHUP)
    while daemon.said().count(said) == before:
        assert time.monotonic() < until, daemon.said()
        time.sleep(0.01)


def test_a_revoked_certificate_opens_nothing_and_ends_what_it_opened(
    authority: Authority, tmp_path: Path, way: Way
) -> None:
    good, bad = authority.issue("kept", "/CN=paper"), authority.issue("lost", "/CN=both")
    server = authority.issue("crl-server", "/CN=localhost")
    crl = authority.revoked()
    tls = authority.settings(server, "required", crl)
    with (
        serving(tmp_path, tls + LISTED) as daemon,
        daemon.client(authority.context(good)) as stays,
    ):
        with daemon.client(authority.context(bad)) as goes:
            assert goes.ask("AUTH", token_of("both")) == "OK"
            assert stays.ask("PING") == goes.ask("PING") == "PONG"
            authority.revoked(bad[0])
            reloaded(daemon, "1 connections of revoked certificates ended")
            with pytest.raises((EOFError, ConnectionError, ssl.SSLError)):
                goes.ask("PING")
        assert stays.ask("PING") == "PONG"
        who = peer(daemon, authority.context(bad), token=token_of("both"), retry_s=0.3)
        with pytest.raises(Unanswered, match=NOT_TAKEN):
            way(lambda client: client.verify("alice", "000000"), **who)
        who = peer(daemon, authority.context(good))
        assert not way(lambda client: client.verify("alice", "000000"), **who)


def test_a_list_that_is_none_is_named_and_changes_nothing(
    authority: Authority, tmp_path: Path
) -> None:
    made, key = authority.issue("crl-files", "/CN=localhost")
    given: dict[str, Any] = {"certificate": str(made), "key": str(key)}
    own: dict[str, Any] = {"client_ca": str(authority.certificate), "clients": "required"}
    (tmp_path / "empty").touch()
    for crl in (str(tmp_path / "none"), str(tmp_path / "empty"), str(authority.certificate)):
        with pytest.raises(InvalidArgument, match=r"\[tls\] crl "):
            Tls(**given, **own, crl=crl).context()
    with pytest.raises(InvalidArgument, match="crl is of certificates of client_ca"):
        Tls(**given, crl="x")
    crl = authority.revoked()
    tls = authority.settings((made, key), "required", crl)
    shown = authority.context(authority.issue("still", "/CN=paper"))
    with serving(tmp_path, tls + LISTED) as daemon, daemon.client(shown) as client:
        os.truncate(crl, 0)
        reloaded(daemon, "it holds no revocation list in PEM")
        assert client.ask("PING") == "PONG"
        with daemon.client(shown) as another:
            assert another.ask("PING") == "PONG"


def test_a_list_out_of_date_lets_nobody_in(authority: Authority, tmp_path: Path) -> None:
    """Rather nobody than somebody who may have been taken back since."""
    crl = authority.revoked(out_of_date=True)
    server = authority.issue("stale-server", "/CN=localhost")
    shown = authority.context(authority.issue("stale", "/CN=paper"))
    with serving(tmp_path, authority.settings(server, "required", crl) + LISTED) as daemon:
        with (
            socket.create_connection(("127.0.0.1", daemon.port)) as raw,
            pytest.raises((ssl.SSLError, ConnectionError, EOFError)),
            shown.wrap_socket(raw, server_hostname="localhost") as client,
        ):
            client.sendall(frame("PING"))
            if not client.recv(1):
                raise EOFError
        assert daemon.stop() == 0
