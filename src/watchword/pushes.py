"""The push verbs of an engine: a login is put before a phone, which approves or denies it.

Rule: who asked alone knows the number, and claims by verify(user, "", challenge=id), an attempt
like any other. A push lives in memory and writes nothing: what it was worth is in the record of its
claim, a crash forgets it, and its id never comes back. Whoever waits is a callback on the push:
there is no thread and no polling for each. A name without a phone gets a push that nobody answers.
"""

import asyncio
from queue import Empty, SimpleQueue
from typing import Final

from watchword import _engine
from watchword._engine import DEVICE_STATES, PLATFORMS, PURPOSE_BYTES_MAX
from watchword.acts import one_of, utf8
from watchword.delivery import Delivery, wake_id
from watchword.devices.phone import (
    DECISIONS,
    NOBODY,
    UNLOCKED,
    answer_message,
    is_signed,
    list_message,
    signature_bytes,
)
from watchword.errors import Busy, InvalidArgument, NotFound
from watchword.parts import Parts
from watchword.push_texts import Asked, Wake
from watchword.views import Challenge, Push, PushShown

__all__ = ["Pushes"]

ID_CHARS: Final = 32
NUMBER_LOW, NUMBERS = 10, 90        # a number to match is 10 to 99
TEXT_BYTES_MAX: Final = 256         # what the phone shows beside the purpose
POLL_SKEW_MS: Final = 300_000       # that a phone's clock may differ from ours
PHONE = 23  # in a device as the core tells it
LOWER_HEX = frozenset("0123456789abcdef")

NOT_ITS_OWN: Final = "there is no such push, or it is not this phone's"


