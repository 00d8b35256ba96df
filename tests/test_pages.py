"""ext/pages.c and ext/rows.c: a store's pages and rows bring back the state that wrote them."""

import dataclasses
from array import array
from pathlib import Path

import pytest
from standing import KEY, Bench, T, on_disk

from watchword import Card, Challenge, Device, Engine, ocra, totp
from watchword._engine import Core
from watchword.devices.card import cells

TIME_AT = 24  # in a row's header


def recovered(engine, pages_after=None):
    """A core that has only the engine's rows (and, if asked, its pages from part of the way)."""
    core = Core(bytes(16))
    turns = {"identity": array("q"), "state": array("q")}
    if pages_after is not None:
        for number, (turn, identity, state) in enumerate(pages_after):
            assert core.load_identity(number, identity)
            assert core.load_state(number, state)
            turns["identity"].append(turn)
            turns["state"].append(turn)
    for row in engine.tap:
        assert core.replay(row, turns["identity"], turns["state"]) is not None
    core.loaded()
    return core


def everyone(core):
    return [core.user(slot) for slot in range(core.slots_used())]


SUITES = [
    ("OCRA-1:HOTP-SHA1-8:QN06", {}),
    ("OCRA-1:HOTP-SHA256-10:C-QA40-PSHA512", {"pin": "9876", "counter": 7}),
    ("OCRA-1:HOTP-SHA512-4:QH64-PSHA1-S512-T48H", {"pin": "1234", "window": (0, 2)}),
]


def asked_history(engine, name, n):
    """A device that is asked on both platforms, answered on one of them, and left so."""
    suite, figures = SUITES[n % 3]
    serial = engine.add_device(name, Device.ocra(KEY, suite, **figures))
    for platform in ("trading", "portal")[: n % 3 + 1]:
        engine.challenge(name, platform=platform, purpose=f"purpose {n}" if n % 2 else None)
    question = engine.challenge(name, device=serial).prompt
    if not figures:
        assert engine.verify(name, ocra(suite, KEY, question), device=serial).rank == 0
        engine.challenge(name, platform="portal", device=serial)


