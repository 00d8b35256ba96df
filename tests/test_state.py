"""ext/state.c: what a record says is what apply does, living and recovering alike.

Rule: a row of the table is state, attempt, time -> verdict, effects, new state; the codes are
computed by the plain functions, whose own answers are published ones (test_vectors.py).
"""


import pytest
from standing import KEY, Bench, T

from watchword import Code, Device, Reason, hotp, lifecycle, totp

STEP = T // 30_000
DAY = 86_400_000

CLEAR, PUSH, WAIT, LOCK, ADVANCE, FORGIVE, CHARGE, SUSPEND = (1 << i for i in range(8))


def code(step):
    return totp(KEY, step * 30)


# offset from T in ms, response (a step's code, or text), verdict, reason, effects of the main
# record, moving afterwards (relative to STEP), failures afterwards
TOTP_TABLE = [
    ("the code of now", [
        (0, STEP, Code.ACCEPTED, Reason.NONE, ADVANCE, 1, 0),
    ]),
    ("one step early, then the older one is a replay", [
        (0, STEP + 1, Code.ACCEPTED, Reason.NONE, ADVANCE, 2, 0),
        (0, STEP, Code.REJECTED, Reason.REPLAYED, PUSH | CHARGE, 2, 1),
    ]),
    ("twice the same", [
        (0, STEP, Code.ACCEPTED, Reason.NONE, ADVANCE, 1, 0),
        (1, STEP, Code.REJECTED, Reason.REPLAYED, PUSH | CHARGE, 1, 1),
        (30_000, STEP + 1, Code.ACCEPTED, Reason.NONE, CLEAR | ADVANCE | FORGIVE, 2, 0),
    ]),
    ("two steps away is outside the window", [
        (0, STEP + 2, Code.REJECTED, Reason.WRONG, PUSH | CHARGE, None, 1),
        (0, STEP - 2, Code.REJECTED, Reason.WRONG, PUSH | CHARGE, None, 2),
        (0, STEP - 1, Code.ACCEPTED, Reason.NONE, CLEAR | ADVANCE | FORGIVE, 0, 0),
    ]),
    ("an empty response asks for a challenge and costs nothing", [
        (0, "", Code.CHALLENGE, Reason.EMPTY, 0, None, 0),
    ]),
    ("what is typed is compared as it is", [
        (0, " " + code(STEP), Code.REJECTED, Reason.WRONG, PUSH | CHARGE, None, 1),
        (0, code(STEP) + "\t", Code.REJECTED, Reason.WRONG, PUSH | CHARGE, None, 2),
        (0, "".join(chr(0xFF10 + int(c)) for c in code(STEP)), Code.REJECTED, Reason.WRONG,
         PUSH | CHARGE, None, 3),
        (0, "0" + code(STEP), Code.REJECTED, Reason.WRONG, PUSH | CHARGE, None, 4),
        (0, "9" * 128, Code.REJECTED, Reason.WRONG, PUSH | CHARGE, None, 5),
        (0, "9" * 129, Code.REJECTED, Reason.WRONG, PUSH | CHARGE, None, 6),
        (0, "//////", Code.REJECTED, Reason.WRONG, PUSH | CHARGE, None, 7),
        (0, "::::::", Code.REJECTED, Reason.WRONG, PUSH | CHARGE, None, 8),
    ]),
    ("three failures lock, the lock refuses right codes and uses them up", [
        (0, "000000", Code.REJECTED, Reason.WRONG, PUSH | CHARGE, None, 1),
        (1, "000000", Code.REJECTED, Reason.WRONG, PUSH | CHARGE, None, 2),
        (2, "000000", Code.REJECTED, Reason.WRONG, PUSH | CHARGE | LOCK, None, 3),
        (3, STEP, Code.LOCKED, Reason.LOCKED, WAIT | LOCK | CHARGE, 1, 4),
        (4, "", Code.LOCKED, Reason.LOCKED, WAIT | LOCK | CHARGE, 1, 5),
        (4 + DAY - 1, STEP, Code.LOCKED, Reason.LOCKED, WAIT | LOCK | CHARGE, 1, 6),
        (4 + DAY - 1 + DAY, "", Code.CHALLENGE, Reason.EMPTY, CLEAR, 1, 0),
        (4 + DAY - 1 + DAY, "000000", Code.REJECTED, Reason.WRONG, PUSH | CHARGE, 1, 1),
    ]),
    ("a clock that goes back frees nothing", [
        (0, STEP, Code.ACCEPTED, Reason.NONE, ADVANCE, 1, 0),
        (-30_000, STEP - 1, Code.REJECTED, Reason.REPLAYED, PUSH | CHARGE, 1, 1),
        (-30_000, STEP, Code.REJECTED, Reason.REPLAYED, PUSH | CHARGE, 1, 2),
        (-60_000, "000000", Code.REJECTED, Reason.WRONG, PUSH | CHARGE | LOCK, 1, 3),
        (-90_000, "000000", Code.LOCKED, Reason.LOCKED, WAIT | LOCK | CHARGE, 1, 4),
    ]),
]


