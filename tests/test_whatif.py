"""What-if: the journal's attempts under another policy, against what was said and the slow twin."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from histories import figures_of
from whatifs import asked, doubled, played

import watchword
from watchword import Code, Device, Engine, Policy, WhatIf, reference
from watchword.formats.lockouts import binned, blocks, svg
from watchword.whatif import LOCKED, LOCKS, UNSURE

KEY = b"12345678901234567890"
DAY_MS = 86_400_000


@pytest.mark.parametrize("seed", range(8))
def test_the_same_policy_says_what_was_said(seed: int) -> None:
    """Zero differences over random histories: verdict, reason, and where locks began."""
    figures = figures_of(seed)
    both = played(seed, figures, 12)
    assert both.engine.tap is not None
    found = asked(both.engine.tap, figures)
    both.engine.close()
    assert len(found) > 50
    assert (found["was"] == found["is"]).all()
    assert (found["was_reason"] == found["is_reason"]).all()
    assert ((found["flags"] & LOCKED != 0) == (found["flags"] & LOCKS != 0)).all()


def others_of(seed: int, figures: Any, cap: bool) -> Any:
    """Another policy: other rules of lockout, and of the cap."""
    rng = random.Random(f"others {seed}")
    words: dict[str, Any] = {
        "lockout_failures": rng.choice([1, 2, 3, 5, 10, 12, 13, 20, 100]),
        "lockout_window_ms": rng.choice([60_000, DAY_MS, 1, 3_600_000, 2**32 - 1]),
        "lockout_extend": rng.random() < 0.5,
    }
    if cap:
        words["failures_cap"] = rng.choice([None, 1, 3, 5])
        words["source_failures"] = rng.choice([None, 2, 5])
    return replace(figures, **words)


@pytest.mark.parametrize("cap", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_another_policy_says_what_the_twin_says(seed: int, cap: bool) -> None:
    """Attempt by attempt; but for users of whom the what-if says that it cannot be sure, those who
    were asked, or enrolled a phone, otherwise under the other policy, and whoever is told BUSY
    where such a one had come from."""
    figures = replace(figures_of(seed), source_failures=None)
    others = others_of(seed, figures, cap)
    both = doubled(seed, figures, others, 12)
    assert both.engine.tap is not None
    found = asked(both.engine.tap, others)
    twins = both.twin.recorded  # type: ignore[attr-defined]
    both.engine.close()
    assert len(found) == len(twins)
    unsure: set[int] = set()
    from_where: set[str] = set()    # such users came
    compared = 0
    for outcome, (was, now, odd, source) in zip(found, twins, strict=True):
        assert outcome["was"] == was
        busy = source in from_where and Code.BUSY in (outcome["is"], now)
        if outcome["flags"] & UNSURE or odd or busy:
            unsure.add(int(outcome["user"]))
        if source and int(outcome["user"]) in unsure:
            from_where.add(source)
        if int(outcome["user"]) not in unsure:
            assert outcome["is"] == now, (outcome, Code(now))
            compared += 1
    assert compared > 50


def test_a_rule_that_is_planted_wrong_is_seen() -> None:
    """The comparison can fail: under figures that are not the twin's it does."""
    figures = replace(figures_of(1), source_failures=None, lockout_failures=10, failures_cap=None)
    both = doubled(1, figures, replace(figures, lockout_failures=3), 12)
    assert both.engine.tap is not None
    found = asked(both.engine.tap, replace(figures, lockout_failures=2))
    twins = both.twin.recorded  # type: ignore[attr-defined]
    both.engine.close()
    assert any(o["is"] != now for o, (_, now, *_) in zip(found, twins, strict=True))


class Desk:
    """An engine on disk with a clock that is told."""

    def __init__(self, path: Path) -> None:
        self.now_ms, self.path = 1_700_000_000_000, path / "store"
        self.open()

    def open(self) -> None:
        self.engine = Engine.open(self.path, clock=lambda: self.now_ms)

    def report(self, **figures: Any) -> watchword.Report:
        what = WhatIf(Policy(**figures))
        for _, row, file in self.engine.bare_rows():
            what.feed(row, file)
        return what.report()


@pytest.fixture
def desk(tmp_path: Path):
    made = Desk(tmp_path)
    yield made
    made.engine.close()


