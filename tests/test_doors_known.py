"""The Python doors of phones, PINs, passwords and security questions, under any input at all.

A call is right but for up to two of its words, which are anything. What comes is a verdict, or an
error that names an argument; and unless it was let in, what users know and have is what it was.
"""

import contextlib
import inspect
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any

import pytest
from fuzzed import ANYTHING, CODES, TEXT, fuzzed, spoilt
from hypothesis import strategies as st
from push_doors import COSTS, PASSWORD, PIN, SUITE, Asked, public, signed
from push_doors import device_of as phone_of
from served import SECONDS_MAX
from standing import KEY, T

import watchword
from watchword import Device, Engine, InvalidArgument, Policy, _engine
from watchword.enrolment import ACTIVATION

QUESTIONS = [("pets", "Which pet?", "Rex"), ("cities", "Which city?", "San Diego"),
             ("schools", "Which school?", "Saint Mary's")]  # fmt: skip
ANSWERS = {text: answer for _, text, answer in QUESTIONS}
# Refused after a right answer, which is then used up: that is documented.
USED_UP = ("new_pin ", "the phone serves ", "user '", "challenge is one that ")
OF_QUESTIONS = {"pool", "question", "answer"}      # what each of them has


class Desk:
    """alice and bob share a phone, and each knows something; carol has a phone for codes."""

    def __init__(self) -> None:
        policy = Policy(
            **COSTS, security_questions=True, push_per_window=100, lockout_failures=100,
            failures_cap=None, source_failures=None,
        )  # fmt: skip
        self.now, self.sent = T, SimpleQueue[Any]()
        self.engine = Engine.open(clock=lambda: self.now, policy=policy, deliver=self.sent.put)
        for name in ("alice", "bob", "carol"):
            self.engine.add_user(name)
        for name in ("alice", "bob"):
            self.engine.add_device(name, phone_of("phone"), serial="phone")
            self.engine.set_password(name, PASSWORD)
            self.engine.set_questions(name, QUESTIONS)
        self.engine.add_device("alice", Device.hotp(KEY, pin="2580"), serial="typed")
        self.engine.add_device("carol", Device.sms(), serial="sms")
        self.pins = {"phone": PIN, "typed": "2580"}     # as they are by now
        self.passwords = {"alice": PASSWORD}
        self.pushed = ""

    def begin(self) -> None:
        """No lock, and no limit, from the input before."""
        self.now += 3_600_000
        for name in ("alice", "bob", "carol"):
            self.engine.unlock(name, by="a test")

    def challenged(self) -> dict[str, str]:
        """The id of alice's challenge, what answers it, and what her other device shows."""
        asked = self.engine.challenge("alice", platform="portal", device="phone")
        response = watchword.ocra(SUITE, KEY + b"phone", asked.prompt, pin=self.pins["phone"])
        _, typed = self.engine._core.user(self.engine._core.find(b"alice"))[-1][:2]
        return {"<id>": asked.id, "<response>": response, "<code>": watchword.hotp(KEY, typed[13])}

    def approved(self, decided: bool = True) -> Asked:
        """A push to alice's phone, which it approved, if it did."""
        found = self.engine.push("alice", platform="portal")
        asked = Asked("alice", (found.id, found.number, "", 0), "portal", "", "")
        self.pushed = asked.id
        if decided:
            assert self.engine.decide_push(
                asked.id, decision="approve", number=asked.number, unlocked="pin",
                signature=asked.answer("phone", "approve", asked.number, "pin"),
            ) == "approved"  # fmt: skip
        return asked

    def kept(self) -> Any:
        """What no call may change unless it succeeds."""
        core, found = self.engine._core, []
        for name in ("alice", "bob", "carol"):
            slot = core.find(name.encode())
            assert slot is not None
            user = core.user(slot)
            assert user is not None
            devices = [(d[:4], core.device_pin(slot, d[0])) for d in user[-1]]
            password, questions, _ = _engine.secrets_kept(core, slot)
            found.append((devices, password, [one[:3] for one in questions]))
        return found

    def opened(self) -> Any:
        return _engine.push_found(self.engine._core, bytes.fromhex(self.pushed or "00" * 16),
                                  self.now)  # fmt: skip

    def call(self, door: Callable[..., Any], words: dict[str, Any], **right: Any) -> Any:
        """What it says. Refused, it has changed nothing and names what it refuses. right: what
        words stand for."""
        given = {name: right.get(word, word) if isinstance(word, str) else word
                 for name, word in words.items()}  # fmt: skip
        before, turn, opened = self.kept(), self.engine._turn, self.opened()
        try:
            said = door(**given)
        except watchword.Error as error:
            told, names = str(error), set(inspect.signature(door).parameters)
            names |= {"user"} if "name" in names else set()
            names |= OF_QUESTIONS if "questions" in names else set()
            if not told.startswith(USED_UP):
                assert self.engine._turn == turn, f"a refusal left a record: {told}"
            assert (self.kept(), self.opened()) == (before, opened), f"a refusal moved: {told}"
            if isinstance(error, InvalidArgument):
                assert any(name.rstrip("_s") in told for name in names), f"what is wrong? {told}"
            return None
        verdict = getattr(said, "verdict", said)
        if isinstance(verdict, watchword.Verdict):
            assert int(verdict.code) in CODES
            assert verdict or self.kept() == before, f"{verdict} changed something"
        return said


