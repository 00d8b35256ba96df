"""Clients that we did not write at every door of gateways: plain TCP with an access list, TLS, and
the unix socket. redis-cli, redis-benchmark, redis-py in both protocols and on asyncio, node's
`redis` and `ioredis`. What they send is in no way ours.
"""

import asyncio
import csv
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
from papers import Authority, listed, token_of
from served import SECONDS_MAX, Served, serving
from test_clients import program, run

DOORS = ("plain", "tls", "unix")
TOKEN = token_of("portal")
NODE = Path(__file__).with_name("node")


@dataclass
class Door:
    """Where a client goes, in the words of each."""

    served: Served
    ca: Path | None = None
    unix: Path | None = None

    def cli(self) -> list[str]:
        if self.unix is not None:
            return ["-s", str(self.unix)]
        tls = ["--tls", "--cacert", str(self.ca)] if self.ca else []
        return ["-h", "localhost" if self.ca else "127.0.0.1", "-p", str(self.served.port), *tls]

    def py(self, asyncio: bool = False) -> dict[str, Any]:
        if self.unix is not None:
            return {"unix_socket_path": str(self.unix)}
        tls = {"ssl": True, "ssl_ca_certs": str(self.ca)} if self.ca else {}
        return {"host": "localhost", "port": self.served.port, **tls}

    def node(self) -> dict[str, Any]:
        if self.unix is not None:
            return {"to": {"path": str(self.unix)}}
        ca = {"ca": str(self.ca)} if self.ca else {}
        return {"to": {"port": self.served.port}, **ca}


@pytest.fixture(scope="module", params=DOORS)
def door(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp(request.param)
    settings, ca, unix = "", None, None
    if request.param == "unix":
        unix = folder / "gateways.sock"
        settings = f'listen_unix = "{unix}"\n'
    if request.param == "tls":
        authority = Authority(folder / "papers")
        ca = authority.certificate
        settings = authority.settings(authority.issue("server", "/CN=localhost"))
    with serving(folder, settings + listed("portal", "rate = 0")) as served:
        yield Door(served, ca, unix)
        assert served.stop() == 0
        assert served.healthy(), served.said()


def user_of(door: Door, what: str) -> tuple[str, Any]:
    """A user of its own for each test at each door."""
    return what, door.served.enrol(what)


# ---- redis-cli and redis-benchmark ----


@pytest.mark.parametrize("protocol", [[], ["-3"]])
def test_redis_cli(door: Door, protocol: list[str]) -> None:
    user, codes = user_of(door, f"cli{len(protocol)}")
    command = program("redis-cli", "redis-tools"), "-e", *door.cli(), *protocol
    known = "--user", "portal", "--pass", TOKEN, "--no-auth-warning"
    assert run(*command, *known, "VERIFY", user, codes.at(0)) == "ACCEPTED\n"
    assert run(*command, *known, "VERIFY", user, codes.at(0)) == "REJECTED\n"
    said = run(*command, "-a", TOKEN, "--no-auth-warning", "--json", "VERIFY", user, "0", "DETAIL")
    assert json.loads(said)["verdict"] == "REJECTED"
    done = subprocess.run(
        [*map(str, command), "VERIFY", user, codes.at(1)],
        capture_output=True, timeout=SECONDS_MAX, check=False,
    )  # fmt: skip
    assert (done.returncode, b"NOAUTH" in done.stdout + done.stderr) == (1, True)


@pytest.mark.parametrize("options", [("-c", 20), ("-c", 50, "-P", 16), ("-c", 5, "-k", 0)])
def test_redis_benchmark(door: Door, options: tuple[object, ...]) -> None:
    """Fifty at once get in, though eight of one address may be half-open."""
    command = program("redis-benchmark", "redis-tools"), *door.cli(), "-n", 1_000, "--csv"
    known = "--user", "portal", "-a", TOKEN
    rows = run(*command, *known, *options, "VERIFY", "bench__rand_int__", "123456").splitlines()
    table = list(csv.reader(rows[rows.index(next(r for r in rows if r.startswith('"test"'))) :]))
    assert float(table[1][1]) > 0


# ---- redis-py ----


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py(door: Door, protocol: int) -> None:
    user, codes = user_of(door, f"py{protocol}")
    known = {"username": "portal", "password": TOKEN, "protocol": protocol}
    with redis.Redis(**door.py(), **known) as client:  # type: ignore[arg-type]
        assert client.ping()
        assert client.execute_command("VERIFY", user, codes.at(0)) in (b"ACCEPTED", "ACCEPTED")
        with client.pipeline(transaction=False) as pipeline:
            for i in range(100):
                pipeline.execute_command("VERIFY", user, codes.at(1 + i))
            assert pipeline.execute() == [b"ACCEPTED"] * 100
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command("PUSH", user)
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command("USER", "GET", user)
    once = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
    for wrong in ({"password": "wrong"}, {}):
        refused = pytest.raises(redis.exceptions.AuthenticationError)
        with redis.Redis(**door.py(), protocol=protocol, retry=once, **wrong) as client, refused:
            client.ping()


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py_on_asyncio(door: Door, protocol: int) -> None:
    users = [user_of(door, f"aio{protocol}x{i}") for i in range(12)]

    async def gateway() -> None:
        known = {"username": "portal", "password": TOKEN, "protocol": protocol}
        async with redis.asyncio.Redis(**door.py(), **known) as client:  # type: ignore[arg-type]
            for expected in (b"ACCEPTED", b"REJECTED"):
                asked = [client.execute_command("VERIFY", u, codes.at(0)) for u, codes in users]
                assert await asyncio.gather(*asked) == [expected] * len(users)

    asyncio.run(gateway())


# ---- node ----


def by_node(door: Door, library: str, *commands: list[str], **more: Any) -> Any:
    asked = {**door.node(), "name": "portal", "token": TOKEN, "protocol": 3, **more}
    assert (NODE / "node_modules").is_dir(), "tests/tools.sh brings node's clients"
    done = subprocess.run(
        [program("node", "nodejs"), NODE / "gateway.cjs", library],
        input=json.dumps({**asked, "commands": commands}), text=True, capture_output=True,
        timeout=SECONDS_MAX, check=False, env=dict(os.environ),
    )  # fmt: skip
    assert done.returncode == more.get("exit_code", 0), done.stderr
    return json.loads(done.stdout) if done.stdout else done.stderr


@pytest.mark.parametrize(("library", "protocol"), [("redis", 3), ("redis", 2), ("ioredis", 3)])
def test_nodes_clients(door: Door, library: str, protocol: int) -> None:
    user, codes = user_of(door, f"{library}{protocol}")
    said = by_node(
        door, library, ["PING"], ["VERIFY", user, codes.at(0)], ["VERIFY", user, codes.at(0)],
        ["VERIFYMANY", "2", user, codes.at(1), user, "0"], ["PUSH", user], ["NOSUCH"],
        protocol=protocol,
    )  # fmt: skip
    assert said[:4] == ["PONG", "ACCEPTED", "REJECTED", ["ACCEPTED", "REJECTED"]]
    assert said[4]["error"].startswith("NOPERM")
    assert said[5]["error"].startswith("NOPERM")


@pytest.mark.parametrize("library", ["redis", "ioredis"])
def test_nodes_clients_with_a_wrong_token(door: Door, library: str) -> None:
    said = by_node(door, library, ["PING"], token="wrong", exit_code=1)
    assert "WRONGPASS" in said or "NOAUTH" in said or "closed" in said, said
