"""Streams of events, on the administration socket: RESP's own publish and subscribe.

    SUBSCRIBE channel ...        lockouts, replays, acts, policy, clock
    UNSUBSCRIBE [channel ...]    those, or all; PSUBSCRIBE is told that there are no patterns
    STATS                        every figure, as one map

A message is a JSON object: an entry as `watchword audit --json` has it, with its channel, and
`seq`, which counts what this client was told from 1. Events that came too fast to be told are a
message of the channel "gap", with how many were lost. In RESP3 messages are pushes, in RESP2
arrays, and there a client that listens asks for nothing else.

The rule: an event leaves when its turn is durable, and no login waits for it. A client that leaves
too many bytes unread is told so and closed; `turn` in the last message it saw says where audit goes
on.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from watchword.audit import iso
from watchword.engine import Engine
from watchword.errors import InvalidArgument
from watchword.events import CHANNELS, GAP, Event, Subscription
from watchword.serve import limits
from watchword.serve.admin import Admin
from watchword.serve.commands import Client
from watchword.serve.logs import say
from watchword.serve.resp import Refusal, Reply, encode

if TYPE_CHECKING:
    from watchword.serve.vitals import Vitals

__all__ = ["Feeds", "Listening"]

VERBS: Final = (b"STATS", b"SUBSCRIBE", b"UNSUBSCRIBE")
PATTERNS: Final = (b"PSUBSCRIBE", b"PUNSUBSCRIBE")
HEARD: Final = (*VERBS[1:], *PATTERNS, b"PING", b"QUIT", b"RESET")
TOO_SLOW = (
    f"ERR too slow: {limits.EVENT_UNREAD_BYTES_MAX} bytes of events are unread; `AUDIT READ TURN` "
    "goes on after the last turn that was told"
)


class Feeds:
    """Every client that listens."""

    def __init__(self, engine: Engine, vitals: "Vitals") -> None:
        self._engine = engine
        self._vitals = vitals
        self._feeds: set[Feed] = set()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._feeds)

    def answer(self, client: Any, args: Sequence[bytes]) -> bytes | None:
        """The whole reply, if the command is one of ours."""
        name = args[0].upper()
        feed: Feed | None = getattr(client, "feed", None)
        if feed is not None and client.protocol == 2 and name not in HEARD:
            said = args[0].decode("utf-8", "replace").lower()
            return encode(Refusal(
                f"ERR Can't execute '{said}': only SUBSCRIBE / UNSUBSCRIBE / PING / QUIT / RESET "
                "are allowed in this context"
            ), 2)  # fmt: skip
        if name == b"STATS":
            return encode(flat(self._vitals.stats()), client.protocol)
        if name == b"SUBSCRIBE":
            return self._subscribe(client, feed, args)
        if name == b"UNSUBSCRIBE":
            return self._unsubscribe(client, feed, args)
        if name in PATTERNS:
            return encode(Refusal(
                f"ERR events go by no pattern: {name[1:].decode()} names channels, which are "
                f"{', '.join(CHANNELS)}"
            ), 2)  # fmt: skip
        if feed is None:
            return None
        if name == b"RESET":
            feed.gone()
        elif name == b"PING" and client.protocol == 2:
            return encode(["pong", args[1] if len(args) > 1 else b""], 2)
        elif name == b"PING" and len(args) == 1:
            return b"+PONG\r\n"
        return None

    def _subscribe(
        self, client: Any, feed: "Feed | None", args: Sequence[bytes]
    ) -> bytes:
        wanted = [word.decode("utf-8", "replace").lower() for word in args[1:]]
        unknown = [name for name in wanted if name not in CHANNELS]
        if not wanted or unknown:
            said = f"there is no channel {unknown[0][:64]!r}" if unknown else "which channel?"
            return encode(Refusal(f"ERR {said}; channels are {', '.join(CHANNELS)}"), 2)
        if feed is None:
            try:
                feed = Feed(self, client, self._engine)
            except InvalidArgument as error:  # too many listen
                return encode(Refusal(f"ERR {error.args[0]}"), 2)
            self._feeds.add(feed)
            client.feed = feed
        told = b""
        for name in wanted:
            feed.channels |= {name: None}
            told += message(client.protocol, "subscribe", name, len(feed.channels))
        feed.listen()
        return told

    def _unsubscribe(
        self, client: Any, feed: "Feed | None", args: Sequence[bytes]
    ) -> bytes:
        had = {} if feed is None else feed.channels
        names = [word.decode("utf-8", "replace").lower() for word in args[1:]] or list(had)
        told = b"" if names else message(client.protocol, "unsubscribe", None, 0)
        for name in names:
            had.pop(name, None)
            told += message(client.protocol, "unsubscribe", name, len(had))
        if feed is not None:
            if had:
                feed.listen()
            else:
                feed.gone()
        return told

    def left(self, feed: "Feed") -> None:
        self._feeds.discard(feed)


class Listening(Admin):
    """The administration socket, with what is told unasked."""

    def __init__(self, feeds: Feeds, *rest: Any) -> None:
        """rest: Admin's own."""
        super().__init__(*rest)
        self._feeds = feeds

    def answer(self, client: Client, args: list[bytes]) -> bytes | asyncio.Future[bytes]:
        told = self._feeds.answer(client, args)
        return super().answer(client, args) if told is None else told


class Feed:
    """What one connection listens to. Lives on the loop's thread but for `heard`."""

    def __init__(self, feeds: Feeds, client: Any, engine: Engine) -> None:
        self._feeds = feeds
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._seq = 0
        self.channels: dict[str, None] = {}
        self._subscription: Subscription = engine.subscribe(self._heard)

    def listen(self) -> None:
        self._subscription.listen(*self.channels)

    def gone(self) -> None:
        """It listens no more."""
        self._subscription.close()
        self._feeds.left(self)
        self._client.feed = None

    def _heard(self, event: Event) -> None:
        """On the events' thread."""
        with suppress(RuntimeError):  # the loop was closed before its clients
            self._loop.call_soon_threadsafe(self._push, event)

    def _push(self, event: Event) -> None:
        if self._client.feed is not self:
            return
        channel = event.channel
        if channel == GAP:
            channel = next(iter(self.channels))
        elif channel not in self.channels:
            return
        self._seq += 1
        told = message(self._client.protocol, "message", channel, told_of(event, self._seq))
        if self._client.tell(told) <= limits.EVENT_UNREAD_BYTES_MAX:
            return
        self._feeds.dropped += 1
        say("warning: a subscriber to events was too slow and is closed", event="slow subscriber",
            level="warning", client=self._client.id)  # fmt: skip
        self.gone()
        self._client.dismiss(encode(Refusal(TOO_SLOW), 2))


def told_of(event: Event, seq: int) -> str:
    """A message's words."""
    entry = {
        name: field for name, field in asdict(event.entry).items() if field not in ("", None, ())
    }
    happened: dict[str, object] = {"seq": seq, "channel": event.channel}
    happened["time"] = iso(event.entry.time_ms)
    if event.lost:
        happened["lost"] = event.lost
    return json.dumps({**happened, **entry}, ensure_ascii=False)


def message(protocol: int, kind: str, channel: str | None, last: Reply) -> bytes:
    """What publish and subscribe says: a push in RESP3, an array in RESP2."""
    told = b"".join(encode(word, protocol) for word in (kind, channel, last))
    return (b">3\r\n" if protocol == 3 else b"*3\r\n") + told


def flat(table: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Tables within tables as one, names joined by dots."""
    found: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            found |= flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = value
    return found
