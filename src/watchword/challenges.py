"""The asking verbs of an engine: a challenge for a user, waited for or awaited.

Rule: an ask is a turn of its own, writes one record whoever is named, and is shown when that record
is durable. A name that does not exist, or has no device for it, is asked as plausibly.
"""

import asyncio

from watchword import _engine
from watchword._engine import ANSWERS_MAX, PLATFORMS, PURPOSE_BYTES_MAX
from watchword.acts import one_of, utf8
from watchword.delivery import Delivery
from watchword.devices.ocra import QUESTION_CHARS_MAX, QUESTION_CHARS_MIN
from watchword.errors import Busy, InvalidArgument
from watchword.life import NEW_DEVICE
from watchword.parts import Parts
from watchword.views import Challenge

__all__ = ["Challenges"]

Posed = tuple[bytes | None, bytes | None]  # the caller's question, and the client's


class Challenges(Parts):
    """challenge, send_code, and both for asyncio."""

    def challenge(
        self,
        user: str,
        *,
        platform: str = "trading",
        purpose: str | None = None,
        device: str | None = None,
        question: str | None = None,
        client_question: str | None = None,
        gateway: str | None = None,
    ) -> Challenge:
        """A challenge for this user; durable when it is returned (RULES section 4).

        One stands for each device and platform: asked again for the same purpose it is the same,
        for another purpose a new one takes its place. It is good for 5 to 10 minutes. device: the
        serial of the device to ask; else the highest-ranked. Where that is a phone, a code is sent
        to it, as by send_code. For the purpose "activate device" a shipped device is asked, or an
        online card, which `activate` then makes active.

        question: your data, which the user's device signs in place of a question of ours (RFC 6287
        7.3): 4 letters and digits to as many as its suite has. Let the data differ each time: what
        was signed once is signed. client_question: what the client asks us first (7.2), exactly as
        long as its suite says; our answer is the challenge's `answer`, and its response is over
        our question and its own. Both together need a suite with P or S. What is asked so is
        answered by its id alone, which carries the questions: keep it with the data.
        Errors: InvalidArgument, Busy, StoreFailed.
        """
        posed = _posed(question, client_question)
        return self._asked_now(user, platform, purpose, device, gateway, False, posed)

    def send_code(
        self,
        user: str,
        *,
        platform: str = "trading",
        purpose: str | None = None,
        device: str | None = None,
        gateway: str | None = None,
    ) -> Challenge:
        """A code for this user's phone: durable when this returns, and on its way (RULES 4).

        It is good for 10 minutes, once; the one before is void. A name that does not exist, or has
        no phone, gets the same answer and nothing is sent. Errors: InvalidArgument, also when the
        engine has nobody to deliver codes; Busy, when 3 were sent within the hour; StoreFailed.
        """
        return self._asked_now(user, platform, purpose, device, gateway, True)

    def _asked_now(
        self, user: str, platform: str, purpose: str | None, device: str | None,
        gateway: str | None, sms: bool, posed: Posed = (None, None),
    ) -> Challenge:  # fmt: skip
        challenge, turn, delivery = self._ask(user, platform, purpose, device, gateway, sms, posed)
        self._wait(turn)
        return self._sent(challenge, delivery, posed)

    def _sent(
        self, challenge: Challenge | None, delivery: Delivery | None, posed: Posed
    ) -> Challenge:
        """What was asked is durable: the code goes out. Errors: Busy."""
        if challenge is None and posed[1] is not None:
            raise Busy(
                f"{ANSWERS_MAX} answers were given to clients of this user within five minutes",
                hint="a right response, or the next five minutes, and there are more",
            )
        if challenge is None:
            raise Busy(
                f"{self._policy.sms_per_hour} codes were sent to this user within the hour",
                hint="the last one is good until it runs out",
            )
        if delivery is not None and self._courier is not None:
            self._courier.take(delivery)
        return challenge

    async def achallenge(
        self,
        user: str,
        *,
        platform: str = "trading",
        purpose: str | None = None,
        device: str | None = None,
        question: str | None = None,
        client_question: str | None = None,
        gateway: str | None = None,
    ) -> Challenge:
        """challenge for asyncio."""
        posed = _posed(question, client_question)
        return await self._asked_soon(user, platform, purpose, device, gateway, False, posed)

    async def asend_code(
        self,
        user: str,
        *,
        platform: str = "trading",
        purpose: str | None = None,
        device: str | None = None,
        gateway: str | None = None,
    ) -> Challenge:
        """send_code for asyncio."""
        return await self._asked_soon(user, platform, purpose, device, gateway, True)

    async def _asked_soon(
        self, user: str, platform: str, purpose: str | None, device: str | None,
        gateway: str | None, sms: bool, posed: Posed = (None, None),
    ) -> Challenge:  # fmt: skip
        challenge, turn, delivery = self._ask(user, platform, purpose, device, gateway, sms, posed)
        await self._wait_soon(turn)
        return self._sent(challenge, delivery, posed)

    async def _wait_soon(self, turn: int) -> None:
        """_wait for asyncio."""
        loop = asyncio.get_running_loop()
        durable: asyncio.Future[None] = loop.create_future()

        def landed(error: BaseException | None) -> None:
            if error is not None:
                self._end(error)
            if not durable.done():
                durable.set_result(None)

        def tell(error: BaseException | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(landed, error)

        self._when_durable(turn, tell)
        await durable
        if self._commits.failed is not None:
            self._alive()

    def _ask(
        self, user: str, platform: str, purpose: str | None, device: str | None,
        gateway: str | None, sms: bool, posed: Posed = (None, None), *, phone: bool = False,
    ) -> tuple[Challenge | None, int, Delivery | None]:  # fmt: skip
        """The challenge, the turn to wait for before it is shown, and the code that goes out then.
        No challenge: as many codes were sent, or answers given, as may be. phone: of one that takes
        pushes, alone."""
        one_of("platform", platform, PLATFORMS)
        aim = None if purpose is None else utf8("purpose", purpose)
        if aim is not None and not 1 <= len(aim) <= PURPOSE_BYTES_MAX:
            raise InvalidArgument(f"purpose is text of 1 to {PURPOSE_BYTES_MAX} bytes")
        serial = None if device is None else utf8("device", device)
        names, within = self._asker(gateway)
        name = utf8("user", user)
        with self._lock:
            self._alive()
            if not self._core.name_legal(name):
                raise InvalidArgument("user holds what no name may hold, or is too long or empty")
            now = self._now()
            courier = self._courier
            if sms and courier is None:
                raise InvalidArgument(
                    "deliver is needed to send codes",
                    hint="Engine.open(..., deliver=...), or [delivery] in the daemon's settings",
                )
            if self._shed() or (courier is not None and courier.is_full):
                raise Busy("the engine sheds load: nothing was asked", hint="ask again later")
            self._lock.open_turn = True
            asked = _engine.ask(
                self._core, name, PLATFORMS.index(platform), aim, serial, self._turn + 1, now,
                names, 1, courier is not None and not phone, sms, phone, *posed,
                activates=purpose == NEW_DEVICE, within=within,
            )  # fmt: skip
            if asked is None:
                self._lock.open_turn = False
                return None, self._turn, None
            row, token, kind, prompt, expires_ms, to, code, answer = asked
            self._turn += 1
            turn = self._submit(row)
            self._lock.open_turn = False
        challenge, delivery = Challenge(token, kind, prompt, expires_ms, answer), None
        if to is not None:
            delivery = Delivery(token, user, to, platform, purpose, expires_ms, code)
        return challenge, turn, delivery


def _posed(question: str | None, client_question: str | None) -> Posed:
    """What is posed, of any suite at all; ext/posed.c says of whom. Errors: InvalidArgument."""
    for name, text in (("question", question), ("client_question", client_question)):
        if text is None:
            continue
        if (
            not isinstance(text, str)
            or not QUESTION_CHARS_MIN <= len(text) <= QUESTION_CHARS_MAX
            or not (text.isascii() and text.isalnum())
        ):
            raise InvalidArgument(
                f"{name} is {QUESTION_CHARS_MIN} to {QUESTION_CHARS_MAX} ASCII letters and digits"
            )
    if client_question is not None and client_question.isdigit() and client_question[0] == "0":
        raise InvalidArgument("client_question, where it is digits alone, does not begin with 0")
    return (
        None if question is None else question.encode("ascii"),
        None if client_question is None else client_question.encode("ascii"),
    )
