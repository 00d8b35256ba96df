"""Entry by other roads than a device of one's own, RULES sections 3, 6 and 7: the tables of
entry_tables.py through the slow twin, the engine and a daemon; what is legal; and stores that are
opened anew.
"""

import hmac
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from daemons import Daemons
from entry_doors import PASSCODE, DaemonDoor, EngineDoor, TwinDoor, device_of, key_of
from entry_tables import BLIND, TABLES
from plays import play
from secret_doors import POLICY

import watchword
from watchword import Device, Engine, InvalidArgument, NotFound, Policy, Shared
from watchword.ranges import pack_ranges, unpack_ranges

WEEKS_APART_S = 6 * 7 * 86_400  # a table's first day is a Thursday, as the first of 1970 was
DAY_MS = 86_400_000


def second_of(word: str) -> int:
    days, _, seconds = word.rpartition("d")
    return int(days or 0) * 86_400 + int(seconds.removeprefix("+") or 0)


class Told:
    """A table as it is played."""

    def __init__(self, door: Any) -> None:
        self.door = door

    def row(self, line: str) -> None:
        words = line.split()
        self.door.now_s = second_of(words[0]) + self.door.begins_s
        verb = words[1].lower()
        getattr(self, verb, lambda *given: self.door.act(words[1], *given))(*words[2:])

    def typed(self, word: str) -> str:
        serial, _, what = word.partition(":")
        if serial in ("-", "wrong"):
            return {"-": "", "wrong": "314159"}[serial]
        if serial == "pass":
            return PASSCODE.decode()
        if not what:
            return watchword.totp(key_of(serial, self.door.title), self.door.now_s)
        return watchword.hotp(key_of(serial, self.door.title), int(what))

    def holds(
        self, said: tuple[str, ...], told: tuple[str, ...], failures: tuple[str, ...]
    ) -> None:
        """A daemon gives no reasons."""
        assert [b if b == "" else a for a, b in zip(said, told, strict=True)] == list(told)
        assert [str(self.door.failures(name)[0]) for name in ("alice", "bob")] == list(failures)

    def say(self, user: str, word: str, platform: str, options: str, *said: str) -> None:
        told = self.door.say(user, self.typed(word), platform=platform, **named(options))
        self.holds(said[:2], told[:2], said[2:])

    def blind(self, user: str, word: str, platform: str, options: str, said: str) -> None:
        assert self.door.blind(user, self.typed(word), platform=platform, **named(options)) == said

    def optin(self, user: str, word: str, options: str, *said: str) -> None:
        told = self.door.opt_in(user, self.typed(word), **named(options))
        self.holds(said[:2], told[:2], said[2:])

    def share(
        self, user: str, owner: str, serial: str, word: str, options: str, *said: str
    ) -> None:
        verdict, _, refused = self.door.share(
            user, owner, serial, self.typed(word), **named(options)
        )
        why = refused or ("shared" if verdict == "ACCEPTED" else "-")
        self.holds(said[:2], (verdict, why.replace(" ", "_")), said[2:])

    def draw(self, user: str, usd: str, said: str) -> None:
        whole, _, cents = usd.partition(".")
        assert self.door.withdraw(user, 100 * int(whole) + int(cents or 0)) == said

    def left(self, user: str, *said: str) -> None:
        assert tuple(map(str, self.door.limits(user))) == said

    def unshare(self, user: str, serial: str, said: str) -> None:
        assert self.door.unshare(user, serial) == said

    def out(self, user: str, said: str) -> None:
        assert self.door.opt_out(user) == said

    def identity(self, user: str, text: str) -> None:
        self.door.identity(user, [] if text == "-" else [text.casefold(), "1970"])

    def password(self, user: str, text: str) -> None:
        self.door.set_password(user, None if text == "-" else text)

    def enrol(self, user: str, serial: str) -> None:
        self.door.add_device(user, serial)

    def gone(self, user: str, serial: str) -> None:
        self.door.remove_device(user, serial)

    def replace(self, user: str, old: str, new: str, state: str) -> None:
        self.door.replace_device(user, old, new, state)


setattr(Told, "from", lambda self, user, ranges, said: restricted(self.door, user, ranges, said))


def restricted(door: Any, user: str, ranges: str, said: str) -> None:
    assert door.restrict(user, [] if ranges == "-" else ranges.split(",")) == said


def named(options: str) -> dict[str, str]:
    options = options.replace("PUSH", "00112233445566778899aabbccddeeff")
    pairs = [one.split("=") for one in options.split(",") if one != "-"]
    return {name: word.replace(";", ":") for name, word in pairs}


