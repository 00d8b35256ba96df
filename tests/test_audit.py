"""audit: the journal's entries are what was said and done, wherever it is read from."""

import random
import sqlite3
import threading
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

import watchword
from watchword import Code, Device, Engine, Entry, InvalidArgument, StoreDamaged, Wanted
from watchword import audit as told
from watchword.store import open_store

KEY = b"12345678901234567890"
SECRETS = (KEY, b"755224", b"918273")


class Desk:
    """An engine on disk, and what it was asked to do in words of audit."""

    def __init__(self, path: Path, segment_bytes: int | None = None) -> None:
        self.path, self.now_ms = path / "store", 1_700_000_000_000
        self.segment_bytes = segment_bytes
        self.done: list[dict[str, Any]] = []
        self.users: dict[str, list[str]] = {}  # the serials of each
        self.made = 0
        self.open()

    def open(self) -> None:
        store = open_store(self.path, segment_bytes=self.segment_bytes)
        self.engine = Engine(
            str(self.path), store, watchword.Policy(), lambda: self.now_ms, random.randbytes,
            lambda delivery: None,
        )  # fmt: skip

    def note(self, event: str, **words: Any) -> None:
        self.done.append({"event": event, "time_ms": self.now_ms, **words})

    def expect(self, **filters: Any) -> list[Entry]:
        """The entries, which must be what was done, one for one."""
        entries = list(self.engine.audit(**filters))
        assert len(entries) == len(self.done)
        for entry, done in zip(entries, self.done, strict=True):
            shown = asdict(entry)
            assert {name: shown[name] for name in done} == done
        return entries


@pytest.fixture
def desk(tmp_path: Path):
    made = Desk(tmp_path)
    yield made
    made.engine.close()


def story(desk: Desk, seed: int, steps: int) -> None:
    """A random day: users and devices come, change and go, and attempts of every sort."""
    rng, engine = random.Random(seed), desk.engine
    users = desk.users
    for _ in range(steps):
        desk.now_ms += rng.randrange(100_000)
        by = rng.choice([None, "root", "desk 4", "J. Doe"])
        said = {"by": by or ""}
        name = rng.choice(["ann", "bob", "cid", "dora"])
        dice = rng.random()
        if name not in users:
            state, realm = rng.choice(["open", "pending"]), rng.choice(["live", "paper"])
            engine.add_user(name, state, realm, by=by)
            users[name] = []
            desk.note("user add", user=name, text=f"{state}, {realm}", **said)
        elif dice < 0.15 and len(users[name]) < 5:
            desk.made += 1
            serial = f"D{desk.made}"
            device, kind = rng.choice([
                (Device.totp(rng.randbytes(20)), "totp"), (Device.gold(rng.randbytes(20)), "gold"),
                (Device.code_card(rng.randbytes(20)), "code-card"), (Device.sms(), "sms"),
            ])  # fmt: skip
            engine.add_device(name, device, serial, by=by)
            users[name].append(serial)
            desk.note("device add", user=name, device=serial, kind=kind, **said)
        elif dice < 0.2 and users[name]:
            serial = users[name].pop()
            engine.remove_device(name, serial, by=by)
            desk.note("device remove", user=name, device=serial, **said)
        elif dice < 0.25:
            del users[name]
            engine.remove_user(name, by=by)
            desk.note("user remove", user=name, **said)
        elif dice < 0.3:
            engine.set_user(name, state="closed", by=by)
            desk.note("user set", user=name, **said)
        elif dice < 0.35 and users[name]:
            engine.set_device(name, users[name][0], state="suspended", by=by)
            desk.note("device set", user=name, device=users[name][0], text="suspended", **said)
        elif dice < 0.4:
            engine.unlock(name, by="client services")
            desk.note("user unlock", user=name, by="client services")
        elif dice < 0.5:
            platform = rng.choice(["trading", "portal"])
            engine.challenge(name, platform=platform)
            desk.note("challenge", user=name, platform=platform)
        elif dice < 0.6:
            who = rng.choice(["nobody", "zed"])
            verdict = engine.verify(who, "000000")
            hashed = f"?{engine._core.name_hash(who.encode()):016x}"
            desk.note("login", user=hashed, verdict=verdict.code.name)
        elif dice < 0.8:
            tried = rng.choices([*users, "nobody"], k=rng.randrange(1, 9))
            codes = engine.verify_many(tried, ["000000"] * len(tried), gateway="bulk")
            for who, code in zip(tried, codes, strict=True):
                known = {"user": who} if who in users else {}
                desk.note("login", verdict=Code(code).name, gateway="bulk", **known)
        else:
            address = rng.choice([None, "10.0.0.7", "2001:db8::1"])
            verdict = engine.verify(name, rng.choice(["000000", ""]), address=address)
            desk.note(
                "login", user=name, verdict=verdict.code.name, reason=verdict.reason.name,
                address=address or "", gateway="embedded",
            )  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_a_random_day_is_told_as_it_was(tmp_path: Path, seed: int) -> None:
    """Also after reopening, a rotated key and several segments; the older rows in ended files."""
    desk = Desk(tmp_path, segment_bytes=20_000)
    for part in range(3):
        story(desk, seed * 10 + part, 60)
        desk.expect()
        if part == 1:
            desk.engine.rotate_key(by="root")
            desk.note("note", by="root")
            desk.note("note")
        desk.engine._store.tick()
        desk.expect()
        desk.engine.close()
        desk.open()
    desk.expect()
    assert desk.engine.counters()["segments"] > 3
    desk.engine.close()


