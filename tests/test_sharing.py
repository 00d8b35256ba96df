"""src/watchword/sharing.py: no code of a shared key is used twice, in whatever order its key comes
to a user; entry_tables.py has what is shared and why not.
"""

import contextlib
import io
import random
from base64 import b32encode
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from standing import T, on_disk, step_code

import watchword
from watchword import Code, Device, Engine, InvalidArgument, hotp, totp

KEY = bytes(range(20))


@pytest.fixture
def engine(tmp_path: Path) -> Any:
    with on_disk(tmp_path / "store") as engine:
        persons(engine)
        yield engine


def persons(engine: Engine) -> None:
    """Three users of one person."""
    for name in ("alice", "bob", "carol"):
        engine.add_user(name)
        engine.set_identity(name, "Ann")


def again(engine: Engine, path: Path, how: str) -> Engine:
    """The store as it is found later: after a crash, whose rows no page covers, or a closing."""
    if how == "crash" and engine._keeper is not None:
        engine._keeper.write = lambda: None     # type: ignore[method-assign]
    if how != "goes on":
        engine.close()
        engine = on_disk(path)
    return engine


@pytest.mark.parametrize("how", ["goes on", "crash", "close"])
@pytest.mark.parametrize("gone", ["device", "user"])
def test_a_code_stays_used_when_its_key_is_lent(tmp_path: Path, how: str, gone: str) -> None:
    """What a removed device had used, as where the key is enrolled again."""
    engine = on_disk(tmp_path / "store")
    persons(engine)
    for name in ("alice", "bob"):
        engine.add_device(name, Device.hotp(KEY), serial=f"of-{name}")
    assert engine.verify("bob", hotp(KEY, 3))
    if gone == "device":
        engine.remove_device("bob", "of-bob")
    else:
        engine.remove_user("bob")
        engine.add_user("bob")
        engine.set_identity("bob", "Ann")
    engine = again(engine, tmp_path / "store", how)
    with pytest.raises(InvalidArgument, match="codes that device 'of-alice' has yet to show"):
        engine.share_device("bob", "alice", "of-alice", hotp(KEY, 0))
    engine = again(engine, tmp_path / "store", how)
    assert not engine.verify("bob", hotp(KEY, 3))
    assert engine.resync("alice", hotp(KEY, 4), hotp(KEY, 5), device="of-alice")
    assert engine.share_device("bob", "alice", "of-alice", hotp(KEY, 6))
    assert not engine.verify("bob", hotp(KEY, 3)) and engine.verify("bob", hotp(KEY, 7))
    engine.close()