def played(door: Any, title: str) -> None:
    alices, bobs, _, rows = {**TABLES, **BLIND}[title]
    door.title, door.now_s = title, door.begins_s
    play(Told(door), rows, alice=alices, bob=bobs)


@pytest.mark.parametrize("door", [TwinDoor, EngineDoor])
@pytest.mark.parametrize("title", TABLES)
def test_table(title: str, door: Any) -> None:
    played(door(**TABLES[title][2]), title)


@pytest.mark.parametrize("door", [TwinDoor, EngineDoor])
@pytest.mark.parametrize("title", BLIND)
def test_what_is_hidden_reads_alike(title: str, door: Any) -> None:
    played(door(**BLIND[title][2]), title)


@pytest.fixture(scope="module")
def daemons(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemons]:
    started = Daemons(tmp_path_factory.mktemp("entry"))
    with started.ended():
        yield started


@pytest.mark.parametrize("title", TABLES)
def test_table_through_a_daemon(title: str, daemons: Daemons) -> None:
    begins_s = WEEKS_APART_S * (1 + list(TABLES).index(title))
    door = DaemonDoor(daemons.of({**POLICY, **TABLES[title][2]}), begins_s)
    played(door, title)


# ---- what is legal -------------------------------------------------------------------------------

BAD_RANGES: list[Any] = [
    "", "10", "10.0.0.0/33", "10.0.0.1/8", "2001:db8::/129", "fe80::1%eth0", "host", "10.0.0.0/-1",
    "10.0.0.0/255.255.255.0.0", " 10.0.0.0/8", 10, None, b"10.0.0.0/8",
]  # fmt: skip


@pytest.fixture
def engine() -> Iterator[Engine]:
    policy = Policy(password_memory_kib=32, password_passes=1)
    with Engine.open(policy=policy, clock=lambda: DAY_MS) as opened:
        opened.add_user("alice")
        opened.add_user("bob")
        yield opened


@pytest.mark.parametrize("text", BAD_RANGES)
def test_a_range_that_is_none_is_told(engine: Engine, text: Any) -> None:
    with pytest.raises(InvalidArgument, match="addresses are ranges like"):
        engine.set_addresses("alice", [text])
    assert engine.entry("alice").addresses == ()


def test_ranges_are_counted_and_a_text_is_no_sequence_of_them(engine: Engine) -> None:
    ranges = [f"10.{n}.0.0/16" for n in range(15)]
    engine.set_addresses("alice", [*ranges, "10.0.0.0/16"])     # said twice, it is one
    assert engine.entry("alice").addresses == tuple(ranges)
    with pytest.raises(InvalidArgument, match="at most 15 ranges, not 16"):
        engine.set_addresses("alice", [*ranges, "11.0.0.0/8"])
    with pytest.raises(InvalidArgument, match="a sequence of ranges"):
        engine.set_addresses("alice", "10.0.0.0/8")
    with pytest.raises(NotFound):
        engine.set_addresses("nobody", ranges)


def test_a_mistyped_range_gets_a_hint(engine: Engine) -> None:
    with pytest.raises(InvalidArgument) as told:
        engine.set_addresses("alice", ["192.0.2.9/24"])
    assert told.value.hint == "did you mean 192.0.2.0/24?"


def test_ranges_are_written_as_they_are_read() -> None:
    texts = ("0.0.0.0/0", "192.0.2.7/32", "::/0", "2001:db8::/32", "2001:db8::1/128")
    assert unpack_ranges(pack_ranges(texts)) == texts
    assert unpack_ranges(pack_ranges(["::ffff:192.0.2.0/120"])) == ("192.0.2.0/24",)


@pytest.mark.parametrize("texts", [("",), ("x" * 257,), ("  ",), ("a",) * 17, (7,)])
def test_identity_data_that_are_none_are_told(engine: Engine, texts: Any) -> None:
    with pytest.raises(InvalidArgument, match="identity is"):
        engine.set_identity("alice", *texts)


def test_identity_data_are_kept_as_a_digest_alone(engine: Engine) -> None:
    engine.tap = []
    engine.set_identity("alice", "Ada  LOVELACE", "1815-12-10")
    engine.set_identity("bob", "ada lovelace", "1815-12-10")
    assert engine.entry("alice").identity_set
    assert all(b"lovelace" not in row.lower() and b"1815" not in row for row in engine.tap)
    tails = [row[64:80] for row in engine.tap]
    assert tails[0] == tails[1] != bytes(16), "one person, however the names are written"
    plain = hmac.digest(b"", b"ada lovelace", "sha256")[:16]
    assert tails[0] != plain