@pytest.mark.parametrize(("title", "rows"), TOTP_TABLE, ids=[t for t, _ in TOTP_TABLE])
def test_a_totp_device_walks_its_table(title, rows):
    bench = Bench(lockout_failures=10 if "compared" in title else 3)
    bench.engine.add_user("alice")
    bench.engine.add_device("alice", Device.totp(KEY))
    for n, (at, typed, verdict, reason, effects, moving, failures) in enumerate(rows):
        bench.now = T + at
        given = bench.engine.verify("alice", code(typed) if isinstance(typed, int) else typed)
        record = bench.last()[0]
        user = bench.engine.user("alice")
        expected = 0 if moving is None else STEP + moving
        where = f"{title}, row {n}"
        assert (given.code, given.reason) == (verdict, reason), where
        assert (record.verdict, record.reason, record.effects) == (verdict, reason, effects), where
        assert user.devices[0].moving == expected, where
        assert user.failures == failures, where


def test_every_verdict_of_this_release_stands_in_a_table():
    seen = {row[2] for _, rows in TOTP_TABLE for row in rows}
    seen |= {Code.BAD_CHARACTER, Code.NOT_PERMITTED, Code.BUSY}  # the tests below
    assert seen == set(Code) - {Code.EXPIRED}  # needs a challenge or a temporary device


@pytest.mark.parametrize("name", ["", "a" * 65, "al ice", "alice\n", "al-ice", "ålice", "\ud800"])
def test_a_name_that_no_name_may_be_is_a_bad_character_and_costs_nothing(name):
    bench = Bench()
    verdict = bench.engine.verify(name, "000000")
    assert (verdict.code, verdict.reason) == (Code.BAD_CHARACTER, Reason.NAME)
    record = bench.last()[0]
    assert (record.effects, record.place & 0x80) == (0, 0x80)


def test_an_upper_case_letter_is_legal_and_names_nobody():
    bench = Bench()
    bench.engine.add_user("alice")
    bench.engine.add_device("alice", Device.totp(KEY))
    verdict = bench.engine.verify("Alice", code(STEP))
    assert (verdict.code, verdict.reason) == (Code.REJECTED, Reason.UNKNOWN_USER)
    assert bench.engine.verify("alice", code(STEP))


@pytest.mark.parametrize(
    ("state", "realm", "platform", "asked", "verdict", "reason"),
    [
        ("open", "live", "trading", "live", Code.ACCEPTED, Reason.NONE),
        ("pending", "live", "trading", "live", Code.NOT_PERMITTED, Reason.ACCOUNT),
        ("pending", "live", "portal", "live", Code.ACCEPTED, Reason.NONE),
        ("closed", "live", "trading", "live", Code.NOT_PERMITTED, Reason.ACCOUNT),
        ("closed", "live", "portal", "live", Code.ACCEPTED, Reason.NONE),
        ("open", "paper", "trading", "live", Code.NOT_PERMITTED, Reason.REALM),
        ("open", "paper", "trading", "paper", Code.ACCEPTED, Reason.NONE),
    ],
)
def test_what_is_right_but_not_permitted_is_used_up_and_no_failure(
    state, realm, platform, asked, verdict, reason
):
    bench = Bench()
    bench.engine.add_user("alice", state=state, realm=realm)
    bench.engine.add_device("alice", Device.totp(KEY))
    given = bench.engine.verify("alice", code(STEP), platform=platform, realm=asked)
    assert (given.code, given.reason) == (verdict, reason)
    user = bench.engine.user("alice")
    assert user.devices[0].moving == STEP + 1
    assert user.failures == 0
    again = bench.engine.verify("alice", code(STEP), platform=platform, realm=asked)
    assert again.code == Code.REJECTED


