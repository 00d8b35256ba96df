"""What is said to a daemon and what it replies: commands as bytes, replies as typed answers.

A call is a command's bytes, what makes an answer of its reply, and whether it may be sent again
when that was lost. Nothing here waits or knows of a connection.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, NoReturn, TypedDict, TypeVar

from watchword._engine import KINDS, Code
from watchword.errors import Busy, Error, Exists, InvalidArgument, NotFound, Refused
from watchword.views import Challenge, Push, Question

__all__ = [
    "Attempt", "Call", "Verdict", "answer", "challenge", "greeting", "plain", "push", "question",
    "refusal", "send_code", "verify", "verify_many",
]  # fmt: skip

PAIRS_MAX: Final = 4096             # of one VERIFYMANY, and bytes
MANY_BYTES_MAX: Final = 200_000
WAIT_SECONDS_MAX: Final = 60
ID_BYTES: Final = 16                # random, sent as hex
KINDS_OF_REFUSAL: Final = {
    "NOTFOUND": NotFound, "EXISTS": Exists, "INVALID": InvalidArgument, "BUSY": Busy,
}  # fmt: skip

T = TypeVar("T")


class Attempt(TypedDict, total=False):
    """What a login may say besides name and response; see watchword.Engine.verify. wait_s: so long
    the answer is held for the push that `challenge` names, 60 at most. request_id: one of the
    caller's own, 8 to 64 bytes of text."""

    platform: str
    realm: str
    device: str | None
    challenge: str | None
    session: bytes | None
    address: str | None
    pin: str | None
    password: str | None
    wait_s: float
    request_id: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """A daemon's answer to one attempt; true for ACCEPTED alone. Fields are watchword.Verdict's, of
    which a gateway is not told the reason."""

    code: Code
    device: str | None = None
    kind: str = KINDS[0]
    scope: str = ""
    rank: int = 0
    session_ms: int = 0
    retry_after_ms: int = 0

    def __bool__(self) -> bool:
        return self.code is Code.ACCEPTED


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """again: it may be sent twice. wait_s: so much longer its answer may take."""

    frame: bytes
    read: Callable[[Any], T]
    again: bool = True
    wait_s: float = 0.0


def frame(words: Sequence[str | bytes]) -> bytes:
    texts = [w if isinstance(w, bytes) else w.encode("utf-8", "surrogatepass") for w in words]
    return b"*%d\r\n" % len(texts) + b"".join(b"$%d\r\n%b\r\n" % (len(t), t) for t in texts)


def refusal(said: str) -> Error:
    """The exception that an error reply is."""
    word, _, rest = said.partition(" ")
    if word in KINDS_OF_REFUSAL:
        return KINDS_OF_REFUSAL[word](rest)
    if "request_id was given before" in said:
        return InvalidArgument(rest)
    return Refused(said)


def greeting(name: str | None, token: str | None) -> bytes:
    """HELLO: RESP3, and who we are."""
    who = () if token is None else ("AUTH", name or "default", token)
    return frame(("HELLO", "3", *who))


def verify(user: str, response: str, options: Mapping[str, Any]) -> Call[Verdict]:
    words = ["VERIFY", _text("user", user), _text("response", response), "DETAIL"]
    wait_s = 0.0
    for name, given in options.items():
        if name not in Attempt.__annotations__:
            raise InvalidArgument(f"{name} is none of {', '.join(Attempt.__annotations__)}")
        if given is None or name == "request_id":
            continue
        if name == "wait_s":
            wait_s = _seconds(given)
            words += ["WAIT", str(int(1000 * wait_s))]
        elif name == "session":
            if not isinstance(given, bytes):
                raise InvalidArgument("session is bytes")
            words += ["SESSION", given.hex()]
        else:
            words += [name.upper(), _text(name, given)]
    return Call(frame([*words, "ID", _id(options)]), _verdict, wait_s=wait_s)


