"""Attempts that change what a user knows: another PIN, another password.

Rule: the attempt is like any other, counted, locked and using up its code, and whatever follows
from it stands in the same row: the change is made with ACCEPTED alone, and with it or not at all.
"""

from collections.abc import Callable, Sequence

from watchword import lifecycle
from watchword._engine import Batch, Verdict, id_text, phone_lines, pin_kept
from watchword.acts import utf8
from watchword.confining import said_within
from watchword.devices import pins
from watchword.devices.arguments import utf8_text
from watchword.devices.ocra import Suite
from watchword.errors import InvalidArgument
from watchword.hashing import KEPT, NEEDS_DEVICE, NEEDS_PIN, SALT_BYTES
from watchword.logins import expect_text, place_of
from watchword.passwords import Passwords, busy, new_password
from watchword.questions import Questions

__all__ = ["Changes"]

class Changes(Passwords, Questions):
    """change_pin, change_password; with the verbs that set what is changed."""

    def change_pin(
        self,
        user: str,
        old_pin: str,
        response: str,
        new_pin: str,
        *,
        device: str | None = None,
        challenge: str | None = None,
        platform: str = "portal",
        address: str | None = None,
        personal: Sequence[str] = (),
        gateway: str | None = None,
    ) -> Verdict:
        """Another PIN for the device whose response this is: an attempt, and the PIN is another
        when its verdict is ACCEPTED. A phone has one PIN: it is another for each of its users.

        The response is without PIN; of a device that signs its PIN, made with the old one. What a
        phone approved is none, since nobody typed the old PIN with it. Refused as InvalidArgument,
        before anything is counted: a new PIN that is too short or too plain, or part of `personal`
        (birth date, phone, address, ID, names). One that this kind of device cannot have is refused
        so after the right response, which is then used up. Errors: InvalidArgument, StoreFailed.
        """
        text = pins.new_pin("new_pin", new_pin, personal)
        if not utf8_text("old_pin", old_pin):
            raise InvalidArgument("old_pin is text of 1 character or more")
        kept = pins.kept(self._kept_key_of_pins, self._entropy(pins.SALT_BYTES), text)
        unfit: list[InvalidArgument] = []

        def changed(verdict: Verdict) -> bytes:
            number, found = self._user(user)
            view = next(view for view in found.devices if view.serial == verdict.device)
            wanted = self._device(user, view.serial)
            sort = pin_kept(self._core, number & 0xFFFFFFFF, wanted)
            try:
                pins.prefix_pin(view.kind, text, "new_pin")
                if sort == "prefix":
                    pins.new_pin("new_pin", text, (), self._policy.pin_chars_min)
            except InvalidArgument as error:
                unfit.append(error)
                return b""
            if sort == "prefix":
                return lifecycle.pin_set(number, wanted, kept)
            digest = pins.pin_digest(Suite.parse(view.suite).pin_algorithm, text, None)
            lines = phone_lines(self._core, number & 0xFFFFFFFF, wanted)
            return b"".join(
                lifecycle.pin_set(self._number_of(slot), device, digest) for slot, device in lines
            )

        verdict = self._attempt_then(
            user, response, platform, device, challenge, address, gateway, old_pin,
            NEEDS_PIN, 0, changed,
        )  # fmt: skip
        if unfit:
            raise unfit[0]
        return verdict

    def _number_of(self, slot: int) -> int:
        found = self._core.user(slot)
        assert found is not None, "a phone's chain names no free slot"
        return int(found[0])

    def change_password(
        self,
        user: str,
        old_password: str,
        response: str,
        new_password_: str,
        *,
        pin: str | None = None,
        device: str | None = None,
        challenge: str | None = None,
        platform: str = "portal",
        address: str | None = None,
        gateway: str | None = None,
    ) -> Verdict:
        """Another password: an attempt with the old one and a right response, and the password is
        another when its verdict is ACCEPTED. Errors: InvalidArgument, Busy, StoreFailed."""
        text = new_password(self._policy, user, new_password_, "new_password")
        figures = self._figures(self._entropy(SALT_BYTES))
        fact, made = self._fact(user, utf8("old_password", old_password).decode(), False), None
        if fact is not None:
            made = self._hasher.hash(text, figures)
        if fact is None or made is None:
            raise busy()
        kept = KEPT.pack(figures.salt, made, *figures[1:], 0)

        def changed(_: Verdict) -> bytes:
            return self._password_acts(self._user(user)[0], kept)

        return self._attempt_then(
            user, response, platform, device, challenge, address, gateway, pin,
            fact.first, fact.number, changed,
        )  # fmt: skip

    def _attempt_then(
        self, user: str, response: str, platform: str, device: str | None, challenge: str | None,
        address: str | None, gateway: str | None, pin: str | None, first: int, password: int,
        follows: Callable[[Verdict], bytes], given: tuple[str | bytes, str | None] | None = None,
    ) -> Verdict:  # fmt: skip
        """One attempt, and in its row what follows from ACCEPTED, which a device has to answer.
        given: a request id, and the password that was tried with it."""
        utf8("user", user)      # what follows names the user again
        expect_text("response", response)
        for name, word in (("device", device), ("challenge", challenge), ("pin", pin)):
            expect_text(name, word, optional=True)
        where, _ = place_of(platform, "live")
        names, within = self._asker(gateway)
        realm, bound = said_within(within)
        by_id = None if given is None else (self._core, names, id_text(given[0]), given[1])
        with self._lock:
            self._alive()
            batch = self._one
            batch.reset()
            now = self._now()
            batch.put(
                user, response, where, realm, device, address, None, self._shed(), challenge, None,
                pin, first | bound | NEEDS_DEVICE, password, False, False, by_id,
            )  # fmt: skip
            verdict, turn = self._take_and(batch, now, names, follows)
        self._wait(turn)
        return verdict

    def _take_and(
        self, batch: Batch, now_ms: int, names: bytes, follows: Callable[[Verdict], bytes]
    ) -> tuple[Verdict, int]:
        self._lock.open_turn = True
        units = self._core.turn(batch, now_ms)
        verdict = self._core.verdict(batch, 0)
        if units:
            row = self._core.row(batch, self._turn + 1, names, 1)
            self._core.passed(now_ms)
            acts = follows(verdict) if verdict else b""
            if acts:
                self._core.act(lifecycle.row(acts, self._turn + 1, now_ms))
                row = lifecycle.joined(row, acts)
            self._turn += 1
            self._submit(row)
        self._lock.open_turn = False
        return verdict, self._turn
