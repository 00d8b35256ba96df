"""TLS of the gateways' port against a real daemon, by Python's and openssl's clients."""

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from papers import Authority, listed, token_of
from served import SECONDS_MAX, Client, ReplyError, Served, frame, serving

from watchword import InvalidArgument
from watchword.serve.tls import Tls

LISTED = listed("word")
LISTED += listed("paper", 'certificate = "CN=paper,O=Example\\\\, Inc."', token=False)
LISTED += listed("both", 'certificate = "CN=both"')


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module", params=["uvloop", "asyncio"])
def daemon(
    request: pytest.FixtureRequest, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("tls")
    tls = authority.settings(authority.issue("server", "/CN=localhost"), "optional")
    with serving(folder, f'loop = "{request.param}"\n{tls}{LISTED}') as served:
        yield served
        assert served.stop() == 0
        assert served.healthy(), served.said()


def refused(daemon: Served, context: ssl.SSLContext) -> None:
    """A handshake that comes to nothing. In TLS 1.3 the client hears so on its first word."""
    refusals = ssl.SSLError, ConnectionError, EOFError
    with (
        contextlib.closing(socket.create_connection(("127.0.0.1", daemon.port))) as plain,
        pytest.raises(refusals),
        context.wrap_socket(plain, server_hostname="localhost") as client,
    ):
        client.sendall(frame("PING"))
        if not client.recv(1):
            raise EOFError


def test_a_token_over_tls(daemon: Served, authority: Authority) -> None:
    codes = daemon.enrol("alice")
    with daemon.client(authority.context()) as client:
        assert client.socket.version() == "TLSv1.3"  # type: ignore[attr-defined]
        client.send(frame("VERIFY", "alice", codes.at(0)))
        assert str(client.read()).startswith("NOAUTH")
        assert client.ask("AUTH", "word", token_of("word")) == "OK"
        assert client.ask("VERIFY", "alice", codes.at(0)) == "ACCEPTED"
        assert client.ask("VERIFY", "alice", codes.at(0)) == "REJECTED"
        many = [word for i in range(4_000) for word in (f"n{i}", "1")]
        assert client.ask("VERIFYMANY", 4_000, *many) == ["REJECTED"] * 4_000
        sent = b"".join(frame("VERIFY", f"p{i}", "1") + frame("ECHO", i) for i in range(2_000))
        client.send(sent)
        for i in range(2_000):
            assert (client.read(), client.read()) == ("REJECTED", str(i))


def test_a_certificate_is_a_gateway(daemon: Served, authority: Authority) -> None:
    paper = authority.issue("paper", "/O=Example, Inc./CN=paper")
    with daemon.client(authority.context(paper)) as client:
        assert client.ask("VERIFY", "nobody", "1") == "REJECTED"
    other = authority.issue("other", "/CN=paper")
    with daemon.client(authority.context(other)) as client:
        client.send(frame("PING"))
        assert str(client.read()).startswith("NOAUTH")


def test_where_both_are_asked_for_both_are_needed(daemon: Served, authority: Authority) -> None:
    paper = authority.issue("both", "/CN=both")
    with daemon.client(authority.context(paper)) as client:
        client.send(frame("AUTH", "both", "wrong"))
        assert str(client.read()).startswith("WRONGPASS")
        assert client.ask("AUTH", "both", token_of("both")) == "OK"
    with daemon.client(authority.context()) as client, pytest.raises(ReplyError, match="WRONGPASS"):
        client.ask("AUTH", "both", token_of("both"))


def test_a_certificate_of_another_authority_is_no_handshake(
    daemon: Served, authority: Authority, tmp_path: Path
) -> None:
    foreign = Authority(tmp_path / "foreign").issue("paper", "/O=Example, Inc./CN=paper")
    refused(daemon, authority.context(foreign))


@pytest.mark.parametrize("option", ["-tls1_2", "-tls1_1"])
def test_nothing_older_than_1_3_is_spoken(daemon: Served, option: str) -> None:
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{daemon.port}", option],
        input=b"", capture_output=True, timeout=SECONDS_MAX, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert b"Cipher is (NONE)" in done.stdout + done.stderr or b"no protocols" in done.stderr


def test_no_session_is_resumed(daemon: Served, tmp_path: Path) -> None:
    to = ["openssl", "s_client", "-connect", f"127.0.0.1:{daemon.port}"]
    kept = tmp_path / "session"
    subprocess.run([*to, "-sess_out", str(kept)], input=b"PING\r\n", capture_output=True,
                   timeout=SECONDS_MAX, check=False)  # fmt: skip
    assert not kept.exists()


def test_whoever_speaks_plainly_or_garbage_is_closed(daemon: Served, authority: Authority) -> None:
    for sent in (b"PING\r\n", frame("AUTH", "word", token_of("word")), os.urandom(3_000), b""):
        with daemon.client() as client:
            client.send(sent)
            with contextlib.suppress(OSError):
                client.socket.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionError):
                assert b"PONG" not in client.rest()
    with daemon.client(authority.context()) as client:
        assert client.ask("AUTH", "word", token_of("word")) == "OK"


