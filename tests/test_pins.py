"""PINs and security questions beside the tables of test_secrets.py: what may be chosen, what is
kept, what a store that is opened again knows, and what is refused by name.
"""

from pathlib import Path
from typing import Any

import pytest
from push_doors import PIN, SUITE, Asked
from push_doors import device_of as push_device
from secret_doors import ANSWERS, POLICY, QUESTIONS, serving
from served import KEY, ReplyError

import watchword
from watchword import lifecycle
from watchword.devices import pins

PERSONAL = ["1970-12-31", "+1 (555) 246-8013", "O'Neill", "X7 42-B"]


def opened(path: Any = ":memory:", **figures: Any) -> watchword.Engine:
    return watchword.Engine.open(path, policy=watchword.Policy(**{**POLICY, **figures}))


@pytest.mark.parametrize(
    "pin",
    ["0000", "aaaaaa", "1234", "4321", "3456789", "abcd", "1970", "1231", "3112", "123170", "5552",
     "2468", "neil", "X742", "oneill", "7012"],
)  # fmt: skip
def test_a_plain_pin_or_a_known_one_is_refused(pin: str) -> None:
    with pytest.raises(watchword.InvalidArgument, match=r"^pin must") as told:
        pins.new_pin("pin", pin, PERSONAL)
    assert pin not in str(told.value)


@pytest.mark.parametrize("pin", ["4711", "1235", "9713", "aab!", "3113", "2486"])
def test_another_is_not(pin: str) -> None:
    assert pins.new_pin("pin", pin, PERSONAL) == pin


@pytest.mark.parametrize(
    ("kind", "pin"),
    [
        ("totp", "123"), ("totp", "x" * 17), ("totp", "with space"), ("totp", "\u0661" * 4),
        ("dsc", "47a1"), ("alpine", "a1.b"), ("gold", "12345678901234567"), ("totp", 4711),
    ],
)  # fmt: skip
def test_a_pin_is_of_its_kind(kind: str, pin: Any) -> None:
    with pytest.raises(watchword.InvalidArgument, match=r"^pin must be text of 4 to 16"):
        watchword.Device.of(kind, KEY, pin=pin)


def test_what_has_no_pin_takes_none() -> None:
    for kind in ("sms", "code-card"):
        with pytest.raises((watchword.InvalidArgument, TypeError)):
            watchword.Device.of(kind, KEY, pin="4711")
    device = watchword.Device.totp(KEY, pin="4711")
    assert "4711" not in repr(device)


def test_policies_say_how_short() -> None:
    strict = watchword.Policy.profile("strict")
    assert (strict.pin_chars_min, strict.password_bytes_min) == (8, 15)
    with watchword.Engine.open(policy=strict) as engine:
        engine.add_user("alice")
        with pytest.raises(watchword.InvalidArgument, match="at least 8"):
            engine.add_device("alice", watchword.Device.hotp(KEY, pin="4711"))
        engine.add_device("alice", watchword.Device.hotp(KEY, pin="47119283"))
        with pytest.raises(watchword.InvalidArgument, match="at least 8"):
            engine.change_pin("alice", "47119283", watchword.hotp(KEY, 0), "8255")
        with pytest.raises(watchword.InvalidArgument, match="security questions are off"):
            engine.question("alice")
    with pytest.raises(watchword.InvalidArgument, match="strict"):
        watchword.Policy.from_table({"profile": "strict", "security_questions": True})
    for name, figure in (
        ("pin_chars_min", 3), ("pin_chars_min", 17), ("password_bytes_min", 0),
        ("password_memory_kib", 31), ("password_passes", 0), ("password_lanes", 5),
        ("security_questions", 1), ("question_texts", ("one", "two")), ("question_texts", "text"),
    ):  # fmt: skip
        with pytest.raises(watchword.InvalidArgument, match=f"policy {name} is"):
            watchword.Policy(**{name: figure})


def test_a_change_of_pin_is_refused_by_name_before_anything_is_counted() -> None:
    with opened() as engine:
        engine.add_user("alice")
        engine.add_device("alice", watchword.Device.dsc(KEY))
        engine.add_device("alice", watchword.Device.of("alpine", KEY, pin="4711"), "A")
        for words, said in (
            (("4711", "1", "1111"), "new_pin must not be one character"),
            (("", "1", "8255"), "old_pin is text"), (("4711", "1", ""), "new_pin must be at least"),
            (("4711", "1", 8255), "new_pin must be text"),
        ):
            with pytest.raises(watchword.InvalidArgument, match=said):
                engine.change_pin("alice", *words)  # type: ignore[arg-type]
        with pytest.raises(watchword.InvalidArgument, match="platform is one of"):
            engine.change_pin("alice", "4711", "1", "8255", platform="moon")
        with pytest.raises(watchword.InvalidArgument, match="personal is a sequence"):
            engine.change_pin("alice", "4711", "1", "8255", personal="1970")
        assert engine.user("alice").failures == 0


