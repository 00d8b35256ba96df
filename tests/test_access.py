"""serve/gateways.py: what a [[gateway]] may say, what a token is, and how a rate is kept."""

from pathlib import Path
from typing import Any

import pytest
from papers import listed
from served import Served

from watchword import InvalidArgument
from watchword._engine import Gateway
from watchword.serve.gateways import Access, digest, new_token

TABLES: list[tuple[dict[str, Any], str]] = [
    ({}, "needs a name"),
    ({"name": ""}, "name must be"),
    ({"name": "UPPER"}, "name must be"),
    ({"name": "tcp"}, "no gateway may be named"),
    ({"name": "a"}, "needs token_sha256, certificate or local_user"),
    ({"name": "a", "token": "x"}, "a gateway has no 'token'"),
    ({"name": "a", "token_sha256": "AB"}, "64 hex digits"),
    ({"name": "a", "token_sha256": 7}, "token_sha256 must be text"),
    ({"name": "a", "local_user": "u", "verbs": ["LOGIN"]}, "verbs must be a list of any of VERIFY"),
    ({"name": "a", "local_user": "u", "verbs": "VERIFY"}, "verbs must be a list"),
    ({"name": "a", "local_user": "u", "rights": ["all"]}, "rights must be a list of any of reas"),
    ({"name": "a", "local_user": "u", "platforms": ["web"]}, "platforms must be a list"),
    ({"name": "a", "local_user": "u", "realm": "demo"}, "realm must be one of live, paper"),
    ({"name": "a", "local_user": "u", "rate": -1}, "rate must be 0 to"),
    ({"name": "a", "local_user": "u", "rate": True}, "rate must be 0 to"),
    ({"name": "a", "local_user": "u", "admin": ["user"]}, "admin must be a list of commands"),
]


@pytest.mark.parametrize(("table", "said"), TABLES)
def test_a_gateway_that_is_written_wrong_is_named(table: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        Access.from_table(table)


def test_names_and_tokens_are_listed_once() -> None:
    one = {"name": "a", "token_sha256": "0" * 64}
    with pytest.raises(InvalidArgument, match="gateway a: it is listed twice"):
        Access.from_tables([one, {**one, "token_sha256": "1" * 64}])
    with pytest.raises(InvalidArgument, match="another is known by the same"):
        Access.from_tables([one, {**one, "name": "b"}])
    with pytest.raises(InvalidArgument, match="at most 64"):
        Access.from_tables([{"name": f"g{i}", "local_user": f"u{i}"} for i in range(65)])


def test_an_unknown_verb_of_administration_is_refused_at_the_start(tmp_path: Path) -> None:
    for word, said in (("NOSUCH", "none of USER"), ("USER FLY", "none of ADD")):
        with pytest.raises(AssertionError, match=said):
            Served(tmp_path, listed("a", f'admin = ["{word}"]')).start()


def test_a_token_is_long_and_kept_as_its_hash() -> None:
    made = {new_token() for _ in range(100)}
    assert len({token for token, _ in made}) == 100
    for token, kept in made:
        assert len(token) >= 43
        assert digest(token.encode()).hex() == kept
        assert token not in kept


def test_a_rate_is_held_over_time() -> None:
    gateway = Gateway("g", 3, ["VERIFY"], rate=10)
    now, done = 1_000_000.0, 0
    for step in range(100_000):
        done += gateway.take(1, now + step / 1_000)
    assert 1_000 <= done <= 1_011
    gateway = Gateway("g", 3, ["VERIFY"], rate=10)
    many = sum(4_096 for step in range(10_000) if gateway.take(4_096, now + step))
    assert 100_000 - 4_096 <= many <= 100_000 + 2 * 4_096
    assert Gateway("g", 3, ["VERIFY", "VERIFYMANY"]).free
    assert not gateway.free
