"""src/watchword/serve/logs.py: one line an event, as text or JSON, and no secret in any."""

import json
import signal
from pathlib import Path

import pytest
from served import Served, serving

from watchword import InvalidArgument
from watchword.serve import limits
from watchword.serve.config import Config

KEY = b"a key that no line may hold"


def day(daemon: Served) -> list[str]:
    """Logins, a lockout and acts; what must be in no line."""
    codes = daemon.enrol("alice", key=KEY)
    with daemon.client() as client, daemon.acts() as acts:
        client.ask("VERIFY", "alice", codes.at(0), "PASSWORD", "hunter2 hunter2")
        for _ in range(10):
            client.ask("VERIFY", "alice", "typed87")
        acts.ask("USER", "UNLOCK", "alice", "BY", "desk 4")
        issued = acts.ask("DEVICE", "PASSCODE", "alice")
        acts.ask("POLICY", "SET", "lockout_failures = 7\n", "BY", "desk 5")
    return [codes.at(0), "typed87", "hunter2", KEY.hex(), issued[issued.index("passcode") + 1]]


def told(daemon: Served) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in daemon.log]
    assert all(line["time"].endswith("Z") and line["level"] and line["event"] for line in lines)
    return lines


def test_json_lines_say_what_happened(tmp_path: Path) -> None:
    daemon = Served(tmp_path, 'log = "json"\n')
    daemon._driver = ["-c", JSON_DRIVER]
    with running(daemon):
        planted = day(daemon)
        assert daemon.stop() == 0
        lines = told(daemon)
        by_event = {line["event"]: line for line in lines}
        listening = by_event["listening"]
        assert (listening["what"], listening["port"]) == ("gateways", daemon.port)
        lockout = by_event["lockout"]
        assert lockout["locked_ms"] == 86_400_000 and lockout["level"] == "warning"
        acts = [line["act"] for line in lines if line["event"] == "act"]
        assert acts[:2] == ["user add", "device add"] and "user unlock" in acts
        assert by_event["policy"]["said"] == "lockout_failures"
        assert "stopping" in by_event and lines[-1]["event"] == "stopped"
        for word in [*planted, "alice"]:
            assert word not in daemon.said(), f"{word!r} is in the log"
        users = {line["user"] for line in lines if "user" in line}
        assert len(users) == 1 and next(iter(users)).startswith("~"), "one name has one hash"


JSON_DRIVER = """
import sys
from watchword.cli.main import run
from watchword.serve import daemon
said = daemon.run
def announced(config, ready=None, reread=None):
    def told(host, port):
        print(f"watchword: serving x on {host}:{port}", file=sys.stderr, flush=True)
    return said(config, told, reread)
daemon.run = announced
sys.exit(run(["serve", "--config", sys.argv[1]]))
"""


class running:  # noqa: N801 - a context manager, used as one
    """A daemon whose log is JSON: the one line that is not is the test's own."""

    def __init__(self, daemon: Served) -> None:
        self._daemon = daemon

    def __enter__(self) -> Served:
        self._daemon.start()
        self._daemon.log[:] = [line for line in self._daemon.log if line.startswith("{")]
        return self._daemon

    def __exit__(self, *_: object) -> None:
        self._daemon.stop(signal.SIGKILL)


@pytest.mark.parametrize("users", [True, False])
def test_text_lines_name_users_only_where_that_is_set(tmp_path: Path, users: bool) -> None:
    with serving(tmp_path, f"log_users = {str(users).lower()}\n") as daemon:
        planted = day(daemon)
        assert daemon.stop() == 0
        said = daemon.said()
        assert all(line.startswith("watchword: ") for line in daemon.log)
        assert "is locked out for 24 h" in said and "policy set by desk 5" in said
        assert ("user unlock alice by desk 4" in said) == users
        assert ("alice" in said) == users
        for word in planted:
            assert word not in said


def test_a_level_leaves_out_what_is_below_it(tmp_path: Path) -> None:
    daemon = Served(tmp_path, 'log = "json"\nlog_level = "warning"\n')
    daemon._driver = ["-c", JSON_DRIVER]
    with running(daemon):
        day(daemon)
        assert daemon.stop() == 0
        assert {line["event"] for line in told(daemon)} <= {"lockout", "unlocked memory"}


def test_lockouts_are_counted_beyond_so_many_a_second(tmp_path: Path) -> None:
    with serving(tmp_path) as daemon:
        with daemon.client() as client:
            pairs = [word for i in range(100) for _ in range(10) for word in (f"no{i}", "1")]
            client.ask("VERIFYMANY", len(pairs) // 2, *pairs)
        assert daemon.stop() == 0
        lines = [line for line in daemon.log if "is locked out" in line]
        assert 0 < len(lines) <= 3 * limits.LOCKOUT_LINES_PER_SECOND
        assert all("user ?" in line for line in lines), "of a name nobody has, a keyed hash"


def test_a_line_stays_one_line(tmp_path: Path) -> None:
    with serving(tmp_path) as daemon:
        with daemon.acts() as acts:
            acts.ask("USER", "ADD", "bob", "BY", "desk\nwatchword: stopped")
        assert daemon.stop() == 0
        assert [line for line in daemon.log if line == "watchword: stopped\n"] == daemon.log[-1:]


@pytest.mark.parametrize(
    "table",
    [{"log": "xml"}, {"log_level": "loud"}, {"log_users": 1}, {"metrics": "0.0.0.0:9401"},
     {"metrics": "9401"}, {"metrics": 9401}, {"metrics": "127.0.0.1:99999"}],
)  # fmt: skip
def test_settings_are_refused_by_name(table: dict[str, object]) -> None:
    with pytest.raises(InvalidArgument, match=next(iter(table))):
        Config.from_table(table)


def test_where_metrics_may_be_read() -> None:
    assert Config().metrics_address() is None
    assert Config(metrics="127.0.0.1:9401").metrics_address() == ("127.0.0.1", 9401)
    assert Config(metrics="[::1]:9401").metrics_address() == ("::1", 9401)
    assert Config(metrics="localhost:0").metrics_address() == ("127.0.0.1", 0)
