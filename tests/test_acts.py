"""src/watchword/acts.py: who is enrolled, who goes, and what stays used up."""

import pytest
from standing import KEY, T, on_disk, step_code

from watchword import (
    Code,
    Device,
    NotFound,
    Reason,
    hotp,
)

# ---- enrolment, removal, and what stays used ----


@pytest.mark.parametrize("remove", ["device", "user"])
@pytest.mark.parametrize("reopen", [False, True])
def test_a_code_stays_used_when_its_key_is_enrolled_again(path, remove, reopen):
    engine = on_disk(path)
    engine.add_user("alice")
    t = engine.add_device("alice", Device.totp(KEY))
    h = engine.add_device("alice", Device.hotp(KEY[::-1], algorithm="sha512"))
    assert engine.verify("alice", step_code())
    assert engine.verify("alice", hotp(KEY[::-1], 7, algorithm="sha512"))
    if remove == "user":
        engine.remove_user("alice")
        engine.add_user("alice")
    else:
        engine.remove_device("alice", t)
        engine.remove_device("alice", h)
    if reopen:
        engine.close()
        engine = on_disk(path)
    engine.add_device("alice", Device.totp(KEY))
    engine.add_device("alice", Device.hotp(KEY[::-1], algorithm="sha512"))
    assert engine.verify("alice", step_code()).reason == Reason.REPLAYED
    for counter in (0, 7):
        again = engine.verify("alice", hotp(KEY[::-1], counter, algorithm="sha512"))
        assert again.code == Code.REJECTED
    assert engine.verify("alice", hotp(KEY[::-1], 8, algorithm="sha512"))
    assert engine.verify("alice", step_code(1))
    engine.close()


def test_a_floor_is_kept_in_time_when_the_period_changes(engine):
    assert engine.verify("alice", step_code())
    engine.remove_device("alice", "W00000001")
    engine.add_device("alice", Device.totp(KEY, period=60))
    device = engine.user("alice").devices[0]
    used_until_s = (T // 30_000 + 1) * 30
    assert (device.moving - 1) * 60 < used_until_s <= device.moving * 60


def test_an_id_is_never_used_again(engine):
    _, first = engine._core.next_slot()
    engine.add_user("bob")
    engine.remove_user("bob")
    slot, second = engine._core.next_slot()
    assert (slot, second >> 32) == (first, 1)


def test_a_device_that_is_not_active_does_not_verify(engine):
    for state in ("suspended", "lost"):
        engine.set_device("alice", "W00000001", state=state)
        refused = engine.verify("alice", step_code())
        assert (refused.code, refused.reason) == (Code.REJECTED, Reason.NO_DEVICE)
        engine.set_device("alice", "W00000001", state="active")
    assert engine.verify("alice", step_code())
    for state in ("returned", "expired"):
        engine.set_device("alice", "W00000001", state=state)
        assert engine.verify("alice", step_code(1)).reason == Reason.NO_DEVICE


def test_ten_thousand_users_come_and_go(engine):
    names = [f"user{n}" for n in range(3_000)]
    for name in names:
        engine.add_user(name)
    for name in names[::2]:
        engine.remove_user(name)
    assert engine.users(count=5_000) == ["alice", *names[1::2]]
    assert engine.users(after=names[1], count=2) == [names[3], names[5]]
    for name in names[::2]:
        with pytest.raises(NotFound):
            engine.user(name)
        engine.add_user(name)
    assert sorted(engine.users(count=5_000)) == sorted(["alice", *names])


def test_the_same_step_is_not_good_again_under_another_t0(engine):
    assert engine.verify("alice", step_code())
    engine.remove_device("alice", "W00000001")
    for t0 in (30, 60, 300):
        serial = engine.add_device("alice", Device.totp(KEY, t0=t0, window=10))
        assert engine.verify("alice", step_code(), device=serial).code == Code.REJECTED
        engine.remove_device("alice", serial)


def test_a_key_on_a_second_device_keeps_what_the_first_had_used(engine):
    assert engine.verify("alice", step_code())
    serial = engine.add_device("alice", Device.totp(KEY))
    assert engine.verify("alice", step_code(), device=serial).reason == Reason.REPLAYED
    assert engine.verify("alice", step_code(1), device=serial)
    assert engine.verify("alice", step_code(1), device="W00000001").reason == Reason.REPLAYED
    assert engine.verify("alice", step_code(1)).reason == Reason.REPLAYED