def said_as(word: object, text: str) -> bool:
    return isinstance(word, str) and word == text


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    found = Desk()
    with found.engine:
        yield found


ALICE = ("alice", b"alice")     # a name may come as its bytes where nothing follows from it
WHO = st.sampled_from(["alice"] * 8 + ["bob", "nobody", "Alice", "al.ice", "", b"alice"])
PLATFORMS = st.sampled_from(["portal"] * 5 + ["trading"])
PINS = st.sampled_from(["<pin>"] * 4 + ["2580", "9999", "8255", ""])
NEW_PINS = st.sampled_from(["4711", "8255", "2580", "1234", "Aa7!", "77", "47110815", "<pin>"])
TYPED = st.sampled_from(["<response>"] * 4 + ["<code>", "<code>", "000000", ""])
IDS = st.sampled_from(["<id>", "<id>", "<push>", "0" * 32, "0" * 96, "", "-", None])
SERIALS = st.sampled_from([None, None, "phone", "typed", "none"])
OPTIONS: dict[str, Any] = {
    "platform": PLATFORMS, "address": st.sampled_from([None, "10.0.0.1", "::1"]),
    "gateway": st.sampled_from([None, "tcp"]),
}  # fmt: skip


@fuzzed(400, words=spoilt(
    user=WHO, old_pin=PINS, response=TYPED, new_pin=NEW_PINS, device=SERIALS, challenge=IDS,
    personal=st.sampled_from([(), ["1970-12-31", "8255 Main"]]), **OPTIONS,
))  # fmt: skip
def test_changing_a_pin(desk: Desk, words: dict[str, Any]) -> None:
    desk.begin()
    right, pushed = desk.challenged(), desk.approved()
    serial = "typed" if said_as(words["response"], "<code>") else "phone"
    old = desk.pins[serial]
    said = desk.call(
        desk.engine.change_pin, words, **right, **{"<push>": pushed.id, "<pin>": old}
    )
    if said:
        assert words["old_pin"] in ("<pin>", old)
        assert words["response"] == ("<code>" if said.device == "typed" else "<response>")
        desk.pins[said.device] = old if words["new_pin"] == "<pin>" else words["new_pin"]
        assert desk.engine.verify(
            "alice", "", platform="portal", challenge=pushed.id, password=desk.passwords["alice"]
        )


@fuzzed(150, words=spoilt(
    user=WHO, old_password=st.sampled_from(["<password>"] * 5 + ["wrong horse", ""]),
    response=TYPED, new_password_=st.sampled_from([PASSWORD, "battery staple", "short", "alice"]),
    pin=st.sampled_from([None, "<pin>", "9999"]), device=SERIALS, challenge=IDS, **OPTIONS,
))  # fmt: skip
def test_changing_a_password(desk: Desk, words: dict[str, Any]) -> None:
    desk.begin()
    serial = "typed" if said_as(words["response"], "<code>") else "phone"
    known = {"<pin>": desk.pins[serial], "<password>": desk.passwords["alice"]}
    said = desk.call(
        desk.engine.change_password, words, **desk.challenged(), **known,
        **{"<push>": desk.approved().id},
    )  # fmt: skip
    if said:
        assert words["old_password"] in ("<password>", known["<password>"])
        desk.passwords["alice"] = words["new_password_"]


TOKENS = st.sampled_from(["<token>"] * 3 + ["000000", ""])


