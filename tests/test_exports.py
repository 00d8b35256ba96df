"""src/watchword/exports.py: out of a store what goes into one, and no secret unasked."""

import io

import pytest
from served import ReplyError, serving
from standing import KEY, Bench, on_disk, step_code

from watchword import Device, Engine, InvalidArgument, NotFound, hotp, lifecycle
from watchword.formats.columns import COLUMNS

SUITE = "OCRA-1:HOTP-SHA256-6:C-QN08-PSHA1-T1M"
PHONE = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
DEVICES = [
    Device.totp(KEY, window=(2, 0), digits=8, algorithm="sha512", t0=7, drift_max=4),
    Device.hotp(KEY[:10], counter=2**63, look_ahead=3),
    Device.ocra(KEY, SUITE, counter=5, look_ahead=2, window=3, drift_max=2, pin="1234"),
    Device.gold(KEY),
    Device.ib_key(KEY, "4711"),
    Device.ib_key(KEY, "4711", PHONE),
    Device.alpine(b"\x7f" * 128),
    Device.dsc(KEY, counter=9),
    Device.code_card(KEY, counter=7),
    Device.of("online-code-card", KEY, once=True),
    Device.sms(KEY),
]


def exported(engine: Engine, **words: object) -> str:
    file = io.BytesIO()
    engine.export_csv(file, **words)
    return file.getvalue().decode()


def fill(engine: Engine) -> None:
    engine.add_user("alice")
    for n, device in enumerate(DEVICES):
        engine.add_device("alice", device, serial=f"S{n}")
    engine.add_user("bob", state="pending", realm="paper")
    engine.add_user("carol", state="closed")
    engine.add_device("carol", Device.totp(KEY))
    engine.set_device("carol", "W00000012", state="lost")
    engine.add_user("dave")
    engine.remove_user("dave")


def test_without_keys_no_secret_is_in_it():
    bench = Bench()
    with bench.engine as engine:
        fill(engine)
        issued = engine.issue_passcode("bob", serial="P")
        text = exported(engine)
        lines = text.splitlines()
        assert lines[0] == ",".join(COLUMNS)
        assert len(lines) == 1 + len(DEVICES) + 1 + 1
        assert lines[-2].startswith("bob,pending,paper,temporary-passcode,P,,,")
        assert lines[-1].startswith("carol,closed,live,totp,W00000012,,6,sha1,30,0,1/1,0,,")
        assert lines[-1].endswith(",lost")
        for secret in (KEY.hex(), "GEZDGNBVGY3TQOJQ", issued.passcode, "4711", "1234"):
            assert secret not in text
        assert lifecycle.EXPORT not in [record.event for record in bench.last()]


def test_an_export_without_keys_is_there_when_it_comes_back():
    bench = Bench()
    with bench.engine as engine:
        fill(engine)
        engine.issue_passcode("bob", serial="P")
        turn, text = engine._turn, exported(engine)
        found = engine.import_csv(io.BytesIO(text.encode()), by="x")
        assert (found.there, found.faults, engine._turn) == (len(DEVICES) + 2, (), turn)
    with Bench().engine as other:
        found = other.import_csv(io.BytesIO(text.encode()), by="x")
        faults = {(fault.column, fault.says) for fault in found.faults}
        assert faults == {
            ("key", "is base32, or hex after 'hex:'"), ("kind", "is issued, not imported"),
        }  # fmt: skip
        assert not found.applied


def test_what_is_exported_with_keys_is_the_same_store_again(path):
    """A round trip through another store, on disk: every device as far as it had come."""
    bench = Bench()
    with bench.engine as engine:
        fill(engine)
        assert engine.verify("alice", step_code(), device="S0").code.name == "REJECTED"
        assert engine.verify("alice", hotp(KEY, 9), device="S7")
        text = exported(engine, keys=True, by="desk 4")
    with on_disk(path) as engine:
        assert engine.import_csv(io.BytesIO(text.encode()), by="desk 4").faults == ()
        assert exported(engine, keys=True, by="desk 4") == text
        assert not engine.verify("alice", hotp(KEY, 9), device="S7")
        assert engine.verify("alice", hotp(KEY, 10), device="S7")


