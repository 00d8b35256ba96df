"""src/watchword/bulk.py: users by the thousand, or none."""

import numpy as np
import pytest
from standing import KEY, on_disk, step_code

from watchword import (
    Code,
    Device,
    Exists,
    InvalidArgument,
    Reason,
    hotp,
)

# ---- users in bulk ----


def test_users_in_bulk_are_users_like_any_other(path):
    names = [f"user{n}" for n in range(10_000)]
    keys = [KEY[:19] + bytes([n % 251]) for n in range(10_000)]
    with on_disk(path) as engine:
        engine.add_user("alice")
        engine.add_user("bob")
        engine.remove_user("alice")
        figures = Device.hotp(KEY, counter=3, digits=8)
        assert engine.add_users(names, keys, device=figures, state="pending") == 10_000
        assert engine.add_users(["x" * 64, "y" * 41]) == 2
        assert engine.verify("user77", hotp(keys[77], 5, digits=8), platform="portal")
    with on_disk(path) as engine:
        user = engine.user("user77")
        assert (user.state, user.devices[0].moving, user.devices[0].digits) == ("pending", 6, 8)
        assert len({engine.user(n).devices[0].serial for n in names[::97]}) == len(names[::97])
        assert engine.user("x" * 64).devices == ()
        assert len(engine.users(count=20_000)) == 10_003
        columns = np.array(names, "S"), np.array([hotp(k, 9, digits=8) for k in keys], "S")
        codes = engine.verify_many(*columns, platform="portal")
        assert list(codes) == [Code.ACCEPTED] * 10_000


BULK_MISUSE = [
    (["bob", "Bob"], None, InvalidArgument, r"names\[1\] is no user name"),
    (["bob", ""], None, InvalidArgument, r"names\[1\]"),
    (["bob", "alice"], None, Exists, r"names\[1\] is taken"),
    (["bob", "eve", "bob"], None, Exists, r"names\[2\] is repeated"),
    (["bob", 7], None, InvalidArgument, "names is str"),
    (["bob", "a\0"], None, InvalidArgument, "zero"),
    (["bob"], [KEY, KEY], InvalidArgument, "keys has 2"),
    (["bob", "eve"], [KEY, KEY[:-1]], InvalidArgument, "equal length"),
    (["bob"], [b"short"], InvalidArgument, "10 to 128"),
]


@pytest.mark.parametrize(("names", "keys", "error", "says"), BULK_MISUSE)
def test_a_bulk_that_is_not_legal_adds_nobody(engine, names, keys, error, says):
    with pytest.raises(error, match=says):
        engine.add_users(names, keys)
    assert engine.users() == ["alice"]


def test_bulk_enrolment_keeps_what_a_key_had_used(engine):
    assert engine.verify("alice", step_code())
    engine.remove_user("alice")
    engine.add_users(["bob", "eve"], [KEY[::-1], KEY])
    assert engine.verify("eve", step_code()).reason == Reason.REPLAYED
    assert engine.verify("bob", step_code(key=KEY[::-1]))