def test_a_pin_that_a_kind_cannot_have_stays_unchanged() -> None:
    """Which kind it is, only a right code tells; it is used up."""
    with opened() as engine:
        engine.add_user("alice")
        engine.add_device("alice", watchword.Device.of("dsc", KEY, pin="4711"))
        with pytest.raises(watchword.InvalidArgument, match="pin must be text of 4 to 16 digits"):
            engine.change_pin("alice", "4711", watchword.hotp(KEY, 0), "a.b.c")
        assert not engine.verify("alice", "4711" + watchword.hotp(KEY, 0))
        assert engine.verify("alice", "4711" + watchword.hotp(KEY, 1))


def test_a_phone_has_one_pin_for_however_many(tmp_path: Path) -> None:
    """RULES section 6: changed by one of its users it is another for each, in one row; after a
    crash as well, and another phone's stays."""
    suite, phone, other = "OCRA-1:HOTP-SHA256-8:QN06-PSHA256", bytes([4]) * 32, bytes([5]) * 32
    names = [f"user{n}" for n in range(40)]

    def response(engine: watchword.Engine, name: str, pin: str) -> str:
        asked = engine.challenge(name, platform="portal")
        return watchword.ocra(suite, KEY + name.encode(), asked.prompt, pin=pin)

    def holds(engine: watchword.Engine, name: str, pin: str) -> bool:
        return bool(engine.verify(name, response(engine, name, pin), platform="portal"))

    with opened(tmp_path / "store") as engine:
        for name in [*names, "stranger"]:
            engine.add_user(name)
            own = other if name == "stranger" else phone
            engine.add_device(name, watchword.Device.ib_key(KEY + name.encode(), "4711", own))
        engine.remove_user(names.pop(7))
        engine.tap = []
        wrong = response(engine, names[3], "4711")
        assert not engine.change_pin(names[3], "4712", wrong, "8255")
        assert holds(engine, names[4], "4711")
        engine.tap = []
        typed = response(engine, names[3], "4711")
        assert engine.change_pin(names[3], "4711", typed, "8255")
        told = [r for r in lifecycle.records(engine.tap[-1]) if r.event == lifecycle.PIN]
        assert len({r.user for r in told}) == len(told) == len(names)
        for name in names:
            assert holds(engine, name, "8255") and not holds(engine, name, "4711")
        assert holds(engine, "stranger", "4711")
        engine.add_user("late")
        with pytest.raises(watchword.Exists, match="another PIN"):
            engine.add_device("late", watchword.Device.ib_key(KEY, "4711", phone))
        engine.add_device("late", watchword.Device.ib_key(KEY + b"late", "8255", phone))
    with opened(tmp_path / "store") as engine:
        for name in [*names, "late"]:
            assert holds(engine, name, "8255") and not holds(engine, name, "4711")
        assert holds(engine, "stranger", "4711")


@pytest.mark.parametrize("old", [PIN, "9999"])
def test_what_a_phone_approves_changes_no_pin(old: str) -> None:
    """Nobody typed the old one with it: an approval is not the answer that a change takes."""
    with opened() as engine:
        engine.add_user("alice")
        engine.add_device("alice", push_device("phone"), serial="phone")
        asked = engine.push("alice", platform="portal")
        shown = Asked("alice", (asked.id, asked.number, "", 0), "portal", "", "")
        assert engine.decide_push(
            asked.id, decision="approve", number=asked.number, unlocked="biometric",
            signature=shown.answer("phone", "approve", asked.number, "biometric"),
        ) == "approved"  # fmt: skip
        refused = engine.change_pin("alice", old, "", "8255", challenge=asked.id)
        assert refused.code is watchword.Code.REJECTED and engine.user("alice").failures == 1
        assert engine.verify("alice", "", platform="portal", challenge=asked.id)
        prompt = engine.challenge("alice", platform="portal").prompt
        response = watchword.ocra(SUITE, KEY + b"phone", prompt, pin=PIN)
        assert engine.verify("alice", response, platform="portal")


