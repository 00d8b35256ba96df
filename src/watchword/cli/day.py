"""The scenes of `watchword demo --story`: a day at client services, and what comes of it.

A card with a key pad is lost and another one ships; until it comes a passcode and an online card
let its owner in. Sharing a device is refused three ways and then granted; somebody opts out, and
tries from abroad. Days pass at once: the engine is told the time, and does everything for real, on
a store of its own. What is not answered as the story says ends it: a promise, not a picture.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from watchword import Card, Code, Device, Engine, Limits, Verdict, ocra, totp
from watchword.cli.devices import new_key
from watchword.cli.diary import Diary
from watchword.cli.entering import dollars
from watchword.cli.words import spoken
from watchword.errors import Error, InvalidArgument
from watchword.life import NEW_DEVICE

__all__ = ["play_day"]

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
MONDAY = int(datetime(2026, 11, 23, 9, 0, tzinfo=UTC).timestamp() * 1000)
FRIDAY = f"{datetime.fromtimestamp(MONDAY / 1000 + 4 * 86_400, UTC):%F}"
SUITE = "OCRA-1:HOTP-SHA1-8:QN06"   # of dsc-plus
CLERK, GATEWAY = "carla at client services", "trading-1"
HOME, HOMES, ABROAD = "192.0.2.7", "192.0.2.0/24", "203.0.113.9"
ALICE, ALICE_TOO, BOB, DAVE = "alice", "alice2", "bob", "dave"
OLD, NEW, ONLINE = "card-1", "card-2", "online-1"
WITHDRAWAL_CENTS = 60_000_00
PHRASE = "correct horse battery staple"


class Day:
    """The store, the hour, and what is drawn of both."""

    def __init__(self, diary: Diary, folder: Path) -> None:
        self.diary, self.now_ms = diary, MONDAY
        self.keys: dict[str, bytes] = {}
        self.limits: list[tuple[int, Limits]] = []
        self.engine = Engine.open(folder / "store", clock=lambda: self.now_ms)

    def scene(self, text: str, *, days: int = 0, hours: int = 0, minutes: int = 0) -> None:
        """Time passes; then a heading with the hour."""
        self.now_ms += days * DAY_MS + hours * HOUR_MS + minutes * MINUTE_MS
        self.diary.scene(self.now_ms, text)

    def shows(
        self, who: str, where: str, typed: str, verdict: Verdict, expected: Code, why: str
    ) -> None:
        self.diary.attempt(who, where, typed, verdict.code, why)
        if verdict.code is not expected:
            raise Error(f"the story expected {expected.name} and got {verdict.code.name}")

    def answers(self, serial: str, why: str, *, user: str = ALICE, platform: str = "trading",
                expected: Code = Code.ACCEPTED) -> None:
        """A card with a key pad is asked a number, and shows what is typed."""
        asked = self.engine.challenge(user, platform=platform)
        shown = ocra(SUITE, self.keys[serial], asked.prompt)
        verdict = self.engine.verify(user, shown, challenge=asked.id, platform=platform)
        self.shows(user, platform, shown, verdict, expected, f"asked {asked.prompt}: {why}")

    def code(self, serial: str) -> str:
        """What a token of 30 seconds shows, half a minute after the one before."""
        self.now_ms += 30_000
        return totp(self.keys[serial], self.now_ms // 1000)

    def may_withdraw(self) -> None:
        found = self.engine.limits(ALICE)
        self.limits.append((self.now_ms, found))
        self.diary.limits(ALICE, found)

    def asks_to_share(self, user: str, owner: str, serial: str, refused: str, why: str) -> None:
        """With the owner's credentials and a right answer: refused all the same, or granted."""
        self.diary.act(f"device share {user} {owner} {serial}")
        if serial in (OLD, NEW):
            asked = self.engine.challenge(owner, platform="portal", device=serial)
            challenge, shown = asked.id, ocra(SUITE, self.keys[serial], asked.prompt)
        else:
            challenge, shown = None, self.code(serial)
        shared = self.engine.share_device(
            user, owner, serial, shown, challenge=challenge, gateway=GATEWAY
        )
        said = f"{shared.refused}: {why}" if shared.refused else why
        self.diary.attempt(
            owner, "portal", shown, "not shared" if shared.refused else shared.verdict.code, said
        )
        if shared.refused != refused or not shared.verdict:
            got = shared.refused or shared.verdict.code.name
            raise Error(f"the story expected {refused or 'a shared device'!r} and got {got!r}")


@contextmanager
def begun(diary: Diary) -> Iterator[Day]:
    """A day on a temporary store, which is gone at the end however it went."""
    with TemporaryDirectory(prefix="watchword-story-") as folder:
        day = Day(diary, Path(folder))
        with day.engine:
            yield day


def play_day(diary: Diary) -> None:
    with begun(diary) as day:
        opens(day)
        passcode = loses_a_card(day)
        has_the_portal_alone(day, passcode)
        card = prints_a_card(day)
        may_not_share(day)
        has_the_new_one(day, passcode, card)
        shares(day)
        opts_out(day)
        comes_from_abroad(day)
        opts_in(day)
        asks_why(day)