def busy_history(bench, after=None):
    engine = bench.engine
    algorithms = ("sha1", "sha256", "sha512")
    for n in range(40):
        name = f"user{n}" if n % 3 else f"user{n}" + "x" * 50
        engine.add_user(name, state=("open", "pending", "closed")[n % 3])
        for d in range(n % 4):
            make = Device.totp(KEY, algorithm=algorithms[d % 3], t0=n % 2, drift_max=n % 11)
            if d % 2:
                make = Device.hotp(KEY + bytes([d]), counter=n, algorithm=algorithms[n % 3])
            engine.add_device(name, make)
        if n % 4 < 2 and n % 7 != 3:
            asked_history(engine, name, n)
        bench.now += 1_000
        engine.verify(name, "000000")
        engine.verify(name, totp(KEY, bench.now // 1000, t0=n % 2))
        if n % 7 == 3:
            engine.remove_user(name)
        if n % 5 == 1:
            for _ in range(14):
                engine.verify(name, "111111")
        if n % 10 == 6:
            engine.unlock(name, by="clerk")
        if after is not None and n == 20:
            core = engine._core
            after.append((engine._turn, core.page_identity(0), core.page_state(0)))


@pytest.mark.parametrize("failures", [10, 40])
def test_recovery_is_apply_alone(failures):
    bench = Bench(lockout_failures=failures, failures_cap=12)
    halfway = []
    busy_history(bench, halfway)
    living = everyone(bench.engine._core)
    assert sum(user is not None for user in living) > 30
    assert everyone(recovered(bench.engine)) == living
    assert everyone(recovered(bench.engine, halfway)) == living


def test_a_page_comes_back_as_it_was_and_a_damaged_one_is_refused():
    bench = Bench(lockout_failures=40)
    busy_history(bench)
    core = bench.engine._core
    identity, state = core.page_identity(0), core.page_state(0)
    for cut in (*range(0, len(identity), 97), len(identity) - 1):
        fresh = Core(bytes(16))
        assert not fresh.load_identity(0, identity[:cut])
    assert not Core(bytes(16)).load_identity(1, identity), "a page is not another page"
    fresh = Core(bytes(16))
    assert fresh.load_identity(0, identity)
    for cut in range(21, len(state) - 1, 97):
        copy = Core(bytes(16))
        copy.load_identity(0, identity)
        loaded = copy.load_state(0, state[:cut])
        assert not loaded or cut in _ends_of_users(state)
    assert fresh.load_state(0, state)
    assert everyone(fresh) == everyone(core)


def _ends_of_users(state):
    """Where a state page could end with a whole user."""
    ends, at = set(), 20
    while at < len(state):
        devices, streak = state[at + 2], state[at + 3]
        at += 4
        if streak:
            at += 18 + 4 * state[at + 17]
        at += 15 * devices
        ends.add(at)
    return ends


# ---- rows that are ours by their seal, and cannot be by what they say ----


def rows_of_one_user():
    bench = Bench()
    bench.engine.add_user("alice")
    bench.engine.add_device("alice", Device.totp(KEY))
    bench.engine.verify("alice", "000000")
    return bench.engine.tap


@pytest.mark.parametrize("time_ms", [2**63 - 1, 2**53 + 1, -(2**53) - 1, -(2**63)])
def test_a_row_from_the_end_of_time_is_refused(time_ms):
    never = array("q")
    for row in rows_of_one_user():
        late = bytearray(row)
        late[TIME_AT : TIME_AT + 8] = time_ms.to_bytes(8, "little", signed=True)
        assert Core(bytes(16)).replay(bytes(late), never, never) is None


def test_a_device_whose_number_stands_already_is_refused():
    never = array("q")
    user, device, _ = rows_of_one_user()
    core = Core(bytes(16))
    assert core.replay(user, never, never) is not None
    assert core.replay(device, never, never) is not None
    assert core.replay(device, never, never) is None
    assert len(core.user(0)[-1]) == 1


# ---- what the first format left -------------------------------------------------------------

# Written before there were labels and devices that are asked: alice with a TOTP device, bob with
# one of HOTP, a right code and a wrong one.
FIRST_IDENTITY = bytes.fromhex(
    """
    57575049010000000000000002000000030000000000000000000000050001616c69636501000000010006010100
    021e0000000000000000000114000200313233343536373839303132333435363738393054318c0cc8cbace299f5
    32c8b8bdc3c195da253068f8cdbdbd98fe7be058eadd5cad0b43c03a256810fe0100000000000000030501626f62
    0200000002010800000a000000000000000000000001140002003132333435363738393031323334353637383930
    4831e38621fad320c20e38aa9b4db2c1743af8c1a78e568e97eeadd55b69ef79acf746fce957af10044185ef985e
    dde5f80d7a093981f1997daf8eec87c80c41fc0d
    """
)
FIRST_STATE = bytes.fromhex(
    """
    575750530100000000000000020000000300000000000100010000002caa60030000000000000101000101108fe5
    cf8b01000000000000000000000100020000000500000000000000000101
    """
)
FIRST_ROWS = bytes.fromhex(
    """
    575752310100000000000000020000000100000000000000108fe5cf8b0100000400000100000000000000000000
    000000000000000000000000000005000000616c6963650000000000000000000000000000000000000000000000
    00000000575752310100000000000000030000000200000000000000108fe5cf8b01000008000002000000000000
    0000000000000000000000000000010000000000000001000601010100021e001402000000000000000000000000
    31323334353637383930313233343536373839305431000000000000000000000000000000000000575752310100
    000000000000020000000300000000000000108fe5cf8b0100000400000100000500010000000000000000000000
    000000000000000003000000626f6200000000000000000000000000000000000000000000000000000000005757
    52310100000000000000030000000400000000000000108fe5cf8b01000008000002000000000100000000000000
    050000000000000002000000000000000201080100000a0000001402000000000000000000000000313233343536
    37383930313233343536373839304831000000000000000000000000000000000000575752310100010020000000
    010000000500000000000000108fe5cf8b01000008656d6265646465640000000000000000000000000000000000
    000000000000010100001000000000000000000000002caa60030000000001000000000000005757523101000100
    20000000010000000600000000000000108fe5cf8b01000008656d62656464656400000000000000000000000000
    000000000000000000000102010042000000010000000000000000000000000000000000000000000000
    """
)
FIRST_ROW_BYTES = (96, 128, 96, 128, 96, 96)


def first_rows():
    at = 0
    for size in FIRST_ROW_BYTES:
        yield FIRST_ROWS[at : at + size]
        at += size


def test_pages_and_rows_of_the_first_format_are_read_as_they_were():
    paged, replayed, none = Core(bytes(16), bytes(48)), Core(bytes(16), bytes(48)), array("q")
    assert paged.load_identity(0, FIRST_IDENTITY)
    assert paged.load_state(0, FIRST_STATE)
    for row in first_rows():
        assert replayed.replay(row, none, none) is not None
    for core in (paged, replayed):
        core.loaded()
        assert core.page_state(0)[8:] == FIRST_STATE[8:]
        assert core.page_identity(0)[8:] == FIRST_IDENTITY[8:]
        assert core.page_identity(0)[4:8] == (3).to_bytes(4, "little")
    alice, bob = everyone(paged)
    assert [device[1] for device in (*alice[-1], *bob[-1])] == ["T1", "H1"]
    assert (alice[4], bob[4]) == (0, 1)


@pytest.mark.parametrize("version", [0, 4])
def test_pages_of_another_format_are_refused(version):
    core = Core(bytes(16), bytes(48))
    assert not core.load_identity(0, other_version(FIRST_IDENTITY, version))
    assert core.load_identity(0, FIRST_IDENTITY)
    assert not core.load_state(0, other_version(FIRST_STATE, version))


def other_version(page, version):
    return page[:4] + version.to_bytes(4, "little") + page[8:]


@pytest.mark.parametrize("reopened", ["pages", "journal", "not"])
@pytest.mark.parametrize("further", [False, True])
def test_what_stands_stays_so_where_a_card_has_dates(
    tmp_path: Path, further: bool, reopened: str
) -> None:
    """The first device stands in its user's own line, one with dates does not: what was asked of
    it before, on one platform with a purpose, moves with it, and what was used up does not."""
    path, card = tmp_path / "store", Card("", "", cells(KEY))
    with on_disk(path) as engine:
        engine.add_user("alice")
        engine.add_device("alice", Device.code_card(KEY), serial="C1")
        if further:
            engine.add_device("alice", Device.totp(b"t" * 20), serial="T1")
        used = engine.challenge("alice", platform="portal")
        assert engine.verify("alice", card.answer(used.prompt), platform="portal")
        named = engine.challenge("alice", purpose="wire")
        asked = engine.challenge("alice", platform="portal")
        engine.set_dates("alice", "C1", expires_ms=T + 86_400_000)
        if reopened == "pages":
            engine._keeper.write()  # type: ignore[union-attr]
        if reopened == "not":
            answer_what_stands(engine, card, used, named, asked)
    if reopened != "not":
        with on_disk(path) as engine:
            answer_what_stands(engine, card, used, named, asked)
            engine.remove_device("alice", "C1")
            engine.add_device("alice", Device.code_card(b"another" * 3), serial="C2")
            assert engine.challenge("alice").kind == "code-card"


def answer_what_stands(
    engine: Engine, card: Card, used: Challenge, named: Challenge, asked: Challenge
) -> None:
    answer = card.answer(asked.prompt)
    assert not engine.verify("alice", answer), "on trading it was asked for a purpose alone"
    for old in (used, dataclasses.replace(named, id=used.id)):
        text = card.answer(old.prompt)
        assert not engine.verify("alice", text, platform="portal", challenge=old.id)
    assert engine.verify("alice", answer, challenge=named.id)
    assert not engine.verify("alice", answer, platform="portal")
    assert not engine.verify("alice", answer, platform="portal", challenge=asked.id)
