"""Why a user's last attempts went as they did, and what would let the user in, in plain words.

Rule: for operators, never for users: it says what no reply to a gateway says (that there is no such
user, that a code was right under a lock). Every reason a record can have has a sentence here.
"""

import re
import shlex
from dataclasses import dataclass
from typing import Final

from watchword._engine import Code, Reason
from watchword.audit import Entry, duration, iso
from watchword.policy import Policy
from watchword.views import DeviceView, EntryView, User

__all__ = ["SENTENCES", "Explanation", "Told", "explained", "moments", "why"]

SLS: Final = "no user can have this name: names are 1 to 64 lower-case letters and digits"
EPOCH_MS: Final = 300_000
RESYNC: Final = (
    "since the store was restored, nobody knows how far its counter has come: it verifies nothing "
    "before two codes in a row",
    "take two fresh codes in a row: watchword device resync {user} {serial}",
)

# What an entry's own words go into: {device} with its kind, {platform}, {realm}.
SENTENCES: Final[dict[tuple[Code, Reason], str]] = {
    (Code.ACCEPTED, Reason.NONE): "let in: {device} was right",
    (Code.REJECTED, Reason.WRONG):
        "refused: it matches no device of this user: mistyped, another device's, of a counter "
        "that has passed, or further from the expected position than the window reaches",
    (Code.REJECTED, Reason.REPLAYED):
        "refused: the code was right and had been used; each is accepted once",
    (Code.REJECTED, Reason.UNKNOWN_USER): "refused: there was no user of this name",
    (Code.REJECTED, Reason.NO_DEVICE): "refused: no device of this user could answer",
    (Code.REJECTED, Reason.DEVICE_UNKNOWN):
        "refused: the device that was named is not this user's",
    (Code.REJECTED, Reason.DEVICE_INACTIVE): "refused: the device that was named was not active",
    (Code.REJECTED, Reason.NO_CHALLENGE):
        "refused: the challenge that was named is void, answered or another's; or none stood, "
        "and the device answers nothing else; or it wants two codes in a row, since a restore",
    (Code.LOCKED, Reason.LOCKED):
        "refused: the user was locked, and under a lock everything is refused",
    (Code.CHALLENGE, Reason.EMPTY):
        "nothing was typed: the gateway was told to ask for a challenge first",
    (Code.EXPIRED, Reason.OVERDUE):
        "too late: the challenge, the push or the temporary device had run out",
    (Code.NOT_PERMITTED, Reason.ACCOUNT):
        "right, but the account was not open, and opened the portal alone; this was {platform}",
    (Code.NOT_PERMITTED, Reason.REALM): "right, but for realm {realm}, which is not this user's",
    (Code.NOT_PERMITTED, Reason.SCOPE):
        "right, but the temporary passcode opened the portal alone by then; this was {platform}",
    (Code.BAD_CHARACTER, Reason.NAME): "the name held what no name may hold: nothing was tried",
    (Code.REJECTED, Reason.PIN):
        "refused: the code was right, the PIN with it was not, or there is none; it is used up",
    (Code.REJECTED, Reason.PASSWORD): "refused: the password was wrong, or missing",
    (Code.NOT_PERMITTED, Reason.ADDRESS):
        "refused unlooked at: it came from elsewhere than this user may come from, or said no "
        "address",
    # Of an act, not of an attempt: the audit trail has them.
    (Code.NOT_PERMITTED, Reason.IDENTITY): "not shared: different identification information",
    (Code.NOT_PERMITTED, Reason.TEMPORARY): "not shared: temporary device in use",
    (Code.NOT_PERMITTED, Reason.LESS_SECURE): "not shared: less secure device",
    (Code.NOT_PERMITTED, Reason.LIMIT): "not withdrawn: it was beyond the limit",
    (Code.REJECTED, Reason.DENIED): "refused: the phone denied it",
    (Code.REJECTED, Reason.MISMATCHED):
        "refused: the phone approved it under a number that was not shown where the login is",
    (Code.EXPIRED, Reason.ENDED):
        "right, but the temporary device had ended: the user had a permanent one by then",
    (Code.EXPIRED, Reason.CANCELLED): "too late: a later push had taken this one's place",
    # These leave no record; a gateway that saw one may ask all the same.
    (Code.CHALLENGE, Reason.PENDING): "the phone had not decided yet",
    (Code.BUSY, Reason.SOURCE): "nothing was tried: too many failures came from that address",
    (Code.BUSY, Reason.LOAD): "nothing was tried: the engine shed load, or doubted its clock",
}


