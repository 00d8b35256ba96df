"""Every row of tests/vectors, through every door that can take it.

Computations go through the plain functions; traces go through the engine, one attempt at a time
and in batches, and through the slow twin. The loader knows each kind's keys and refuses any other,
so that a misspelt or new key cannot pass unread. tests/vectors/README.md says where rows come from.
"""

import base64
import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import watchword
from watchword import _engine, reference, reference_ocra
from watchword.devices.ocra import Suite
from watchword.reference_ocra import suite_of

VECTORS = Path(__file__).parent / "vectors"
ROWS = 259                      # of all files; a row that vanishes is noticed

Row = dict[str, Any]

# kind -> keys a row must have, keys it may have (its group's keys are the row's as well)
KINDS = {
    "hotp": (
        {"secret_hex", "algorithm", "digits", "counter", "otp"},
        {"secret_base32", "hmac_hex", "truncated_hex", "truncated_dec"},
    ),
    "totp": (
        {"secret_hex", "algorithm", "digits", "period", "t0", "time", "otp"},
        {"secret_base32", "step", "t_hex", "utc"},
    ),
    "ocra": (
        {"suite", "mode", "key_hex", "question", "response", "part"},
        {"counter", "pin", "pin_hash_hex", "session_text", "session_hex", "time", "timestamp",
         "client_question", "server_question"},
    ),
    "ocra-ambiguous": (
        {"suite", "mode", "key_hex", "question", "response", "part", "ambiguity", "alternatives"},
        {"session_text", "session_hex", "client_question", "server_question"},
    ),
    "lockout": ({"id", "scenario", "policy", "attempts", "columns"}, set()),
    "replay-hotp": (
        {"id", "scenario", "secret_hex", "algorithm", "digits", "counter", "look_ahead",
         "attempts", "columns"},
        {"ambiguity"},
    ),
    "replay-totp": (
        {"id", "scenario", "secret_hex", "algorithm", "digits", "period", "t0", "back", "forward",
         "attempts", "columns"},
        set(),
    ),
}  # fmt: skip
NOTES = {"source", "kind", "checked_by"}


def read_rows(text: str) -> Iterator[tuple[str, Row]]:
    """Kind and row, the group's keys joined in. A key or kind nobody knows is an error."""
    document = json.loads(text)
    assert set(document) == {"groups"}, f"unknown keys {set(document) - {'groups'}}"
    for group in document["groups"]:
        kind = group["kind"]
        assert kind in KINDS, f"unknown kind {kind}"
        assert group["source"], "a group says where it comes from"
        needed, optional = KINDS[kind]
        shared = {name: value for name, value in group.items() if name != "rows"}
        for own in group["rows"]:
            assert not set(own) & set(shared) - NOTES, "a row repeats its group's key"
            row = shared | own
            missing, unknown = needed - set(row), set(row) - needed - optional - NOTES
            assert not missing and not unknown, f"{kind}: missing {missing}, unknown {unknown}"
            yield kind, row


def rows(*kinds: str) -> list[Any]:
    """Rows of these kinds from every file, as parameters with names."""
    found = []
    for path in sorted(VECTORS.glob("*.json")):
        for number, (kind, row) in enumerate(read_rows(path.read_text())):
            if kind in kinds:
                found.append(pytest.param(row, id=f"{path.stem}-{row.get('id', number)}"))
    return found


def test_no_row_is_lost() -> None:
    assert len(rows(*KINDS)) == ROWS


@pytest.mark.parametrize(
    "text",
    [
        '{"groups": [], "comment": "x"}',
        '{"groups": [{"source": "x", "kind": "hotpp", "rows": []}]}',
        '{"groups": [{"source": "x", "kind": "hotp", "rows": [{"countre": 1}]}]}',
        '{"groups": [{"source": "x", "kind": "hotp", "rows": [{}]}]}',
        '{"groups": [{"source": "", "kind": "hotp", "rows": []}]}',
    ],
)
def test_the_loader_refuses_what_it_does_not_know(text: str) -> None:
    with pytest.raises(AssertionError):
        list(read_rows(text))


# ---- computations --------------------------------------------------------------------------------


def key_of(row: Row) -> bytes:
    key = bytes.fromhex(row["secret_hex"])
    if "secret_base32" in row:
        assert base64.b32encode(key).decode().rstrip("=") == row["secret_base32"]
    return key