def test_a_handshake_that_does_not_end_is_closed_and_others_pass(
    daemon: Served, authority: Authority
) -> None:
    """Eight of one address stand half-open; a ninth waits, and gets in when they are closed."""
    began = time.monotonic()
    silent = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(8)]
    with daemon.client(authority.context()) as client:
        assert client.ask("AUTH", "word", token_of("word")) == "OK"
        assert time.monotonic() - began > 3
    for one in silent:
        one.settimeout(SECONDS_MAX)
        with contextlib.suppress(ConnectionError):
            assert one.recv(1) == b""
        one.close()


def test_connections_end_with_tls(daemon: Served, authority: Authority) -> None:
    """QUIT, a frame that is none, and half a close: each ends, and nothing is left half-open."""
    for sent in (frame("QUIT"), b"*x\r\n", b""):
        with daemon.client(authority.context()) as client:
            assert client.ask("AUTH", "word", token_of("word")) == "OK"
            client.send(sent)
            if not sent:
                client.socket.unwrap()  # type: ignore[attr-defined]
                continue
            with contextlib.suppress(ssl.SSLError, ConnectionError):
                client.rest()
    with daemon.acts() as acts:
        until = time.monotonic() + SECONDS_MAX
        while "half_open_connections:0" not in acts.ask("INFO", "gateways"):
            assert time.monotonic() < until
            time.sleep(0.05)


def test_a_hangup_takes_the_new_certificate_and_keeps_who_is_there(
    authority: Authority, tmp_path: Path
) -> None:
    made, key = authority.issue("old", "/CN=localhost")
    tls = authority.settings((made, key))
    with serving(tmp_path, tls + listed("word")) as daemon:
        old = daemon.client(authority.context())
        with old:
            assert old.ask("AUTH", "word", token_of("word")) == "OK"
            first = old.socket.getpeercert(True)  # type: ignore[attr-defined]
            new, new_key = authority.issue("new", "/CN=localhost")
            os.replace(new, made)
            os.replace(new_key, key)
            daemon.send_signal(signal.SIGHUP)
            until = time.monotonic() + SECONDS_MAX
            while "under the certificate" not in daemon.said():
                assert time.monotonic() < until
                time.sleep(0.01)
            with daemon.client(authority.context()) as client:
                assert client.socket.getpeercert(True) != first  # type: ignore[attr-defined]
                assert client.ask("AUTH", "word", token_of("word")) == "OK"
            assert old.ask("PING") == "PONG"
            key.chmod(0o644)
            daemon.send_signal(signal.SIGHUP)
            while "can be read or written by others" not in daemon.said():
                assert time.monotonic() < until
                time.sleep(0.01)
            assert old.ask("PING") == "PONG"
        with daemon.client(authority.context()) as client:
            assert client.ask("AUTH", "word", token_of("word")) == "OK"


def test_tls_needs_no_list_on_loopback(authority: Authority, tmp_path: Path) -> None:
    tls = authority.settings(authority.issue("alone", "/CN=localhost"))
    with serving(tmp_path, tls) as daemon, contextlib.ExitStack() as stack:
        clients = [
            stack.enter_context(daemon.client(authority.context())) for _ in range(20)
        ]
        for client in clients:
            assert client.ask("PING") == "PONG"
        assert clients[0].ask("VERIFY", "nobody", "1") == "REJECTED"
        assert daemon.stop() == 0


def test_certificates_may_be_required(authority: Authority, tmp_path: Path) -> None:
    server = authority.issue("strict", "/CN=localhost")
    tls = authority.settings(server, "required")
    with serving(tmp_path, tls + listed("word")) as daemon:
        refused(daemon, authority.context())
        shown = authority.issue("anybody", "/CN=anybody")
        with daemon.client(authority.context(shown)) as client:
            assert client.ask("AUTH", "word", token_of("word")) == "OK"