def verify_many(
    users: Sequence[str], responses: Sequence[str], options: Mapping[str, Any]
) -> list[Call[list[Code]]]:
    """As few commands as hold them all, in order."""
    if len(users) != len(responses):
        raise InvalidArgument(f"responses has {len(responses)} entries, users has {len(users)}")
    behind: list[str] = []
    for name, given in options.items():
        if name not in ("platform", "address"):
            raise InvalidArgument(f"{name} is none of platform, address")
        if given is not None:
            behind += [name.upper(), _text(name, given)]
    pairs, calls = zip(users, responses, strict=True), []
    pair = next(pairs, None)
    while pair is not None:
        words: list[str] = []
        size = 0
        while pair is not None and len(words) < 2 * PAIRS_MAX and size < MANY_BYTES_MAX:
            words += (_text("users", pair[0]), _text("responses", pair[1]))
            size += 20 + 4 * len(pair[0]) + 4 * len(pair[1])
            pair = next(pairs, None)
        count = len(words) // 2
        said = ["VERIFYMANY", str(count), *words, *behind, "ID", _id({})]
        calls.append(Call(frame(said), _codes))
    return calls


def answer(user: str, id: str, text: str, address: str | None) -> Call[Verdict]:
    words = ["ANSWER", _text("user", user), _text("id", id), _text("answer", text)]
    words += [] if address is None else ["ADDRESS", _text("address", address)]
    return Call(frame([*words, "ID", _id({})]), lambda said: Verdict(Code[said]))


def challenge(user: str, options: Mapping[str, Any]) -> Call[Challenge]:
    """To ask twice is to be shown the same."""
    names = {"platform", "device", "purpose", "question", "client_question"}
    said = frame(["CHALLENGE", _text("user", user), *_named(options, names)])
    return Call(said, _challenge)


def send_code(user: str, options: Mapping[str, Any]) -> Call[Challenge]:
    """Asked twice, two codes are sent and the older is void."""
    named = _named(options, {"platform", "device", "purpose"})
    said = frame(["CHALLENGE", _text("user", user), *named, "KIND", "sms"])
    return Call(said, _challenge, again=False)


def push(user: str, options: Mapping[str, Any]) -> Call[Push]:
    """Asked twice, the phone shows two and the older is cancelled."""
    named = _named(options, {"platform", "device", "purpose", "text"})
    said = frame(["PUSH", _text("user", user), *named])
    return Call(said, lambda told: Push(**told), again=False)


def question(user: str) -> Call[Question]:
    return Call(frame(["QUESTION", _text("user", user)]), lambda told: Question(**told))


def plain(words: Sequence[str | bytes]) -> Call[Any]:
    return Call(frame(words), lambda told: told, again=False)


# ---- arguments and replies -----------------------------------------------------------------------


def _text(name: str, given: Any) -> str:
    if not isinstance(given, str):
        raise InvalidArgument(f"{name} is str, not {type(given).__name__}")
    return given


def _seconds(given: Any) -> float:
    whole = isinstance(given, (int, float)) and not isinstance(given, bool)
    if not whole or not 0 <= given <= WAIT_SECONDS_MAX:
        raise InvalidArgument(f"wait_s is 0 to {WAIT_SECONDS_MAX} seconds")
    return float(given)


def _id(options: Mapping[str, Any]) -> str:
    return _text("request_id", options.get("request_id") or secrets.token_hex(ID_BYTES))


def _named(options: Mapping[str, Any], legal: set[str]) -> list[str]:
    words: list[str] = []
    for name, given in options.items():
        if name not in legal:
            raise InvalidArgument(f"{name} is none of {', '.join(sorted(legal))}")
        if given is not None:
            words += ["CLIENT" if name == "client_question" else name.upper(), _text(name, given)]
    return words


def _verdict(told: Any) -> Verdict:
    if not isinstance(told, dict):
        _strange(told)
    return Verdict(
        Code(told["code"]), told["device"], told["kind"] or KINDS[0], told["scope"] or "",
        told["rank"], told["session_ms"], told["retry_after_ms"],
    )  # fmt: skip


def _codes(told: Any) -> list[Code]:
    if not isinstance(told, list):
        _strange(told)
    return [Code[name] for name in told]


def _challenge(told: Any) -> Challenge:
    if not isinstance(told, dict):
        _strange(told)
    return Challenge(**told)


def _strange(told: Any) -> NoReturn:
    raise Error(f"the daemon's reply is none that we know, of type {type(told).__name__}")
