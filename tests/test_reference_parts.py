"""The small rules of the slow twin, each alone: names, sources, last positions, tombstones.

The transition's own tables are in test_reference.py.
"""

import pytest

from watchword.reference import Attempt, Device, Figures, Reference, name_is_legal, source_of

KEY = b"12345678901234567890"


@pytest.mark.parametrize(
    ("name", "plain", "any_text"),
    [
        ("", False, False), ("a", True, True), ("a" * 64, True, True), ("a" * 65, False, True),
        ("a" * 128, False, True), ("a" * 129, False, False), ("Alice09", True, True),
        ("alice@example.com", False, True), ("\u00e4" * 64, False, True),
        ("\u00e4" * 65, False, False), ("a b", False, True), ("a\tb", False, False),
        ("a\x00", False, False), ("a\x7f", False, False), ("a\x85", False, False),
        ("\ud800", False, False), ("\uff11", False, True), ("\U0001d11e", False, True),
    ],
)  # fmt: skip
def test_names(name: str, plain: bool, any_text: bool) -> None:
    assert name_is_legal(name, False) == plain
    assert name_is_legal(name, True) == any_text


def test_sources_are_addresses_or_networks_of_64_bits() -> None:
    assert source_of("192.0.2.1") == source_of("::ffff:192.0.2.1") != source_of("192.0.2.2")
    assert source_of("2001:db8::1") == source_of("2001:db8::ffff:1") != source_of("2001:db8:0:1::1")


def test_a_source_is_busy_for_the_rest_of_the_hour() -> None:
    """60 buckets of a minute: the failure of minute 0 counts through minute 59."""
    twin = Reference(Figures(source_failures=2))
    attempt = Attempt("nobody", "wrong", address="192.0.2.1")
    said = [
        twin.attempt(attempt, minute * 60_000 + 59_999).verdict.name
        for minute in (0, 1, 59, 60, 60, 61, 120)
    ]
    assert said == ["REJECTED", "REJECTED", "BUSY", "REJECTED", "BUSY", "REJECTED", "REJECTED"]


MOST = 2**64 - 1


@pytest.mark.parametrize(
    ("moving", "window", "wide"),
    [
        (0, range(11), range(101)),
        (MOST - 11, range(MOST - 11, MOST), range(MOST - 11, MOST - 1)),
        (MOST - 1, range(MOST - 1, MOST), range(0)),
        (MOST, range(0), range(0)),
    ],
)
def test_no_position_wraps(moving: int, window: range, wide: range) -> None:
    device = Device("hotp", KEY, moving=moving)
    assert device.window(0) == window
    assert device.wide_window(0) == wide


@pytest.mark.parametrize(
    ("kind", "used", "old", "new", "moving"),
    [
        # kind, moving before, (period, t0) before, (period, t0) now, moving after enrolment
        ("hotp", 5, (30, 0), (30, 0), 5),
        ("totp", 5, (30, 0), (30, 0), 5),
        ("totp", 0, (30, 0), (60, 7), 0),
        ("totp", 400, (30, 0), (60, 0), 200),   # ends at 12,000 s: step 200 begins there
        ("totp", 401, (30, 0), (60, 0), 201),   # ends at 12,030 s: step 201 begins at 12,060 s
        ("totp", 5, (30, 0), (60, 0), 5),       # step 3 by time, but the numbers 3 and 4 were used
        ("totp", 128, (30, 0), (60, 0), 128),   # 64 further on is within reach,
        ("totp", 130, (30, 0), (60, 0), 65),    # 65 is not
        ("totp", 2, (60, 0), (30, 0), 4),
        ("totp", 5, (30, 0), (30, 1), 5),       # ends at 150 s: step 5 begins at 151 s
        ("totp", 5, (30, 0), (30, -1), 6),      # step 5 begins at 149 s, too early
        ("totp", 5, (30, 0), (30, 1000), 5),    # step 0 by time; what was used stays used
        ("totp", 500, (30, 0), (30, 6000), 300),
    ],
)
@pytest.mark.parametrize("whole_user", [False, True])
def test_a_key_enrolled_again_is_not_fresh(
    kind: str, used: int, old: tuple[int, int], new: tuple[int, int], moving: int, whole_user: bool
) -> None:
    """RULES 4: once means once, also when the device or the user is removed in between."""
    twin = Reference()
    twin.add_user("alice", 0)
    first = Device(kind, KEY, "D1", moving=used, period=old[0], t0=old[1])
    twin.add_device("alice", first, 0)
    if whole_user:
        twin.remove_user("alice", 0)
        twin.add_user("alice", 0)
    else:
        twin.remove_device("alice", "D1", 0)
    twin.add_device("alice", Device(kind, KEY, "D2", period=new[0], t0=new[1]), 0)
    assert twin.users["alice"].devices[0].moving == moving