@pytest.mark.parametrize("row", rows("hotp"))
def test_hotp(row: Row) -> None:
    key, algorithm = key_of(row), row["algorithm"].lower()
    code = watchword.hotp(key, row["counter"], digits=row["digits"], algorithm=algorithm)
    assert code == row["otp"]
    if "hmac_hex" in row:
        mac = _engine.hmac(algorithm, key, row["counter"].to_bytes(8, "big"))
        assert mac.hex() == row["hmac_hex"]
        assert int(row["truncated_hex"], 16) == row["truncated_dec"]
        assert str(row["truncated_dec"]).endswith(code)


@pytest.mark.parametrize("row", rows("totp"))
def test_totp(row: Row) -> None:
    key, algorithm = key_of(row), row["algorithm"].lower()
    code = watchword.totp(
        key, row["time"], period=row["period"], t0=row["t0"], digits=row["digits"],
        algorithm=algorithm,
    )  # fmt: skip
    assert code == row["otp"]
    step = row["step"] if "step" in row else int(row["t_hex"], 16)
    assert code == watchword.hotp(key, step, digits=row["digits"], algorithm=algorithm)


def inputs(row: Row) -> Row:
    """The arguments of ocra besides suite, key and question."""
    named: Row = {"counter": row.get("counter"), "pin": row.get("pin")}
    if "session_text" in row:
        named["session"] = bytes.fromhex(row["session_hex"])
        assert named["session"] == row["session_text"].encode()
    if "time" in row:
        step_s = Suite.parse(row["suite"]).step_s
        assert step_s is not None
        named["time_step"] = row["time"] // step_s
        assert named["time_step"] == row["timestamp"]
    return named


@pytest.mark.parametrize("row", rows("ocra", "ocra-ambiguous"))
def test_ocra(row: Row) -> None:
    suite, key, question = row["suite"], bytes.fromhex(row["key_hex"]), row["question"]
    if row["mode"].startswith("mutual"):
        parts = [row["client_question"], row["server_question"]]
        assert question == "".join(parts if row["mode"] == "mutual-server" else reversed(parts))
    named = inputs(row)
    response = watchword.ocra(suite, key, question, **named)
    assert response == row["response"]
    assert response not in row.get("alternatives", {}).values()
    twins = suite_of(suite)
    if twins.digits:
        mine = reference_ocra.response(
            twins, key, question, named["counter"] or 0, bytes.fromhex(row.get("pin_hash_hex", "")),
            named.get("session", b""), named.get("time_step", 0),
        )  # fmt: skip
        assert mine == row["response"]
    if "pin" in row:
        pin_hash = bytes.fromhex(row["pin_hash_hex"])
        algorithm = Suite.parse(suite).pin_algorithm
        assert algorithm is not None
        assert hashlib.new(algorithm, row["pin"].encode()).digest() == pin_hash
        named["pin"] = None
        assert watchword.ocra(suite, key, question, pin_hash=pin_hash, **named) == response


# ---- traces --------------------------------------------------------------------------------------

KEY = b"a key for the lockout traces"

# One attempt as a door takes it: time, user, response. What a door says: verdict's name.
Attempt = tuple[int, str, str]


class Twin:
    """The slow twin, one attempt at a time."""

    batched = False

    def __init__(self, **figures: Any) -> None:
        self.engine = reference.Reference(reference.Figures(failures_cap=None, **figures))

    def add(self, user: str, kind: str, **device: Any) -> None:
        self.engine.add_user(user, 0)
        self.engine.add_device(user, reference.Device(kind, serial=f"{user}-1", **device), 0)

    def verify(self, attempts: list[Attempt]) -> list[str]:
        return [
            self.engine.attempt(reference.Attempt(user, response), now).verdict.name
            for now, user, response in attempts
        ]

    def locked_until_ms(self, user: str) -> int:
        return self.engine.users[user].streak.lock_until_ms

    def moving(self, user: str) -> int:
        return self.engine.users[user].devices[0].moving