def test_unknown_names_lock_like_any_other():
    bench = Bench()
    codes = [bench.engine.verify("nobody", "000000").code for _ in range(12)]
    assert codes == [Code.REJECTED] * 10 + [Code.LOCKED] * 2
    bench.now += DAY
    assert bench.engine.verify("nobody", "000000").code == Code.REJECTED


def test_the_cap_suspends_every_device_that_was_tried_and_unlock_brings_them_back():
    bench = Bench(failures_cap=4, lockout_failures=100)
    engine = bench.engine
    engine.add_user("alice")
    a = engine.add_device("alice", Device.totp(KEY))
    b = engine.add_device("alice", Device.hotp(KEY[::-1], algorithm="sha256"))
    engine.verify("alice", "000000", device=b)
    for _ in range(3):
        engine.verify("alice", "000000")
    states = {d.serial: (d.state, d.failures, d.capped) for d in engine.user("alice").devices}
    assert states == {a: ("active", 3, False), b: ("suspended", 4, True)}
    main, also = bench.last()
    assert (main.device, main.effects) == (0, PUSH | CHARGE)
    assert also.effects == SUSPEND
    assert engine.verify("alice", "000000", device=b).reason == Reason.DEVICE_INACTIVE
    engine.unlock("alice", by="clerk")
    states = {d.serial: (d.state, d.failures, d.capped) for d in engine.user("alice").devices}
    assert states == {a: ("active", 3, False), b: ("active", 0, False)}
    assert engine.user("alice").failures == 0


def test_of_several_devices_all_that_match_are_used_up_and_the_lower_serial_is_reported():
    bench = Bench()
    engine = bench.engine
    engine.add_user("alice")
    engine.add_device("alice", Device.hotp(KEY, counter=5), serial="b")
    engine.add_device("alice", Device.hotp(KEY, counter=5), serial="a")
    engine.add_device("alice", Device.hotp(KEY, counter=50), serial="c")
    verdict = engine.verify("alice", hotp(KEY, 6))
    assert (verdict.code, verdict.device, verdict.offset) == (Code.ACCEPTED, "a", 1)
    assert {d.serial: d.moving for d in engine.user("alice").devices} == {"a": 7, "b": 7, "c": 50}
    assert [r.event for r in bench.last()] == [lifecycle.ATTEMPT, lifecycle.ALSO]


def test_a_named_device_is_the_only_one_tried():
    bench = Bench()
    engine = bench.engine
    engine.add_user("alice")
    engine.add_device("alice", Device.hotp(KEY), serial="a")
    engine.add_device("alice", Device.hotp(KEY[::-1]), serial="b")
    wrong = engine.verify("alice", hotp(KEY, 0), device="b")
    assert (wrong.code, wrong.reason) == (Code.REJECTED, Reason.WRONG)
    assert [d.failures for d in engine.user("alice").devices] == [0, 1]
    unknown = engine.verify("alice", hotp(KEY, 0), device="z")
    assert (unknown.code, unknown.reason) == (Code.REJECTED, Reason.DEVICE_UNKNOWN)
    assert engine.verify("alice", hotp(KEY, 0), device="a")


def test_drift_is_remembered_up_to_its_limit_and_not_at_all_for_phone_apps():
    bench = Bench()
    engine = bench.engine
    for name, most in (("token", 2), ("phone", 0)):
        engine.add_user(name)
        engine.add_device(name, Device.totp(KEY, drift_max=most))
    for turn, expected in ((0, 1), (1, 2), (2, 2)):
        bench.now = T + turn * 30_000
        assert engine.verify("token", code(STEP + turn + min(turn + 1, 3)))
        assert engine.user("token").devices[0].drift == expected
        assert engine.verify("phone", code(STEP + turn + 1))
        assert engine.user("phone").devices[0].drift == 0