def test_who_would_have_been_locked(desk: Desk) -> None:
    for name in ("ann", "bob"):
        desk.engine.add_user(name)
        desk.engine.add_device(name, Device.hotp(KEY if name == "ann" else KEY[::-1]))
    for _ in range(3):
        desk.engine.verify("ann", "000000")
    assert desk.engine.verify("ann", "755224")
    desk.engine.verify("bob", "000000")
    for _ in range(3):
        desk.engine.verify("nobody", "000000")
    report = desk.report(lockout_failures=3)
    assert (report.attempts, report.changed, report.unknown) == (5, 1, 3)
    assert report.verdicts == {"ACCEPTED -> LOCKED": 1}
    assert report.locked == report.refused == (watchword.whatif.Change("ann", 1),)
    assert report.freed == report.let_in == ()
    assert report.users == {"locked": 1, "freed": 0, "refused": 1, "let_in": 0}
    assert (report.locks_then, report.locks_now) == (0, 1)
    assert desk.report().changed == 0
    assert any("position" in words for words in report.not_asked)


def test_who_would_have_been_let_in(desk: Desk) -> None:
    desk.engine.add_user("ann")
    desk.engine.add_device("ann", Device.hotp(KEY))
    for _ in range(10):
        desk.engine.verify("ann", "000000")
    assert desk.engine.verify("ann", "755224").code is Code.LOCKED
    report = desk.report(lockout_failures=20)
    assert report.verdicts == {"LOCKED -> ACCEPTED": 1}
    assert report.let_in == report.freed == (watchword.whatif.Change("ann", 1),)


def test_scope_state_and_address(desk: Desk) -> None:
    """What forbids a platform forbids it again; an address beyond its limit is BUSY."""
    desk.engine.add_user("ann", state="pending")
    desk.engine.add_device("ann", Device.hotp(KEY))
    desk.engine.verify("ann", "755224")
    for _ in range(3):
        desk.engine.verify("ann", "000000", address="192.0.2.1")
    desk.engine.verify("ann", "287082", address="192.0.2.1", platform="portal")
    assert desk.report().changed == 0
    report = desk.report(source_failures=2)
    assert report.verdicts == {"REJECTED -> BUSY": 1, "ACCEPTED -> BUSY": 1}


def test_nothing_typed_may_be_enough_where_no_device_is_asked_for(desk: Desk) -> None:
    """A record does not say whether the password was right beside it: a password is no device."""
    desk.engine.add_user("ann")
    desk.engine.set_password("ann", "correct horse battery")
    said = desk.engine.verify("ann", "", password="correct horse battery")
    assert said.code is Code.CHALLENGE
    report = desk.report(allow_no_device=True)
    assert (report.changed, report.unsure) == (0, 1)
    assert desk.report().unsure == 0


def test_what_was_used_then_and_not_now_is_unsure_under_a_lock_too(desk: Desk) -> None:
    desk.engine.add_user("ann")
    desk.engine.add_device("ann", Device.hotp(KEY))
    for _ in range(2):
        desk.engine.verify("ann", "000000", address="192.0.2.1")
    assert desk.engine.verify("ann", "755224", address="192.0.2.1")     # now BUSY
    for _ in range(10):
        desk.engine.verify("ann", "000000")
    assert desk.engine.verify("ann", "755224").code is Code.LOCKED      # now it would be right
    report = desk.report(source_failures=2, lockout_failures=50)
    assert (report.attempts, report.unsure) == (14, 11)


def test_what_was_activated_now_and_not_then_is_unsure(desk: Desk) -> None:
    desk.engine.add_user("ann")
    desk.engine.ship_device("ann", Device.hotp(KEY), "N1")
    for _ in range(10):
        desk.engine.verify("ann", "000000")
    assert desk.engine.activate("ann", "N1", "755224").code is Code.LOCKED
    desk.engine.unlock("ann", by="desk")
    assert not desk.engine.verify("ann", "287082")
    report = desk.report(lockout_failures=50)
    assert report.verdicts == {"LOCKED -> ACCEPTED": 1}
    assert report.unsure == 1


def test_a_capped_device_was_not_looked_at_and_the_report_says_so(tmp_path: Path) -> None:
    now_ms = 1_700_000_000_000
    with Engine.open(
        tmp_path / "store", policy=Policy(failures_cap=2), clock=lambda: now_ms
    ) as engine:
        engine.add_user("ann")
        engine.add_device("ann", Device.hotp(KEY))
        for code in ("000000", "000000", "755224"):
            engine.verify("ann", code)
        what = WhatIf(Policy(failures_cap=None))
        for _, row, file in engine.bare_rows():
            what.feed(row, file)
        report = what.report()
    assert (report.attempts, report.changed, report.unsure) == (3, 0, 1)