class Single:
    """The engine, a verify for each attempt."""

    batched = False

    def __init__(self, **figures: Any) -> None:
        self.now = 0
        policy = watchword.Policy(failures_cap=None, **figures)
        self.engine = watchword.Engine.open(":memory:", policy=policy, clock=lambda: self.now)

    def add(self, user: str, kind: str, **device: Any) -> None:
        if kind == "totp":
            device["window"] = (device.pop("back"), device.pop("forward"))
        self.engine.add_user(user)
        self.engine.add_device(user, getattr(watchword.Device, kind)(**device))

    def verify(self, attempts: list[Attempt]) -> list[str]:
        said = []
        for now, user, response in attempts:
            self.now = now
            said.append(watchword.Code(self.engine.verify(user, response).code).name)
        return said

    def locked_until_ms(self, user: str) -> int:
        return self.engine.user(user).locked_until_ms or 0

    def moving(self, user: str) -> int:
        return self.engine.user(user).devices[0].moving


class Batch(Single):
    """The engine, one verify_many for all attempts of one millisecond."""

    batched = True

    def verify(self, attempts: list[Attempt]) -> list[str]:
        self.now = attempts[0][0]
        users, responses = [a[1] for a in attempts], [a[2] for a in attempts]
        return [watchword.Code(code).name for code in self.engine.verify_many(users, responses)]


DOORS = pytest.mark.parametrize("door", [Twin, Single, Batch])
OUTCOMES = {"accept": {"ACCEPTED"}, "reject": {"REJECTED"}, "locked": {"LOCKED"}}
# What the replay rules call reject includes the empty code, which counts as no failure.
REPLAY_OUTCOMES = {"accept": {"ACCEPTED"}, "reject": {"REJECTED", "CHALLENGE"}}


def batches(attempts: list[Any], batched: bool) -> Iterator[list[Any]]:
    """Runs of attempts of one millisecond, or each alone."""
    if not batched:
        yield from ([attempt] for attempt in attempts)
        return
    for _, run in itertools.groupby(attempts, key=lambda attempt: attempt[0]):
        yield list(run)


@DOORS
@pytest.mark.parametrize("row", rows("lockout"))
def test_lockout(row: Row, door: Callable[..., Any]) -> None:
    """Right credentials are the code of the counter expected, wrong ones that code altered."""
    policy = row["policy"]
    tested = door(lockout_failures=policy["n"], lockout_window_ms=policy["w_ms"])
    counters = dict.fromkeys(sorted({user for _, user, *_ in row["attempts"]}), 0)
    for user in counters:
        tested.add(user, "hotp", key=KEY, look_ahead=0)
    for run in batches(row["attempts"], tested.batched):
        attempts = []
        for now, user, right, *_ in run:
            code = watchword.hotp(KEY, counters[user])
            wrong = code[:-1] + str((int(code[-1]) + 1) % 10)
            attempts.append((now, user, code if right else wrong))
            counters[user] += right     # a right code is used up, also while locked
        for said, attempt in zip(tested.verify(attempts), run, strict=True):
            assert said in OUTCOMES[attempt[3]], attempt
        for user, attempt in {attempt[1]: attempt for attempt in run}.items():
            assert tested.locked_until_ms(user) == (attempt[4] or 0), attempt
            assert tested.moving(user) == counters[user]


@DOORS
@pytest.mark.parametrize("row", rows("replay-hotp", "replay-totp"))
def test_replay(row: Row, door: Callable[..., Any]) -> None:
    tested = door(lockout_failures=100)
    hotp = "counter" in row
    device = {"key": bytes.fromhex(row["secret_hex"]), "digits": row["digits"]}
    device["algorithm"] = row["algorithm"].lower()
    if hotp:
        own = {"look_ahead": row["look_ahead"]}
        own["counter" if door is not Twin else "moving"] = row["counter"]
    else:
        own = {name: row[name] for name in ("period", "t0", "back", "forward")}
    tested.add("alice", "hotp" if hotp else "totp", **device, **own)
    trace = [(0, *a) if hotp else a for a in row["attempts"]]
    for run in batches(trace, tested.batched):
        said = tested.verify([(seconds * 1000, "alice", code) for seconds, code, *_ in run])
        for verdict, attempt in zip(said, run, strict=True):
            assert verdict in REPLAY_OUTCOMES[attempt[2]], attempt
        after = run[-1][3]
        expected = after if hotp else 0 if after is None else after + 1
        assert tested.moving("alice") == expected, run[-1]