@pytest.mark.parametrize("cents", [0, -1, True, 1.5, "100", 10**15 + 1, None])
def test_an_amount_that_is_none_is_told(engine: Engine, cents: Any) -> None:
    with pytest.raises(InvalidArgument, match="amount_cents is a whole number of cents, 1 to"):
        engine.report_withdrawal("alice", cents, by="a gateway")


def test_nobody_shares_with_oneself(engine: Engine) -> None:
    with pytest.raises(InvalidArgument, match="user is another than owner"):
        engine.share_device("alice", "alice", "x", "000000")


# ---- what a gateway may say, and what it is told -------------------------------------------------


def test_a_gateway_vouches_for_the_first_factor(engine: Engine) -> None:
    engine.set_user("alice", state="closed")
    assert engine.verify("alice", "", platform="portal").code.name == "CHALLENGE"
    verdict = engine.verify("alice", "", platform="portal", first_factor=True)
    assert verdict and (verdict.device, verdict.kind, verdict.rank) == (None, "none", 0)
    assert verdict.scope == "full"
    codes = engine.verify_many(["alice", "bob"], ["", ""], platform="portal", first_factor=True)
    assert list(codes) == [watchword.Code.ACCEPTED, watchword.Code.CHALLENGE]


def test_every_kind_has_a_session_limit(engine: Engine) -> None:
    engine.add_device("alice", Device.hotp(key_of("plain")))
    accepted = engine.verify("alice", watchword.hotp(key_of("plain"), 0))
    assert accepted.session_ms == Policy().session_ms == 43_200_000
    assert engine.verify("alice", "000000").session_ms == 0
    engine.set_policy(Policy(session_ms=0), by="ops")
    assert engine.verify("alice", watchword.hotp(key_of("plain"), 1)).session_ms == 0


def test_explain_and_audit_tell_it_in_words(tmp_path: Path) -> None:
    with Engine.open(tmp_path / "store", policy=Policy(**POLICY)) as engine:
        engine.add_user("alice")
        engine.add_user("bob")
        engine.set_addresses("alice", ["192.0.2.0/24"], by="desk 4")
        engine.opt_out("alice", by="desk 4")
        engine.verify("alice", "", address="192.0.2.9", first_factor=True)
        engine.verify("alice", "", address="203.0.113.9", first_factor=True)
        engine.report_withdrawal("alice", 6_000_000, by="bank")
        told = engine.explain("alice")
        assert [one.why for one in told.attempts] == [
            "let in without a device: the first factor held",
            "refused unlooked at: it came from elsewhere than this user may come from, or said "
            "no address",
        ]
        standing = " | ".join(told.standing)
        assert "may come from 192.0.2.0/24 alone" in standing and "opted out" in standing
        acts = {(one.event, one.text, one.by) for one in engine.audit(user="alice", only="acts")}
        assert acts >= {
            ("user addresses", "192.0.2.0/24", "desk 4"), ("user opt", "out", "desk 4"),
            ("withdrawal", "USD 60000.00, refused: limit", "bank"),
        }  # fmt: skip


# ---- stores that are opened anew -----------------------------------------------------------------