def test_a_store_opened_again_knows_pins(tmp_path: Path) -> None:
    """Through the journal after a crash, and through pages; one row has attempt and change."""
    n = 0
    with opened(tmp_path / "s") as engine:
        engine.add_user("alice")
        for sort in ("sha1", "sha256", "sha512"):
            engine.add_device(
                "alice", watchword.Device.hotp(KEY * 3, algorithm=sort, pin="4711"), sort
            )
        engine.tap = rows = []
        assert engine.change_pin("alice", "4711", code(n, "sha512"), "8255", device="sha512")
        assert len(rows) == 1 and b"8255" not in rows[0]
    for _ in range(2):
        with opened(tmp_path / "s") as engine:
            for sort, right in (("sha1", "4711"), ("sha256", "4711"), ("sha512", "8255")):
                n += 1
                wrong = {"4711": "8255", "8255": "4711"}[right]
                for pin, said in ((wrong, "PIN"), (right, "NONE")):
                    n += 1
                    told = engine.verify("alice", pin + code(n, sort), device=sort)
                    assert told.reason.name == said, (sort, pin)


def code(n: int, algorithm: str) -> str:
    return watchword.hotp(KEY * 3, n, algorithm=algorithm)


def test_bulk_gives_everybody_the_pin_of_the_figures() -> None:
    names, keys = [f"u{i}" for i in range(50)], [bytes([i]) * 20 for i in range(50)]
    with opened() as engine:
        engine.add_users(names, keys, device=watchword.Device.hotp(KEY, pin="4711"))
        typed = ["4711" + watchword.hotp(key, 0) for key in keys]
        assert set(engine.verify_many(names, typed)) == {1}
        assert set(engine.verify_many(names, [watchword.hotp(key, 1) for key in keys])) == {2}


def test_two_codes_that_follow_are_typed_as_at_login() -> None:
    with opened() as engine:
        engine.add_user("alice")
        serial = engine.add_device("alice", watchword.Device.hotp(KEY, pin="4711"))
        for first, second, said in (
            ("4711", "4711", "ACCEPTED"), ("4711", "", "REJECTED"), ("", "4711", "REJECTED"),
            ("4711", "4712", "REJECTED"), ("4711", "4711", "ACCEPTED"),
        ):  # fmt: skip
            at = engine.user("alice").devices[0].moving + 40
            told = engine.resync(
                "alice", first + watchword.hotp(KEY, at), second + watchword.hotp(KEY, at + 1),
                device=serial,
            )  # fmt: skip
            assert told.code.name == said
            assert engine.user("alice").devices[0].moving == at + 2, "used up either way"


# ---- security questions --------------------------------------------------------------------------


def test_a_store_opened_again_knows_questions(tmp_path: Path) -> None:
    """What stands, what was answered wrongly, and that a lock holds."""
    with opened(tmp_path / "s") as engine:
        engine.add_user("alice")
        engine.set_questions("alice", QUESTIONS)
        asked = engine.question("alice")
        assert not engine.answer("alice", asked.id, "Hm")
        asked = engine.question("alice")
    with opened(tmp_path / "s") as engine:
        assert engine.question("alice") == asked
        assert not engine.answer("alice", asked.id, "Hm")
    with opened(tmp_path / "s") as engine:
        assert not engine.answer("alice", engine.question("alice").id, "Hm")
        asked = engine.question("alice")
        assert engine.answer("alice", asked.id, ANSWERS[asked.question]).code.name == "LOCKED"
    with opened(tmp_path / "s") as engine:
        engine.unlock("alice", by="client services")
        asked = engine.question("alice")
        assert engine.answer("alice", asked.id, ANSWERS[asked.question])
        engine.clear_questions("alice")
        engine.clear_questions("alice")
        asked = engine.question("alice")
        assert asked.question in engine.policy.question_texts


def test_all_three_are_asked_and_none_twice_by_one_id() -> None:
    with opened() as engine:
        engine.add_user("alice")
        engine.set_questions("alice", QUESTIONS)
        seen, ids = set(), set()
        for _ in range(60):
            asked = engine.question("alice")
            seen.add(asked.question)
            ids.add(asked.id)
            assert engine.answer("alice", asked.id, ANSWERS[asked.question])
        assert seen == set(ANSWERS) and len(ids) == 60


def test_a_question_is_no_challenge_and_no_device() -> None:
    with opened() as engine:
        engine.add_user("alice")
        engine.set_questions("alice", QUESTIONS)
        engine.set_password("alice", "correct horse")
        assert engine.user("alice").devices == ()
        for i in range(16):
            engine.add_device("alice", watchword.Device.hotp(bytes([i]) * 20), f"T{i}")
        engine.set_questions("alice", QUESTIONS)
        asked = engine.question("alice")
        right = ANSWERS[asked.question]
        said = engine.verify("alice", right, challenge=asked.id, first_factor=True)
        assert said.reason.name == "NO_CHALLENGE"
        for serial in ("pets", "*", "cities"):
            said = engine.verify("alice", right, device=serial, first_factor=True)
            assert said.reason.name == "DEVICE_UNKNOWN"
        challenge = engine.challenge("alice")
        assert engine.answer("alice", challenge.id, right).reason.name == "NO_CHALLENGE"
        assert [view.failures for view in engine.user("alice").devices] == [0] * 16