def test_other_machines_are_served_under_tls_and_a_list_alone(
    authority: Authority, tmp_path: Path
) -> None:
    tls = authority.settings(authority.issue("wide", "/CN=localhost"))
    for more in ("", tls, listed("word")):
        (tmp_path / "refused").mkdir(exist_ok=True)
        daemon = Served(tmp_path / "refused")
        daemon.configure(f'listen = "0.0.0.0:0"\nstore = "{daemon.store}"\n{more}')
        with pytest.raises(AssertionError, match="loopback"):
            daemon.start()
    daemon = Served(tmp_path)
    common = f'listen = "0.0.0.0:0"\nunlocked_memory = true\nstore = "{daemon.store}"\n'
    if os.geteuid() == 0:
        daemon.configure(f"{common}{tls}{listed('word')}")
        with pytest.raises(AssertionError, match="root does not serve a network"):
            daemon.start()
    daemon.configure(f"{common}stay_root = true\n{tls}{listed('word')}")
    daemon.start()
    try:
        with daemon.client(authority.context()) as client:
            assert client.ask("AUTH", "word", token_of("word")) == "OK"
    finally:
        assert daemon.stop() == 0


def test_files_that_are_wrong_are_named(authority: Authority, tmp_path: Path) -> None:
    made, key = authority.issue("files", "/CN=files")
    _, other_key = authority.issue("else", "/CN=else")
    (tmp_path / "empty").touch(0o600)
    rows = [
        (Tls(certificate=str(made), key=str(other_key)), r"certificate .* and key"),
        (Tls(certificate=str(tmp_path / "none"), key=str(key)), "No such file"),
        (Tls(certificate=str(made), key=str(tmp_path / "none")), "No such file"),
        (Tls(certificate=str(tmp_path / "empty"), key=str(key)), "certificate"),
        (Tls(certificate=str(made), key=str(key), clients="optional",
             client_ca=str(tmp_path / "empty")), "client_ca"),
        (Tls(certificate=str(made), key=str(tmp_path)), "must be a file"),
    ]  # fmt: skip
    for tls, said in rows:
        with pytest.raises(InvalidArgument, match=said):
            tls.context()
    locked = tmp_path / "locked.key"
    subprocess.run(["openssl", "pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", locked],
                   check=True)  # fmt: skip
    locked.chmod(0o600)
    with pytest.raises(InvalidArgument, match=r"certificate .* and key"):
        Tls(certificate=str(made), key=str(locked)).context()
    for table, said in (
        ({"certificate": "c"}, "takes certificate, key"), ({"certificate": "", "key": ""}, "needs"),
        ({"certificate": "c", "key": 7}, "key must be text"),
        ({"certificate": "c", "key": "k", "port": 1}, "takes certificate"),
        ({"certificate": "c", "key": "k", "clients": "some"}, "clients must be one of none"),
        ({"certificate": "c", "key": "k", "clients": "required"}, "client_ca is needed"),
        ({"certificate": "c", "key": "k", "client_ca": "x"}, "client_ca is needed"),
    ):  # fmt: skip
        with pytest.raises(InvalidArgument, match=said):
            Tls.from_table(table, "")


def test_a_subject_is_written_as_openssl_writes_it(authority: Authority, tmp_path: Path) -> None:
    """What `openssl x509 -nameopt RFC2253` prints is what `certificate` takes."""
    made, key = authority.issue("named", "/C=CH/O=A + B, \"C\"/OU=x/CN=portal 1")
    shown = subprocess.run(
        ["openssl", "x509", "-in", made, "-noout", "-subject", "-nameopt", "RFC2253"],
        capture_output=True, text=True, check=True,
    ).stdout.strip().removeprefix("subject=")  # fmt: skip
    tls = authority.settings(authority.issue("reads", "/CN=localhost"), "optional")
    listing = listed("portal", f"certificate = '{shown}'", token=False)
    shown_by = authority.context((made, key))
    with serving(tmp_path, tls + listing) as daemon, daemon.client(shown_by) as client:
        assert client.ask("PING") == "PONG"


def test_the_client_of_these_tests_is_checked_too(daemon: Served, tmp_path: Path) -> None:
    """A client that trusts somebody else does not speak with us."""
    with pytest.raises(ssl.SSLError):
        Client(daemon.port, Authority(tmp_path / "elsewhere").context())
