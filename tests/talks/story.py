"""Random conversations, each drawn from a seed: a list of gateways, a few connections, and commands
that are legal, allowed, right or none of these. Whatever is answered is held against the model.
"""

import asyncio
import base64
import random
import time
from collections import Counter
from typing import Any

import pyotp

from tests.talks.model import LOCKOUT, Gateway, Model, Speaker, Try, User
from tests.talks.stage import Line, Stage, frame

__all__ = ["BrokenError", "Talk", "play"]

KEYS = {name: (name.encode() * 20)[:20] for name in ("eua", "eub", "usc", "usd", "eur")}
CODES = {name: pyotp.HOTP(base64.b32encode(key).decode()) for name, key in KEYS.items()}
USERS = {"eua": "live", "eub": "paper", "usc": "live", "usd": "paper", "eur": "live"}
NAMES = (*USERS, "eua", "eua", "eua", "eub", "euz", "usz")
VERBS = ("VERIFY", "VERIFYMANY", "CHALLENGE", "ACTIVATE", "OPTIN", "PUSH")
ADMIN = ("USER", "USER GET", "DEVICE LIST", "USER LIST", "DEVICE")
PLATFORMS = ("trading", "portal")
WRONG = "00000000000000"
COMMANDS = 120
LINES = 3


class BrokenError(AssertionError):
    """A gateway got what the list does not give it, or did not get what it does."""