def test_random_stores_go_round(rng):
    kinds = [("totp", {}), ("hotp", {}), ("gold", {}), ("code-card", {}), ("alpine", {})]
    for _ in range(20):
        one, two = Bench(names="any"), Bench(names="any")
        with one.engine as a, two.engine as b:
            for n in range(rng.randint(0, 30)):
                letters = ["a", "b", "=", "-", '"', ",", "\u00e9", " "]
                name = "".join(rng.choice(letters) for _ in range(5)) + str(n)
                a.add_user(name, rng.choice(["open", "closed"]), rng.choice(["live", "paper"]))
                for serial in range(rng.choice([0, 1, 1, 3])):
                    kind, figures = rng.choice(kinds)
                    a.add_device(
                        name, Device.of(kind, rng.randbytes(20), **figures), f"S{serial}"
                    )
            text = exported(a, keys=True, by="x")
            found = b.import_csv(io.BytesIO(text.encode()), by="x")
            assert found.faults == ()
            assert exported(b, keys=True, by="x") == text


def test_who_took_the_keys_is_recorded_first(path):
    with on_disk(path) as engine:
        fill(engine)
        engine.tap = []
        assert engine.export_rows("", 2, keys=True, by="desk 4")[:2] == (2, "bob")
        assert engine.export_rows("bob", 2, keys=True, by="desk 4")[:2] == (1, "carol")
        assert engine.export_rows("carol", 2, keys=True, by="desk 4") == (0, "", [])
        records = [r for row in engine.tap for r in lifecycle.records(row)]
        assert [(r.event, r.tail[: r.lock_ms].decode()) for r in records] == [
            (lifecycle.EXPORT, "desk 4: keys of 2 users, alice to bob"),
            (lifecycle.EXPORT, "desk 4: keys of 1 users, carol to carol"),
        ]
    for by in (None, "", "x" * 129):
        bench = Bench()
        with bench.engine as engine, pytest.raises(InvalidArgument, match="by is"):
            exported(engine, keys=True, by=by)


def test_misuse(engine):
    with pytest.raises(NotFound, match="there is no user 'nobody'"):
        engine.export_rows("nobody")


def test_through_a_daemon_no_key_leaves(tmp_path):
    with serving(tmp_path) as daemon, daemon.acts() as acts:
        for name in ("alice", "bob", "carol"):
            acts.ask("USER", "ADD", name)
        acts.ask("DEVICE", "ADD", "bob", "TOTP", "KEY", KEY.hex(), "SERIAL", "T1")
        flat = acts.ask("EXPORT", "ROWS", "COUNT", 2)
        assert flat[:4] == ["users", 2, "last", "bob"]
        assert [line.split(",")[:6] for line in flat[5]] == [
            ["alice", "open", "live", "", "", ""], ["bob", "open", "live", "totp", "T1", ""],
        ]  # fmt: skip
        assert acts.ask("EXPORT", "ROWS", "AFTER", "bob")[:4] == ["users", 1, "last", "carol"]
        assert acts.ask("EXPORT", "ROWS", "AFTER", "carol")[1] == 0
        for words, says in (
            (("ROWS", "KEYS"), "syntax error"), (("ROWS", "COUNT", 0), "^INVALID COUNT is 1 to"),
            (("ROWS", "COUNT", 1001), "^INVALID COUNT"), (("ROWS", "COUNT", "x"), "^INVALID COUNT"),
            (("ROWS", "AFTER", "x"), "^NOTFOUND"), (("KEYS",), "unknown subcommand"),
        ):  # fmt: skip
            with pytest.raises(ReplyError, match=says):
                acts.ask("EXPORT", *words)
