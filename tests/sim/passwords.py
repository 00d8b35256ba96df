"""Passwords in a world and in a story: given, changed and taken away by a program or through a
gateway, and logins with the right one, another, an old one, none, or a gateway's word.

A password is hashed while others go on: a story says when a thread is done with it, and what came
before that. Rule: it was held against what stood when it came, and lets in only where that stands
still. What stories have of it is in passing.py.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.sim.checker import Asked, answer_of
from tests.sim.doors import VOUCHES
from tests.sim.knowing import PASSWORDS
from tests.sim.network import Gateway, frame, options_of
from tests.sim.rows import address_bytes
from watchword.reference import Answer, Attempt

__all__ = ["Passwords"]

Step = tuple[Any, ...]
GATEWAY = "tcp"         # that of every gateway of a story
NO_RIGHT = "-NOPERM only a gateway with the right first-factor vouches"


class Passwords:
    """Steps of a world."""

    if TYPE_CHECKING:
        engine: Any
        checker: Any
        machine: Any
        met: Any
        awaited: list[tuple[Asked, Any, Any]]
        devices: Callable[[str], list[Any]]
        changing: dict[str, Any]
        changed_by_gateway: Callable[..., None]
        changed_by_program: Callable[..., None]
        pushed: dict[str, list[tuple[str, int]]]
        address: Callable[[], str]
        asked: Callable[..., Any]
        apart: Callable[..., Attempt]
        attempt: Callable[..., Attempt]
        gateway: Callable[..., Gateway]
        identified: Callable[..., Asked]
        own_password: Callable[[str], str | None]
        step: Callable[[Step], None]
        told_for: Callable[..., None]
        begin_awaited: Callable[[Asked, Any], None]
        repassed: tuple[Attempt, str] | None    # what was asked last: an attempt, and the new one
        entered_last: tuple[Asked, str, int] | None     # with its id, and in which life

    # ---- what is said

    def _said(self, who: str, typed: Any, word: Any, options: dict[str, Any]) -> Attempt:
        """word: a number of PASSWORDS, "own", "vouched", or None; typed: "push" claims one;
        ("shown", n): what a device of the user shows when its button is pressed n times more."""
        by_push = typed == "push"
        if typed[:1] == ("shown",):
            shows = [i for i, device in enumerate(self.devices(who))
                     if device.kind in ("hotp", "totp") and device.state == "active"]  # fmt: skip
            typed = (shows[-1], typed[1] or "fresh") if shows else "000000"
        a = self.attempt(who, "" if by_push else typed, options)
        if by_push:
            pushed = self.pushed.get(who, [])
            a = replace(a, response="", challenge=pushed[0][0] if pushed else "0" * 32)
        if word == "vouched":
            return replace(a, vouched=True)
        own = self.own_password(who) if word == "own" else None
        return replace(a, password=PASSWORDS[word] if isinstance(word, int) else own)

    @contextlib.contextmanager
    def _beside(self, steps: Sequence[Step], at: int = 0) -> Iterator[None]:
        """What others do while a call waits for its first digest, or for a later one."""
        amid = self.engine._hasher.amid
        if steps:
            amid.extend([lambda: None] * at)
            amid.append(lambda: self._meanwhile(steps))
        yield
        amid.clear()

    def _meanwhile(self, steps: Sequence[Step]) -> None:
        checker = self.checker
        asking, acting = checker.asking, checker.acting
        checker.asking = checker.acting = None
        for step in steps:
            if not self.machine.disk.off:
                self.met["something while a password was hashed"] += 1
                self.step(step)
        checker.asking, checker.acting = asking, acting

    def hold_gathered(self, address: str) -> None:
        self.checker.hold(self.checker.pending[address_bytes(address)][-1])

    def on_hash(self, n: int) -> None:
        """A thread is done with one of the passwords that wait."""
        hasher, turn = self.engine._hasher, self.engine._turn
        if hasher.waiting:
            hasher.work(n)
            self.met["a password renewed"] += self.engine._turn > turn

    # ---- logins

    def on_login(
        self, who: str, typed: Any, word: Any, options: dict[str, Any],
        amid: Sequence[Step] = (), full: bool = False,
    ) -> None:  # fmt: skip
        """A program's. full: too many passwords wait, and the attempt is BUSY."""
        a = self._said(who, typed, word, options)
        full = full and a.password is not None
        amid = () if full or a.password is None else amid
        asked, hasher = Asked(replace(a, shed=full)), self.engine._hasher
        self.checker.hold(asked)
        self.checker.asking = [asked]
        hasher.is_full = full
        with self._beside(amid):
            verdict = self.asked(
                lambda: self.engine.verify(
                    a.name, a.response, platform=a.platform, realm=a.realm, device=a.device,
                    address=a.address, challenge=a.challenge, password=a.password,
                    first_factor=a.vouched,
                )
            )  # fmt: skip
        hasher.is_full = False
        if verdict is not None:
            stands = self.checker.as_held(asked) is asked.attempt
            self.met["a login met another password"] += not stands
            self.checker.answered(asked, answer_of(verdict), self.engine._turn)

    def on_login_many(self, words: Sequence[tuple[str, Any, Any]], platform: str) -> None:
        options = {"platform": platform}
        said = [self._said(who, typed, word, options) for who, typed, word in words]
        asked = [Asked(a) for a in said]
        for one in asked:
            self.checker.hold(one)
        self.checker.asking = list(asked)
        codes = self.asked(
            lambda: self.engine.verify_many(
                [a.name for a in said], [a.response for a in said], platform=platform,
                passwords=[a.password for a in said],
            )
        )  # fmt: skip
        if codes is not None:
            for one, code in zip(asked, codes, strict=True):
                self.checker.answered(one, (int(code),), self.engine._turn)

    def on_enter(
        self, number: int | None, who: str, typed: Any, word: Any, platform: str, by_id: bool,
        pin: Any = None,
    ) -> None:  # fmt: skip
        """Through a gateway; or, of no number, an awaited call. Answered once it is hashed, and its
        turn is durable."""
        client = None if number is None else self.gateway(number)
        if client is not None and client.ended:
            return
        a = self._said(who, typed, word, {"platform": platform, "address": self.address()})
        a = self.apart(a, pin)
        self.met["a PIN apart"] += bool(a.pin and a.response)
        if client is not None and a.vouched and number != VOUCHES:
            client.say(frame("VERIFY", a.name, a.response, "FIRSTFACTOR"), NO_RIGHT)
            client.deliver(10_000)
            return
        asked, id = Asked(a), None
        if by_id and client is not None:
            id = f"of a password {a.address}"
            asked = self.identified(a, id, GATEWAY)
            self.entered_last = asked, id, self.checker.lives
        self.checker.waits(asked)
        if client is None:
            self.checker.hold(asked)
            self.begin_awaited(asked, self.engine.averify(
                a.name, a.response, platform=a.platform, realm=a.realm, address=a.address,
                challenge=a.challenge, password=a.password, pin=a.pin, first_factor=a.vouched,
            ))  # fmt: skip
            return
        words = ["VERIFY", a.name, a.response]
        words += options_of(a, "PLATFORM", "ADDRESS", "PASSWORD", "CHALLENGE", "PIN")
        words += ["FIRSTFACTOR"] if a.vouched else []
        client.say(frame(*words, *(["ID", id] if id else [])), [asked])
        client.deliver(10_000)

    def on_enter_again(self, changed: bool) -> None:
        """Whoever did not hear asks again, unless the first may yet have its turn; changed: by
        another password, or by a PIN in another place, which is misuse."""
        if self.entered_last is None:
            return
        first, id, life = self.entered_last
        if first.answer is None and life == self.checker.lives:
            return
        a = first.attempt
        if changed and a.pin and a.response:    # the same code, but not the same words
            a = replace(a, pin=None, response=a.pin + a.response)
        elif changed and a.password is not None:
            a = replace(a, password=PASSWORDS[a.password == PASSWORDS[0]])
        self.met["a password again by its id"] += a.password is not None
        self.told_for(self.identified(a, id, GATEWAY), id, GATEWAY)

    # ---- changes

    def on_repass(
        self, who: str, typed: Any, old: Any, new: int, platform: str, number: int | None,
        amid: Sequence[Step] = (), at: int = 0, pin: Any = None,
    ) -> None:  # fmt: skip
        """number: of the gateway that asks; None: an embedding program does."""
        a = self.apart(self._said(who, typed, old, {"platform": platform}), pin)
        self.repassed = replace(a, password=a.password or "none of his"), PASSWORDS[new]
        self._repass(number, amid, at)

    def on_repass_again(self, number: int | None) -> None:
        if self.repassed is not None and not self.changing:
            self._repass(number)

    def _repass(self, number: int | None, amid: Sequence[Step] = (), at: int = 0) -> None:
        assert self.repassed is not None
        a, new = self.repassed

        def act(said: Attempt, now_ms: int) -> Answer:
            return self.checker.twin.change_password(  # type: ignore[no-any-return]
                said, new, now_ms
            )

        if number is not None:
            self.changed_by_gateway(
                number, a, act, ("CHANGEPASSWORD", a.name, str(a.password), a.response, new),
                ("PLATFORM", "CHALLENGE", "PIN"), self._by_a_gateway,
            )  # fmt: skip
            return
        with self._beside(amid, at):
            self.changed_by_program(
                a, act, lambda: self.engine.change_password(
                    a.name, a.password, a.response, new, platform=a.platform, device=a.device,
                    challenge=a.challenge, pin=a.pin,
                ), self._by_a_program,
            )  # fmt: skip

    def _by_a_program(self, changed: bool) -> None:
        self.met["a password changed"] += changed

    def _by_a_gateway(self, changed: bool) -> None:
        self.met["a gateway changed a password"] += changed
