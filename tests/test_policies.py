"""src/watchword/policies.py: another policy while logins go on, recorded, kept, and taken back."""

import io
import json
import random
import shutil
import signal
import time
from dataclasses import asdict, replace

import pytest
from served import SECONDS_MAX, ReplyError, serving
from standing import STORE_KEY, Bench, T, on_disk, step_code

from watchword import Code, Engine, InvalidArgument, Policy, StoreFailed, lifecycle
from watchword.errors import Error
from watchword.policies import AT_OPENING


def said(engine: Engine) -> dict:
    """What the record of the last policy says."""
    records = [r for row in engine.tap or () for r in lifecycle.records(row)]
    last = [r for r in records if r.event == lifecycle.POLICY][-1]
    return json.loads(last.tail[: last.lock_ms])


def test_a_policy_is_in_force_from_the_next_login_on(engine):
    engine.tap = []
    for _ in range(3):
        assert engine.verify("alice", "000000").code is Code.REJECTED
    found = engine.set_policy(Policy(lockout_failures=4), by="desk 4")
    assert [change[:3] for change in found] == [("lockout_failures", "10", "4")]
    assert engine.policy == Policy(lockout_failures=4)
    assert engine.verify("alice", "000000").retry_after_ms > 0  # the fourth of four
    assert engine.verify("alice", step_code()).code is Code.LOCKED
    assert said(engine) == {
        "by": "desk 4", "forced": False, "was": {"lockout_failures": 10},
        "policy": json.loads(json.dumps(asdict(Policy(lockout_failures=4)))),
    }  # fmt: skip


def test_a_policy_that_changes_nothing_is_no_record(engine):
    turn = engine._turn
    assert engine.set_policy(Policy(), by="desk 4") == []
    assert engine._turn == turn


def test_what_would_harm_is_refused_unless_forced_and_the_force_is_recorded(engine):
    engine.tap = []
    policy = Policy(lockout_failures=1, failures_cap=None)
    with pytest.raises(InvalidArgument, match=r"lock everyone out.*; failures_cap = 0 lowers") as e:
        engine.set_policy(policy, by="desk 4")
    assert "force" in e.value.hint
    assert engine.policy == Policy()
    assert engine.tap == []
    assert len(engine.check_policy(policy)) == 2
    assert len(engine.set_policy(policy, by="desk 4", force=True)) == 2
    assert said(engine)["forced"] is True
    engine.set_policy(Policy(), by="desk 4", force=True)
    assert said(engine)["forced"] is False  # there was nothing to force


MISUSE = [
    ({"policy": {}, "by": "x"}, "policy is a watchword.Policy"),
    ({"policy": Policy(), "by": ""}, "by is text of 1 to 128 bytes"),
    ({"policy": Policy(), "by": "x" * 129}, "by is text"),
    ({"policy": Policy(), "by": 7}, "by is str"),
]


@pytest.mark.parametrize(("words", "says"), MISUSE)
def test_misuse(engine, words, says):
    with pytest.raises(InvalidArgument, match=says):
        engine.set_policy(words.pop("policy"), **words)


def test_names_that_would_be_none_are_counted():
    bench = Bench(names="any")
    with bench.engine as engine:
        engine.add_users(["alice", "b@example.com", "c d", "x" * 65, "\u00e4"])
        found = engine.check_policy(Policy())
        assert found == ['names = "sls" would lock out 4 users: their names are none under it']
        engine.set_policy(Policy(), by="x", force=True)
        assert engine.verify("c d", "1").code is Code.BAD_CHARACTER
        assert engine.check_policy(Policy()) == []


# ---- kept with the store ----


def test_the_last_policy_is_in_force_when_the_store_is_opened(path):
    with on_disk(path) as engine:
        assert engine.policy == Policy()
        engine.set_policy(Policy(lockout_failures=3), by="desk 4")
        engine.set_policy(Policy(lockout_failures=5, names="any"), by="desk 4")
    for _ in range(2):  # once from rows or pages, once from pages
        with on_disk(path) as engine:
            assert engine.policy == Policy(lockout_failures=5, names="any")
            turn = engine._turn
    with on_disk(path) as engine:
        assert engine._turn == turn


def test_a_policy_outlives_a_crash(path, tmp_path):
    """Before any page is written the journal alone has it."""
    with on_disk(path) as engine:
        engine.set_policy(Policy(lockout_failures=3), by="desk 4")
        shutil.copytree(path, tmp_path / "crashed")
    with on_disk(tmp_path / "crashed") as engine:
        assert engine.policy == Policy(lockout_failures=3)
        engine.rotate_key()  # which seals every page anew
    with on_disk(tmp_path / "crashed") as engine:
        assert engine.policy == Policy(lockout_failures=3)


