"""src/watchword/intake.py: a file's rows into a store, all or none, and nothing else moved."""

import io
import shutil
import time

import pytest
from served import ReplyError, serving
from standing import KEY, Bench, T, on_disk, step_code

from watchword import Engine, Imported, InvalidArgument, StoreFailed, hotp, lifecycle, totp
from watchword.formats.columns import Fault

KEY32 = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # the same as KEY
OTHER32 = "A" * 32
HEAD = "name,state,realm,kind,serial,key,counter\n"


def brought(engine: Engine, *lines: str, head: str = HEAD, **words: bool) -> Imported:
    """Rows under the columns name, state, realm, kind, serial, key, counter; the rest may be left
    out."""
    filled = [line + "," * (head.count(",") - line.count(",")) for line in lines]
    return engine.import_csv(io.BytesIO((head + "\n".join(filled)).encode()), by="desk 4", **words)


def counts(found: Imported) -> tuple[int, int, int, int, bool]:
    return found.rows, found.users, found.devices, found.there, found.applied


def everything(engine: Engine) -> list[object]:
    return [engine._core.user(slot) for slot in range(engine._core.slots_used())]


# ---- what rows do ----


def test_users_and_devices_of_every_kind_log_in(path):
    with on_disk(path) as engine:
        found = brought(
            engine, f"alice,open,live,totp,T1,{KEY32}", f"alice,,,hotp,H1,hex:{KEY.hex()},3",
            f"bob,pending,paper,code-card,,{OTHER32}", "carol", f"dave,,,gold,G1,{OTHER32}",
            "erin,,,sms,phone,",
        )  # fmt: skip
        assert counts(found) == (6, 5, 5, 0, True)
        assert found.faults == ()
        assert engine._turn == 1  # one act
        assert engine.verify("alice", step_code(), device="T1")
        assert engine.verify("alice", hotp(KEY, 3), device="H1")
        assert not engine.verify("alice", hotp(KEY, 2), device="H1")
    with on_disk(path) as engine:
        bob, erin = engine.user("bob"), engine.user("erin")
        assert (bob.state, bob.realm, bob.devices[0].kind) == ("pending", "paper", "code-card")
        assert bob.devices[0].serial == "W00000003"
        assert (engine.user("carol").devices, erin.devices[0].kind) == ((), "sms")
        assert engine.challenge("dave").kind == "gold"
        assert not engine.verify("alice", hotp(KEY, 3), device="H1")  # once means once


def test_what_a_device_had_used_comes_with_it():
    """Counters, steps and drift are kept: no code from before the move is good after it."""
    step = T // 30_000
    bench = Bench()
    with bench.engine as engine:
        head = "name,kind,key,counter,drift_max,drift,device_state,serial\n"
        brought(
            engine, f"alice,totp,{KEY32},{step + 1}", f"bob,alpine,{KEY32},{step - 4},10,-3",
            f"carol,hotp,{KEY32},9,,,suspended", head=head,
        )  # fmt: skip
        assert engine.verify("alice", step_code()).reason.name == "REPLAYED"
        assert engine.verify("alice", step_code(1))
        assert engine.user("bob").devices[0].drift == -3
        assert engine.verify("bob", step_code(-3))
        assert engine.verify("carol", hotp(KEY, 9)).reason.name == "NO_DEVICE"
        engine.set_device("carol", "W00000003", state="active")
        assert engine.verify("carol", hotp(KEY, 9))


def test_a_key_that_was_removed_is_not_fresh_again():
    bench = Bench()
    with bench.engine as engine:
        brought(engine, f"alice,,,hotp,,{KEY32}", f"bob,,,totp,B1,{KEY32}")
        assert engine.verify("alice", hotp(KEY, 5))
        engine.remove_user("alice")
        found = brought(
            engine, f"alice,,,hotp,,{KEY32}", f"alice,,,hotp,H2,{KEY32},8",
            f"alice,,,dsc,H3,{KEY32}",
        )  # fmt: skip
        assert found.applied
        assert [view.moving for view in engine.user("alice").devices] == [6, 8, 8]


def test_a_card_under_a_strict_policy_shows_no_cell_twice():
    bench = Bench(card_cells_once=True)
    with bench.engine as engine:
        brought(engine, f"alice,,,code-card,,{KEY32}")
        assert engine.user("alice").devices[0].once


# ---- what a row may not do: lines after "alice" with T1 and H1 of the store -> faults