@fuzzed(300, words=spoilt(
    user=st.sampled_from(["carol"] * 6 + ["alice", "nobody", "al.ice"]),
    challenge=st.sampled_from(["<sent>"] * 5 + ["<id>", "0" * 96, "", "-"]), token=TOKENS,
    public_key=st.sampled_from([public("phone"), public("phone2"), public("phone").hex(), b"k"]),
    pin=st.sampled_from(["<pin>", "<pin>", "4711", "0815", "abc", "1234567"]),
    serial=st.sampled_from([None, "mine", "sms", "two words", ""]), **OPTIONS,
))  # fmt: skip
def test_enrolling_a_phone(desk: Desk, words: dict[str, Any]) -> None:
    desk.begin()
    sent = desk.engine.send_code("carol", purpose=ACTIVATION)
    token = desk.sent.get(timeout=SECONDS_MAX).code
    named = {"<sent>": sent.id, "<token>": token, "<pin>": desk.pins["phone"]}
    said = desk.call(desk.engine.enrol_phone, words, **desk.challenged(), **named)
    if said is not None:
        assert bool(said.verdict) == bool(said.serial)
        right = words["user"], words["challenge"], words["token"]
        assert not said.verdict or right in (
            ("carol", "<sent>", "<token>"), ("carol", "<sent>", token),
        )  # fmt: skip


@fuzzed(300, words=spoilt(
    user=WHO, platform=PLATFORMS, purpose=st.sampled_from([None, "wire 100"]),
    device=st.sampled_from([None, "phone", "typed", "none"]),
    text=st.sampled_from(["", "a login"]), gateway=st.sampled_from([None, "tcp"]),
))  # fmt: skip
def test_pushing(desk: Desk, words: dict[str, Any]) -> None:
    desk.begin()
    desk.approved()
    said = desk.call(desk.engine.push, words)
    assert said is None or 10 <= said.number <= 99


@fuzzed(400, words=spoilt(
    id=st.sampled_from(["<push>"] * 6 + ["0" * 32, "F" * 32, "0" * 31, ""]),
    decision=st.sampled_from(["approve", "approve", "deny", "Approve", ""]),
    unlocked=st.sampled_from(["pin", "biometric", "none", ""]),
    signature=st.sampled_from(["<signature>"] * 6 + [b"", b"s" * 64, "00" * 64]),
    number=st.sampled_from([10, 55, 99, 100, 9, None]),
))  # fmt: skip
def test_deciding_a_push(desk: Desk, words: dict[str, Any]) -> None:
    """Whoever did not sign what it says moves nothing; whoever did is heard once."""
    desk.begin()
    asked = desk.approved(decided=False)
    signature = b"none"
    number = words["number"] if type(words["number"]) is int else None
    with contextlib.suppress(AttributeError, UnicodeEncodeError):
        signature = asked.answer("phone", words["decision"], number, words["unlocked"])
    said = desk.call(
        desk.engine.decide_push, words, **{"<push>": asked.id, "<signature>": signature}
    )
    if said is not None:
        assert words["signature"] in ("<signature>", signature) and words["id"] == "<push>"
        right = words["number"] == asked.number
        approves = "approved" if right else "mismatched"
        assert said == ("denied" if words["decision"] == "deny" else approves)


@fuzzed(300, words=spoilt(
    user=WHO, device=st.sampled_from(["phone"] * 4 + ["typed", "none", ""]),
    time_ms=st.sampled_from([0, 300_000, -300_001, -1, 2**64]),     # from now
    signature=st.sampled_from(["<signature>"] * 4 + [b"s" * 64, "00"]),
    gateway=st.sampled_from([None, "tcp"]),
))  # fmt: skip
def test_listing_pushes(desk: Desk, words: dict[str, Any]) -> None:
    desk.begin()
    asked = desk.approved(decided=False)
    if type(words["time_ms"]) is int:
        words["time_ms"] += desk.now
    time = str(words["time_ms"]).encode(errors="replace").decode()
    signature = signed("phone", "watchword push list 1", "alice", "phone", time)
    said = desk.call(desk.engine.pushes, words, **{"<signature>": signature})
    assert said is None or asked.id in [shown.id for shown in said]


CLAIMS = {
    "response": st.sampled_from(["", "", "", "000000"]),
    "challenge": st.sampled_from(["<push>"] * 4 + ["0" * 32, "0" * 31, None]),
    "device": st.sampled_from([None, None, "phone", "typed"]),
    "realm": st.sampled_from(["live", "live", "paper"]),
    "password": st.sampled_from(["<password>"] * 4 + ["wrong horse", None]), **OPTIONS,
}  # fmt: skip


@fuzzed(300, words=spoilt(user=WHO, **CLAIMS))
def test_claiming_a_push(desk: Desk, words: dict[str, Any]) -> None:
    """It lets in once, and nobody but whoever names it rightly."""
    desk.begin()
    named = {"<push>": desk.approved().id, "<password>": desk.passwords["alice"]}
    said = desk.call(desk.engine.verify, words, **named)
    if said and said.device == "phone":
        assert words["user"] in ALICE and (words["challenge"], words["response"]) == ("<push>", "")
        assert not desk.engine.verify(
            "alice", "", platform="portal", challenge=named["<push>"],
            password=named["<password>"],
        )  # fmt: skip


