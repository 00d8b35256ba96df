"""ext/ids.c: an attempt that brings a request id is decided once, and remembered over lives."""

import asyncio
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import push_doors
import pytest

import watchword
from watchword import Device, Engine, InvalidArgument, Policy, _engine

KEY = b"12345678901234567890"
CODES = ["755224", "287082", "359152", "969429", "338314", "254676", "287922"]  # RFC 4226, D
BEGIN_MS = 1_700_000_000_000


class Store:
    """An engine in a folder, which may end and be opened again, on a clock that is a number."""

    def __init__(self, path: str = ":memory:") -> None:
        self.path, self.now_ms = path, BEGIN_MS
        self.engine = self.opened()
        self.engine.add_user("alice")
        self.engine.add_device("alice", Device.hotp(KEY))

    def opened(self) -> Engine:
        return Engine.open(self.path, clock=lambda: self.now_ms)

    def again(self) -> None:
        self.engine.close()
        self.engine = self.opened()

    def rows(self) -> int:
        return self.engine.counters()["turns"]


@pytest.fixture
def store() -> Iterator[Store]:
    found = Store()
    with found.engine:
        yield found


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Store]:
    found = Store(str(tmp_path / "store"))
    yield found
    found.engine.close()


def told(verdict: Any) -> tuple[Any, ...]:
    names = "code reason device kind scope rank offset retry_after_ms session_ms".split()
    return tuple(getattr(verdict, name) for name in names)


def test_siphash_of_128_bits() -> None:
    """Of the vectors by its authors, and whatever else OpenSSL makes of it."""
    key = bytes(range(16))
    for length, expected in ((0, "a3817f04ba25a8e66df67214c7550293"),
                             (15, "5493e99933b0a8117e08ec0f97cfc3d9")):
        assert _engine.sip128(key, bytes(range(length))).hex() == expected
    rng = random.Random(6)
    for length in (1, 7, 8, 9, 63, 64, 1000):
        key, text = rng.randbytes(16), rng.randbytes(length)
        said = subprocess.run(
            ["openssl", "mac", "-macopt", f"hexkey:{key.hex()}", "-macopt", "size:16", "SIPHASH"],
            input=text, capture_output=True, check=True,
        ).stdout  # fmt: skip
        assert _engine.sip128(key, text).hex() == said.decode().strip().lower()


def test_an_answer_that_was_lost_is_told_again(store: Store) -> None:
    first = store.engine.verify("alice", CODES[0], request_id="login-0001")
    rows = store.rows()
    for _ in range(20):
        assert told(store.engine.verify("alice", CODES[0], request_id="login-0001")) == told(first)
    assert first
    assert store.rows() == rows, "nothing is recorded, so nothing was counted"
    assert not store.engine.verify("alice", CODES[0]), "the code is used up"
    assert not store.engine.verify("alice", CODES[0], request_id="login-0002")


def test_a_failure_is_counted_once_and_a_lock_tells_its_first_length(store: Store) -> None:
    for attempt in range(9):
        for _ in range(3):
            verdict = store.engine.verify("alice", "000000", request_id=f"failure{attempt}")
            assert verdict.code is watchword.Code.REJECTED
    lock = store.engine.verify("alice", "000000", request_id="failure9")
    assert lock.retry_after_ms == 86_400_000, "the tenth, not the twenty-eighth"
    store.now_ms += 59_999
    assert told(store.engine.verify("alice", "000000", request_id="failure9")) == told(lock)
    locked = store.engine.verify("alice", CODES[0], request_id="while locked")
    store.now_ms += 1_000
    assert told(store.engine.verify("alice", CODES[0], request_id="while locked")) == told(locked)


OTHERS: list[dict[str, Any]] = [
    {"user": "bob"}, {"response": CODES[1]}, {"platform": "portal"}, {"realm": "paper"},
    {"device": "W00000001"}, {"address": "192.0.2.1"}, {"session": b"x"}, {"challenge": "0" * 96},
    {"pin": "1234"}, {"password": "secret"}, {"first_factor": True},
]  # fmt: skip


@pytest.mark.parametrize("other", OTHERS, ids=[next(iter(o)) for o in OTHERS])
def test_any_other_argument_is_misuse_and_nothing_is_looked_at(
    store: Store, other: dict[str, Any]
) -> None:
    said: dict[str, Any] = {"user": "alice", "response": CODES[0]}
    assert store.engine.verify(**said, request_id="login-0001")
    rows = store.rows()
    with pytest.raises(InvalidArgument, match="request_id was given before"):
        store.engine.verify(**{**said, **other}, request_id="login-0001")
    assert store.rows() == rows
    assert store.engine.verify(**said, request_id="login-0001")