STANDS = [f"alice,open,live,totp,T1,{KEY32}", f"alice,,,hotp,H1,{KEY32}"]
WRONG = [
    (["Bob"], "2 name is lower case: an upper-case letter names nobody"),
    (["b_b"], "2 name is 1 to 64 letters and digits"),
    (["b" * 65], "2 name is 1 to 64 letters and digits"),
    (["bob", "bob"], "3 name stands in row 2 already"),
    (["bob,open", f"bob,closed,,totp,S,{KEY32}"], "3 state is open in row 2"),
    (["alice,closed"], "2 state is open in the store"),
    (["alice,,paper"], "2 realm is live in the store"),
    (["alice", "alice"], "3 name stands in row 2 already"),
    ([f"alice,,,totp,,{OTHER32}"], "2 serial is needed: the user stands in the store already"),
    ([f"alice,,,totp,T1,{OTHER32}"], "2 serial is taken in the store"),
    ([f"alice,,,hotp,T1,{KEY32}"], "2 serial is taken in the store"),
    ([f"alice,,,alpine,T1,{KEY32}"], "2 serial is taken in the store"),
    ([f"bob,,,totp,S,{KEY32}", f"bob,,,totp,S,{KEY32}"], "3 serial is the device of row 2 again"),
    ([f"bob,,,totp,S,{KEY32}", f"bob,,,totp,S,{OTHER32}"], "3 serial is taken in row 2"),
    ([f"bob,,,totp,,{KEY32}", f"bob,,,totp,,{KEY32}"], "3 serial is the device of row 2 again"),
    ([f"bob,,,totp,,{KEY32}", f"bob,,,totp,,{OTHER32}"],
     "3 serial is needed: the user stands in row 2 already"),
    ([f"bob,,,totp,S S,{KEY32}"], "2 serial is 1 to 32 ASCII letters, digits and any of - _ . :"),
    ([f"bob,,,totp,{'S' * 33},{KEY32}"], "2 serial is 1 to 32"),
    ([f"bob,,,totp,{n},{OTHER32}" for n in range(17)],
     "18 kind is one too many: 16 devices a user"),
    (["bob,,,totp,,AAAA"], "2 key is 10 to 128 bytes"),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "says"), WRONG)
def test_one_wrong_row_and_nothing_is_applied(lines, says):
    bench = Bench()
    with bench.engine as engine:
        assert brought(engine, *STANDS).applied
        before, turn = everything(engine), engine._turn
        found = brought(engine, *lines, dry_run=True)
        assert everything(engine) == before
        tried = brought(engine, *lines)
        (fault,) = found.faults
        assert f"{fault.row} {fault.column} {fault.says}".startswith(says)
        assert tried.faults == found.faults
        assert not tried.applied
        assert (tried.users, tried.devices) == (0, 0)
        assert everything(engine) == before
        assert engine._turn == turn
        skipped = brought(engine, *lines, skip_bad=True)
        assert skipped.applied
        assert skipped.faults == found.faults
        assert everything(engine)[0] == before[0]  # alice, as she was


def test_policy_is_held_against_every_row():
    bench = Bench(key_bytes_min=14, window_max=0, period_max_s=30)
    with bench.engine as engine:
        found = brought(
            engine, f"alice,totp,{KEY32}", "bob,hotp,hex:" + "ab" * 13, f"carol,totp,{KEY32},0",
            f"dave,totp,{KEY32},0,31",
            head="name,kind,key,window,period\n",
        )  # fmt: skip
        assert found.faults == (
            Fault(2, "window", "is at most 0 steps under this policy"),
            Fault(3, "key", "is at least 14 bytes under this policy"),
            Fault(5, "period", "is at most 30 seconds under this policy"),
        )