def opens(day: Day) -> None:
    engine = day.engine
    day.scene("client services opens")
    for user, identity in ((ALICE, "alice 1980-02-29"), (ALICE_TOO, "alice 1980-02-29"),
                           (BOB, "bob 1971-07-01"), (DAVE, "dave 1990-12-24")):  # fmt: skip
        engine.add_user(user, by=CLERK)
        engine.set_identity(user, identity, by=CLERK)
        serial = OLD if user == ALICE else f"token-{user}"
        day.keys[serial] = new_key("sha1", False)
        made = Device.dsc_plus if user == ALICE else Device.alpine
        engine.add_device(user, made(day.keys[serial]), serial, by=CLERK)
    engine.set_password(DAVE, PHRASE, by=CLERK)
    day.diary.says(
        f"{ALICE} has a card with a key pad; {BOB}, {DAVE} and {ALICE_TOO}, another user of hers, "
        "have tokens that show a code"
    )
    day.answers(OLD, "the card knows")
    day.may_withdraw()


def loses_a_card(day: Day) -> str:
    engine = day.engine
    day.scene(f"{ALICE} calls: her card is lost. Another ships, a passcode bridges the days",
              hours=1, minutes=5)  # fmt: skip
    day.keys[NEW] = new_key("sha1", False)
    day.diary.act(
        f"device replace {ALICE} {OLD} dsc-plus --new-serial {NEW} --delivery {FRIDAY} --passcode"
    )
    given = engine.replace_device(
        ALICE, OLD, Device.dsc_plus(day.keys[NEW]), NEW, delivery=FRIDAY, passcode=True,
        by=CLERK,
    )  # fmt: skip
    assert given.passcode is not None
    passcode = given.passcode.passcode
    day.answers(OLD, "its finder is out", expected=Code.REJECTED)
    for platform in ("trading", "portal"):
        verdict = engine.verify(ALICE, passcode, platform=platform)
        day.shows(ALICE, platform, passcode, verdict, Code.ACCEPTED, "two days for everything")
    day.may_withdraw()
    day.diary.act(f"user withdrawal {ALICE} {WITHDRAWAL_CENTS}")
    if engine.report_withdrawal(ALICE, WITHDRAWAL_CENTS, by=GATEWAY):
        raise Error("the story expected a withdrawal beyond the limit to be refused")
    day.diary.says(f"watchword: {dollars(WITHDRAWAL_CENTS)} is beyond the limit", "yellow")
    return passcode


def has_the_portal_alone(day: Day, passcode: str) -> None:
    engine = day.engine
    day.scene("two days later the passcode opens the portal alone, to print a card", days=2,
              minutes=1)  # fmt: skip
    verdict = engine.verify(ALICE, passcode)
    day.shows(ALICE, "trading", passcode, verdict, Code.NOT_PERMITTED, "its two days are over")
    verdict = engine.verify(ALICE, passcode, platform="portal")
    day.shows(ALICE, "portal", passcode, verdict, Code.ACCEPTED,
              f"scope {verdict.scope}: to print one")  # fmt: skip
    if verdict.scope != "card":
        raise Error(f"the story expected the scope card and got {verdict.scope}")


def prints_a_card(day: Day) -> Card:
    engine = day.engine
    day.scene(f"{ALICE} prints an online card, and answers two of its cells", minutes=5)
    day.diary.act(f"device online-card {ALICE} --serial {ONLINE}")
    card = engine.issue_online_card(ALICE, ONLINE, by=ALICE)
    day.diary.act(f'challenge {ALICE} --device {ONLINE} --purpose "{NEW_DEVICE}" --platform portal')
    day.diary.act(f"device activate {ALICE} {ONLINE} --challenge ID")
    asked = engine.challenge(ALICE, platform="portal", purpose=NEW_DEVICE, device=ONLINE)
    shown = card.answer(asked.prompt)
    verdict = engine.activate(ALICE, ONLINE, shown, challenge=asked.id)
    day.shows(ALICE, "portal", shown, verdict, Code.ACCEPTED,
              f"cells {asked.prompt}: for 21 days")  # fmt: skip
    asked = engine.challenge(ALICE)
    shown = card.answer(asked.prompt)
    verdict = engine.verify(ALICE, shown, challenge=asked.id)
    day.shows(ALICE, "trading", shown, verdict, Code.ACCEPTED,
              f"cells {asked.prompt}: trading again")  # fmt: skip
    day.may_withdraw()
    return card


def may_not_share(day: Day) -> None:
    day.scene("two ask for a device that another user has, and know what it shows", days=1,
              hours=4)  # fmt: skip
    day.asks_to_share(BOB, ALICE_TOO, f"token-{ALICE_TOO}",
                      "different identification information", "another person")
    day.asks_to_share(ALICE, ALICE_TOO, f"token-{ALICE_TOO}",
                      "temporary device in use", f"{ALICE} has two")  # fmt: skip