@fuzzed(200, ids=st.lists(st.sampled_from(["<push>", "<push>", None, "0" * 32]) | TEXT, max_size=4)
        | ANYTHING)  # fmt: skip
def test_claiming_many(desk: Desk, ids: Any) -> None:
    desk.begin()
    pushed = desk.approved().id
    given = [pushed if id == "<push>" else id for id in ids] if isinstance(ids, list) else ids
    count = len(given) if isinstance(given, list) else 2
    said = desk.call(desk.engine.verify_many, {
        "users": ["alice"] * count, "responses": [""] * count, "platform": "portal",
        "challenges": given, "passwords": [desk.passwords["alice"]] * count,
    })  # fmt: skip
    assert said is None or list(said).count(1) == (isinstance(given, list) and pushed in given)


@fuzzed(100, words=spoilt(
    id=st.sampled_from(["<push>", "0" * 32, ""]), timeout_s=st.sampled_from([0, 0.0, 1e9, None])
))  # fmt: skip
def test_waiting_for_a_push(desk: Desk, words: dict[str, Any]) -> None:
    """For one that is decided, and so for no time."""
    desk.begin()
    said = desk.call(desk.engine.wait_push, words, **{"<push>": desk.approved().id})
    assert said in (None, True)


TEXTS = st.sampled_from(["pets", "cities", "Which pet?", "Rex", "", "x" * 129]) | TEXT
THREES = st.lists(st.tuples(TEXTS, TEXTS, TEXTS) | ANYTHING, max_size=4)


@fuzzed(300, words=spoilt(
    name=st.sampled_from(["bob", "bob", "nobody", "al.ice"]),
    questions=st.sampled_from([QUESTIONS, QUESTIONS, QUESTIONS[:2], [*QUESTIONS[:2]] * 2]) | THREES,
    by=st.sampled_from([None, "desk 4", ""]),
))  # fmt: skip
def test_setting_questions(desk: Desk, words: dict[str, Any]) -> None:
    desk.begin()
    desk.call(desk.engine.set_questions, words)


@fuzzed(300, words=spoilt(
    user=WHO, id=st.sampled_from(["<asked>"] * 5 + ["0" * 96, "f00", "", None]),
    answer=st.sampled_from(["<answer>"] * 4 + ["rex", ""]),
    address=OPTIONS["address"], gateway=OPTIONS["gateway"],
), by=spoilt(user=WHO, gateway=OPTIONS["gateway"]))  # fmt: skip
def test_asking_and_answering(desk: Desk, words: dict[str, Any], by: dict[str, Any]) -> None:
    desk.begin()
    asked = desk.engine.question("alice")
    desk.call(desk.engine.question, by)
    named = {"<asked>": asked.id, "<answer>": ANSWERS[asked.question]}
    said = desk.call(desk.engine.answer, words, **named)
    if said:
        right = words["answer"] == "<answer>" or words["answer"] == named["<answer>"]
        assert right and words["user"] in ALICE and words["id"] == "<asked>"
        assert not desk.engine.answer("alice", asked.id, named["<answer>"])


def test_a_user_in_bytes_is_refused_where_something_follows(desk: Desk) -> None:
    """It used to be refused after the attempt was decided, and ended the engine."""
    desk.begin()
    right = desk.challenged()
    typed: Any = (b"alice", right["<response>"])
    for call in (
        lambda: desk.engine.change_pin(typed[0], desk.pins["phone"], typed[1], "8255"),
        lambda: desk.engine.change_password(
            typed[0], desk.passwords["alice"], typed[1], "battery staple"
        ),
        lambda: desk.engine.opt_in(*typed, password=desk.passwords["alice"]),
        lambda: desk.engine.share_device("bob", typed[0], "phone", typed[1]),
    ):
        with pytest.raises(InvalidArgument, match=r"^user is str, not bytes"):
            call()
    assert desk.engine.verify("carol", "1").code is watchword.Code.REJECTED


def test_a_door_that_breaks_its_word_is_seen(desk: Desk) -> None:
    def names_nothing(user: str) -> None:
        raise InvalidArgument("no")

    def leaves_a_record(user: str) -> None:
        desk.engine.unlock(user, by="a test")
        raise InvalidArgument("user is another")

    def ends_a_push(user: str) -> None:
        desk.engine.push(user, platform="portal")
        raise InvalidArgument("user is another")

    def breaks(user: str) -> None:
        raise TypeError(user)

    desk.begin()
    desk.approved(decided=False)
    for door in (names_nothing, leaves_a_record, ends_a_push):
        with pytest.raises(AssertionError):
            desk.call(door, {"user": "alice"})
    with pytest.raises(TypeError):
        desk.call(breaks, {"user": "alice"})