def test_a_user_has_one_phone_and_a_phone_one_pin():
    phones = [bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"),
              bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")]
    one, two = (phone.hex() for phone in phones)
    bench = Bench()
    with bench.engine as engine:
        lines = [
            f"alice,ib-key,{KEY32},A,1111,{one}", f"bob,ib-key,{KEY32},B,1111,{one}",
            f"alice,ib-key,{OTHER32},C,2222,{two}", f"carol,ib-key,{KEY32},D,3333,{one}",
        ]  # fmt: skip
        head = "name,kind,key,serial,pin,phone\n"
        found = brought(engine, *lines, head=head, skip_bad=True)
        assert [str(fault) for fault in found.faults] == [
            "row 4, phone: is one too many: a user has one phone",
            "row 5, pin: is another than this phone has in a row before",
        ]
        assert [engine.user(name).devices[0].phone for name in ("alice", "bob")] == [
            "ed" + one, "ed" + one,
        ]  # fmt: skip
        found = brought(engine, *lines, head=head, dry_run=True)
        assert found.there == 2
        assert found.faults[1].says == "is another than this phone has in the store"


def test_a_store_holds_so_many_suites():
    lines = [
        f"u{n},ocra,{KEY32},OCRA-1:HOTP-SHA1-6:QN{4 + n % 60:02d}-S{1 + n // 60:03d}"
        for n in range(258)
    ]
    bench = Bench()
    with bench.engine as engine:
        found = brought(engine, *lines, head="name,kind,key,suite\n")
        assert [fault.row for fault in found.faults] == [258, 259]
        assert "a store holds 256 different ones" in found.faults[0].says
        assert brought(engine, *lines[:256], head="name,kind,key,suite\n").applied
        assert brought(engine, *lines[:256], head="name,kind,key,suite\n").there == 256


# ---- again, cut off, and together with others ----


def test_a_file_can_be_imported_again(path):
    lines = [
        f"alice,,,totp,,{KEY32}", "bob,closed", f"carol,,,gold,G,{KEY32}", f"carol,,,dsc,D,{KEY32}",
        "erin,,,sms,phone,",
    ]  # fmt: skip
    with on_disk(path) as engine:
        assert counts(brought(engine, *lines)) == (5, 4, 4, 0, True)
        before, turn = everything(engine), engine._turn
        assert counts(brought(engine, *lines)) == (5, 0, 0, 5, True)
        assert (everything(engine), engine._turn) == (before, turn)
        more = [*lines, f"bob,,,hotp,H,{KEY32}", "frank"]
        assert counts(brought(engine, *more)) == (7, 1, 1, 5, True)


def big(users: int) -> list[str]:
    kinds = ("totp", "hotp", "gold", "code-card", "")
    return [
        f"u{n},,,{kind},{f'S{n}' if kind else ''},{KEY32 if kind else ''}"
        for n in range(users) for kind in (kinds[n % 5],)
    ]  # fmt: skip


def test_thousands_of_rows_go_in_many_acts_of_which_each_is_whole(path, tmp_path, monkeypatch):
    """Cut off after any of them, the file goes in again and nothing is there twice."""
    monkeypatch.setattr("watchword.intake.ROWS_PER_TURN", 100)
    lines, done = big(1_000), []
    with on_disk(path) as engine:
        turns = []

        def progress(rows: int) -> None:
            done.append(rows)
            if rows > 1_000:
                turns.append(engine._turn)
            if rows == 1_400:
                shutil.copytree(path, tmp_path / "crashed")

        file = io.BytesIO((HEAD + "\n".join(line + "," for line in lines)).encode())
        found = engine.import_csv(file, by="desk 4", progress=progress)
        assert counts(found) == (1_000, 1_000, 800, 0, True)
        assert done == list(range(100, 2_001, 100))
        assert turns == list(range(1, 11))
        whole = everything(engine)
    with on_disk(tmp_path / "crashed") as engine:
        assert len(engine.users(count=2_000)) == 400
        assert counts(brought(engine, *lines)) == (1_000, 600, 480, 400, True)
        assert everything(engine) == whole


def test_a_wrong_row_far_behind_stops_the_first(monkeypatch):
    monkeypatch.setattr("watchword.intake.ROWS_PER_TURN", 10)
    bench = Bench()
    with bench.engine as engine:
        found = brought(engine, *big(50), "u7,closed")
        assert counts(found) == (51, 0, 0, 0, False)
        assert str(found.faults[0]) == "row 52, state: is open in row 9"
        assert engine.users() == []
        assert counts(brought(engine, *big(50), "u7,closed", skip_bad=True))[1:3] == (50, 40)


def test_somebody_is_quicker_between_two_acts(monkeypatch):
    monkeypatch.setattr("watchword.intake.ROWS_PER_TURN", 10)
    bench = Bench()
    with bench.engine as engine:

        def progress(rows: int) -> None:
            if rows == 40 + 10:
                engine.add_user("u15", state="closed")

        for skip, users in ((False, 11), (True, 40)):
            file = io.BytesIO((HEAD + "\n".join(f"u{n},open,,,,," for n in range(40))).encode())
            found = engine.import_csv(
                file, by="x", skip_bad=skip, progress=None if skip else progress
            )
            assert [str(fault) for fault in found.faults] == [
                "row 17, state: is closed in the store"
            ]
            assert found.applied
            assert len(engine.users()) == users


def test_who_did_it_stands_in_the_row_of_the_act():
    bench = Bench()
    with bench.engine as engine:
        brought(engine, "alice", f"bob,,,totp,,{KEY32}")
        events = [record.event for record in bench.last()]
        assert events == [
            lifecycle.IMPORT, lifecycle.USER_ADD, lifecycle.USER_ADD, lifecycle.DEVICE_ADD,
        ]  # fmt: skip
        first = bench.last()[0]
        assert first.tail[: first.lock_ms] == b"desk 4"
        for by in ("", "x" * 129):
            with pytest.raises(InvalidArgument, match="by is text of 1 to 128 bytes"):
                engine.import_csv(io.BytesIO(b"name\nx\n"), by=by)


def test_a_disk_that_refuses_imports_nothing(path):
    engine = on_disk(path)
    engine._store.append = lambda rows: (_ for _ in ()).throw(StoreFailed("the disk refused"))
    with pytest.raises(StoreFailed):
        brought(engine, "alice")
    with pytest.raises(StoreFailed):
        engine.close()
    with on_disk(path) as again:
        assert again.users() == []


def test_what_stands_is_not_moved_by_rows_that_fail(rng):
    """Random files, half of them wrong: users and devices that are there keep all they have."""
    bench = Bench()
    with bench.engine as engine:
        brought(engine, *STANDS, "bob,pending")
        assert engine.verify("alice", step_code(), device="T1")
        before = {name: engine.user(name) for name in ("alice", "bob")}
        for _ in range(300):
            lines = [
                ",".join((
                    rng.choice(["alice", "bob", f"n{rng.randrange(10**6)}", "N"]),
                    rng.choice(["", "open", "closed"]), rng.choice(["", "live", "paper"]),
                    rng.choice(["", "totp", "hotp"]), rng.choice(["", "T1", "H1"]),
                    rng.choice(["", KEY32, OTHER32]),
                ))
                for _ in range(rng.randint(1, 4))
            ]  # fmt: skip
            found = brought(engine, *lines, skip_bad=rng.random() < 0.5)
            if found.applied:
                added = {line.split(",")[0] for line in lines} & set(before)
                for name in added:  # a device more, at most
                    now = engine.user(name)
                    assert now.devices[: len(before[name].devices)] == before[name].devices
                    assert (now.state, now.realm) == (before[name].state, before[name].realm)
                    before[name] = now
            assert {name: engine.user(name) for name in before} == before


# ---- through a daemon ----


def test_through_a_daemon(tmp_path):
    with serving(tmp_path) as daemon, daemon.acts() as acts, daemon.client() as gateway:
        text = f"{HEAD}alice,,,totp,T1,{KEY32},\nbob,shut,,,,,\ncarol,,,,,,\n"

        def asked(*words: str) -> dict[str, object]:
            flat = acts.ask("IMPORT", *words)
            return dict(zip(flat[::2], flat[1::2], strict=True))

        wrong = [[3, "state", "is one of open, pending, closed"]]
        checked = {"rows": 3, "users": 2, "devices": 1, "there": 0, "faults": wrong}
        assert asked("CHECK", text) == checked
        assert asked("ADD", text, "BY", "desk 4") == {**checked, "users": 0, "devices": 0}
        assert acts.ask("USER", "LIST") == []
        assert asked("ADD", text, "BY", "desk 4", "SKIP") == checked
        assert asked("ADD", text, "skip")["there"] == 2
        now = totp(KEY, int(time.time()))
        assert gateway.ask("VERIFY", "alice", now) == "ACCEPTED"
        for words, says in (
            (("CHECK", "nosuch\n"), "^INVALID the header has a column 'nosuch'"),
            (("CHECK", ""), "^INVALID the file is empty"), (("ADD",), "wrong number of arguments"),
            (("ADD", text, "BY"), "syntax error"), (("CHECK", text, "SKIP"), "syntax error"),
            (("ADD", text, "BY", "a", "BY", "b"), "syntax error"),
            (("ADD", text, "BY", ""), "^INVALID by is text"),
        ):  # fmt: skip
            with pytest.raises(ReplyError, match=says):
                acts.ask("IMPORT", *words)
        with pytest.raises(ReplyError, match="NOPERM"):
            gateway.ask("IMPORT", "ADD", text)
        assert daemon.stop() == 0
        assert daemon.healthy()