class Talk:
    """One conversation."""

    def __init__(self, seed: str) -> None:
        self.rng = random.Random(seed)
        self.seed = seed
        self.met: Counter[str] = Counter()
        self.said: list[str] = []
        users = {name: User(realm, name == "eur") for name, realm in USERS.items()}
        self.model = Model(users, self.listed(), self.known)
        self.speakers: list[Speaker] = []
        self.lines: list[Line] = []
        self.began_s = time.monotonic()
        self.answers: Counter[str] = Counter()  # of gateways with a rate

    def listed(self) -> dict[str, Gateway]:
        return {name: self.gateway(name) for name in ("one", "two", "three")}

    def gateway(self, name: str) -> Gateway:
        some, rng = self.some, self.rng
        return Gateway(
            name, f"wwt_{name}_{rng.randrange(2)}", some(VERBS) or ("VERIFY",),
            reasons=rng.random() < 0.5, first_factor=rng.random() < 0.4,
            users=rng.choice(("", "", "eu")), realm=rng.choice(("", "", "", "live", "paper")),
            platforms=rng.choice(((), (), (), ("portal",), ("trading",))),
            rate=rng.choice((0, 0, 0, 0, 2)),
            admin=some(ADMIN) if rng.random() < 0.4 else (),
        )  # fmt: skip

    def some(self, words: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(word for word in words if self.rng.random() < 0.8)

    # ---- the whole of it

    async def play(self) -> None:
        stage = Stage(list(self.model.listed.values()))
        try:
            for name, realm in USERS.items():
                addresses = ["192.0.2.0/24"] if name == "eur" else []
                stage.enrol(name, KEYS[name], realm, addresses)
            for _ in range(COMMANDS):
                if self.speakers and self.rng.random() < 0.03:
                    self.relist(stage)
                    await asyncio.sleep(0)
                self.connect(stage)
                number = self.rng.randrange(LINES)
                await self.command(self.speakers[number], self.lines[number])
            for name in USERS:
                failures = min(stage.engine.user(name).failures, LOCKOUT)
                expected = self.model.users[name].failures
                self.expect(failures == expected, f"{name}: {failures} failures, not {expected}")
        finally:
            stage.close()

    def connect(self, stage: Stage) -> None:
        """Connections that were closed are made anew."""
        for number, speaker in enumerate(self.speakers):
            self.expect(not self.lines[number].closed or speaker.closed, "closed for nothing")
            if speaker.closed:
                self.lines[number].close()
                self.speakers[number], self.lines[number] = Speaker(), stage.line()
        while len(self.speakers) < LINES:
            self.speakers.append(Speaker())
            self.lines.append(stage.line())

    def relist(self, stage: Stage) -> None:
        listed = self.listed()
        if self.rng.random() < 0.5:
            del listed[self.rng.choice(list(listed))]
        self.said.append(f"another list: {listed}")
        stage.relist(list(listed.values()))
        self.model.relisted(listed, self.speakers)
        self.answers.clear()
        self.began_s = time.monotonic()
        self.met["another list"] += 1

    def expect(self, holds: bool, what: str) -> None:
        if not holds:
            story = "\n".join(self.said[-12:])
            raise BrokenError(f"seed {self.seed}: {what}\n{self.model.listed}\n{story}")

    # ---- one command

    async def command(self, speaker: Speaker, line: Line) -> None:
        rng = self.rng
        dice = rng.random()
        if dice < (0.8 if speaker.who is None else 0.05):
            words = self.greeting()
        elif dice < 0.55:
            words = self.verify()
        elif dice < 0.65:
            words = self.many()
        elif dice < 0.93:
            words = self.other()
        else:
            words = rng.choice((["PING"], ["ECHO", "a"], ["RESET"], ["CLIENT", "ID"], ["NOSUCH"]))
        sent = frame(*words)
        cuts = sorted(rng.sample(range(1, len(sent)), rng.randrange(3)))
        said = await line.ask(sent, cuts)
        self.said.append(f"{speaker} {words} -> {said}")
        self.hold(speaker, words, said)
        for one in said if words[0] == "VERIFYMANY" and isinstance(said, list) else [said]:
            first = one[0] if isinstance(one, list) and one else one
            self.met[str(first).split(" ")[0]] += 1

    def hold(self, speaker: Speaker, words: list[str], said: Any) -> None:
        verb = words[0]
        early = self.model.heard(speaker, verb)
        if early is not None:
            self.expect(str(said).startswith(f"-{early}"), "a stranger was answered")
        elif verb in ("AUTH", "HELLO"):
            self.hold_greeting(speaker, words, said)
        elif verb == "RESET":
            self.expect(said == "RESET", "a reset is one")
            speaker.who, speaker.said = None, 0
        elif verb in ("PING", "ECHO", "CLIENT"):
            self.expect(not str(said).startswith("-"), "small talk was refused")
        else:
            self.hold_command(speaker, words, said)

    def greeting(self) -> list[str]:
        gateway = self.rng.choice(list(self.model.listed.values()))
        name, token = gateway.name, gateway.token
        if self.rng.random() < 0.4:
            name, token = self.rng.choice(("one", "two", "four", "", "default")), self.token()
        form = self.rng.choice((0, 0, 1, 2, 3, 3))
        if form == 0:
            return ["AUTH", token]
        if form == 1:
            return ["HELLO", self.rng.choice("23")]
        if form == 2:
            return ["HELLO", self.rng.choice("23"), "AUTH", name, token]
        return ["AUTH", name, token]

    def token(self) -> str:
        """A right one oftener than not; or a prefix of one, a longer one, another's, nothing."""
        tokens = [g.token for g in self.model.listed.values()]
        right = self.rng.choice(tokens)
        return self.rng.choice((right, right, right, right[:-1], right + "0", "", "wwt_nobody"))

    def hold_greeting(self, speaker: Speaker, words: list[str], said: Any) -> None:
        given = words[1:] if words[0] == "AUTH" else words[3:]
        if not given:
            known = speaker.who is not None
            self.expect(str(said).startswith("-NOAUTH") != known, "HELLO without AUTH")
            return
        name, token = ("", given[0]) if len(given) == 1 else (given[0], given[1])
        right = self.model.let_in(speaker, name, token)
        self.expect(str(said).startswith("-WRONGPASS") != right, "a token")

    # ---- what is asked

    def place(self) -> list[str]:
        """Options that say what for, and from where."""
        words: list[str] = []
        for name, legal in (
            ("PLATFORM", PLATFORMS), ("REALM", ("live", "paper")),
            ("ADDRESS", ("192.0.2.7", "192.0.3.7")),
        ):  # fmt: skip
            words += [name, self.rng.choice(legal)] if self.rng.random() < 0.5 else []
        return words

    def code(self, user: str) -> str:
        """Nothing, a code that is right now or just was, or a wrong one."""
        dice = self.rng.random()
        if dice < 0.15:
            return ""
        if dice < 0.6 and user in USERS:
            moving = self.model.users[user].moving
            return CODES[user].at(max(0, moving + self.rng.randrange(-1, 2)))
        return WRONG

    def known(self, user: str, code: str) -> int | None:
        """The counter that a code is right for: the lowest of the window that has it."""
        moving = self.model.users[user].moving
        return next((n for n in range(moving, moving + 11) if CODES[user].at(n) == code), None)

    def verify(self) -> list[str]:
        user = self.rng.choice(NAMES)
        words = self.place()
        words += ["DETAIL"] if self.rng.random() < 0.3 else []
        words += ["FIRSTFACTOR"] if self.rng.random() < 0.1 else []
        words += ["ID", f"request {self.rng.randrange(6)}"] if self.rng.random() < 0.4 else []
        return ["VERIFY", user, self.code(user), *words]

    def many(self) -> list[str]:
        pairs: list[str] = []
        for _ in range(count := self.rng.randrange(1, 7)):
            user = self.rng.choice(NAMES)
            pairs += [user, self.code(user)]
        platform = ["PLATFORM", self.rng.choice(PLATFORMS)] if self.rng.random() < 0.5 else []
        id = ["ID", f"request {self.rng.randrange(6)}"] if self.rng.random() < 0.3 else []
        return ["VERIFYMANY", str(count), *pairs, *platform, *id]

    def other(self) -> list[str]:
        user = self.rng.choice(NAMES)
        platform = ["PLATFORM", self.rng.choice(PLATFORMS)] if self.rng.random() < 0.5 else []
        return self.rng.choice((
            ["CHALLENGE", user, *platform], ["PUSH", user, *platform],
            ["ACTIVATE", user, "X", WRONG, *platform], ["OPTIN", user, WRONG, *platform],
            ["USER", "GET", user], ["USER", "LIST"], ["DEVICE", "LIST", user],
            ["CHANGEPIN", user, "1234", WRONG, "2580"],
        ))  # fmt: skip

    # ---- what it must come to

    def hold_command(self, speaker: Speaker, words: list[str], said: Any) -> None:
        who, verb = str(speaker.who), words[0]
        options = self.options(words)
        if verb not in (*VERBS, "USER", "DEVICE", "CHANGEPIN"):
            self.expect(str(said).startswith("-NOPERM"), "a verb that is none was not refused")
            return
        users = self.users_of(words)
        platform = self.model.platform(verb, options.get("PLATFORM", ""))
        realm = options.get("REALM", "live" if verb in ("VERIFY", "VERIFYMANY") else "")
        may = self.model.may(
            who, verb, words[1], users, platform, realm, "FIRSTFACTOR" in options
        )
        self.expect(str(said).startswith("-NOPERM") != may, "NOPERM, or not")
        if not may:
            return
        busy = str(said).startswith(("-BUSY", "BUSY")) or (
            isinstance(said, list) and "BUSY" in said[:2]
        )
        if self.model.listed[who].rate:
            self.rated(who, busy, len(users))
        else:
            self.expect(not busy, "BUSY without a rate")
        if not busy:
            self.hold_answer(who, words, options, said)

    def rated(self, who: str, busy: bool, n: int) -> None:
        self.answers[who] += 0 if busy else n
        rate, seconds = self.model.listed[who].rate, time.monotonic() - self.began_s
        most = rate * (seconds + 2) + 3
        self.expect(self.answers[who] <= most, f"{self.answers[who]} answers, at most {most:.0f}")

    def options(self, words: list[str]) -> dict[str, str]:
        found = {}
        at = {"VERIFY": 3, "CHALLENGE": 2, "PUSH": 2, "ACTIVATE": 4, "OPTIN": 3}.get(
            words[0], len(words)
        )
        if words[0] == "VERIFYMANY":
            at = 2 + 2 * int(words[1])
        while at < len(words):
            bare = words[at] in ("DETAIL", "FIRSTFACTOR")
            found[words[at]] = "" if bare else words[at + 1]
            at += 1 if bare else 2
        return found

    def users_of(self, words: list[str]) -> list[str]:
        if words[0] == "VERIFYMANY":
            return words[2 : 2 + 2 * int(words[1]) : 2]
        if words[0] in ("USER", "DEVICE"):
            return words[2:3]
        return words[1:2]

    def hold_answer(self, who: str, words: list[str], options: dict[str, str], said: Any) -> None:
        verb, model = words[0], self.model
        if verb in ("CHALLENGE", "PUSH"):
            self.expect(isinstance(said, list) and len(said) == 8, "a challenge is a map")
        elif (verb, words[1]) == ("USER", "LIST"):
            self.expect(isinstance(said, list), "a list")
        elif verb in ("USER", "DEVICE"):
            there = isinstance(said, list)
            self.expect(there == model.exists(who, words[2]), "a user of another realm, or none")
        else:
            expected = self.expected(who, words, options)
            if expected is None:
                self.expect(str(said).startswith("-ERR request_id was given before"), "an id")
                return
            verdicts = said if verb == "VERIFYMANY" else [said]
            if "DETAIL" in options:
                verdicts = [said[1]]
            self.expect(verdicts == expected, f"is {verdicts}, should be {expected}")

    def expected(
        self, who: str, words: list[str], options: dict[str, str]
    ) -> list[str] | None:
        verb = words[0]
        platform = self.model.platform(verb, options.get("PLATFORM", ""))
        address = options.get("ADDRESS", "")
        if verb in ("ACTIVATE", "OPTIN"):
            return self.model.verdicts(who, [Try(words[1], WRONG, platform)], "", verb)
        pairs = words[1:3] if verb == "VERIFY" else words[2 : 2 + 2 * int(words[1])]
        realm, vouched = options.get("REALM", "live"), "FIRSTFACTOR" in options
        tries = [
            Try(user, code, platform, realm, address, vouched)
            for user, code in zip(pairs[::2], pairs[1::2], strict=True)
        ]
        return self.model.verdicts(who, tries, options.get("ID", ""))


def play(seed: str) -> Counter[str]:
    """One conversation; what it met. Errors: BrokenError."""
    talk = Talk(seed)
    asyncio.run(talk.play())
    return talk.met
