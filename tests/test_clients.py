"""Programs and libraries that we did not write, against the daemon: redis-cli, redis-benchmark,
redis-py in both protocols and on asyncio; codes from oathtool and pyotp. Nothing is mocked.
"""

import asyncio
import base64
import csv
import json
import shutil
import subprocess
import time
from collections.abc import Iterator

import pyotp
import pytest
import redis
import redis.asyncio
from served import SECONDS_MAX, Served, serving

DETAIL = ["verdict", "code", "scope", "device", "kind", "rank", "session_ms", "retry_after_ms"]
ACCEPTED, REJECTED, PONG = b"ACCEPTED", b"REJECTED", b"PONG"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("clients")) as served:
        yield served
        assert served.stop() == 0
        assert served.healthy(), served.said()


def program(name: str, package: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is not installed: tests/tools.sh brings it (Debian package {package})"
    return found


def run(*command: object, stdin: bytes = b"", exit_code: int = 0) -> str:
    done = subprocess.run(
        [str(word) for word in command], input=stdin, capture_output=True, timeout=SECONDS_MAX,
        check=False,
    )  # fmt: skip
    assert done.returncode == exit_code, (command, done.stdout, done.stderr)
    return done.stdout.decode()


def cli(daemon: Served, *words: object, stdin: bytes = b"", exit_code: int = 0) -> str:
    command = program("redis-cli", "redis-tools"), "-e", "-p", daemon.port, *words
    return run(*command, stdin=stdin, exit_code=exit_code)


def oathtool(key: bytes, counter: int) -> str:
    return run(program("oathtool", "oathtool"), "--hotp", "-c", counter, key.hex()).strip()


# ---- codes ----


def test_codes_of_oathtool_are_accepted_once(daemon: Served) -> None:
    key = b"a key oathtool knows"
    daemon.enrol("oath", key=key)
    with daemon.client() as client:
        for counter in range(5):
            code = oathtool(key, counter)
            assert client.ask("VERIFY", "oath", code) == "ACCEPTED"
            assert client.ask("VERIFY", "oath", code) == "REJECTED"


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
def test_totp_codes_of_oathtool_and_pyotp(daemon: Served, algorithm: str) -> None:
    """Now, by this machine's clock: one device's code from each, and both agree."""
    key, user = f"totp key of {algorithm}".encode().ljust(20, b"."), f"totp{algorithm}"
    with daemon.acts() as acts:
        acts.ask("USER", "ADD", user)
        acts.ask("DEVICE", "ADD", user, "TOTP", "KEY", key.hex(), "ALGORITHM", algorithm)
    now = int(time.time())
    command = program("oathtool", "oathtool"), f"--totp={algorithm}", f"--now=@{now}", key.hex()
    code = run(*command).strip()
    assert code == pyotp.TOTP(base64.b32encode(key).decode(), digest=algorithm).at(now)
    with daemon.client() as client:
        assert client.ask("VERIFY", user, code) == "ACCEPTED"
        assert client.ask("VERIFY", user, code) == "REJECTED"


# ---- redis-cli ----


def test_redis_cli_in_both_protocols(daemon: Served) -> None:
    codes = daemon.enrol("cli")
    assert cli(daemon, "VERIFY", "cli", codes.at(0)) == "ACCEPTED\n"
    assert cli(daemon, "VERIFY", "cli", codes.at(0)) == "REJECTED\n"
    lines = cli(daemon, "VERIFY", "cli", codes.at(1), "DETAIL").splitlines()
    assert lines[::2] == DETAIL
    assert lines[1::2] == ["ACCEPTED", "1", "full", lines[7], "hotp", "0", "43200000", "0"]
    lines = cli(daemon, "-3", "VERIFY", "cli", codes.at(2), "DETAIL").splitlines()
    assert [line.split()[0] for line in lines] == DETAIL
    assert lines[0] == "verdict ACCEPTED"
    detail = json.loads(cli(daemon, "--json", "VERIFY", "cli", codes.at(3), "DETAIL"))
    assert list(detail) == DETAIL
    assert (detail["verdict"], detail["code"], detail["scope"]) == ("ACCEPTED", 1, "full")
    refused = json.loads(cli(daemon, "--json", "VERIFY", "cli", "0", "DETAIL"))
    assert (refused["verdict"], refused["device"], refused["kind"]) == ("REJECTED", None, None)


def test_redis_cli_takes_the_code_from_standard_input(daemon: Served) -> None:
    codes = daemon.enrol("stdin")
    assert cli(daemon, "-x", "VERIFY", "stdin", stdin=codes.at(0).encode()) == "ACCEPTED\n"


def test_redis_cli_sees_errors_as_errors(daemon: Served) -> None:
    """With -e an error is the exit code, and a verdict never is."""
    for words in (["NOSUCH"], ["USER", "LIST"], ["VERIFY", "a", "1", "NOSUCH"], ["VERIFY"]):
        cli(daemon, *words, exit_code=1)
    assert cli(daemon, "VERIFY", "not legal", "1") == "BAD_CHARACTER\n"


def test_redis_cli_interactive_small_talk(daemon: Served) -> None:
    """Fed by a pipe it asks COMMAND DOCS first, then sends line by line."""
    said = cli(daemon, stdin=b"PING\nVERIFY nobody 1\nSELECT 0\nINFO server\nCLIENT ID\n")
    assert said.splitlines()[:3] == ["PONG", "REJECTED", "OK"]
    assert "redis_version:7.0.15" in said


def test_redis_cli_mass_insertion(daemon: Served) -> None:
    """--pipe: 5,000 commands in one stream, ended by an ECHO of random bytes."""
    sent = b"".join(
        b"*3\r\n$6\r\nVERIFY\r\n$%d\r\n%b\r\n$6\r\n000000\r\n" % (len(name), name)
        for name in (b"piped%d" % i for i in range(5_000))
    )
    said = cli(daemon, "--pipe", stdin=sent)
    assert "errors: 0, replies: 5000" in said


def test_redis_cli_over_the_administration_socket(daemon: Served) -> None:
    command = program("redis-cli", "redis-tools"), "-e", "-s", daemon.admin
    assert run(*command, "USER", "ADD", "bycli") == "OK\n"
    assert "name\nbycli\n" in run(*command, "USER", "GET", "bycli")
    assert json.loads(run(*command, "--json", "USER", "GET", "bycli"))["state"] == "open"


# ---- redis-benchmark ----


@pytest.mark.parametrize("options", [(), ("-P", 16), ("-3",), ("--threads", 2, "-P", 4), ("-k", 0)])
def test_redis_benchmark_runs_without_an_error(daemon: Served, options: tuple[object, ...]) -> None:
    command = program("redis-benchmark", "redis-tools"), "-p", daemon.port, "-n", 2_000, "-c", 20
    count_before = attempts(daemon)
    rows = run(*command, "--csv", *options, "VERIFY", "bench__rand_int__", "123456").splitlines()
    table = list(csv.reader(rows[rows.index(next(r for r in rows if r.startswith('"test"'))) :]))
    assert float(table[1][1]) > 0
    assert attempts(daemon) - count_before >= 2_000  # the daemon's own count agrees


def test_redis_benchmark_pings_inline_and_not(daemon: Served) -> None:
    command = program("redis-benchmark", "redis-tools"), "-p", daemon.port, "-n", 1_000, "--csv"
    rows = run(*command, "-t", "ping").splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ['"PING_INLINE"', '"PING_MBULK"']


def attempts(daemon: Served) -> int:
    with daemon.client() as client:
        lines = client.ask("INFO", "watchword").splitlines()
    return int(next(line.partition(":")[2] for line in lines if line.startswith("attempts:")))


# ---- redis-py ----


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py(daemon: Served, protocol: int) -> None:
    codes = daemon.enrol(f"py{protocol}")
    user = f"py{protocol}"
    with redis.Redis(
        port=daemon.port, protocol=protocol, client_name="gateway", health_check_interval=1
    ) as client:
        assert client.ping()
        assert client.execute_command("VERIFY", user, codes.at(0)) in (ACCEPTED, "ACCEPTED")
        assert client.execute_command("VERIFY", user, codes.at(0)) in (REJECTED, "REJECTED")
        detail = client.execute_command("VERIFY", user, codes.at(1), "DETAIL")
        if protocol == 2:
            detail = dict(zip(detail[::2], detail[1::2], strict=True))
        assert [name.decode() for name in detail] == DETAIL
        assert (detail[b"verdict"], detail[b"code"], detail[b"kind"]) == (ACCEPTED, 1, b"hotp")
        many = client.execute_command("VERIFYMANY", 2, user, codes.at(1), user, codes.at(2))
        assert many == [REJECTED, ACCEPTED]
        assert client.client_getname() in (b"gateway", "gateway")
        assert client.info("server")["redis_version"] == "7.0.15"
        with pytest.raises(redis.ResponseError, match="syntax error"):
            client.execute_command("VERIFY", user, "1", "NOSUCH")
        with pytest.raises(redis.exceptions.NoPermissionError):
            client.execute_command("USER", "LIST")


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py_pipelines(daemon: Served, protocol: int) -> None:
    user = f"pipe{protocol}"
    codes = daemon.enrol(user)
    with redis.Redis(port=daemon.port, protocol=protocol) as client:
        with client.pipeline(transaction=False) as pipeline:
            for i in range(200):
                pipeline.execute_command("VERIFY", user, codes.at(i))
                pipeline.execute_command("ECHO", i)
            said = pipeline.execute()
        assert said == [word for i in range(200) for word in (ACCEPTED, b"%d" % i)]


@pytest.mark.parametrize("protocol", [2, 3])
def test_redis_py_on_asyncio(daemon: Served, protocol: int) -> None:
    users = [f"aio{protocol}x{i}" for i in range(20)]
    codes = {user: daemon.enrol(user) for user in users}

    async def gateway() -> None:
        async with redis.asyncio.Redis(port=daemon.port, protocol=protocol) as client:
            for expected in (ACCEPTED, REJECTED):
                asked = [client.execute_command("VERIFY", u, codes[u].at(0)) for u in users]
                assert await asyncio.gather(*asked) == [expected] * len(users)

    asyncio.run(gateway())


def test_redis_py_told_of_a_password_that_is_none(daemon: Served) -> None:
    once = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
    said = pytest.raises(redis.exceptions.AuthenticationError, match="without any password")
    with redis.Redis(port=daemon.port, protocol=2, password="secret", retry=once) as client, said:
        client.ping()