def test_filters(desk: Desk) -> None:
    """Each filter alone gives what a filter over everything gives."""
    story(desk, 99, 300)
    entries = list(desk.engine.audit())
    times = sorted({entry.time_ms for entry in entries})
    cut = times[len(times) // 2]
    hashed = f"?{desk.engine._core.name_hash(b'nobody'):016x}"

    def kept(keep: Any, **filters: Any) -> None:
        found = list(desk.engine.audit(**filters))
        assert found == [entry for entry in entries if keep(entry)] and found

    kept(lambda e: e.user == "ann", user="ann")
    kept(lambda e: e.user == hashed, user="nobody")
    kept(lambda e: e.verdict == "LOCKED", verdict="LOCKED")
    kept(lambda e: e.time_ms >= cut, since_ms=cut)
    kept(lambda e: e.time_ms < cut, until_ms=cut)
    kept(lambda e: e.gateway == "bulk", gateway="bulk")
    logins = ("login", "resync", "challenge")
    kept(lambda e: e.event in logins, only="logins")
    kept(lambda e: e.event not in logins, only="acts")
    kept(lambda e: e.event in logins and e.user == "bob" and e.time_ms >= cut,
         only="logins", user="bob", since_ms=cut)
    serial = next(entry.device for entry in entries if entry.event == "device set")
    kept(lambda e: serial == e.device or serial in e.others, device=serial)
    assert list(desk.engine.audit(user="never")) == []
    assert list(desk.engine.audit(device="never")) == []


def test_pages_of_any_size_make_the_same_whole(desk: Desk) -> None:
    story(desk, 5, 150)
    whole = list(desk.engine.audit())
    for count in (1, 2, 7, 1_000):
        found: list[Entry] = []
        page = desk.engine.audit_page(Wanted(), count=count)
        while True:
            assert len(page.entries) <= count
            found += page.entries
            if page.turn >= page.head:
                break
            page = desk.engine.audit_page(Wanted(), page.turn, page.place, count)
        assert found == whole


def test_what_an_attempt_used_is_told_and_nothing_typed(desk: Desk) -> None:
    engine = desk.engine
    engine.add_user("alice")
    engine.add_device("alice", Device.hotp(KEY), serial="H1")
    engine.add_device("alice", Device.hotp(KEY, counter=0, look_ahead=3), serial="H2")
    assert engine.verify("alice", "755224", address="192.0.2.1", platform="portal")
    entry = next(iter(engine.audit(only="logins")))
    assert (entry.device, entry.kind, entry.position, entry.others) == ("H1", "hotp", 0, ("H2",))
    assert (entry.address, entry.platform, entry.realm) == ("192.0.2.1", "portal", "live")
    issued = engine.issue_passcode("alice", "P1")
    engine.verify("alice", issued.passcode)
    engine.verify("alice", "918273")
    for shown in engine.audit():
        for secret in (*SECRETS, issued.passcode.encode(), KEY.hex().encode()):
            assert secret.decode("latin-1") not in repr(asdict(shown))


def test_cards_clocks_and_keys_say_who(desk: Desk) -> None:
    engine = desk.engine
    engine.add_user("dave")
    engine.add_device("dave", Device.code_card(KEY), serial="C1")
    engine.card("dave", "C1", by="desk 4")
    entry = list(engine.audit(user="dave"))[-1]
    assert (entry.event, entry.user, entry.device, entry.by) == ("note", "dave", "C1", "desk 4")
    assert list(engine.audit(device="C1"))[-1] == entry


def test_records_of_before_say_nothing_of_who(desk: Desk) -> None:
    """An act without `by` is written as it always was, and read as nobody's."""
    desk.engine.tap = []
    desk.engine.add_user("alice")
    row = desk.engine.tap[-1]
    assert len(row) == 32 * 3 and row[64:69] == b"alice" and not row[69:].strip(b"\0")
    assert next(iter(desk.engine.audit())).by == ""


def test_bulk_enrolments_say_who(desk: Desk) -> None:
    names = [f"user{at:03d}{'x' * (at % 40)}" for at in range(50)]
    desk.engine.add_users(names, [KEY] * 50, device=Device.totp(KEY), by="the importer")
    desk.engine.add_users([name + "y" for name in names], by="somebody else")
    entries = list(desk.engine.audit())
    assert len(entries) == 150
    assert {e.by for e in entries[:100]} == {"the importer"}
    assert {e.by for e in entries[100:]} == {"somebody else"}
    assert [e.user for e in entries[:100:2]] == names
    assert entries[1].device == "W00000001" and entries[1].kind == "totp"
    desk.engine.close()
    desk.open()  # and the rows are what recovery takes them for
    assert desk.engine.user(names[7]).devices[0].serial == "W00000008"


@pytest.mark.parametrize("by", ["", "x" * 129, "a\0b", 5])
def test_by_is_text_of_some_length(desk: Desk, by: Any) -> None:
    engine = desk.engine
    engine.add_user("alice")
    device = Device.totp(KEY)
    for act in (
        lambda: engine.add_user("bob", by=by), lambda: engine.set_user("alice", by=by),
        lambda: engine.remove_user("alice", by=by), lambda: engine.unlock("alice", by=by),
        lambda: engine.add_device("alice", device, by=by), lambda: engine.rotate_key(by=by),
        lambda: engine.set_device("alice", "x", state="lost", by=by),
        lambda: engine.remove_device("alice", "x", by=by),
        lambda: engine.add_users(["bob"], by=by),
    ):  # fmt: skip
        with pytest.raises(InvalidArgument, match="by is"):
            act()


@pytest.mark.parametrize(("filters", "said"), [
    ({"verdict": "YES"}, "verdict is one of ACCEPTED"), ({"only": "both"}, "only is acts or"),
    ({"since_ms": "now"}, "since_ms is milliseconds"), ({"until_ms": True}, "until_ms is"),
    ({"user": 5}, "user is str"), ({"gateway": b"x"}, "gateway is str"),
])  # fmt: skip
def test_a_wrong_filter_is_named(desk: Desk, filters: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidArgument, match=said):
        desk.engine.audit(**filters)


def test_a_row_that_was_altered_is_named(desk: Desk) -> None:
    """Rows before it are told; none after it, and no row is left out in silence."""
    for at in range(30):
        desk.engine.add_user(f"user{at}")
        desk.engine.verify(f"user{at}", "1")
    desk.engine._store.tick()
    desk.engine.close()
    desk.open()
    link = desk.engine._store._journal.links[-1]  # type: ignore[attr-defined]
    file = desk.path / "journal" / f"{link.number:08d}.db"
    with sqlite3.connect(file) as database:
        (blob,) = database.execute("SELECT b FROM j WHERE seq = 20").fetchone()
        altered = bytes([blob[0] ^ 1]) + blob[1:]
        database.execute("UPDATE j SET b = ? WHERE seq = 20", (altered,))
    database.close()
    entries = desk.engine.audit()
    with pytest.raises(StoreDamaged, match=r"journal/0.*row 20 was altered"):
        list(entries)
    assert desk.engine.user("user3").name == "user3"  # reading has ended nothing


def test_reading_while_logins_go_on(desk: Desk) -> None:
    """Every login that was answered before an audit began is in it, once, in order."""
    desk.engine.add_user("alice")
    desk.engine.add_device("alice", Device.totp(KEY))
    stop, counted = threading.Event(), [0]

    def hammer() -> None:
        while not stop.is_set():
            desk.engine.verify("alice", "000000")
            counted[0] += 1

    threads = [threading.Thread(target=hammer) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(12):
            before = counted[0]
            entries = list(desk.engine.audit(only="logins"))
            assert len(entries) >= before
            turns = [entry.turn for entry in entries]
            assert turns == sorted(set(turns))
            desk.engine._store.tick()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert len(list(desk.engine.audit(only="logins"))) == counted[0]


def test_a_store_closed_meanwhile_says_so(desk: Desk) -> None:
    story(desk, 1, 30)
    desk.engine.close()
    desk.open()
    entries = desk.engine.audit()
    next(entries)
    desk.engine.close()
    with pytest.raises(watchword.Error, match="closed"):
        desk.engine.audit_page(Wanted())


def test_dropped_rows_are_passed_over(tmp_path: Path) -> None:
    desk = Desk(tmp_path, segment_bytes=1)
    desk.engine.add_user("alice")
    desk.engine.add_user("bob")
    for _ in range(5):
        desk.engine.verify("alice", "1")
        desk.engine._store.tick()
    desk.engine.remove_user("bob")
    desk.engine._keeper.write()  # type: ignore[union-attr]
    assert desk.engine._store.drop_before(5) == 4
    entries = list(desk.engine.audit())
    assert [entry.turn for entry in entries] == [5, 6, 7, 8]
    assert entries[0].user == "alice" and entries[-1].user == "#1"  # of whom no row says more
    desk.engine.close()


def test_every_event_has_a_name() -> None:
    header = (Path(__file__).parents[1] / "ext" / "watchword.h").read_text()
    numbers = {
        int(line.split("=")[1].split(",")[0].split("/")[0])
        for line in header.splitlines() if line.strip().startswith("WW_EVENT_") and "=" in line
    }  # fmt: skip
    assert numbers == set(told.EVENTS) | set(told.PARTS)
    assert Wanted().events & 1 << 40, "and one of a later program is shown by its number"


def test_an_entry_is_a_value(desk: Desk) -> None:
    desk.engine.add_user("alice")
    entry = next(iter(desk.engine.audit()))
    assert replace(entry) == entry and told.iso(entry.time_ms) == "2023-11-14T22:13:20.000Z"
    assert told.iso(2**62).endswith(" ms")