class Pushes(Parts):
    """push, pushes, decide_push, wait_push, and their forms for asyncio."""

    def push(
        self,
        user: str,
        *,
        platform: str = "trading",
        purpose: str | None = None,
        device: str | None = None,
        text: str = "",
        gateway: str | None = None,
    ) -> Push:
        """Asks this user's phone to approve a login (RULES section 4). Show the number where the
        login is; then verify(user, "", challenge=push.id) until it is no longer CHALLENGE.

        It is open for 60 seconds, and takes the place of one that is pending. Its number is 0 when
        as many were asked within 10 minutes, without an approval, as may be: then the phone's
        manual challenge stands instead, `prompt` is shown, and its response goes with the id.
        text: what the phone shows beside the purpose. Errors: InvalidArgument, Busy, StoreFailed.
        """
        push, turn, delivery = self._push(user, platform, purpose, device, text, gateway)
        if push is None:
            challenge, turn, _ = self._ask_phone(user, platform, purpose, delivery, gateway)
            push = manual(challenge)
            delivery = None
        self._wait(turn)
        self._wake_phone(delivery)
        return push

    async def apush(
        self,
        user: str,
        *,
        platform: str = "trading",
        purpose: str | None = None,
        device: str | None = None,
        text: str = "",
        gateway: str | None = None,
    ) -> Push:
        """push for asyncio."""
        push, turn, delivery = self._push(user, platform, purpose, device, text, gateway)
        if push is None:
            challenge, turn, _ = self._ask_phone(user, platform, purpose, delivery, gateway)
            push = manual(challenge)
            delivery = None
        await self._wait_soon(turn)
        self._wake_phone(delivery)
        return push

    def pushes(
        self, user: str, device: str, *, time_ms: int, signature: bytes | str,
        gateway: str | None = None,
    ) -> list[PushShown]:
        """What a phone is asked to approve for one of its users, the newest first: pending ones,
        and those whose place a later one took.

        device: the phone's serial; time_ms: the phone's clock, at most 5 minutes from ours;
        signature: over watchword.devices.phone.list_message. Errors: InvalidArgument; NotFound,
        whoever it was that did not sign.
        """
        signed = signature_bytes(signature)
        name, serial = utf8("user", user), utf8("device", device)
        if isinstance(time_ms, bool) or not isinstance(time_ms, int):
            raise InvalidArgument("time_ms is a whole number of milliseconds since 1970")
        with self._lock:
            self._alive()
            now, turn = self._now(), self._turn
            number, phone = self._phone_of(name, device, self._asker(gateway)[1])
        if abs(now - time_ms) > POLL_SKEW_MS:
            raise InvalidArgument("time_ms is more than 5 minutes from the engine's clock")
        message = list_message(user, serial.decode(), time_ms)
        if not is_signed(phone or NOBODY, message, signed) or not phone:
            self._wait(turn)  # a refusal, too, shows what it saw
            raise NotFound("no phone of this user signed that")
        with self._lock:
            self._alive()
            found = _engine.push_list(self._core, name, number, now)
            texts = [(self._push_texts.get(id.hex()), id.hex(), stands)
                     for id, stands, _, _ in found]
        self._wait(turn)
        return [
            PushShown(id, user, a.platform, a.purpose, a.text, a.expires_ms, stands)
            for a, id, stands in texts if a is not None and stands in ("pending", "cancelled")
        ]

    def decide_push(
        self,
        id: str,
        *,
        decision: str,
        unlocked: str,
        signature: bytes | str,
        number: int | None = None,
    ) -> str:
        """A phone's answer to a push; what became of it: approved, denied, mismatched, and what it
        was before if it was not pending any more, cancelled, expired or claimed.

        decision: approve or deny. number: as the person read it where the login is; only with
        approve. unlocked: pin or biometric; with deny, none as well. signature: over
        watchword.devices.phone.answer_message. Errors: InvalidArgument; NotFound, alike for an id
        that is none, another phone's, and a signature that is wrong: nothing happened.
        """
        signed = signature_bytes(signature)
        expect_answer(decision, unlocked, number)
        if not is_id(id):
            raise InvalidArgument(f"id is {ID_CHARS} lower-case hex digits")
        packed = bytes.fromhex(id)
        with self._lock:
            self._alive()
            asked, turn = self._push_texts.get(id), self._turn
            found = _engine.push_found(self._core, packed, self._now())
        phone = found[-1] if found and asked else None
        a = asked or Asked("", "", PLATFORMS[0], None, "", 0)
        message = answer_message(
            id, number, a.user, a.platform, a.purpose, a.text, decision, unlocked
        )
        if not is_signed(phone or NOBODY, message, signed) or phone is None or found is None:
            self._wait(turn)
            raise NotFound(NOT_ITS_OWN)
        to = "denied" if decision == "deny" else "approved" if number == found[1] else "mismatched"
        with self._lock:
            self._alive()
            stands = _engine.push_decide(
                self._core, packed, phone, to, unlocked == "biometric", self._now()
            )
            turn, woken = self._turn, self._push_texts.woken(id)
        for wake in woken:
            wake()
        self._wait(turn)
        if stands is None:
            raise NotFound(NOT_ITS_OWN)
        return stands

    def wait_push(self, id: str, timeout_s: float | None = None) -> bool:
        """Waits until a push is no longer pending, at most timeout_s or as long as it lives; says
        whether it is so. How it was decided is what verify says. Errors: InvalidArgument."""
        limit_s = expect_timeout(timeout_s)
        woken: SimpleQueue[None] = SimpleQueue()

        def wake() -> None:
            woken.put(None)

        left_s = self._watch(id, wake)
        if left_s is not None:
            try:
                woken.get(timeout=min(left_s, limit_s))
            except Empty:
                pass
            finally:
                self._unwatch(id, wake)
        return not self._is_pending(id)

    async def await_push(self, id: str, timeout_s: float | None = None) -> bool:
        """wait_push for asyncio: a future and its timer, nothing else, waits."""
        limit_s = expect_timeout(timeout_s)
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()

        def landed() -> None:
            if not woken.done():
                woken.set_result(None)

        def wake() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(landed)

        left_s = self._watch(id, wake)
        if left_s is not None:
            timer = loop.call_later(min(left_s, limit_s), landed)
            try:
                await woken
            finally:
                timer.cancel()
                self._unwatch(id, wake)
        return not self._is_pending(id)

    # -- what stands behind them

    def _push(
        self, user: str, platform: str, purpose: str | None, device: str | None, text: str,
        gateway: str | None,
    ) -> tuple[Push | None, int, Delivery | None]:
        """The push, the turn to wait for before it is shown, and its phone's wake-up. No push: as
        many as may be were asked, and the wake-up names the phone whose challenge is left."""
        one_of("platform", platform, PLATFORMS)
        if purpose is not None and not 1 <= len(utf8("purpose", purpose)) <= PURPOSE_BYTES_MAX:
            raise InvalidArgument(f"purpose is text of 1 to {PURPOSE_BYTES_MAX} bytes")
        if len(utf8("text", text)) > TEXT_BYTES_MAX:
            raise InvalidArgument(f"text is at most {TEXT_BYTES_MAX} bytes")
        serial = None if device is None else utf8("device", device)
        _, within = self._asker(gateway)
        name, random = utf8("user", user), self._entropy(24)
        number = NUMBER_LOW + int.from_bytes(random[16:], "little") % NUMBERS
        with self._lock:
            self._alive()
            if not self._core.name_legal(name):
                raise InvalidArgument("user holds what no name may hold, or is too long or empty")
            now = self._now()
            if self._shed():
                raise Busy("the engine sheds load: nothing was asked", hint="ask again later")
            opened = _engine.push_open(
                self._core, name, PLATFORMS.index(platform), serial, random[:16], number, now,
                within,
            )
            if opened is None:
                raise Busy("as many pushes as may be are open", hint="ask again later")
            spent, expires_ms, phone, cancelled = opened
            turn, id, delivery = self._turn, random[:16].hex(), None
            if phone is not None:
                delivery = Delivery(
                    wake_id(id), user, phone, platform, purpose, expires_ms, "", "push"
                )
            if spent:
                return None, turn, delivery
            if phone is not None:
                asked = Asked(user, phone, platform, purpose, text, expires_ms)
                self._push_texts.add(id, asked, now)
            woken = self._push_texts.woken(cancelled.hex()) if cancelled else []
        for wake in woken:
            wake()
        return Push(id, number, "", expires_ms), turn, delivery

    def _ask_phone(
        self, user: str, platform: str, purpose: str | None, phone: Delivery | None,
        gateway: str | None,
    ) -> tuple[Challenge | None, int, Delivery | None]:  # fmt: skip
        """The manual challenge of the phone that could have approved."""
        serial = None if phone is None else phone.device
        return self._ask(user, platform, purpose, serial, gateway, False, phone=True)

    def _wake_phone(self, delivery: Delivery | None) -> None:
        """The phone is told to look. What cannot be delivered is no harm: phones poll."""
        courier = self._courier
        if delivery is not None and courier is not None and not courier.is_full:
            courier.take(delivery)

    def _phone_of(self, name: bytes, serial: str, within: int) -> tuple[int, bytes]:
        """The number and the public key of an active phone; 0 and nothing when it is none. The
        lock is held."""
        slot = self._core.find(name)
        found = None if slot is None else self._core.user(slot)
        if found and within and found[3] != within - 1:
            found = None
        for device in found[-1] if found else ():
            if device[1] == serial and DEVICE_STATES[device[3]] == "active":
                return device[0], device[PHONE]
        return 0, b""

    def _stands(self, id: str) -> tuple[str, float]:
        """What has become of a push, and how many seconds it is still open. The lock is held."""
        now = self._now()
        found = _engine.push_found(self._core, bytes.fromhex(id), now) if is_id(id) else None
        return (found[0], (found[3] - now) / 1000) if found else ("", 0.0)

    def _is_pending(self, id: str) -> bool:
        with self._lock:
            self._alive()
            stands, turn = self._stands(id)[0], self._turn
        self._wait(turn)
        return stands == "pending"

    def _watch(self, id: str, wake: Wake) -> float | None:
        """wake() will be called, from any thread, when this push is no longer pending: the seconds
        it can still be that. None, and it will not: there is nothing to wait for."""
        with self._lock:
            self._alive()
            stands, left_s = self._stands(id)
            if stands != "pending":
                return None
            pushed_out = self._push_texts.wait(id, wake)
        for longest in pushed_out:
            longest()
        return left_s

    def _unwatch(self, id: str, wake: Wake) -> None:
        with self._lock:
            self._push_texts.leave(id, wake)


