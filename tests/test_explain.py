"""explain: a sentence for whatever a record can say, and what would let a user in."""

import re
from pathlib import Path

import pytest

import watchword
from watchword import Code, Device, Engine, Policy, Reason, history
from watchword.audit import Entry
from watchword.explain import SENTENCES, why

KEY = b"12345678901234567890"
DAY_MS = 86_400_000


class Desk:
    """An engine on disk with a clock that is told."""

    def __init__(self, path: Path, **policy: int) -> None:
        self.now_ms = 1_700_000_000_000
        self.engine = Engine.open(
            path / "store", clock=lambda: self.now_ms, deliver=lambda delivery: None,
            policy=Policy(**policy),  # type: ignore[arg-type]
        )  # fmt: skip
        self.engine.add_user("alice")

    def said(self, user: str = "alice") -> tuple[str, str, list[str]]:
        told = self.engine.explain(user)
        return "; ".join(told.standing), "; ".join(told.remedies), [o.why for o in told.attempts]


@pytest.fixture
def desk(tmp_path: Path):
    made = Desk(tmp_path)
    yield made
    made.engine.close()


def test_every_reason_has_a_sentence() -> None:
    assert {reason for _, reason in SENTENCES} == set(Reason)
    assert {code for code, _ in SENTENCES} == set(Code)


def test_every_sentence_of_the_core_is_one_of_ours() -> None:
    """Each reason stands beside the verdict that state.c gives it, read from its source."""
    text = (Path(__file__).parents[1] / "ext" / "state.c").read_text()
    pairs = re.findall(
        r"verdict = WW_(\w+);\s+(?:a->reason = out->)?reason = WW_REASON_(\w+);", text
    )
    assert len(pairs) >= 5
    locked = re.findall(
        r"locked, WW_REASON_(\w+), reason\);\s+verdict = .*locked, WW_(\w+), ", text
    )
    assert len(locked) == 1
    for verdict, reason in [*pairs, locked[0][::-1]]:
        assert (Code[verdict], Reason[reason]) in SENTENCES


@pytest.mark.parametrize("pair", SENTENCES, ids=lambda pair: pair[1].name)
def test_a_sentence_is_filled_in(pair: tuple[Code, Reason]) -> None:
    entry = Entry(
        1, 0, 0, "login", "alice", pair[0].name, pair[1].name, "trading", "live", "W1", "totp"
    )
    said = why(entry)
    assert "{" not in said and said and not said.endswith(".")


def test_a_reason_of_a_later_program_is_said_as_it_is() -> None:
    assert why(Entry(1, 0, 0, "login", "a", "REJECTED", "REASON_99")) == "REJECTED, REASON_99"


def test_nobody_and_somebody_of_before(desk: Desk) -> None:
    desk.engine.verify("zed", "1")
    standing, remedies, attempts = desk.said("zed")
    assert standing == "there is no user 'zed'" and remedies == "watchword user add zed"
    assert attempts == ["refused: there was no user of this name"]
    for name in ("Zed", "z d", "\x1b[31m", "z" * 65):
        assert desk.said(name)[1].startswith("no user can have this name: names are 1 to 64")
    desk.engine.verify("alice", "1")
    desk.engine.remove_user("alice")
    assert desk.said()[0] == "there is no user 'alice' any more"
    assert len(desk.said()[2]) == 1


def test_no_device_then_one_that_was_used(desk: Desk) -> None:
    assert desk.said()[1] == "watchword device add totp alice"
    desk.engine.add_device("alice", Device.hotp(KEY), serial="H1")
    assert desk.said()[1] == "the next right code lets the user in"
    assert desk.engine.verify("alice", "755224")
    assert desk.said()[2][-1] == "let in: H1 (hotp) was right"


def test_a_lock_says_until_when_and_what_a_try_would_do(desk: Desk) -> None:
    desk.engine.add_device("alice", Device.hotp(KEY), serial="H1")
    for _ in range(10):
        desk.engine.verify("alice", "000000")
    desk.now_ms += 3_600_000
    assert not desk.engine.verify("alice", "755224")
    standing, remedies, attempts = desk.said()
    assert "locked until 2023-11-15T23:13:20.000Z, 24 h more, with 11 refused" in standing
    assert "each attempt until then starts the wait again" in standing
    assert remedies == "wait until then without trying, or watchword user unlock alice"
    assert attempts[-2].endswith("; it began a lock, for 24 h")
    assert "was right, and is used up" not in attempts[-2]
    assert "under a lock everything is refused; the code of H1 was right, and" in attempts[-1]
    desk.now_ms += DAY_MS
    assert "a lock has run out" in desk.said()[0]
    assert desk.said()[1] == "the next right code lets the user in"


def test_devices_that_cannot_answer(desk: Desk) -> None:
    desk.engine.add_device("alice", Device.totp(KEY), serial="T1")
    desk.engine.set_device("alice", "T1", state="lost")
    assert "device T1 (totp): lost, which verifies nothing" in desk.said()[0]
    assert "make device T1 active" in desk.said()[1]
    desk.engine.add_device("alice", Device.gold(KEY), serial="G1")
    assert "ask for a challenge first" in desk.said()[1]
    desk.engine.challenge("alice")
    assert "one stands on trading until 2023-11-14T22:20:00.000Z" in desk.said()[0]
    assert desk.said()[1] == "the next right code lets the user in"


def test_the_cap(tmp_path: Path) -> None:
    desk = Desk(tmp_path, failures_cap=2)
    desk.engine.add_device("alice", Device.totp(KEY), serial="T1")
    for _ in range(2):
        desk.engine.verify("alice", "000000")
    assert "suspended by 2 failures in a row" in desk.said()[0]
    assert desk.said()[1] == "watchword user unlock alice"
    desk.engine.close()


def test_a_passcode_over_its_days(desk: Desk) -> None:
    desk.engine.issue_passcode("alice", "P1")
    assert "opens both platforms until 2023-11-16T22:13:20.000Z" in desk.said()[0]
    desk.now_ms += 3 * DAY_MS
    assert "opens the portal alone, until 2023-11-26" in desk.said()[0]
    desk.now_ms += 10 * DAY_MS
    assert "ran out 2023-11-26" in desk.said()[0]
    assert "watchword device add passcode alice" in desk.said()[1]


def test_accounts_and_realms(desk: Desk) -> None:
    desk.engine.add_device("alice", Device.hotp(KEY), serial="H1")
    desk.engine.set_user("alice", state="closed", realm="paper")
    desk.engine.verify("alice", "755224", realm="paper")
    standing, remedies, attempts = desk.said()
    assert "the account is closed, realm paper: it opens the portal alone" in standing
    assert "the gateway must say realm paper" in remedies
    assert attempts[-1].endswith("and opened the portal alone; this was trading")


def test_the_last_attempts_are_found_far_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the first look, and no more of them than asked for."""
    monkeypatch.setattr(history, "TURNS_BACK", 3)
    desk.engine.verify("alice", "1")
    for _ in range(40):
        desk.engine.verify("zed", "1")
    assert len(desk.engine.explain("alice").attempts) == 1
    assert len(desk.engine.explain("zed", last=7).attempts) == 7
    assert desk.engine.explain("zed", last=0).attempts == ()


def test_misuse(desk: Desk) -> None:
    for last in (-1, 101, True, "5"):
        with pytest.raises(watchword.InvalidArgument, match="last is 0 to 100"):
            desk.engine.explain("alice", last=last)  # type: ignore[arg-type]
    with pytest.raises(watchword.NotFound, match="keeps no rows"), Engine.open() as engine:
        engine.add_user("alice")
        engine.explain("alice")