@pytest.mark.parametrize("pages", [False, True])
def test_a_store_that_is_opened_anew_knows_it_all(tmp_path: Path, pages: bool) -> None:
    """From the journal alone, and from pages."""
    now = [1_000 * DAY_MS]

    def opened() -> Engine:
        return Engine.open(tmp_path / "store", policy=Policy(**POLICY), clock=lambda: now[0])

    def code() -> str:
        now[0] += 30_000
        return watchword.totp(key_of("app"), now[0] // 1000)

    engine = opened()
    for name in ("alice", "bob", "carol"):
        engine.add_user(name)
        engine.set_identity(name, "Ann", "1970")
    engine.add_device("alice", device_of("app"), serial="app")
    engine.set_addresses("carol", ["192.0.2.0/24"])
    engine.opt_out("carol")
    assert engine.share_device("bob", "alice", "app", code())
    assert engine.share_device("carol", "alice", "app", code())
    assert engine.report_withdrawal("bob", 123, by="bank")
    if not pages and engine._keeper is not None:
        engine._keeper.write = lambda: None     # type: ignore[method-assign]
    used = code()
    assert engine.verify("bob", used)
    engine.close()
    with opened() as engine:
        assert not engine.verify("alice", used) and not engine.verify("bob", used)
        assert engine.verify("carol", code(), address="192.0.2.1")
        assert not engine.verify("alice", watchword.totp(key_of("app"), now[0] // 1000))
        assert engine.entry("carol").opted_out
        assert engine.entry("carol").shared == ("app lent by alice",)
        assert engine.entry("alice").shared == ("app lent to bob, carol",)
        assert engine.limits("bob").day_used_cents == 123
        engine.unshare_device("alice", "app")
        assert engine.user("bob").devices == engine.user("carol").devices == ()
        assert isinstance(engine.share_device("bob", "alice", "app", code()), Shared)


def test_a_key_enrolled_twice_is_shared_by_one_owner(engine: Engine) -> None:
    """Else those who share it would be more than one attempt can tell that a code is used."""
    key = key_of("plain")
    for name in ("alice", "bob"):
        engine.add_device(name, device_of("plain"), serial=f"of-{name}")
        engine.set_identity(name, "Ann")
    for n in range(9):
        engine.add_user(f"u{n}")
        engine.set_identity(f"u{n}", "Ann")
    for n in range(8):
        assert engine.share_device(f"u{n}", "alice", "of-alice", watchword.hotp(key, n))
    with pytest.raises(InvalidArgument, match="another device, which is shared"):
        engine.share_device("u8", "bob", "of-bob", watchword.hotp(key, 0))
    users = [f"u{n}" for n in range(8)] + ["alice"]
    codes = engine.verify_many(users, [watchword.hotp(key, 9)] * 9)
    assert list(codes).count(watchword.Code.ACCEPTED) == 1


def test_nobody_borrows_a_key_they_have(engine: Engine) -> None:
    """A code used on their own device would be accepted again on the one that was lent."""
    key = key_of("plain")
    for name in ("alice", "bob"):
        engine.add_device(name, device_of("plain"), serial=f"of-{name}")
        engine.set_identity(name, "Ann")
    assert engine.verify("bob", watchword.hotp(key, 3), device="of-bob")
    with pytest.raises(InvalidArgument, match="has the key of device 'of-alice' already"):
        engine.share_device("bob", "alice", "of-alice", watchword.hotp(key, 0))
    assert not engine.verify("bob", watchword.hotp(key, 3))
    assert not engine.verify("bob", watchword.hotp(key, 0)), "used up by the owner, who was asked"


def test_at_most_eight_share_with_one(engine: Engine) -> None:
    engine.add_device("alice", device_of("plain"), serial="plain")
    engine.set_identity("alice", "Ann")
    for n in range(8):
        engine.add_user(f"u{n}")
        engine.set_identity(f"u{n}", "Ann")
        code = watchword.hotp(key_of("plain"), n)
        assert engine.share_device(f"u{n}", "alice", "plain", code)
    engine.set_identity("bob", "Ann")
    with pytest.raises(InvalidArgument, match="at most 8 others"):
        engine.share_device("bob", "alice", "plain", watchword.hotp(key_of("plain"), 8))
    users = [f"u{n}" for n in range(8)] + ["alice"]
    codes = engine.verify_many(users, [watchword.hotp(key_of("plain"), 9)] * 9)
    assert sorted(codes) == [1, *[2] * 8], "used by whoever came first"


def test_many_with_a_password_each(engine: Engine) -> None:
    engine.set_password("alice", "horse-battery")
    for name in ("alice", "bob"):
        engine.add_device(name, Device.hotp(key_of("plain")))
    engine.set_user("bob", state="closed")
    said = [("alice", 0, "horse-battery"), ("alice", 1, "wrong-battery"), ("alice", 2, None),
            ("nobody", 3, "horse-battery"), ("alice", 4, "horse-battery")]  # fmt: skip
    users, counters, passwords = zip(*said, strict=True)
    responses = [watchword.hotp(key_of("plain"), n) for n in counters]
    codes = engine.verify_many(users, responses, passwords=passwords)
    assert list(codes) == [1, 2, 2, 2, 1]
    columns = np.array(users, "S"), np.array(responses, "S")
    assert list(engine.verify_many(*columns, passwords=[None] * 5, threads=2)) == [2] * 5
    vouched = engine.verify_many(
        ["bob"], [""], platform="portal", passwords=[None], first_factor=True
    )
    assert list(vouched) == [1]
    with pytest.raises(InvalidArgument, match="passwords has 1 entries, users has 2"):
        engine.verify_many(["alice", "bob"], ["1", "2"], passwords=["x"])
    with pytest.raises(InvalidArgument):
        engine.verify_many(["alice"], ["1"], passwords=[7])     # type: ignore[list-item]
