"""What gateways ask for, in a world and in a story: challenges, codes that are sent, security
questions and their answers, activations and opting in, over the wire and beside everything else.

An ask is decided on the loop and shown once it is durable. Rule: what is shown is what the twin
shows, and no crash takes it back. What a story has of it is drawn by dice of its own and put
between its other steps.
"""

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.sim.checker import Asked
from tests.sim.knowing import QUESTIONS
from tests.sim.network import Gateway, frame
from tests.sim.tears import POLICIES
from watchword import reference_shares as shares
from watchword.errors import Error
from watchword.reference import Attempt
from watchword.reference_life import NEW_DEVICE

__all__ = ["Asking", "episode"]

Step = tuple[Any, ...]
LAST = -1   # the device that came last
LABELS = (
    {"kind": "ocra", "label": "dsc-plus", "suite": "OCRA-1:HOTP-SHA1-8:QN06"},
    {"kind": "ocra", "label": "gold", "suite": "OCRA-1:HOTP-SHA1-6:QN06"},
    {"kind": "ocra", "label": "platinum", "suite": "OCRA-1:HOTP-SHA1-6:QN06"},
    {"kind": "totp", "label": "alpine", "drift_max": 10},
    {"kind": "hotp", "label": "dsc", "look_ahead": 10},
    {"kind": "passcode", "label": "sms"},
)


class Asking:
    """Steps of a world; and what its engine tells of whatever a gateway asked."""

    if TYPE_CHECKING:
        engine: Any
        checker: Any
        machine: Any
        met: Any
        address: Callable[[], str]
        apart: Callable[..., Attempt]
        attempt: Callable[..., Attempt]
        changed_by_gateway: Callable[..., None]
        devices: Callable[[str], list[Any]]
        gateway: Callable[..., Gateway]
        own_password: Callable[[str], str | None]
        questions: dict[str, tuple[str, str]]
        serial: Callable[[str, Any], str | None]
        shown: dict[str, str]
        made: dict[str, tuple[int, list[tuple[Any, ...]]]]  # by its id: a turn, and what was shown
        refusals: int       # that are on their way
        twins: list[Any]

    # ---- what the engine tells, as it takes an ask

    def asks(
        self, who: str, platform: str, purpose: str | None, device: str | None, sms: bool
    ) -> None:
        self.twins.clear()
        self.checker.acting = lambda now_ms: self.twins.append(
            self.checker.twin.challenge(
                who, now_ms, platform=platform, purpose=purpose, device=device, sends=True, sms=sms
            )
        )

    def asks_question(self, who: str) -> int:
        """The dice by which one is picked."""
        self.twins.clear()
        dice = self.machine.rng.getrandbits(64)
        self.checker.acting = lambda now_ms: self.twins.append(
            self.checker.twin.question(who, dice, now_ms)
        )
        return dice

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        try:
            yield
        except Error:
            self.checker.acting = None
            self.refusals += 1
            raise

    def shows(self, found: tuple[Any, ...] | None) -> None:
        """None: there were too many, and whoever asked will be told that it is busy."""
        twins = self.twins.pop()
        if found != (None if twins is None else tuple(twins)):
            self.checker.fail(f"a gateway is shown {found}, the twin says {twins}")
        if found is None:
            self.refusals += 1
            return
        self.made.setdefault(found[0], (self.engine._turn, []))[1].append(found)

    # ---- gateways

    def on_ask(self, number: int, who: str, platform: str, index: Any, sms: bool) -> None:
        words = ["CHALLENGE", who, "PLATFORM", platform]
        serial = self.serial(who, index)
        words += ["DEVICE", serial] if serial is not None else []
        self._asks_for(number, who, [*words, *["KIND", "sms"] * sms])

    def on_ask_question(self, number: int, who: str) -> None:
        self._asks_for(number, who, ["QUESTION", who])

    def _asks_for(self, number: int, who: str, words: Sequence[str]) -> None:
        client = self.gateway(number)
        if client.ended:
            return

        def is_it(said: dict[str, Any], shown: list[tuple[Any, ...]]) -> bool:
            if words[0] == "QUESTION":
                self.questions[who] = said["id"], said["question"]
            else:
                self.shown[who] = said["id"]
            self.met[f"a gateway asked: {said.get('kind') or 'question'}"] += 1
            texts = tuple(said.values())
            return any(texts == one[: len(texts)] for one in shown)

        client.say(frame(*words), self.hears(" ".join(words), is_it))
        client.deliver(10_000)

    def hears(
        self, words: str, is_it: Callable[[dict[str, Any], list[tuple[Any, ...]]], bool]
    ) -> Callable[[Any], None]:
        """Holds the reply to an ask against what was made. is_it: whether what it shows, by name,
        is among that."""

        def hear(reply: Any) -> None:
            if isinstance(reply, str):
                if reply.startswith("-BUSY") and self.refusals > 0:
                    self.refusals -= 1
                elif self.engine._ended is None or not reply.startswith("-ERR"):
                    self.checker.fail(f"{words} was answered {reply!r}")
                return
            said = dict(zip(reply[::2], reply[1::2], strict=True))
            turn, shown = self.made.get(said["id"], (0, []))
            if not is_it(said, shown):
                self.checker.fail(f"{words} was answered {said}, made were {shown}")
            self.checker.acknowledge(turn)

        return hear

    def on_answer_by(self, number: int, who: str, said: str) -> None:
        client = self.gateway(number)
        if client.ended:
            return
        id, text = self.questions.get(who, ("0" * 96, ""))
        right = next((answer for _, question, answer in QUESTIONS if question == text), "?")
        said = right if said == "right" else said
        asked = Asked(replace(self.attempt(who, "", {}), response=said, address=self.address()))
        address = str(asked.attempt.address)
        asked.play = lambda now_ms, busy: self.checker.twin.answer(
            who, id, said, now_ms, address=address, shed=busy
        )
        self.checker.waits(asked)
        self.met["a gateway's answer"] += 1
        client.say(frame("ANSWER", who, id, said, "ADDRESS", address), [asked])
        client.deliver(10_000)

    def on_activate_by(self, number: int, who: str, index: int, pin: Any = None) -> None:
        """Of the device that came last, by what it shows for the challenge that was shown last."""
        a = self.attempt(who, (index, "fresh"), {"platform": "portal", "device": index,
                                                 "by_id": True})  # fmt: skip
        a = replace(a, activates=True, device=a.device or "none", password=self.own_password(who))
        a = self.apart(a, pin)
        self.changed_by_gateway(
            number, a, None, ("ACTIVATE", a.name, str(a.device), a.response),
            ("PLATFORM", "CHALLENGE", "PASSWORD", "PIN"), self._met("an activation by a gateway"),
        )  # fmt: skip

    def on_opt_in_by(self, number: int, who: str, typed: Any, pin: Any = None) -> None:
        a = replace(self.attempt(who, typed, {"platform": "portal"}),
                    password=self.own_password(who))  # fmt: skip
        a = self.apart(a, pin)
        self.changed_by_gateway(
            number, a, lambda said, now_ms: shares.opt_in(self.checker.twin, said, now_ms),
            ("OPTIN", who, a.response), ("PASSWORD", "PIN"), self._met("opted in by a gateway"),
        )  # fmt: skip

    def _met(self, what: str) -> Callable[[bool], None]:
        def told(done: bool) -> None:
            self.met[what] += done

        return told