def has_the_new_one(day: Day, passcode: str, card: Card) -> None:
    engine = day.engine
    day.scene(f"{ALICE}'s new card is here: she confirms its serial and answers it",
              hours=18, minutes=20)  # fmt: skip
    standing = engine.challenge(ALICE)      # two cells, asked before the new card is active
    day.diary.act(f'challenge {ALICE} --device {NEW} --purpose "{NEW_DEVICE}" --platform portal')
    asked = engine.challenge(ALICE, platform="portal", purpose=NEW_DEVICE, device=NEW)
    shown = ocra(SUITE, day.keys[NEW], asked.prompt)
    wrong = f"{(int(shown) + 1) % 10**8:08d}"
    day.diary.act(f"device activate {ALICE} {NEW} --challenge ID")
    for typed, expected, why in ((wrong, Code.REJECTED, "mistyped"),
                                 (shown, Code.ACCEPTED, "it is active")):  # fmt: skip
        verdict = engine.activate(ALICE, NEW, typed, challenge=asked.id)
        day.shows(ALICE, "portal", typed, verdict, expected, f"asked {asked.prompt}: {why}")
    verdict = engine.verify(ALICE, passcode, platform="portal")
    day.shows(ALICE, "portal", passcode, verdict, Code.EXPIRED, "the passcode ended that moment")
    shown = card.answer(standing.prompt)
    verdict = engine.verify(ALICE, shown, challenge=standing.id)
    day.shows(ALICE, "trading", shown, verdict, Code.EXPIRED, "and so did the online card")
    day.answers(NEW, "all is well again")
    day.may_withdraw()


def shares(day: Day) -> None:
    day.scene("a third refusal, and a device that is shared", minutes=15)
    day.asks_to_share(ALICE, ALICE_TOO, f"token-{ALICE_TOO}",
                      "less secure device", f"{ALICE}'s card ranks higher")
    day.asks_to_share(ALICE_TOO, ALICE, NEW, "", f"{ALICE_TOO} has {NEW} as well")
    day.answers(NEW, "her other user", user=ALICE_TOO)


def opts_out(day: Day) -> None:
    engine = day.engine
    day.scene(f"{DAVE} wants no codes on trading any more: his password is to be enough", days=3,
              hours=1)  # fmt: skip
    verdict = engine.verify(DAVE, "", password=PHRASE)
    day.shows(DAVE, "trading", "password", verdict, Code.CHALLENGE, "so far a code is asked for")
    day.diary.act(f"user opt-out {DAVE}")
    try:
        engine.opt_out(DAVE, by=CLERK)
    except InvalidArgument as error:
        day.diary.says(f"watchword: {spoken(str(error.args[0]))}", "yellow")
        day.diary.says(f"watchword: hint: {spoken(error.hint)}", "yellow")
    else:
        raise Error("the story expected opting out to need an address restriction")
    day.diary.act(f"user addresses {DAVE} {HOMES}")
    engine.set_addresses(DAVE, [HOMES], by=CLERK)
    day.diary.act(f"user opt-out {DAVE}")
    engine.opt_out(DAVE, by=CLERK)
    verdict = engine.verify(DAVE, "", password=PHRASE, address=HOME)
    day.shows(DAVE, "trading", "password", verdict, Code.ACCEPTED, f"from {HOME}, at home")
    verdict = engine.verify(DAVE, "", platform="portal", password=PHRASE, address=HOME)
    day.shows(DAVE, "portal", "password", verdict, Code.CHALLENGE, "the portal always asks")


def comes_from_abroad(day: Day) -> None:
    engine = day.engine
    day.scene(f"somebody tries as {DAVE} from {ABROAD}", days=2, hours=9, minutes=37)
    verdict = engine.verify(DAVE, "", password=PHRASE, address=ABROAD)
    day.shows(DAVE, "trading", "password", verdict, Code.NOT_PERMITTED, "right, and not looked at")


def opts_in(day: Day) -> None:
    engine = day.engine
    day.scene(f"it was {DAVE}, on a holiday. He wants his token back", days=4, hours=12)
    code = day.code(f"token-{DAVE}")
    verdict = engine.opt_in(DAVE, code, password=PHRASE, address=ABROAD)
    day.shows(DAVE, "portal", code, verdict, Code.NOT_PERMITTED, f"still from {ABROAD}")
    day.diary.act(f"user opt-in {DAVE} --password --address {HOME}")
    verdict = engine.opt_in(DAVE, code, password=PHRASE, address=HOME)
    day.shows(DAVE, "portal", code, verdict, Code.ACCEPTED, "from home: it was not used up")
    verdict = engine.verify(DAVE, "", password=PHRASE, address=HOME)
    day.shows(DAVE, "trading", "password", verdict, Code.CHALLENGE, "asked for again")


def asks_why(day: Day) -> None:
    day.scene("client services look back", minutes=10)
    for user, last in ((ALICE, 6), (DAVE, 6)):
        day.diary.act(f"explain {user} --last {last}")
        day.diary.explained(day.engine.explain(user, last=last))
    day.diary.week(ALICE, day.limits)