def manual(challenge: Challenge | None) -> Push:
    assert challenge is not None, "no code was asked for"
    return Push(challenge.id, 0, challenge.prompt, challenge.expires_ms)


def is_id(id: object) -> bool:
    return isinstance(id, str) and len(id) == ID_CHARS and set(id) <= LOWER_HEX


def expect_answer(decision: object, unlocked: object, number: object) -> None:
    one_of("decision", decision, DECISIONS)
    known = isinstance(unlocked, str) and unlocked in UNLOCKED
    if not known or (decision == "approve" and unlocked == "none"):
        raise InvalidArgument("unlocked is pin or biometric; with deny, none as well")
    if decision == "deny":
        if number is not None:
            raise InvalidArgument("number must be left out with deny")
    elif (
        isinstance(number, bool) or not isinstance(number, int)
        or not NUMBER_LOW <= number < NUMBER_LOW + NUMBERS
    ):  # fmt: skip
        raise InvalidArgument("number is a whole number from 10 to 99")


def expect_timeout(timeout_s: object) -> float:
    if timeout_s is None:
        return float("inf")
    if (
        isinstance(timeout_s, bool) or not isinstance(timeout_s, (int, float))
        or not timeout_s >= 0
    ):  # fmt: skip
        raise InvalidArgument("timeout_s is a number of seconds from 0, or None")
    return float(timeout_s)