def test_another_password_is_another_argument(store: Store) -> None:
    said: dict[str, Any] = {"user": "alice", "response": CODES[0], "request_id": "login-0001"}
    assert not store.engine.verify(**said, password="one")
    assert not store.engine.verify(**said, password="one")
    with pytest.raises(InvalidArgument, match="request_id"):
        store.engine.verify(**said, password="two")


def test_an_id_is_its_gateways_own(store: Store) -> None:
    assert store.engine.verify("alice", CODES[0], request_id="login-0001", gateway="one")
    assert not store.engine.verify("alice", CODES[0], request_id="login-0001", gateway="two")
    assert store.engine.verify("alice", CODES[0], request_id="login-0001", gateway="one")


@pytest.mark.parametrize("request_id", ["short", "x" * 65, b"seven b", 12345678, "é" * 33])
def test_an_id_has_8_to_64_bytes(store: Store, request_id: Any) -> None:
    with pytest.raises(InvalidArgument, match="request_id is 8 to 64 bytes"):
        store.engine.verify("alice", CODES[0], request_id=request_id)
    with pytest.raises(InvalidArgument, match="request_id is 8 to 64 bytes"):
        asyncio.run(store.engine.averify("alice", CODES[0], request_id=request_id))
    assert store.engine.verify("alice", CODES[0], request_id=b"\0" * 64)


# Milliseconds after the first, from the time on, and whether it is still remembered.
TIMES: list[tuple[list[int], bool]] = [
    ([59_999], True), ([60_000], False), ([-3_600_000], True), ([-3_600_000, 59_999], True),
    ([30_000, -1], True),
]  # fmt: skip


@pytest.mark.parametrize(("times", "remembered"), TIMES)
@pytest.mark.parametrize("life", ["one", "another", "without pages"])
def test_a_minute_by_the_turns_clock(
    tmp_path: Path, times: list[int], remembered: bool, life: str
) -> None:
    store = Store(str(tmp_path / "store"))
    first = store.engine.verify("alice", CODES[0], request_id="login-0001")
    if life == "another":
        store.again()
    elif life == "without pages":
        keeper = store.engine._keeper
        assert keeper is not None
        keeper.write = lambda pace=0.0: None  # type: ignore[method-assign]
        store.again()
    for ms in times:
        store.now_ms = BEGIN_MS + ms
        verdict = store.engine.verify("alice", CODES[0], request_id="login-0001")
        assert (told(verdict) == told(first)) is remembered
    store.engine.close()


def test_what_had_run_out_stays_so_when_time_goes_back(kept: Store) -> None:
    assert kept.engine.verify("alice", CODES[0], request_id="login-0001")
    kept.now_ms += 60_000
    kept.engine.verify("alice", "000000")
    kept.now_ms -= 60_000
    assert not kept.engine.verify("alice", CODES[0], request_id="login-0001")
    kept.again()
    kept.now_ms -= 1_000
    assert not kept.engine.verify("alice", CODES[0], request_id="login-0001")


def test_every_kind_of_verdict_survives_a_restart(kept: Store) -> None:
    engine = kept.engine
    engine.add_user("closed", state="closed")
    engine.add_device("closed", Device.dsc(KEY + b"c"), serial="CARD1")
    engine.add_user("carol")
    engine.add_device("carol", Device.dsc_plus(KEY))
    asked = engine.challenge("carol")
    typed = watchword.ocra("OCRA-1:HOTP-SHA1-8:QN06", KEY, asked.prompt)
    said: list[dict[str, Any]] = [
        {"user": "alice", "response": CODES[3], "address": "192.0.2.7"},
        {"user": "closed", "response": watchword.hotp(KEY + b"c", 0)},
        {"user": "carol", "response": typed, "challenge": asked.id},
        {"user": "nobody", "response": "123456", "address": "2001:db8::1"},
        {"user": "not a name!", "response": ""}, {"user": "carol", "response": ""},
        *[{"user": "mallory", "response": f"{n}"} for n in range(12)],
        *[{"user": "alice", "response": f"{n}"} for n in range(12)],
    ]  # fmt: skip
    first = [told(engine.verify(**one, request_id=f"number {n}")) for n, one in enumerate(said)]
    codes = {one[0].name for one in first}
    assert codes == {"ACCEPTED", "NOT_PERMITTED", "REJECTED", "BAD_CHARACTER", "CHALLENGE",
                     "LOCKED"}  # fmt: skip
    logins = [entry.address for entry in engine.audit(only="logins") if entry.verdict]
    assert logins[:4] == ["192.0.2.7", "", "", "2001:db8::1"]
    kept.again()
    rows = kept.rows()
    again = [
        told(kept.engine.verify(**one, request_id=f"number {n}")) for n, one in enumerate(said)
    ]
    assert again == first
    assert kept.rows() == rows


