"""serve/listening.py and arrivals.py against a real daemon: unix sockets, and how many may come."""

import contextlib
import getpass
import socket
import time
from pathlib import Path

import pytest
from crowd import standing
from papers import listed, token_of
from served import SECONDS_MAX, Client, Served, serving
from test_gateways import error, known


def test_the_unix_socket_is_for_our_group_and_keeps_the_list(tmp_path: Path) -> None:
    path = tmp_path / "gateways.sock"
    with serving(tmp_path, f'listen_unix = "{path}"\n{listed("open")}'):
        assert path.stat().st_mode & 0o777 == 0o660
        with Client(path) as client:
            assert error(client, "PING").startswith("NOAUTH")
            assert client.ask("AUTH", "open", token_of("open")) == "OK"
            assert client.ask("VERIFY", "nobody", "1") == "REJECTED"


def test_a_local_user_needs_no_token_on_the_unix_socket(tmp_path: Path) -> None:
    sock = tmp_path / "gateways.sock"
    me = listed("me", f'local_user = "{getpass.getuser()}"', token=False)
    other = listed("other", 'local_user = "nobody"', token=False)
    with serving(tmp_path, f'listen_unix = "{sock}"\n{me}{other}') as daemon:
        with Client(sock) as client:
            assert client.ask("VERIFY", "nobody", "1") == "REJECTED"
            assert client.ask("RESET") == "RESET"
            assert client.ask("PING") == "PONG"
        with daemon.client() as client:
            assert error(client, "VERIFY", "nobody", "1").startswith("NOAUTH")


def test_without_a_list_the_unix_socket_is_open_to_the_group(tmp_path: Path) -> None:
    sock = tmp_path / "gateways.sock"
    with serving(tmp_path, f'listen_unix = "{sock}"\n') as daemon:
        with Client(sock) as client:
            assert client.ask("VERIFY", "nobody", "1") == "REJECTED"
        assert daemon.stop() == 0
        assert not sock.exists()
    sock.write_text("not a socket")
    with pytest.raises(AssertionError, match="is no socket"):
        Served(tmp_path, f'listen_unix = "{sock}"\n').start()


def test_an_address_has_so_many_connections(tmp_path: Path) -> None:
    with serving(tmp_path, f"connections_per_address = 3\n{listed('one')}") as daemon:
        with contextlib.ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(known(daemon, "one"))
            with daemon.client() as client, contextlib.suppress(ConnectionError):
                assert client.rest() == b""
        until = time.monotonic() + SECONDS_MAX
        while standing(daemon) > 1:  # the one that asks
            assert time.monotonic() < until
        with known(daemon, "one") as client:
            assert client.ask("PING") == "PONG"


def test_the_socket_of_somebody_else_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "taken.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(AssertionError, match="somebody listens"):
            Served(tmp_path, f'listen_unix = "{path}"\n').start()
        assert path.exists()
