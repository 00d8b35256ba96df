"""Enrolment of phones: a token that was sent, a public key and a PIN become an ib-key.

Rule: giving the token is an attempt like any other. The device it earns is in the same row as the
attempt, so that a crash keeps both or neither; the key that the phone computes responses with is
made here and told this once.
"""

from watchword import _engine, lifecycle
from watchword._engine import DEVICES_PER_USER_MAX, Verdict
from watchword.acts import legal_serial, utf8
from watchword.devices.device import Device
from watchword.devices.phone import public_key as phone_key
from watchword.devices.pins import phone_pin
from watchword.errors import Error, Exists, InvalidArgument
from watchword.hashing import WITHIN
from watchword.logins import expect_text, place_of
from watchword.parts import Parts
from watchword.views import Enrolment, User

__all__ = ["ACTIVATION", "Enrolments"]

ACTIVATION = "activate ib-key"      # the purpose of the code that is the token
KEY_BYTES = 32                      # as long as the suite's hash
NO_ID = "-"                         # names no challenge, and so is refused like any wrong one


class Enrolments(Parts):
    """enrol_phone."""

    def enrol_phone(
        self,
        user: str,
        challenge: str,
        token: str,
        public_key: bytes | str,
        pin: str,
        *,
        platform: str = "trading",
        serial: str | None = None,
        address: str | None = None,
        gateway: str | None = None,
    ) -> Enrolment:
        """Gives a user the phone that shows this token (RULES section 6), when it is right.

        challenge: the id that send_code(user, purpose=ACTIVATION) gave. public_key: Ed25519 or
        P-256. pin: 4 to 6 ASCII letters, digits and specials, the same for every user of a phone.
        A wrong token is a failure like any other. The user's ib-key before this one is gone.
        Errors: InvalidArgument; Exists when the phone serves others with another PIN, or the serial
        is taken, for which a right token is used up; StoreFailed.
        """
        phone = phone_key(public_key)
        made = Device.ib_key(self._entropy(KEY_BYTES), phone_pin(pin), phone)
        places = place_of(platform, "live")
        expect_text("token", token)
        given = None if serial is None else legal_serial(serial)
        names, within = self._asker(gateway)
        bound = WITHIN if within else 0
        purpose, refusal, enrolment = ACTIVATION.encode(), None, None
        id = utf8("challenge", challenge)
        with self._lock:
            self._alive()
            self._expect_suite(made)
            if not _engine.token_is_for(self._core, id, purpose):
                challenge = NO_ID
            batch = self._one
            batch.reset()
            now, shed = self._now(), self._shed()
            realm = within - 1 if within else self._realm_of(user)
            batch.put(
                user, token, places[0], realm, None, address, None, shed, challenge, None,
                first=bound,
            )
            self._lock.open_turn = True
            units = self._core.turn(batch, now)
            verdict = self._core.verdict(batch, 0)
            row = self._core.row(batch, self._turn + 1, names, 1) if units else b""
            if units:
                self._core.passed(now)
                if verdict:
                    try:
                        enrolment, acts = self._enrolled(user, verdict, made, given)
                    except Error as error:
                        refusal = error
                    else:
                        self._core.act(lifecycle.row(acts, self._turn + 1, now))
                        row = lifecycle.joined(row, acts)
                self._turn += 1
                self._submit(row)
            turn = self._turn
            self._lock.open_turn = False
        self._wait(turn)
        if refusal is not None:
            raise refusal
        return enrolment or Enrolment(verdict)

    def _realm_of(self, user: str) -> int:
        """A phone is of the user's own realm. The lock is held."""
        slot = self._core.find(utf8("user", user))
        found = None if slot is None else self._core.user(slot)
        return found[3] if found else 0

    def _enrolled(
        self, name: str, verdict: Verdict, made: Device, given: str | None
    ) -> tuple[Enrolment, bytes]:
        """What the phone is told, and the acts: the ib-key before goes, this one comes."""
        if verdict.kind != "sms":
            raise InvalidArgument("challenge is one that send_code gave")
        number, user = self._user(name)
        before = [view.serial for view in user.devices if view.kind == "ib-key"]
        self._expect_pin(made)
        if len(user.devices) - len(before) >= DEVICES_PER_USER_MAX:
            raise InvalidArgument(f"a user has at most {DEVICES_PER_USER_MAX} devices")
        device = self._core.next_device()
        serial = given or f"W{device:08d}"
        expect_free(user, serial, before)
        acts = b"".join(
            self._bury(number, old) + lifecycle.device_remove(number, self._device(name, old))
            for old in before
        )
        acts += lifecycle.device_add(
            number, device, made, made.key, serial.encode(), 0, self._kept_pin(made)
        )
        return Enrolment(verdict, serial, made.key, made.suite, tuple(before)), acts


def expect_free(user: User, serial: str, going: list[str]) -> None:
    if any(view.serial == serial and serial not in going for view in user.devices):
        raise Exists(f"user {user.name!r} has a device {serial!r} already")