def test_a_policy_that_is_given_wins_and_is_recorded(path):
    given = Policy(lockout_failures=7)
    with Engine.open(path, STORE_KEY, policy=given, clock=lambda: T) as engine:
        assert (engine.policy, engine._turn) == (given, 1)
    with Engine.open(path, STORE_KEY, policy=given, clock=lambda: T) as engine:
        assert engine._turn == 1  # it was in force
    with on_disk(path) as engine:
        assert engine.policy == given
        rows = [bytes(row) for _, row in engine._store.replay(0)]
        record = next(iter(lifecycle.records(rows[0])))
        assert json.loads(record.tail[: record.lock_ms])["by"] == AT_OPENING
        engine.set_policy(Policy(), by="desk 4")
    with Engine.open(path, STORE_KEY, policy=given, clock=lambda: T) as engine:
        assert engine.policy == given
        assert engine._turn == 3


def test_a_policy_of_a_newer_program_is_not_guessed_at(path, monkeypatch):
    with on_disk(path) as engine:
        monkeypatch.setattr(
            "watchword.policies.stored", lambda policy: {**asdict(policy), "nosuch": 1}
        )
        engine.set_policy(Policy(lockout_failures=3), by="desk 4")
    monkeypatch.undo()
    with pytest.raises(Error, match="the store's policy is not one of this program"):
        on_disk(path)
    with Engine.open(path, STORE_KEY, policy=Policy(), clock=lambda: T) as engine:
        assert engine.policy == Policy()
    with on_disk(path) as engine:
        assert engine.policy == Policy()


def test_texts_too_long_for_a_record_are_refused(engine, monkeypatch):
    monkeypatch.setattr("watchword.policies.stored", lambda policy: {"long": "x" * 9_000})
    with pytest.raises(InvalidArgument, match="too long"):
        engine.set_policy(Policy(lockout_failures=3), by="desk 4")
    assert engine.policy == Policy()


def test_a_disk_that_refuses_sets_nothing(path):
    engine = on_disk(path)
    engine._store.append = lambda rows: (_ for _ in ()).throw(StoreFailed("the disk refused"))
    with pytest.raises(StoreFailed):
        engine.set_policy(Policy(lockout_failures=3), by="desk 4")
    with pytest.raises(StoreFailed):
        engine.close()
    with on_disk(path) as again:
        assert again.policy == Policy()


# ---- streaks that become deeper and shallower ----

HOUR = 3_600_000


def fails(bench: Bench, count: int, apart_ms: int) -> list[Code]:
    codes = []
    for _ in range(count):
        bench.now += apart_ms
        codes.append(bench.engine.verify("alice", "000000").code)
    return codes


def test_more_failures_than_a_users_own_line_holds():
    """What was not kept counts as long ago: nobody is locked for it, and what comes is counted."""
    bench = Bench(lockout_window_ms=HOUR, failures_cap=None)
    with bench.engine as engine:
        engine.add_user("alice")
        fails(bench, 30, HOUR)  # each an hour after the last: no ten of them within one
        deep = replace(engine.policy, lockout_failures=20, lockout_window_ms=24 * HOUR)
        engine.set_policy(deep, by="x", force=True)
        # Eleven gaps are known, an hour each: eight more of an hour would be twenty in a day, but
        # the eighteenth before them may have been at any time.
        assert engine.verify("alice", "0").retry_after_ms == 0
        assert set(fails(bench, 6, HOUR)) == {Code.REJECTED}
        assert engine.user("alice").locked_until_ms is None
        fails(bench, 1, HOUR)
        assert engine.user("alice").locked_until_ms is not None


def test_times_that_were_forgotten_are_forgotten_in_recovery_too(path, tmp_path):
    """Deep, shallow and deep again: pages from before know more than memory did after."""
    deep = Policy(lockout_failures=30, lockout_window_ms=HOUR, failures_cap=None)
    bench = Bench()
    engine = Engine.open(path, STORE_KEY, policy=deep, clock=lambda: bench.now)
    with engine:
        engine.add_user("alice")
        bench.engine = engine
        fails(bench, 20, HOUR)
        engine._keeper.write()
        engine.set_policy(replace(deep, lockout_failures=10), by="x")
        engine.set_policy(replace(deep, lockout_window_ms=1_000 * HOUR), by="x")
        shutil.copytree(path, tmp_path / "crashed")
        fails(bench, 15, HOUR)
        assert engine.user("alice").locked_until_ms is None
        bench.now -= 15 * HOUR
    with Engine.open(tmp_path / "crashed", STORE_KEY, clock=lambda: bench.now) as engine:
        bench.engine = engine
        fails(bench, 15, HOUR)
        assert engine.user("alice").locked_until_ms is None
        fails(bench, 3, HOUR)  # the thirtieth of which the time is known
        assert engine.user("alice").locked_until_ms is not None