def attempted(
    engine: Engine, now_ms: int, user: str, response: str, **said: Any
) -> tuple[Any, ...]:
    """An attempt of any sort with a request id, and the client's address."""
    names, batch = watchword.lifecycle.names_packed(("one",)), _engine.Batch()
    given = (engine._core, names, b"number 1", None)
    batch.put(user, response, address="192.0.2.7", given=given, **said)
    with engine._lock:
        turn = engine._take(batch, now_ms, names, 1)
        verdict = engine._core.verdict(batch, 0)
    engine._wait(turn)
    return told(verdict)


@pytest.mark.parametrize("sort", ["activation", "resync"])
def test_an_attempt_that_is_no_login_is_remembered_like_one(kept: Store, sort: str) -> None:
    if sort == "activation":
        serial = kept.engine.ship_device("alice", Device.hotp(KEY + b"s"))
        typed, said = watchword.hotp(KEY + b"s", 0), {"device": serial, "activate": True}
    else:
        typed, said = CODES[3], {"second": CODES[4]}
    first = attempted(kept.engine, kept.now_ms, "alice", typed, **said)
    assert first[0] is watchword.Code.ACCEPTED
    rows, addresses = kept.rows(), [entry.address for entry in kept.engine.audit()]
    assert attempted(kept.engine, kept.now_ms, "alice", typed, **said) == first
    kept.again()
    assert attempted(kept.engine, kept.now_ms, "alice", typed, **said) == first
    assert kept.rows() == rows
    assert [entry.address for entry in kept.engine.audit()] == addresses


def test_awaited_attempts_see_each_other(store: Store) -> None:
    async def ask() -> list[Any]:
        calls = [
            store.engine.averify("alice", CODES[0], request_id="login-0001") for _ in range(5)
        ]
        calls.append(store.engine.averify("alice", CODES[1], request_id="login-0001"))
        return await asyncio.gather(*calls, return_exceptions=True)

    *verdicts, misuse = asyncio.run(ask())
    assert all(verdicts)
    assert isinstance(misuse, InvalidArgument)
    assert store.rows() == 3, "the user, the device, one login"


def test_busy_is_not_remembered(store: Store) -> None:
    store.engine._shed = lambda: True  # type: ignore[method-assign]
    busy = store.engine.verify("alice", CODES[0], request_id="login-0001")
    del store.engine._shed  # type: ignore[method-assign]
    assert busy.code is watchword.Code.BUSY
    assert store.engine.verify("alice", CODES[0], request_id="login-0001")


def test_a_poll_is_not_remembered_and_a_claim_is(kept: Store) -> None:
    """The phone had not decided; then it has, and whoever asks again is told that, by the same id,
    with the session that a fingerprint opens."""
    kept.engine.add_user("carol")
    kept.engine.add_device("carol", push_doors.device_of("phone"), serial="phone")
    asked = kept.engine.push("carol")
    said: dict[str, Any] = {"user": "carol", "response": "", "challenge": asked.id}
    poll = kept.engine.verify(**said, request_id="carol-0001")
    assert poll.code is watchword.Code.CHALLENGE
    signature = push_doors.signed(
        "phone", "watchword push answer 1", asked.id, str(asked.number), "carol", "trading", "", "",
        "approve", "biometric",
    )  # fmt: skip
    kept.engine.decide_push(
        asked.id, decision="approve", unlocked="biometric", signature=signature,
        number=asked.number,
    )  # fmt: skip
    claim = kept.engine.verify(**said, request_id="carol-0001")
    assert (claim.code.name, claim.session_ms) == ("ACCEPTED", 30 * 3_600_000)
    assert told(kept.engine.verify(**said, request_id="carol-0001")) == told(claim)
    kept.again()
    assert told(kept.engine.verify(**said, request_id="carol-0001")) == told(claim)
    assert not kept.engine.verify(**said)