def test_what_the_cap_suspends_here_no_restore_makes_active(desk: Desk) -> None:
    """A floor's record tells how the device stood then."""
    desk.engine.add_user("ann")
    desk.engine.add_device("ann", Device.totp(KEY))
    for _ in range(2):
        desk.engine.verify("ann", "000000")
    desk.engine.raise_floors(by="desk 4")
    desk.now_ms += 2 * DAY_MS
    code = reference.Device("totp", KEY).code(desk.now_ms // 30_000)
    assert desk.engine.verify("ann", code)
    assert desk.report().changed == 0
    assert desk.report(failures_cap=2).verdicts == {"ACCEPTED -> REJECTED": 1}


@pytest.mark.parametrize(("failures", "unsure"), [(20, 1), (10, 0)])
def test_a_device_that_came_back_here_alone(desk: Desk, failures: int, unsure: int) -> None:
    """Two codes in a row, under a lock, made no device believed; here they may, and then the codes
    that were held against nothing may have been right."""
    desk.engine.add_user("ann")
    desk.engine.add_device("ann", Device.hotp(KEY), serial="s")
    desk.engine.raise_floors(by="desk 4")
    for _ in range(10):
        desk.engine.verify("ann", "000000")
    assert desk.engine.resync("ann", "755224", "287082", device="s").code is Code.LOCKED
    desk.now_ms += 2 * DAY_MS
    assert desk.engine.verify("ann", "359152").code is Code.REJECTED
    report = desk.report(lockout_failures=failures)
    assert (report.unsure, report.verdicts.get("LOCKED -> ACCEPTED", 0)) == (unsure, unsure)


def test_lives_segments_and_rotation_change_nothing(tmp_path: Path) -> None:
    """Counts that no store keeps begin anew with a file; verdicts stay as they were."""
    desk = Desk(tmp_path)
    desk.engine.add_user("ann")
    desk.engine.add_device("ann", Device.hotp(KEY))
    for life in range(3):
        for at in range(6):
            desk.engine.verify("ann", f"{at:06d}", address="192.0.2.1")
            desk.engine.verify("nobody", f"{at:06d}", address="192.0.2.1")
        desk.now_ms += 2 * DAY_MS if life else 1_000
        if life == 1:
            desk.engine.rotate_key()
        desk.engine.close()
        desk.open()
    report = desk.report()
    assert (report.changed, report.left_out, report.attempts) == (0, 0, 18)
    desk.engine.close()


def test_users_from_before_the_first_row_are_counted_and_left_out(desk: Desk) -> None:
    desk.engine.add_user("ann")
    desk.engine.add_device("ann", Device.hotp(KEY))
    desk.engine.verify("ann", "000000")
    what = WhatIf(Policy())
    for turn, row, file in desk.engine.bare_rows():
        if turn > 1:
            what.feed(row, file)
    report = what.report()
    assert (report.attempts, report.left_out) == (0, 2)  # an act and a login


def test_a_row_larger_than_any_batch_and_many_outcomes(desk: Desk) -> None:
    desk.engine.add_users([f"u{at}" for at in range(300)])
    names = np.array([b"u%d" % (at % 300) for at in range(70_000)])
    desk.engine.verify_many(names, np.array([b"000000"] * 70_000))
    report = desk.report(lockout_failures=3)
    assert report.attempts == 70_000 and report.users["locked"] == 300
    assert sum(report.verdicts.values()) == report.changed == 300 * 7
    assert report.locks_then == report.locks_now == 300


def test_misuse() -> None:
    with pytest.raises(watchword.InvalidArgument, match=r"policy is a watchword\.Policy"):
        WhatIf("strict")  # type: ignore[arg-type]
    with pytest.raises(watchword.InvalidArgument, match="no journal row"):
        WhatIf(Policy()).feed(bytes(64))
    assert WhatIf(Policy()).report().attempts == 0


# ---- the picture


def test_bins_hold_every_time_once() -> None:
    rng = random.Random(7)
    for _ in range(50):
        span = rng.choice([0, 1, 59, 10**12])
        times = [rng.randint(0, span) for _ in range(100)]
        counts = binned(times, 0, span, 60)
        assert sum(counts) == 100 and len(counts) == 60
    assert binned([0, 59], 0, 59, 60) == [1, *[0] * 58, 1]


def test_blocks_show_what_is_not_nothing() -> None:
    assert blocks([0, 1, 500, 1000], 1000) == " \u2581\u2584\u2588"
    assert blocks([0, 0], 0) == "  "


def test_the_picture_has_a_bar_for_every_count() -> None:
    text = svg([0, 2, 4], [1, 0, 4], ("from", "to"), "5 < 6 & so on")
    assert text.count('fill="#8a94a6"') == 2 + 1 and text.count('fill="#c2410c"') == 2 + 1
    assert "5 &lt; 6 &amp; so on" in text and text.startswith("<svg") and "</svg>" in text