def test_a_step_stays_used_when_its_key_is_lent(engine: Engine) -> None:
    """Also where the periods differ, for a floor is kept in time."""
    engine.add_device("alice", Device.totp(KEY, period=60), serial="of-alice")
    engine.add_device("bob", Device.totp(KEY, window=(1, 2)), serial="of-bob")
    assert engine.verify("bob", step_code(2, key=KEY))
    engine.remove_device("bob", "of-bob")
    now = totp(KEY, T // 1000, period=60)
    with pytest.raises(InvalidArgument, match="codes that device 'of-alice' has yet to show"):
        engine.share_device("bob", "alice", "of-alice", now)


def test_a_key_whose_counter_nobody_knows_is_not_lent(engine: Engine) -> None:
    """It went after a restore and before two codes of it were seen."""
    for name in ("alice", "bob"):
        engine.add_device(name, Device.hotp(KEY), serial=f"of-{name}")
    engine.raise_floors(by="desk 4")
    engine.remove_device("bob", "of-bob")
    assert engine.resync("alice", hotp(KEY, 0), hotp(KEY, 1), device="of-alice")
    with pytest.raises(InvalidArgument, match="counter nobody knows since the store was restored"):
        engine.share_device("bob", "alice", "of-alice", hotp(KEY, 2))


@pytest.mark.parametrize("taken", ["from bob", "from all", "bob goes"])
@pytest.mark.parametrize("seen", ["bob", "alice", "nobody"])
@pytest.mark.parametrize("how", ["goes on", "crash", "close"])
def test_what_was_lent_before_a_restore_is_lent_again(
    tmp_path: Path, taken: str, seen: str, how: str
) -> None:
    """Where two codes of the lent line were seen before it went. Else nobody knows what bob had
    used in the time that was lost: lent or enrolled again, he could use that once more."""
    engine = on_disk(tmp_path / "store")
    persons(engine)
    engine.add_device("alice", Device.hotp(KEY), serial="lent")
    mine = {"alice": "lent"}
    mine["bob"] = engine.share_device("bob", "alice", "lent", hotp(KEY, 0)).serial
    engine.raise_floors(by="desk 4")
    if seen in mine:
        assert engine.resync(seen, hotp(KEY, 4), hotp(KEY, 5), device=mine[seen])
    if taken == "bob goes":
        engine.remove_user("bob")
        engine.add_user("bob")
        engine.set_identity("bob", "Ann")
    else:
        name = "bob" if taken == "from bob" else "alice"
        engine.unshare_device(name, mine[name])
    engine = again(engine, tmp_path / "store", how)
    assert not engine.share_device("bob", "alice", "lent", hotp(KEY, 5))
    assert engine.resync("alice", hotp(KEY, 6), hotp(KEY, 7), device="lent")
    if seen == "bob":
        assert engine.share_device("bob", "alice", "lent", hotp(KEY, 8))
        assert not engine.verify("bob", hotp(KEY, 7)) and engine.verify("bob", hotp(KEY, 9))
    else:
        with pytest.raises(InvalidArgument, match="counter nobody knows since the store was"):
            engine.share_device("bob", "alice", "lent", hotp(KEY, 8))
        with pytest.raises(InvalidArgument, match="counter nobody knows since the store was"):
            engine.add_device("bob", Device.hotp(KEY))
    assert engine.verify("alice", hotp(KEY, 10)), "its owner's it is all the same"
    engine.close()


@pytest.mark.parametrize("how", ["goes on", "crash", "close"])
def test_what_went_with_all_it_was_lent_to_is_not_enrolled_again(
    tmp_path: Path, how: str
) -> None:
    """Nobody is left who could tell how far it is."""
    engine = on_disk(tmp_path / "store")
    persons(engine)
    engine.add_device("alice", Device.hotp(KEY), serial="lent")
    assert engine.share_device("bob", "alice", "lent", hotp(KEY, 0))
    engine.raise_floors(by="desk 4")
    engine.remove_device("alice", "lent")
    engine = again(engine, tmp_path / "store", how)
    for name in ("alice", "bob", "carol"):
        with pytest.raises(InvalidArgument, match="counter nobody knows since the store was"):
            engine.add_device(name, Device.hotp(KEY))
    engine.close()


@pytest.mark.parametrize("mine", [True, False])
def test_what_is_shared_has_no_twin(engine: Engine, mine: bool) -> None:
    """A code that another sharer used would be new to it."""
    user, other = ("alice", "bob") if mine else ("bob", "alice")
    engine.add_device("alice", Device.hotp(KEY), serial="lent")
    assert engine.share_device("bob", "alice", "lent", hotp(KEY, 0))
    for enrol in (
        lambda: engine.add_device(user, Device.hotp(KEY), serial="twin"),
        lambda: engine.ship_device(user, Device.dsc(KEY), "twin"),
        lambda: engine.replace_device(user, "lent", Device.dsc(KEY), "twin"),
    ):
        with pytest.raises(InvalidArgument, match="key is that of device 'lent', which is shared"):
            enrol()
    row = f"name,kind,serial,key\n{user},hotp,twin,{b32encode(KEY).decode()}\n".encode()
    (fault,) = engine.import_csv(io.BytesIO(row), by="desk 4").faults
    assert (fault.column, fault.says.split(",")[0]) == ("key", "is that of device 'lent'")
    assert engine.verify(other, hotp(KEY, 3))
    assert not engine.verify(user, hotp(KEY, 3)), "used, whoever used it"
    engine.unshare_device("alice", "lent")
    assert engine.add_device("bob", Device.hotp(KEY), serial="twin") == "twin"
    assert not engine.verify("bob", hotp(KEY, 3)) and engine.verify("bob", hotp(KEY, 4))


def test_what_has_a_twin_is_not_shared(engine: Engine) -> None:
    """What the borrower used would be new to the owner's other device."""
    for serial in ("one", "two"):
        engine.add_device("alice", Device.hotp(KEY), serial=serial)
    with pytest.raises(InvalidArgument, match="'alice' has the key of device 'one' already"):
        engine.share_device("bob", "alice", "one", hotp(KEY, 0))
    engine.remove_device("alice", "two")
    assert engine.share_device("bob", "alice", "one", hotp(KEY, 1))
    codes = engine.verify_many(["bob", "alice"], [hotp(KEY, 2)] * 2)
    assert list(codes) == [Code.ACCEPTED, Code.REJECTED]


def test_what_ends_for_its_owner_ends_for_whom_it_is_lent_to(tmp_path: Path) -> None:
    now = [T]
    engine = on_disk(tmp_path / "store", clock=lambda: now[0])
    persons(engine)
    engine.add_device("alice", Device.hotp(KEY), serial="old")
    engine.replace_device(
        "alice", "old", Device.dsc(KEY[::-1]), "new", state="active", until_ms=T + 1_000
    )
    assert engine.share_device("bob", "alice", "old", hotp(KEY, 0))
    assert engine.user("bob").devices[0].expires_ms == T + 1_000
    engine.close()
    engine = on_disk(tmp_path / "store", clock=lambda: now[0])
    assert engine.verify("bob", hotp(KEY, 1))
    now[0] += 1_000
    assert not engine.verify("alice", hotp(KEY, 2)) and not engine.verify("bob", hotp(KEY, 3))
    assert engine.user("bob").devices[0].state == "expired"
    engine.close()


# ---- acts in any order ---------------------------------------------------------------------------

KEYS = {"x": b"x" * 20, "y": b"y" * 20}     # a serial begins with the name of its key
USERS = ("alice", "bob", "carol")


class Orders:
    """Acts on two keys of three users in an order from a seed, and the codes that each had taken:
    its own, and those of whoever shared the device when they took them."""

    def __init__(self, seed: int) -> None:
        self.rng, self.now, self.serials = random.Random(seed), T, 0
        self.engine = Engine.open(clock=lambda: self.now)
        persons(self.engine)
        self.used: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
        self.twice: list[tuple[str, str, int]] = []

    def go(self, steps: int) -> list[tuple[str, str, int]]:
        """Who had a code taken again."""
        verbs = [self.verify] * 5 + [self.share] * 4 + [
            self.enrol, self.enrol, self.replace, self.remove, self.unshare, self.resync,
            self.activate, self.leave, self.restore,
        ]
        for _ in range(steps):
            self.now += self.rng.choice([0, 1_000, 60_000])
            with contextlib.suppress(watchword.Error):  # who may not, as things stand
                self.rng.choice(verbs)(*self.rng.sample(USERS, 2))
        self.engine.close()
        return self.twice

    def one(self, user: str) -> watchword.DeviceView:
        """One of a user's devices."""
        devices = self.engine.user(user).devices
        if not devices:
            raise InvalidArgument("has none")
        return self.rng.choice(devices)

    def new(self) -> tuple[Device, str]:
        key, self.serials = self.rng.choice(list(KEYS)), self.serials + 1
        return Device.hotp(KEYS[key]), f"{key}{self.serials}"

    def taken(self, user: str, serial: str, *counters: int) -> None:
        key = serial[0]
        self.twice += [(user, key, n) for n in counters if n in self.used[user, key]]
        others = [
            name for told in self.engine.entry(user).shared if told.split()[0] == serial
            for name in USERS if name in told
        ]
        for name in (user, *others):
            self.used[name, key].update(counters)

    def verify(self, user: str, _: str) -> None:
        key = self.rng.choice(list(KEYS))
        views = [view for name in USERS for view in self.engine.user(name).devices]
        counter = self.rng.randrange(max([view.moving for view in views], default=0) + 4)
        verdict = self.engine.verify(user, hotp(KEYS[key], counter))
        if verdict:
            self.taken(user, str(verdict.device), counter)

    def share(self, user: str, owner: str) -> None:
        view = self.one(owner)
        counter = view.moving + self.rng.randrange(3)
        code = hotp(KEYS[view.serial[0]], counter)
        try:
            self.engine.share_device(user, owner, view.serial, code)
        finally:    # the attempt was one, whatever came of it
            now = next(one for one in self.engine.user(owner).devices if one.serial == view.serial)
            if now.moving > view.moving:
                self.taken(owner, view.serial, counter)

    def enrol(self, user: str, _: str) -> None:
        enrol = self.rng.choice([self.engine.add_device, self.engine.ship_device])
        enrol(user, *self.new())

    def replace(self, user: str, _: str) -> None:
        state = self.rng.choice(["lost", "suspended", "active"])
        self.engine.replace_device(user, self.one(user).serial, *self.new(), state=state)

    def remove(self, user: str, _: str) -> None:
        self.engine.remove_device(user, self.one(user).serial)

    def unshare(self, user: str, _: str) -> None:
        self.engine.unshare_device(user, self.one(user).serial)

    def resync(self, user: str, _: str) -> None:
        view = self.one(user)
        at, key = view.moving + self.rng.randrange(30), KEYS[view.serial[0]]
        if self.engine.resync(user, hotp(key, at), hotp(key, at + 1), device=view.serial):
            self.taken(user, view.serial, at, at + 1)

    def activate(self, user: str, _: str) -> None:
        view = self.one(user)
        if self.engine.activate(user, view.serial, hotp(KEYS[view.serial[0]], view.moving)):
            self.taken(user, view.serial, view.moving)

    def leave(self, user: str, _: str) -> None:
        self.engine.remove_user(user)
        self.engine.add_user(user)
        self.engine.set_identity(user, "Ann")

    def restore(self, *_: str) -> None:
        self.engine.raise_floors(by="desk 4")


def test_no_order_of_acts_takes_a_code_twice() -> None:
    for seed in range(60):
        assert not Orders(seed).go(60), seed


def test_a_floor_that_sharing_forgets_lets_one_in_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the orders would not see it."""
    monkeypatch.setattr(Engine, "_alike", lambda *_: [])
    monkeypatch.setattr(Engine, "_expect_one_moving", lambda *_: None)
    assert any(Orders(seed).go(60) for seed in range(60))


@pytest.mark.parametrize("how", ["goes on", "crash", "close"])
@pytest.mark.parametrize("reports", ["alice", "bob"])
@pytest.mark.parametrize("state", ["lost", "returned"])
@pytest.mark.parametrize("replaced", [True, False])
def test_what_is_lost_opens_no_account(
    tmp_path: Path, how: str, reports: str, state: str, replaced: bool
) -> None:
    """One thing, whoever reports it; and who finds it says so for each of its users."""
    engine = on_disk(tmp_path / "store")
    persons(engine)
    engine.add_device("alice", Device.hotp(KEY), serial="lent")
    mine = {"alice": "lent"}
    for name in ("bob", "carol"):
        mine[name] = engine.share_device(
            name, "alice", "lent", hotp(KEY, len(mine) - 1)
        ).serial
    engine.set_device("carol", mine["carol"], state="expired")
    if replaced:
        engine.replace_device(reports, mine[reports], Device.hotp(KEY[::-1]), state=state)
    else:
        engine.set_device(reports, mine[reports], state=state, by="desk 4")
    engine = again(engine, tmp_path / "store", how)
    states = {name: engine.user(name).devices[0].state for name in mine}
    assert states == {"alice": state, "bob": state, "carol": "expired"}
    for name in mine:
        assert not engine.verify(name, hotp(KEY, 5))
    if state == "lost":
        engine.set_device("bob", mine["bob"], state="active")
        assert not engine.verify("alice", hotp(KEY, 6)) and engine.verify("bob", hotp(KEY, 6))
    engine.close()


@pytest.mark.parametrize("how", ["goes on", "crash", "close"])
def test_what_is_replaced_as_lost_is_lost_for_all_once_more(tmp_path: Path, how: str) -> None:
    """Its owner had said so before, and whom it was lent to had found it since."""
    engine = on_disk(tmp_path / "store")
    persons(engine)
    engine.add_device("alice", Device.hotp(KEY), serial="lent")
    lent = engine.share_device("bob", "alice", "lent", hotp(KEY, 0)).serial
    engine.set_device("alice", "lent", state="lost")
    engine.set_device("bob", lent, state="active")
    assert engine.verify("bob", hotp(KEY, 1))
    engine.replace_device("alice", "lent", Device.hotp(KEY[::-1]), state="lost")
    engine = again(engine, tmp_path / "store", how)
    assert engine.user("bob").devices[0].state == "lost"
    assert not engine.verify("bob", hotp(KEY, 2))
    engine.close()


def test_what_is_not_at_hand_is_each_users_own(engine: Engine) -> None:
    engine.add_device("alice", Device.hotp(KEY), serial="lent")
    assert engine.share_device("bob", "alice", "lent", hotp(KEY, 0))
    for state in ("suspended", "expired"):
        engine.set_device("alice", "lent", state=state)
        assert engine.user("bob").devices[0].state == "active"
    assert engine.verify("bob", hotp(KEY, 1)) and not engine.verify("alice", hotp(KEY, 2))