def filled(engine: Engine, gateway: str, first: int, count: int, now_ms: int) -> list[int]:
    """So many attempts with ids of their own, by one turn after the other; their verdicts."""
    names = watchword.lifecycle.names_packed((gateway,))
    batch, codes = _engine.Batch(), bytearray(_engine.BATCH_ATTEMPTS_MAX)
    said: list[int] = []
    for start in range(first, first + count, _engine.BATCH_ATTEMPTS_MAX):
        stop = min(first + count, start + _engine.BATCH_ATTEMPTS_MAX)
        batch.reset()
        for n in range(start, stop):
            batch.put("nobody", "000000", given=(engine._core, names, b"filler%09d" % n, None))
        with engine._lock:
            engine._take(batch, now_ms, names, 1)
        batch.codes_into(codes, 0)
        said += codes[: stop - start]
    return said


def test_a_million_live_ids_of_a_gateway_and_then_busy() -> None:
    with Engine.open(policy=Policy(lockout_failures=100), clock=lambda: BEGIN_MS) as engine:
        codes = filled(engine, "one", 0, _engine.IDS_MAX + 3, BEGIN_MS)
        busy = int(watchword.Code.BUSY)
        assert codes.count(busy) == 3
        assert codes[-3:] == [busy] * 3
        assert filled(engine, "two", 0, 1, BEGIN_MS) != [busy], "another has room of its own"
        assert filled(engine, "one", 0, 1, BEGIN_MS) != [busy], "who comes again needs none"
        later = filled(engine, "one", 2_000_000, 1000, BEGIN_MS + _engine.ID_MS)
        assert busy not in later
        held = _engine.ids_held(engine._core)["one"]
        assert held <= _engine.IDS_MAX - 1000, "a few of the old ones go with each"


def test_ids_come_and_go_and_none_is_lost(store: Store) -> None:
    """Random arrivals over minutes, against a dict: clusters of the index move as ids go."""
    rng, live = random.Random(11), dict[bytes, int]()
    names = watchword.lifecycle.names_packed(("one",))
    core, batch, now_ms = store.engine._core, _engine.Batch(), BEGIN_MS
    for _ in range(400):
        now_ms += rng.choice([0, 100, 1_000, 10_000])
        ids = [b"id%08d" % rng.randrange(3000) for _ in range(rng.randrange(200))]
        batch.reset()
        for one in ids:
            batch.put("nobody", "000000", given=(core, names, one, None))
        with store.engine._lock:
            units = core.turn(batch, now_ms)
            core.passed(now_ms)
        fresh = 0
        for one in ids:
            if now_ms - live.get(one, -1_000_000) >= _engine.ID_MS:
                live[one] = now_ms
                fresh += 1
        assert units == 2 * fresh, "a record and its tail for each that was not there"


def test_an_activation_that_is_sent_again_is_the_first_ones(kept: Store) -> None:
    """Its code is used up: without an id the second would be a failure."""
    kept.engine.ship_device("alice", Device.of("dsc", b"a new device's key!!"), serial="NEW")
    code = watchword.hotp(b"a new device's key!!", 0)
    first = kept.engine.activate("alice", "NEW", code, request_id="activation 1")
    assert first
    for _ in range(2):
        again = kept.engine.activate("alice", "NEW", code, request_id="activation 1")
        assert told(again) == told(first)
        kept.again()
    assert kept.engine.user("alice").failures == 0
    with pytest.raises(InvalidArgument, match="request_id was given before"):
        kept.engine.activate("alice", "NEW", CODES[0], request_id="activation 1")
    with pytest.raises(InvalidArgument, match="request_id was given before"):
        kept.engine.verify("alice", code, device="NEW", request_id="activation 1")
    assert not kept.engine.activate("alice", "NEW", code)


def test_opting_in_is_done_once(kept: Store) -> None:
    kept.engine.set_addresses("alice", ["192.0.2.0/24"])
    kept.engine.opt_out("alice")
    said: dict[str, Any] = {"address": "192.0.2.7", "request_id": "opting in"}
    first = kept.engine.opt_in("alice", CODES[0], **said)
    assert first
    assert not kept.engine.entry("alice").opted_out
    kept.engine.opt_out("alice")
    assert told(kept.engine.opt_in("alice", CODES[0], **said)) == told(first)
    assert kept.engine.entry("alice").opted_out, "what was told again changes nothing"