@pytest.mark.parametrize(
    ("questions", "said"),
    [
        (QUESTIONS[:2], "questions are 3"), ("abc", "questions are 3"),
        ([*QUESTIONS[:2], ("pets", "Which?", "x")], "each of another pool"),
        ([*QUESTIONS[:2], ("p" * 33, "Which?", "x")], "pool is text of 1 to 32"),
        ([*QUESTIONS[:2], ("p", "", "x")], "question is text of 1 to 64"),
        ([*QUESTIONS[:2], ("p", "q", "x" * 129)], "answer is text of 1 to 128"),
        ([*QUESTIONS[:2], ("p", "q")], "questions are 3"),
        ([*QUESTIONS[:2], ("p", "q", 1)], "answer is str"),
    ],
)  # fmt: skip
def test_what_may_be_asked(questions: Any, said: str) -> None:
    with opened() as engine:
        engine.add_user("alice")
        with pytest.raises(watchword.InvalidArgument, match=said):
            engine.set_questions("alice", questions)
        with pytest.raises(watchword.NotFound):
            engine.set_questions("nobody", QUESTIONS)


def test_the_daemon_asks_and_changes(tmp_path: Path) -> None:
    settings = "[policy]\nsecurity_questions = true\n"
    with serving(tmp_path, settings) as served, served.acts() as acts:
        acts.ask("HELLO", 3)
        acts.ask("USER", "ADD", "alice")
        words = [word for question in QUESTIONS for word in question]
        acts.ask("USER", "QUESTIONS", "alice", "SET", *words)
        with served.client() as client:
            client.ask("HELLO", 3)
            asked = client.ask("QUESTION", "alice")
            assert set(asked) == {"id", "question"} and asked["question"] in ANSWERS
            assert client.ask("ANSWER", "alice", asked["id"], ANSWERS[asked["question"]]) == (
                "ACCEPTED"
            )
            for command, said in (
                (("QUESTION",), "ERR wrong number"), (("ANSWER", "alice", "x"), "ERR wrong number"),
                (("QUESTION", "alice", "NOW"), "ERR syntax error"),
                (("QUESTION", "al/ice"), "INVALID user"),
                (("ANSWER", "alice", "x", "y", "ADDRESS", "moon"), "ERR ADDRESS"),
                (("CHANGEPIN", "alice", "1", "2"), "ERR wrong number"),
                (("CHANGEPIN", "alice", "4711", "2", "1111"), "INVALID new_pin"),
                (("CHANGEPIN", "alice", "4711", "2", "0701", "PERSONAL", "x\n1907-01-07"),
                 "INVALID new_pin"),
                (("CHANGEPASSWORD", "alice", "a", "b", "short"), "INVALID new_password"),
            ):
                with pytest.raises(ReplyError, match=rf"^{said}"):
                    client.ask(*command)
            for command in (
                ("ANSWER", "alice", "x", "y", "ADDRESS", "192.0.2.1"),
                ("ANSWER", "al/ice", "x", "y"),
                ("CHANGEPIN", "alice", "4711", "2", "8255", "PLATFORM", "trading"),
                ("CHANGEPASSWORD", "alice", "correct horse", "1", "another horse"),
            ):
                assert client.ask(*command) in ("REJECTED", "BAD_CHARACTER")
        for words in (["alice", "SET", "a"], ["alice", "ASK"], ["alice", "CLEAR", "x"]):
            with pytest.raises(ReplyError, match=r"^ERR syntax"):
                acts.ask("USER", "QUESTIONS", *words)
        assert acts.ask("USER", "QUESTIONS", "alice", "CLEAR") == "OK"


def test_where_the_policy_has_none_all_say_so(tmp_path: Path) -> None:
    with watchword.Engine.open() as engine:
        engine.add_user("alice")
        for call in (
            lambda: engine.question("alice"), lambda: engine.answer("alice", "x", "y"),
            lambda: engine.set_questions("alice", QUESTIONS),
        ):  # fmt: skip
            with pytest.raises(watchword.InvalidArgument, match="security questions are off"):
                call()
    with serving(tmp_path, "") as served, served.client() as client:
        for command in (("QUESTION", "alice"), ("ANSWER", "alice", "x", "y")):
            with pytest.raises(ReplyError, match=r"^INVALID security questions are off"):
                client.ask(*command)
