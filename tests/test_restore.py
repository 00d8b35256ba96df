"""A restore: whatever was accepted, before the backup or after it, is never accepted again.

Every kind of device logs in, the store is copied, logs in more, is lost, and is made again of the
copy. The clock is the test's own.
"""

import io
import shutil
from collections.abc import Iterator

import pytest
from faults import quick
from lost import SEED, START_MS, Day

import watchword
from watchword import Device, Error, InvalidArgument, Lost, StoreDamaged, hotp, totp
from watchword.store import save_head

STEP_MS = 30_000
WAIT_MS = 22 * STEP_MS  # of TOTP, after the lost store's last answer


@pytest.fixture
def day() -> Iterator[Day]:
    with quick() as place:
        made = Day(place)
        yield made
        made.engine.close()


def totp_code(day: Day) -> str:
    return totp(SEED, day.now_ms // 1000)


def test_a_time_code_is_accepted_once_across_a_restore(day: Day) -> None:
    day.engine.add_user("alice")
    day.engine.add_device("alice", Device.totp(SEED))
    used = [totp_code(day)]
    assert day.engine.verify("alice", used[0])
    day.engine.backup(day.place / "backup")
    for ahead in (0, 1):  # the last one a step ahead of the clock
        day.now_ms += STEP_MS
        used.append(totp(SEED, day.now_ms // 1000 + 30 * ahead))
        assert day.engine.verify("alice", used[-1])
    day.lose()
    day.restore()
    day.open("again")
    for code in used:
        assert not day.engine.verify("alice", code)
    day.engine.unlock("alice", by="desk 4")
    day.now_ms += WAIT_MS
    assert day.engine.verify("alice", totp_code(day))


def test_a_time_code_of_a_resynchronisation_stays_used(day: Day) -> None:
    day.engine.add_user("alice")
    serial = day.engine.add_device("alice", Device.totp(SEED))
    day.engine.backup(day.place / "backup")
    ahead = [totp(SEED, day.now_ms // 1000 + 30 * step) for step in (20, 21)]
    assert day.engine.resync("alice", *ahead, device=serial)
    day.lose()
    day.restore()
    day.open("again")
    day.now_ms += 21 * STEP_MS
    assert not day.engine.verify("alice", ahead[1])
    day.now_ms += STEP_MS
    assert day.engine.verify("alice", totp_code(day))


def test_whoever_knows_when_the_lost_store_ended_need_not_wait(day: Day) -> None:
    day.engine.add_user("alice")
    day.engine.add_device("alice", Device.totp(SEED))
    day.engine.backup(day.place / "backup")
    assert day.engine.verify("alice", totp_code(day))
    ended = day.now_ms
    day.lose()
    day.now_ms += WAIT_MS
    day.restore(ended_ms=ended)
    assert day.open("again").verify("alice", totp_code(day))
    day.lose()
    with pytest.raises(InvalidArgument, match=r"^ended is \S+ or later"):
        day.restore("third", ended_ms=START_MS - 1)


def test_a_counter_is_believed_by_two_codes_in_a_row_alone(day: Day) -> None:
    day.engine.add_user("bob")
    serial = day.engine.add_device("bob", Device.hotp(SEED))
    assert day.engine.verify("bob", hotp(SEED, 0))
    day.engine.backup(day.place / "backup")
    for counter in (1, 2, 3):
        assert day.engine.verify("bob", hotp(SEED, counter))
    day.lose()
    assert day.restore().devices == 1
    day.open("again")
    for counter in (0, 1, 2, 3, 4):  # the last was never used, but nobody can know
        verdict = day.engine.verify("bob", hotp(SEED, counter))
        assert (verdict.code.name, verdict.reason.name) == ("REJECTED", "NO_CHALLENGE")
    told = day.engine.explain("bob")
    assert any("two codes in a row" in line for line in told.standing)
    assert f"take two fresh codes in a row: watchword device resync bob {serial}" in told.remedies
    day.engine.unlock("bob", by="desk 4")
    assert not day.engine.resync("bob", hotp(SEED, 4), hotp(SEED, 6), device=serial)
    assert day.engine.user("bob").devices[0].resync
    assert day.engine.resync("bob", hotp(SEED, 4), hotp(SEED, 5), device=serial)
    assert not day.engine.verify("bob", hotp(SEED, 5))
    assert day.engine.verify("bob", hotp(SEED, 6))
    day.lose()
    assert day.open("again").verify("bob", hotp(SEED, 7)), "it is no longer asked for two"


def test_a_counter_behind_a_pin_is_held_alike(day: Day) -> None:
    day.engine.add_user("bob")
    serial = day.engine.add_device("bob", Device.hotp(SEED, pin="4711"))
    day.engine.backup(day.place / "backup")
    day.engine.verify("bob", "4711" + hotp(SEED, 0))
    day.lose()
    day.restore()
    day.open("again")
    assert not day.engine.verify("bob", "4711" + hotp(SEED, 0))
    assert day.engine.resync("bob", "4711" + hotp(SEED, 1), "4711" + hotp(SEED, 2), device=serial)
    assert not day.engine.verify("bob", "4711" + hotp(SEED, 2))
    assert day.engine.verify("bob", "4711" + hotp(SEED, 3))


def test_a_suspended_counter_device_is_held_when_it_comes_back(day: Day) -> None:
    day.engine.add_user("bob")
    serial = day.engine.add_device("bob", Device.hotp(SEED))
    day.engine.backup(day.place / "backup")
    assert day.engine.verify("bob", hotp(SEED, 0))
    day.lose()
    day.restore()
    day.open("again")
    day.engine.set_device("bob", serial, state="suspended")
    day.engine.set_device("bob", serial, state="active")
    assert not day.engine.verify("bob", hotp(SEED, 0))


def test_what_was_asked_is_void_and_never_asked_again(day: Day) -> None:
    suite = "OCRA-1:HOTP-SHA1-6:QN06"
    day.engine.add_user("carol")
    day.engine.add_device("carol", Device.ocra(SEED, suite))

    def answer(challenge: watchword.Challenge) -> str:
        return watchword.ocra(suite, SEED, challenge.prompt)

    open_before = day.engine.challenge("carol")
    day.engine.backup(day.place / "backup")
    used = [(open_before, answer(open_before))]
    assert day.engine.verify("carol", used[0][1], challenge=open_before.id)
    for _ in range(50):
        asked = day.engine.challenge("carol")
        used.append((asked, answer(asked)))
        assert day.engine.verify("carol", used[-1][1], challenge=asked.id)
    day.lose()
    day.restore()
    day.open("again")
    asked_before = {asked.prompt for asked, _ in used}
    for at, (asked, text) in enumerate(used):
        assert not day.engine.verify("carol", text, challenge=asked.id)
        if at % 5 == 4:
            day.engine.unlock("carol", by="desk 4")
    day.engine.unlock("carol", by="desk 4")
    for _ in range(5):
        fresh = day.engine.challenge("carol")
        assert fresh.prompt not in asked_before
        assert day.engine.verify("carol", answer(fresh), challenge=fresh.id)


def test_a_card_passes_over_every_pair_that_may_have_been_asked(day: Day) -> None:
    day.engine.add_user("dave")
    serial = day.engine.add_device("dave", Device.of("code-card", SEED))
    cells = day.engine.card("dave", serial, by="desk 4").cells

    def asked() -> tuple[str, str, str]:
        challenge = day.engine.challenge("dave")
        first, second = challenge.prompt.split()
        return challenge.id, challenge.prompt, cells[int(first) - 1] + cells[int(second) - 1]

    day.engine.backup(day.place / "backup")
    used = []
    for _ in range(20):
        used.append(asked())
        assert day.engine.verify("dave", used[-1][2], challenge=used[-1][0])
    day.lose()
    day.restore()
    day.open("again")
    for id_, _, text in used[:9]:
        assert not day.engine.verify("dave", text, challenge=id_)
    day.engine.unlock("dave", by="desk 4")
    prompts = {prompt for _, prompt, _ in used}
    for _ in range(20):
        id_, prompt, text = asked()
        assert prompt not in prompts
        assert day.engine.verify("dave", text, challenge=id_)


def test_a_code_that_was_sent_and_a_passcode_are_void(day: Day) -> None:
    day.engine.add_user("erin")
    day.engine.add_device("erin", Device.sms())
    passcode = day.engine.issue_passcode("erin")
    asked = day.engine.send_code("erin")
    day.engine.backup(day.place / "backup")
    day.engine._courier.close()
    (sent,) = day.sent
    assert day.engine.verify("erin", sent.code, challenge=asked.id)
    assert day.engine.verify("erin", passcode.passcode)
    day.lose()
    day.restore()
    day.open("again")
    assert not day.engine.verify("erin", sent.code, challenge=asked.id)
    assert not day.engine.verify("erin", passcode.passcode)
    states = {view.kind: view.state for view in day.engine.user("erin").devices}
    assert states.pop("temporary-passcode") != "active"
    assert states == {"sms": "active"}


# ---- what is kept elsewhere ------------------------------------------------------------------


def test_a_kept_journal_is_replayed_as_far_as_it_goes(day: Day) -> None:
    day.engine.add_user("alice")
    day.engine.backup(day.place / "backup")
    day.engine.add_user("bob")
    day.lose()
    day.open("store").add_user("carol")
    day.lose()
    made = day.restore(journal=day.place / "store" / "journal")
    assert made.segments == 2
    day.open("again")
    assert day.engine.users() == ["alice", "bob", "carol"]
    acts = [entry.event for entry in day.engine.audit(only="acts")]
    assert acts.count("restore") == 1
    assert acts.count("user add") == 3


def test_a_journal_with_a_hole_is_refused(day: Day) -> None:
    day.engine.backup(day.place / "backup")
    for name in ("alice", "bob"):
        day.engine.add_user(name)
        day.lose()
        day.open("store")
    day.lose()
    journal = day.place / "store" / "journal"
    first = sorted(path for path in journal.iterdir() if path.suffix == ".db")[0]
    for path in journal.glob(first.name + "*"):
        path.unlink()
    with pytest.raises(StoreDamaged, match=r"row \d+ is missing"):
        day.restore(journal=journal)
    assert not (day.place / "again").exists()
    assert not (day.place / "again.part").exists()


def test_rows_of_another_branch_are_not_taken(day: Day) -> None:
    day.engine.add_user("alice")
    day.engine.backup(day.place / "backup")
    day.lose()
    day.restore()
    day.open("again").add_user("mallory")
    day.lose()
    assert day.restore("third", journal=day.place / "again" / "journal").segments == 0
    assert day.open("third").users() == ["alice"]


def test_keys_rotated_since_come_with_a_kept_segment(day: Day) -> None:
    day.engine.backup(day.place / "backup")
    day.engine.rotate_key()
    day.engine.add_user("alice")
    day.lose()
    with pytest.raises(StoreDamaged, match="which the store lacks"):
        day.restore(journal=day.place / "store" / "journal")


# ---- acknowledgement, record, incarnation ----------------------------------------------------


def test_nothing_is_restored_unless_the_loss_is_acknowledged(day: Day) -> None:
    day.engine.add_user("alice")
    day.engine.backup(day.place / "backup")
    day.now_ms += 60_000
    day.engine.add_user("bob")
    head = day.place / "head.json"
    save_head(day.engine.journal_head(), head)
    day.lose()
    asked: list[Lost] = []

    def refuse(lost: Lost) -> bool:
        asked.append(lost)
        return False

    with pytest.raises(Error, match="not acknowledged"):
        day.restore(acknowledge=refuse, known_head=head)
    assert not (day.place / "again").exists()
    (lost,) = asked
    assert (lost.since_ms, lost.until_ms, lost.rows) == (START_MS, day.now_ms, 2)
    day.restore(known_head=head)
    day.open("again", known_head=head)
    entry = next(entry for entry in day.engine.audit() if entry.event == "restore")
    assert entry.by == "desk 4"
    assert entry.text == f"restored; {lost.told()}"


def test_a_restored_store_can_be_copied_and_restored_again(day: Day) -> None:
    day.engine.add_user("alice")
    day.engine.backup(day.place / "backup")
    day.lose()
    day.restore()
    day.open("again").add_user("bob")
    shutil.rmtree(day.place / "backup")
    day.engine.backup(day.place / "backup", by="desk 4")
    day.lose()
    day.restore("third")
    assert day.open("third").users() == ["alice", "bob"]
    day.lose()
    day.open("third")
    events = [entry.event for entry in day.engine.audit()]
    assert events.count("restore") == 2


def test_files_of_a_store_are_restored_like_a_backup(day: Day) -> None:
    day.engine.add_user("bob")
    day.engine.add_device("bob", Device.hotp(SEED))
    shutil.copytree(day.place / "store", day.place / "backup")  # as a snapshot of a machine has it
    assert day.engine.verify("bob", hotp(SEED, 0))
    day.lose()
    day.restore()
    assert not day.open("again").verify("bob", hotp(SEED, 0))


def test_a_key_whose_counter_nobody_knows_is_not_enrolled_again(day: Day) -> None:
    for name in ("bob", "dave"):
        day.engine.add_user(name)
    serial = day.engine.add_device("bob", Device.hotp(SEED))
    day.engine.backup(day.place / "backup")
    assert day.engine.verify("bob", hotp(SEED, 0))
    day.lose()
    day.restore()
    day.open("again")
    lost = "key is that of a device whose counter nobody knows"
    with pytest.raises(InvalidArgument, match=lost):
        day.engine.add_device("bob", Device.hotp(SEED), serial="another")
    day.engine.remove_device("bob", serial)
    for _ in range(2):
        with pytest.raises(InvalidArgument, match=lost):
            day.engine.add_device("dave", Device.hotp(SEED))
        with pytest.raises(InvalidArgument, match=lost):
            day.engine.add_users(["erin"], [SEED], device=Device.hotp(SEED))
        row = f"name,kind,key\nerin,hotp,hex:{SEED.hex()}\n".encode()
        (fault,) = day.engine.import_csv(io.BytesIO(row), by="desk 4").faults
        assert fault.column == "key"
        day.lose()
        day.open("again")
    day.engine.add_device("dave", Device.hotp(SEED[::-1]))