# ---- in a story


def episode(rng: random.Random, users: Sequence[str]) -> list[Step]:
    """Asked by a gateway or by several, and answered by the same way; a crash about that time."""
    who = rng.choice(users)
    number, platform = rng.randrange(3), rng.choice(["trading", "portal"])
    crash = "crash", rng.choice((*POLICIES, "dropped", "killed")), rng.randrange(2**16), ()
    soon = "crash_in", rng.choice([1, 2, 3, 5]), rng.random() < 0.5, *crash[1:]
    landed: list[Step] = rng.choice([[("settle",)]] * 3 + [[("pass",), ("pass",), ("land",)]])
    landed = [soon, *landed] if rng.random() < 0.2 else landed
    after = rng.choice([[], [], [crash], [("keep", ())], [("close",)], [("lose", number, False)]])
    begin: list[Step] = [("room", True), ("keep", ()), ("accept_clock",), ("user", "unlock", who)]
    begin, dice = begin * (rng.random() < 0.7), rng.random()
    if dice < 0.4:
        begin.append(("add_device", who, {**rng.choice(LABELS), "key": rng.randrange(4)}))
        sms = rng.random() < 0.4
        ask: Step = ("ask", number, rng.choice([who, who, who, "nobody"]), platform, None, sms)
        asks = [ask] * rng.choice([1, 1, 2])
        right: Step = (
            "verify", who, (rng.choice([LAST, LAST, 0]), "fresh"),
            {"platform": platform, "by_id": True},
        )  # fmt: skip
        return [*begin, *asks, ("pass",), *landed, *after, right, right]
    if dice < 0.75:
        asks, said = [("ask_question", number, who)], rng.choice(["right", "right", "wrong"])
        answers: list[Step] = [("answer_by", number, who, said)] * rng.choice([1, 1, 2])
        if rng.random() < 0.8:
            begin.append(("questions", who))
        return [*begin, *asks, ("pass",), *landed, *after, *answers, ("pass",), ("settle",)]
    if dice < 0.9:
        words = {"kind": "ocra", "key": rng.randrange(4), "suite": "OCRA-1:HOTP-SHA1-6:QN06"}
        ship = "ship", who, words, 0, 0
        asks = [("challenge", who, "portal", NEW_DEVICE, LAST)]
        return [*begin, ship, *asks, ("activate_by", number, who, LAST), *landed, *after]
    shows = {"kind": "hotp", "key": 1, "algorithm": "sha256", "look_ahead": 3}
    out: list[Step] = [("addresses", who, ("10.0.0.0/8",)), ("opt_out", who)]
    out.append(("add_device", who, shows))
    typed = rng.choice([(LAST, "fresh")] * 3 + ["000000"])
    steps = [*begin, *out, ("opt_in_by", number, who, typed), *landed, *after]
    return [*steps, ("addresses", who, ())]
