"""The asking verbs of an engine: a challenge for a user, waited for or awaited.

Rule: an ask is a turn of its own, writes one record whoever is named, and is shown when that record
is durable. A name that does not exist, or has no device for it, is asked as plausibly.
"""

import asyncio

from watchword import _engine
from watchword._engine import PLATFORMS, PURPOSE_BYTES_MAX
from watchword.acts import utf8
from watchword.errors import Busy, InvalidArgument
from watchword.lifecycle import gateway_packed
from watchword.parts import Parts
from watchword.views import Challenge

__all__ = ["Challenges"]


class Challenges(Parts):
    """challenge, achallenge."""

    def challenge(
        self,
        user: str,
        *,
        platform: str = "trading",
        purpose: str | None = None,
        device: str | None = None,
        gateway: str | None = None,
    ) -> Challenge:
        """A challenge for this user; durable when it is returned (RULES section 4).

        One stands for each device and platform: asked again for the same purpose it is the same,
        for another purpose a new one takes its place. It is good for 5 to 10 minutes. device: the
        serial of the device to ask; else the highest-ranked. Errors: InvalidArgument, Busy,
        StoreFailed.
        """
        challenge, turn = self._ask(user, platform, purpose, device, gateway)
        self._wait(turn)
        return challenge

    async def achallenge(
        self,
        user: str,
        *,
        platform: str = "trading",
        purpose: str | None = None,
        device: str | None = None,
        gateway: str | None = None,
    ) -> Challenge:
        """challenge for asyncio."""
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

        challenge, turn = self._ask(user, platform, purpose, device, gateway)
        self._when_durable(turn, tell)
        await durable
        if self._commits.failed is not None:
            self._alive()
        return challenge

    def _ask(
        self, user: str, platform: str, purpose: str | None, device: str | None,
        gateway: str | None,
    ) -> tuple[Challenge, int]:  # fmt: skip
        """The challenge, and the turn to wait for before it is shown."""
        if platform not in PLATFORMS:
            raise InvalidArgument(f"platform is one of {', '.join(PLATFORMS)}")
        aim = None if purpose is None else utf8("purpose", purpose)
        if aim is not None and not 1 <= len(aim) <= PURPOSE_BYTES_MAX:
            raise InvalidArgument(f"purpose is text of 1 to {PURPOSE_BYTES_MAX} bytes")
        serial = None if device is None else utf8("device", device)
        names = self._names if gateway is None else gateway_packed(gateway)
        name = utf8("user", user)
        with self._lock:
            self._alive()
            if not self._core.name_legal(name):
                raise InvalidArgument("user holds what no name may hold, or is too long or empty")
            now = self._now()
            if self._shed():
                raise Busy("the engine sheds load: nothing was asked", hint="ask again later")
            self._lock.open_turn = True
            row, token, kind, prompt, expires_ms = _engine.ask(
                self._core, name, PLATFORMS.index(platform), aim, serial, self._turn + 1, now,
                names, 1
            )  # fmt: skip
            self._turn += 1
            turn = self._submit(row)
            self._lock.open_turn = False
        return Challenge(token, kind, prompt, expires_ms), turn
