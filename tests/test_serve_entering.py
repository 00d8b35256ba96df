"""src/watchword/serve/entering.py: words that are none, and what a gateway may see of entry."""

from pathlib import Path
from typing import Any

import pytest
from served import Client, ReplyError, serving

from watchword import hotp

MISUSE = [
    (("USER", "ADDRESSES", "alice"), "ERR wrong number of arguments"),
    (("USER", "ADDRESSES", "alice", "BY", "x"), "ERR syntax error, SET and what is set, or CLEAR"),
    (("USER", "IDENTITY", "alice", "BY", "x"), "ERR syntax error, SET and what is set, or CLEAR"),
    (("USER", "PASSWORD", "alice", "BY", "x"), "ERR syntax error, SET text or CLEAR"),
    (("USER", "QUESTIONS", "alice", "BY", "x"), "ERR syntax error, SET and three of"),
    (("USER", "WITHDRAWAL", "alice", "BY", "x"), "ERR syntax error"),
    (("DEVICE", "UNSHARE", "alice", "BY", "x"), "ERR syntax error"),
    (("USER", "ADDRESSES", "alice", "SET"), "ERR syntax error, SET and what is set, or CLEAR"),
    (("USER", "ADDRESSES", "alice", "CLEAR", "10.0.0.0/8"), "ERR syntax error, SET"),
    (("USER", "ADDRESSES", "alice", "SET", "10.0.0.1/8"), "INVALID addresses are ranges like"),
    (("USER", "ADDRESSES", "nobody", "SET", "10.0.0.0/8"), "NOTFOUND there is no user 'nobody'"),
    (("USER", "IDENTITY", "alice", "CLEAR", "x"), "ERR syntax error, SET and what is set"),
    (("USER", "OPTOUT", "alice", "now"), "ERR syntax error"),
    (("USER", "OPTOUT", "alice"), "INVALID user 'alice' has no address restriction"),
    (("USER", "ENTRY", "alice", "x"), "ERR syntax error"),
    (("USER", "LIMITS", "nobody"), "NOTFOUND there is no user 'nobody'"),
    (("USER", "LIMITS", "alice", "x"), "ERR syntax error"),
    (("USER", "WITHDRAWAL", "alice", "1.50"), "INVALID a withdrawal is a whole number of cents"),
    (("USER", "WITHDRAWAL", "alice", "0"), "INVALID amount_cents is a whole number of cents"),
    (("USER", "WITHDRAWAL", "alice", "1", "TO", "me"), "ERR syntax error"),
    (("DEVICE", "UNSHARE", "alice", "none"), "NOTFOUND user 'alice' has no device 'none'"),
    (("OPTIN", "alice"), "ERR wrong number of arguments for 'optin' command"),
    (("OPTIN", "alice", "1", "ADDRESS", "host"), "ERR ADDRESS is not an IPv4 or IPv6 address"),
    (("SHARE", "bob", "alice", "app"), "ERR wrong number of arguments for 'share' command"),
    (("SHARE", "bob", "alice", "app", "1", "DEVICE", "app"), "ERR syntax error"),
    (("SHARE", "bob", "bob", "app", "1"), "INVALID user is another than owner"),
]  # fmt: skip


def test_misuse_is_told_and_a_gateway_without_reasons_sees_none(tmp_path: Path) -> None:
    silent = "reasons = false\n"
    with serving(tmp_path, silent) as d, d.client() as gateway, d.acts() as acts:
        acts.ask("USER", "ADD", "alice")
        acts.ask("USER", "ADD", "bob")
        for words, told in MISUSE:
            with pytest.raises(ReplyError) as error:
                acts.ask(*words)
            assert str(error.value).startswith(told), words
        for words in (("USER", "LIMITS", "alice"), ("USER", "ADDRESSES", "alice", "CLEAR")):
            with pytest.raises(ReplyError, match="NOPERM"):
                gateway.ask(*words)
        assert acts.ask("USER", "ADDRESSES", "alice", "SET", "192.0.2.0/24", "BY", "desk 4") == "OK"
        assert acts.ask("USER", "PASSWORD", "alice", "SET", "horse-battery", "BY", "me") == "OK"
        assert acts.ask("USER", "OPTOUT", "alice", "BY", "desk 4") == "OK"
        password = "PASSWORD", "horse-battery"
        for ask in (("VERIFY", "alice", ""), ("OPTIN", "alice", "000000")):
            assert gateway.ask(*ask, *password) == "REJECTED", "from nowhere"
            assert acts.ask(*ask, *password) == "NOT_PERMITTED"
        shared = gateway.ask("SHARE", "bob", "alice", "app", "000000", *password)
        assert shared == ["verdict", "REJECTED", "serial", "", "refused", ""]
        gateway.ask("HELLO", 3)
        entered = gateway.ask("VERIFY", "alice", "", "ADDRESS", "192.0.2.1", *password, "DETAIL")
        assert entered == {
            "verdict": "ACCEPTED", "code": 1, "scope": "full", "device": None, "kind": "none",
            "rank": 0, "session_ms": 43_200_000, "retry_after_ms": 0,
        }  # fmt: skip
        said = {(one["event"], one["by"]) for one in entries(acts)}
        assert said >= {("user addresses", "desk 4"), ("user opt", "desk 4"), ("device add", "me")}


def entries(acts: Client) -> list[dict[str, Any]]:
    acts.ask("HELLO", 3)
    found: list[dict[str, Any]] = acts.ask("AUDIT", "READ")["entries"]
    return found


def test_who_reports_a_shared_device_lost_is_told_of_each_of_its_users(tmp_path: Path) -> None:
    """One act: the trail names each user, and so does why each is refused since."""
    key = bytes(range(20))
    with serving(tmp_path) as d, d.client() as gateway, d.acts() as acts:
        for name in ("alice", "bob", "carol"):
            acts.ask("USER", "ADD", name)
            acts.ask("USER", "IDENTITY", name, "SET", "Ann")
        acts.ask("DEVICE", "ADD", "alice", "hotp", "KEY", key.hex(), "SERIAL", "lent")
        acts.ask("USER", "PASSWORD", "alice", "SET", "horse-battery")
        for n, name in enumerate(("bob", "carol")):
            said = "PASSWORD", "horse-battery"
            shared = gateway.ask("SHARE", name, "alice", "lent", hotp(key, n), *said)
            assert shared[1] == "ACCEPTED", shared
        assert acts.ask("DEVICE", "LOST", "bob", "lent", "BY", "desk 4") == "OK"
        for name in ("alice", "bob", "carol"):
            password = ("PASSWORD", "horse-battery") * (name == "alice")
            assert gateway.ask("VERIFY", name, hotp(key, 2), *password) == "REJECTED"
        found = [one for one in entries(acts) if one["event"] == "device set"]
        assert len({one["turn"] for one in found}) == 1, "one act"
        assert sorted((one["user"], one["device"], one["text"], one["by"]) for one in found) == [
            (name, "lent", "lost", "desk 4") for name in ("alice", "bob", "carol")
        ]
        for name in ("alice", "bob", "carol"):
            told = acts.ask("AUDIT", "EXPLAIN", name)
            assert any(line.startswith("device lent (hotp): lost") for line in told["standing"])
            assert "no device of this user could answer" in told["attempts"][-1]["why"]
            assert told["remedies"] == ["make device lent active, or add one"]