@dataclass(frozen=True, slots=True)
class Told:
    """An attempt and why it went as it did."""

    entry: Entry
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A user as an operator asks for it. known: whether there is one. standing: what is so now.
    attempts: the last ones, the oldest first. remedies: what would let the user in."""

    user: str
    known: bool
    standing: tuple[str, ...]
    attempts: tuple[Told, ...]
    remedies: tuple[str, ...]


def why(entry: Entry) -> str:
    """One attempt in words."""
    if entry.event == "answer" and entry.verdict in ("ACCEPTED", "REJECTED"):
        right = entry.verdict == "ACCEPTED"
        said = f"the answer to a security question was {'right' if right else 'wrong'}"
        locks = f"; it began a lock, for {duration(entry.locked_ms)}"
        return said + locks if entry.locked_ms else said
    if entry.event == "login" and entry.verdict == "ACCEPTED" and not entry.device:
        return "let in without a device: the first factor held"
    try:
        form = SENTENCES[Code[entry.verdict], Reason[entry.reason]]
    except KeyError:
        return f"{entry.verdict}, {entry.reason}"
    device = f"{entry.device} ({entry.kind})" if entry.device else "the device"
    if (entry.event, entry.verdict) == ("activation", "ACCEPTED"):
        return f"activated: {device} was right"
    said = form.format(device=device, platform=entry.platform, realm=entry.realm)
    used = [entry.device] * (entry.position is not None) + list(entry.others)
    if entry.verdict == Code.LOCKED.name and used:
        said += f"; the code of {', '.join(used)} was right, and is used up"
    if entry.locked_ms:
        began = "the wait began again" if entry.verdict == Code.LOCKED.name else "it began a lock"
        said += f"; {began}, for {duration(entry.locked_ms)}"
    return said


def explained(
    name: str, user: User | None, entries: list[Entry], policy: Policy, now_ms: int,
    entry: EntryView | None = None,
) -> Explanation:  # fmt: skip
    """From a user as it stands, or None, and its last attempts."""
    told = tuple(Told(entry, why(entry)) for entry in entries)
    if user is None:
        gone = any(not entry.user.startswith("?") for entry in entries)
        said = f"there is no user {name!r}" + (" any more" if gone else "")
        bound = policy.names == "sls" and not re.fullmatch(r"[0-9a-z]{1,64}", name)
        add = (SLS if bound else f"watchword user add {shlex.quote(name)}",)
        return Explanation(name, False, (said,), told, add)
    standing, remedies = _account(user)
    known = [] if entry is None else [_entry(user, entry)]
    for part in (*known, _lock(user, policy, now_ms), _devices(user, now_ms)):
        standing += part[0]
        remedies += part[1]
    if not remedies:
        remedies = ["the next right code lets the user in"]
    return Explanation(name, True, tuple(standing), told, tuple(remedies))


Lines = tuple[list[str], list[str]]


def _account(user: User) -> Lines:
    said, remedies = [f"the account is {user.state}, realm {user.realm}"], []
    if user.state != "open":
        said[0] += ": it opens the portal alone"
        remedies.append("log in on the portal, or have the account opened")
    if user.realm != "live":
        remedies.append(f"the gateway must say realm {user.realm}")
    return said, remedies


def _entry(user: User, entry: EntryView) -> Lines:
    said, remedies = [], []
    if entry.addresses:
        said.append(
            f"may come from {', '.join(entry.addresses)} alone; from elsewhere, or where no "
            "address is said, everything is refused"
        )
        remedies.append(
            f"come from {entry.addresses[0]}, or watchword user addresses {user.name} --clear"
        )
    if entry.opted_out:
        said.append("opted out: on trading nothing need be typed where the first factor holds")
    if entry.has_password:
        said.append("has a password, which every login needs or a gateway vouches for")
    said += [f"device {one}: a code that one of them used is used" for one in entry.shared]
    return said, remedies


def _lock(user: User, policy: Policy, now_ms: int) -> Lines:
    left_ms = (user.locked_until_ms or 0) - now_ms
    if left_ms > 0:
        said = f"locked until {iso(user.locked_until_ms or 0)}, {duration(left_ms)} more, with "
        said += f"{user.failures} refused in a row"
        if policy.lockout_extend:
            said += "; each attempt until then starts the wait again"
        wait = "wait until then without trying" if policy.lockout_extend else "wait until then"
        return [said], [f"{wait}, or watchword user unlock {user.name}"]
    if user.locked_until_ms:
        return ["a lock has run out, and its failures with it"], []
    if not user.failures:
        return ["not locked, no failure in a row"], []
    more = max(1, policy.lockout_failures - user.failures)
    said = f"not locked; {_failures(user.failures)} in a row, {more} more "
    return [f"{said}within {duration(policy.lockout_window_ms)} begin a lock"], []


def _failures(count: int) -> str:
    return "1 failure" if count == 1 else f"{count} failures"


def _devices(user: User, now_ms: int) -> Lines:
    if not user.devices:
        return ["no device"], [f"watchword device add totp {user.name}"]
    said, remedies = [], []
    for view in user.devices:
        line, helps = _device(view, now_ms)
        said.append(f"device {view.serial} ({view.kind}): {line}")
        if helps and helps not in remedies:
            remedies.append(helps.format(user=user.name, serial=view.serial))
    if any(_answers(view, now_ms) for view in user.devices):
        remedies = [words for words in remedies if words.startswith("ask for a challenge")]
    return said, remedies


def _answers(view: DeviceView, now_ms: int) -> bool:
    """Whether a response to this device can be right at all."""
    over = view.kind == "temporary-passcode" and now_ms >= view.until_ms
    return view.state == "active" and not over and not view.resync


def _device(view: DeviceView, now_ms: int) -> tuple[str, str]:
    """How it stands, and what would help; the second is empty where nothing need be done."""
    if view.capped:
        return (
            f"suspended by {_failures(view.failures)} in a row", "watchword user unlock {user}"
        )
    if view.state == "shipped":
        helps = "watchword device activate {user} {serial}, when it is at hand"
        return ", ".join(["shipped, which verifies nothing yet", *_moments(view)]), helps
    if view.state in ("returned", "expired"):
        return f"{view.state}, which verifies nothing any more", "add a device, or ship one"
    if view.state != "active":
        return f"{view.state}, which verifies nothing", "make device {serial} active, or add one"
    if view.resync:
        return RESYNC
    if view.kind == "temporary-passcode":
        return _passcode(view, now_ms)
    if view.mechanism in ("password", "question"):
        return "is kept", ""
    if view.mechanism == "ocra" or view.mechanism == "card" or view.kind == "sms":
        return _asked(view, now_ms)
    said = ", ".join(["active", *_moments(view)])
    if view.mechanism == "totp" and view.drift:
        said += f", its clock {abs(view.drift)} steps {'ahead' if view.drift > 0 else 'behind'}"
    if view.failures:
        said += f", {_failures(view.failures)} in a row"
    return said, ""


def moments(view: DeviceView) -> str:
    """When a device is expected, becomes active of itself, and ends, as far as it is to come."""
    return ", ".join(_moments(view))


def _moments(view: DeviceView) -> list[str]:
    shipped = view.state == "shipped"
    said = [f"expected {view.delivery}"] if shipped and view.delivery else []
    said += [f"active of itself {iso(view.activates_ms)}"] if shipped and view.activates_ms else []
    said += [f"in place of {view.replaces}"] if shipped and view.replaces else []
    ends = view.expires_ms and view.state in ("shipped", "active", "suspended")
    return said + ([f"until {iso(view.expires_ms)}"] if ends else [])


def _passcode(view: DeviceView, now_ms: int) -> tuple[str, str]:
    if now_ms >= view.until_ms:
        ran_out = f"ran out {iso(view.until_ms)}"
        return ran_out, "issue another: watchword device add passcode {user}"
    if now_ms >= view.full_until_ms:
        return f"opens the portal alone, until {iso(view.until_ms)}", ""
    return f"opens both platforms until {iso(view.full_until_ms)}", ""


def _asked(view: DeviceView, now_ms: int) -> tuple[str, str]:
    if view.mechanism == "card" and not view.answers_left and view.once:
        return "no cell is left to ask for", "give the user another card"
    stands = []
    for open_ in view.challenges:
        ends_ms = open_.epoch * 1000 if view.kind == "sms" else (open_.epoch + 2) * EPOCH_MS
        if view.mechanism == "card":
            stands.append(f"one stands on {open_.platform}")
        elif now_ms < ends_ms:
            stands.append(f"one stands on {open_.platform} until {iso(ends_ms)}")
    what = "codes that are sent" if view.kind == "sms" else "challenges"
    if stands:
        return f"active, answers {what}; {'; '.join(stands)}", ""
    none = f"active, answers {what}; none stands"
    return none, "ask for a challenge first: watchword challenge {user}"