# moving, first, second (positions), verdict, moving afterwards
RESYNC_HOTP = [
    (0, 50, 51, Code.ACCEPTED, 52),
    (0, 100, 101, Code.ACCEPTED, 102),
    (0, 101, 102, Code.REJECTED, 0),
    (60, 58, 59, Code.REJECTED, 60),
    (60, 59, 60, Code.REJECTED, 60),
    (60, 60, 61, Code.ACCEPTED, 62),
    (0, 50, 52, Code.REJECTED, 0),
    (0, 51, 50, Code.REJECTED, 0),
]


@pytest.mark.parametrize(("moving", "first", "second", "verdict", "after"), RESYNC_HOTP)
def test_a_hotp_device_is_found_again_forward_only(moving, first, second, verdict, after):
    bench = Bench()
    bench.engine.add_user("alice")
    serial = bench.engine.add_device("alice", Device.hotp(KEY, counter=moving))
    given = bench.engine.resync("alice", hotp(KEY, first), hotp(KEY, second), device=serial)
    assert given.code == verdict
    user = bench.engine.user("alice")
    assert user.devices[0].moving == after
    assert user.failures == (0 if given else 1)
    assert bench.last()[0].event == lifecycle.RESYNC


# steps from now, drift_max -> verdict, drift
RESYNC_TOTP = [
    (20, 10, Code.ACCEPTED, 10), (-20, 10, Code.ACCEPTED, -10), (5, 10, Code.ACCEPTED, 6),
    (21, 10, Code.REJECTED, 0), (-21, 10, Code.REJECTED, 0), (5, 0, Code.ACCEPTED, 0),
]


@pytest.mark.parametrize(("away", "most", "verdict", "drift"), RESYNC_TOTP)
def test_a_totp_device_is_found_again_within_twenty_steps(away, most, verdict, drift):
    bench = Bench()
    bench.engine.add_user("alice")
    serial = bench.engine.add_device("alice", Device.totp(KEY, drift_max=most))
    given = bench.engine.resync(
        "alice", code(STEP + away), code(STEP + away + 1), device=serial
    )
    assert given.code == verdict
    assert bench.engine.user("alice").devices[0].drift == drift


def test_step_0_and_the_last_counters_do_not_wrap():
    bench = Bench()
    engine = bench.engine
    engine.add_user("alice")
    engine.add_device("alice", Device.totp(KEY, window=10), serial="t")
    bench.now = 3_000
    assert engine.verify("alice", code(0))
    assert engine.user("alice").devices[0].moving == 1
    engine.add_user("bob")
    engine.add_device("bob", Device.hotp(KEY, counter=2**64 - 3, look_ahead=100), serial="h")
    assert engine.verify("bob", hotp(KEY, 0)).code == Code.REJECTED
    assert engine.verify("bob", hotp(KEY, 2**64 - 2))
    assert engine.user("bob").devices[0].moving == 2**64 - 1
    assert engine.verify("bob", hotp(KEY, 2**64 - 1)).code == Code.REJECTED
    assert engine.verify("bob", hotp(KEY, 0)).code == Code.REJECTED


def test_failures_of_an_address_make_it_busy_and_charge_nobody_more():
    bench = Bench(source_failures=5)
    engine = bench.engine
    engine.add_user("alice")
    engine.add_device("alice", Device.totp(KEY))
    for n in range(5):
        assert engine.verify(f"u{n}", "000000", address="192.0.2.7").code == Code.REJECTED
    rows = len(engine.tap)
    busy = engine.verify("alice", code(STEP), address="192.0.2.7")
    assert (busy.code, busy.reason) == (Code.BUSY, Reason.SOURCE)
    assert len(engine.tap) == rows, "nothing happened, so nothing is recorded"
    assert engine.verify("alice", "000000", address="192.0.2.8").code == Code.REJECTED
    bench.now += 59 * 60_000
    assert engine.verify("bob", "000000", address="192.0.2.7").code == Code.BUSY
    bench.now += 60_000
    assert engine.verify("bob", "000000", address="192.0.2.7").code == Code.REJECTED


def test_sources_are_counted_by_64_bits_of_an_ipv6_address():
    bench = Bench(source_failures=2)
    for last in (1, 2):
        bench.engine.verify("bob", "000000", address=f"2001:db8::{last}")
    assert bench.engine.verify("bob", "000000", address="2001:db8::3").code == Code.BUSY
    assert bench.engine.verify("bob", "000000", address="2001:db8:0:1::3").code == Code.REJECTED