def test_deep_streaks_are_the_same_after_every_way_to_come_back(path, tmp_path, rng):
    """A random life with policies across the edge of 12, kept, killed and reopened: what locks is
    what locks in an engine in memory that lived it all."""
    random_ = random.Random(rng.random())
    bench = Bench(failures_cap=None)
    now = lambda: bench.now  # noqa: E731
    engine, copies = Engine.open(path, STORE_KEY, policy=bench.engine.policy, clock=now), 0
    for one in (engine, bench.engine):
        one.add_users([f"u{n}" for n in range(4)])
    for _ in range(400):
        dice = random_.random()
        bench.now += random_.choice([0, 1_000, 60_000, HOUR, 5 * HOUR])
        if dice < 0.9:
            name = f"u{random_.randrange(4)}"
            said = [one.verify(name, "0") for one in (engine, bench.engine)]
            assert said[0].code == said[1].code, (random_, bench.now)
            assert said[0].retry_after_ms == said[1].retry_after_ms
        elif dice < 0.94:
            other = replace(
                engine.policy, lockout_failures=random_.choice([3, 10, 12, 13, 30, 100]),
                lockout_window_ms=random_.choice([HOUR, 24 * HOUR, 300 * HOUR]),
            )  # fmt: skip
            for one in (engine, bench.engine):
                one.set_policy(other, by="x", force=True)
        elif dice < 0.97:
            engine._keeper.write()
        else:
            copies += 1
            shutil.copytree(path, tmp_path / f"copy{copies}")
            (tmp_path / f"copy{copies}.key").write_bytes(STORE_KEY)
            engine.close()
            engine = Engine.open(tmp_path / f"copy{copies}", STORE_KEY, clock=now)
            path = tmp_path / f"copy{copies}"
            assert engine.policy == bench.engine.policy
    engine.close()
    bench.engine.close()


# ---- through a daemon ----


def test_through_a_daemon(tmp_path):
    settings = 'reasons = true\n[policy]\nlockout_failures = 8\n'
    with serving(tmp_path, settings) as daemon, daemon.acts() as acts, daemon.client() as gateway:
        shown = str(acts.ask("POLICY", "SHOW"))
        assert Policy.from_text(shown) == Policy(lockout_failures=8)
        assert acts.ask("POLICY", "CHECK", shown) == []
        harm = shown.replace("lockout_failures = 8", "lockout_failures = 1")
        assert "lock everyone out" in str(acts.ask("POLICY", "CHECK", harm))
        with pytest.raises(ReplyError, match="INVALID the policy is refused"):
            acts.ask("POLICY", "SET", harm, "BY", "desk 4")
        assert acts.ask("POLICY", "SET", harm, "BY", "desk 4", "FORCE") == [
            ["lockout_failures", "8", "1"]
        ]
        acts.ask("USER", "ADD", "alice")
        assert gateway.ask("VERIFY", "alice", "0") == "REJECTED"
        assert gateway.ask("VERIFY", "alice", "0") == "LOCKED"
        with pytest.raises(ReplyError, match="NOPERM 'POLICY' is answered on the store's own"):
            gateway.ask("POLICY", "SHOW")
        for words, says in (
            (("NOSUCH",), "unknown subcommand"), (("SET",), "wrong number of arguments"),
            (("SET", "x = "), "^INVALID policy is not TOML"),
            (("SET", "nosuch = 1"), "no figure named 'nosuch'"),
            (("SET", shown, "WHO", "x"), "syntax error"), (("SHOW", "all"), "syntax error"),
            (("CHECK", shown, "FORCE"), "syntax error"),
        ):  # fmt: skip
            with pytest.raises(ReplyError, match=says):
                acts.ask("POLICY", *words)


def test_sighup_reads_the_settings_policy_again(tmp_path):
    with serving(tmp_path, "[policy]\nlockout_failures = 8\n") as daemon, daemon.acts() as acts:
        settings = daemon._config.read_text()

        def hung_up(figure: str, expected: int) -> None:
            daemon.configure(settings.replace("lockout_failures = 8", figure))
            daemon.send_signal(signal.SIGHUP)
            deadline = time.monotonic() + SECONDS_MAX
            while time.monotonic() < deadline:
                shown = Policy.from_text(str(acts.ask("POLICY", "SHOW")))
                if shown.lockout_failures == expected:
                    return
            pytest.fail(f"{figure} is not in force: {daemon.said()}")

        hung_up("lockout_failures = 6", 6)
        for figure in ("lockout_failures = 1", "lockout_failures = x", "nosuch = 1", ""):
            hung_up(figure, 6)
            assert acts.ask("PING") == "PONG"
        hung_up("lockout_failures = 5", 5)
        assert daemon.stop() == 0
        assert daemon.healthy()
        for words in (
            "changed: lockout_failures", "would lock everyone out", "is not TOML",
            "no figure named 'nosuch'", "the settings name no policy",
        ):  # fmt: skip
            assert words in daemon.said()


def test_the_audit_tells_of_policies_and_files(path):
    with on_disk(path) as engine:
        engine.set_policy(Policy(lockout_failures=1), by="desk 4", force=True)
        engine.import_csv(io.BytesIO(b"name\nalice\n"), by="desk 5")
        engine.export_rows(keys=True, by="desk 6")
        told = [(entry.event, entry.by, entry.text) for entry in engine.audit()]
        assert told == [
            ("policy set", "desk 4", "lockout_failures, forced"),
            ("import", "desk 5", ""),
            ("user add", "desk 5", "open, live"),
            ("export of keys", "desk 6", "keys of 1 users, alice to alice"),
        ]
