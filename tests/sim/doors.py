"""The doors of a world: gateways over a simulated network, awaited calls, and how they go on.

Every command has a client address of its own, so that a journal row says which attempt it means,
and in which order a turn took them.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tests.sim.checker import Asked, answer_of
from tests.sim.network import Gateway, Many, SimLoop, frame
from watchword._engine import Clients, Gather
from watchword._engine import Gateway as Right
from watchword.errors import StoreFailed
from watchword.lifecycle import names_packed
from watchword.serve.admin import Admin
from watchword.serve.commands import Commands
from watchword.serve.knowing import VERBS as KNOWN
from watchword.serve.knowing import Knowing
from watchword.serve.life import LIFE
from watchword.serve.phones import Phones

__all__ = ["Doors"]

LIMITS = SimpleNamespace(
    UNREAD_BYTES_MAX=300, ANSWERS_MAX=6, PARTIAL_SECONDS_MAX=5.0, IDLE_SECONDS_MAX=300.0,
    UNDRAINED_SECONDS_MAX=10.0, LINGER_SECONDS_MAX=2.0, STRANGER_SECONDS_MAX=5.0,
    STRANGER_COMMANDS_MAX=5,
)  # fmt: skip
CONNECTIONS_MAX = 5
PASSES_MAX = 1_000  # more than any story needs: beyond it something goes round in circles
OF_CHANGES = 3  # what the verb of a change is given: words, options, and who asked
ADMIN = -1  # the number of the administration socket's one client
VOUCHES = 2  # the number of the gateway that has the right first-factor
VERBS = {
    "unlock": "UNLOCK", "remove_user": "REMOVE", "add_user": "ADD", "set_user": "SET",
    "set_password": "PASSWORD", "clear_password": "PASSWORD",
}  # fmt: skip


class OpenAdmin(Admin):
    """The administration door; who is at the other end, the kernel would know."""

    def admits(self, transport: Any) -> bool:
        return True


class Held(Knowing):
    """The daemon's verbs; the checker is told when a login's password is held against what stands.

    Up to its hashing a login waits for nothing."""

    hold: Callable[[str], None]

    async def _verify(
        self, words: list[bytes], given: dict[str, bytes], gateway: int, name: str
    ) -> Any:
        self.hold(given["ADDRESS"].decode())
        return await super()._verify(words, given, gateway, name)


class Heard(Phones):
    """The daemon's verbs of phones; the world is told when one is heard, on a thread of its own."""

    hears: Callable[[list[str], Callable[[], Any]], Any]

    def _verb(self, words: list[str], gateway: str, reasons: bool) -> Callable[[], Any]:
        run = super()._verb(words, gateway, reasons)
        return lambda: self.hears(words, run)


class Doors:
    """Steps of a world that pass through Gather and Connection."""

    if TYPE_CHECKING:
        engine: Any
        machine: Any
        checker: Any
        waiting: deque[tuple[int, Callable[[Any], None]]]
        addresses: int

    def connect_doors(self: Any) -> None:
        """A loop, a gather and a door for a new life."""
        self.loop = SimLoop(self.machine.clock.boot_ms)
        asyncio._set_running_loop(self.loop)
        self.gather = Gather(self.engine)
        self.gather.names, self.gather.gateways = names_packed(("tcp", "admin")), 2
        self.clients = Clients(self.gather, self.loop, LIMITS, CONNECTIONS_MAX)
        self.gateways: dict[int, Gateway] = {}
        self.awaited: list[tuple[Asked, Any, Any]] = []
        self.lost: list[tuple[str, str]] = []
        self.knowing = Held(self.engine, self.gather)
        self.knowing.hold = self.hold_gathered
        self.phones = Heard(self.engine)
        self.phones.hears = self.phone_speaks
        self.changing, self.made, self.refusals = {}, {}, 0
        self.speaking, self.holding, self.watched = {}, [], []
        self.engine.asks = self

    def gateway(self: Any, number: int, reasons: bool = True) -> Gateway:
        """The client of that number, connected when it is not."""
        found: Gateway | None = self.gateways.get(number)
        if found is None or not found.open or found.ended:
            if number == ADMIN:
                door: Any = OpenAdmin(self.engine, self.loop, 1, dict, more=LIFE)
            else:
                ask, send = self.engine.achallenge, self.engine.asend_code
                door = Commands(0, reasons, dict, ask, send, self.knowing, self.phones)
            found = self.gateways[number] = Gateway(self, number, door)
            if not found.open:
                found.ended = True
            elif number == VOUCHES:
                verbs = ("VERIFY", "VERIFYMANY", "PUSH", "PHONE", *KNOWN)
                who = Right("tcp", 0, verbs, reasons=reasons, first_factor=True)
                found.connection.admit(who)
        return found

    def address(self: Any) -> str:
        self.addresses += 1
        number = self.addresses
        return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"

    def gathered(self: Any, who: str, typed: Any, options: dict[str, Any]) -> Asked:
        asked = Asked(self.attempt(who, typed, {**options, "address": self.address()}))
        self.checker.waits(asked)
        return asked

    # ---- gateways

    def on_say(
        self: Any, number: int, commands: Sequence[Any], cut: int, reasons: bool = True
    ) -> None:
        """A gateway sends commands; `cut` bytes arrive now, the rest with later passes."""
        client = self.gateway(number, reasons)
        if client.ended:
            return
        for word, *words in commands:
            if word == "ping":
                client.say(frame("PING"), "PONG")
            elif word == "many":
                self._say_many(client, words[0])
            else:
                self._say_verify(client, *words)
        client.deliver(cut)

    def _say_verify(
        self: Any, client: Gateway, who: str, typed: Any, options: dict[str, Any], detail: bool
    ) -> None:
        asked = self.gathered(who, typed, options)
        a = asked.attempt
        words = ["VERIFY", a.name, a.response, "ADDRESS", str(a.address), "PLATFORM", a.platform]
        words += ["REALM", a.realm] + (["DEVICE", a.device] if a.device is not None else [])
        client.say(frame(*words, *["DETAIL"] * detail), [asked])

    def _say_many(self: Any, client: Gateway, pairs: Sequence[tuple[str, Any]]) -> None:
        address, asked, words = self.address(), [], []
        for who, typed in pairs:
            one = Asked(self.attempt(who, typed, {"address": address}))
            self.checker.waits(one)
            asked.append(one)
            words += [one.attempt.name, one.attempt.response]
        sent = frame("VERIFYMANY", str(len(pairs)), *words, "ADDRESS", address)
        client.say(sent, Many(asked))

    def on_lose(self: Any, number: int, half: bool) -> None:
        """A client goes, or will say no more; it remembers what it never heard."""
        client = self.gateways.get(number)
        if client is None or not client.open:
            return
        if half:
            client.half_close()
            return
        owed = [asked for one in client.owed if isinstance(one, list) for asked in one]
        self.lost = [(asked.attempt.name, asked.attempt.response) for asked in owed]
        client.lose(ConnectionResetError())

    def on_retry(self: Any, number: int) -> None:
        """Another connection asks again what was never answered."""
        lost, self.lost = self.lost, []
        commands: list[Any] = []
        for who, response in lost:
            commands.append(("verify", who, response, {}, False))
        self.met["a retry"] += len(commands)
        if commands:
            self.on_say(number, commands, 10_000)

    def on_slow(self: Any, number: int, slow: bool) -> None:
        if number in self.gateways:
            self.gateways[number].slow = slow

    def on_sweep(self: Any, seconds: float) -> None:
        """The daemon's sweep, so much later."""
        self.loop.now_s += seconds
        self.clients.sweep(self.loop.now_s)

    def on_tell(self: Any, verb: str, who: str, words: Sequence[str]) -> None:
        """An act by the administration socket."""
        named = ("STATE", words[0], "REALM", words[1]) if len(words) > 1 else ()
        if VERBS[verb] == "PASSWORD":
            named = ("SET", *words) if words else ("CLEAR",)
        self.tell(verb, who, words, "USER", VERBS[verb], who, *named)

    def tell(self: Any, verb: str, who: str, words: Sequence[str], *command: str) -> None:
        client = self.gateway(ADMIN)
        if client.ended:
            return
        told: list[tuple[str, int]] = []

        def hear(reply: Any) -> None:
            if not told:
                self.checker.fail(f"{verb} {who} was answered {reply!r} before it was done")
            expected, turn = told[0]
            if (reply == "OK") != (expected == "") or not str(reply).startswith(expected):
                self.checker.fail(f"{verb} {who} was answered {reply!r}, not {expected!r}")
            self.checker.acknowledge(turn)

        client.acts.append((verb, who, words, told))
        client.say(frame(*command), hear)
        client.deliver(10_000)

    def on_work(self: Any) -> None:
        """The thread of acts, that of changes or one that hears phones does what came first."""
        if not self.loop.work:
            return
        future, run, words = self.loop.work.popleft()
        if len(words) == OF_CHANGES:
            self.work_of_change(future, run, words[1]["ADDRESS"].decode())
            return
        if not words:       # a phone's, whose reply is held against the twin as it is made
            reply = run()
            if not self.machine.disk.off:
                future.set_result(reply)
            return
        client = self.gateways[ADMIN]
        verb, who, words, told = client.acts.popleft()
        expected = self.expect_act(verb, who, *words)
        ended = self.engine._ended is not None
        try:
            reply = run()
        finally:
            self.checker.acting = None
        if self.machine.disk.off:
            return
        if ended or self.engine._ended is not None:
            if not reply.startswith(b"-ERR"):
                self.checker.fail(f"an engine that ended answered {reply!r}")
            client.lose(None)
            return
        told.append((expected, self.engine._turn))
        future.set_result(reply)

    # ---- awaited calls of an embedding program

    def on_await(self: Any, who: str, typed: Any, options: dict[str, Any]) -> None:
        asked = self.gathered(who, typed, options)
        a = asked.attempt
        call = self.engine.averify(
            a.name, a.response, platform=a.platform, realm=a.realm, device=a.device,
            address=a.address,
        )  # fmt: skip
        self.begin_awaited(asked, call)

    def begin_awaited(self: Any, asked: Asked, call: Any) -> None:
        try:
            future = call.send(None)
        except StoreFailed:
            if self.engine._ended is None:
                self.checker.fail("an engine that goes on said that it ended")
            return
        self.awaited.append((asked, call, future))

    def _hear_awaited(self: Any) -> None:
        """Whose turn has landed is answered."""
        for asked, call, future in [one for one in self.awaited if one[2].done()]:
            self.awaited.remove((asked, call, future))
            try:
                self.awaited.append((asked, call, call.send(None)))  # hashed, and not yet decided
            except StopIteration as said:
                self.checker.answered(asked, answer_of(said.value), asked.turn)
            except StoreFailed:
                if self.engine._ended is None:
                    self.checker.fail("an engine that goes on said that it ended")

    # ---- how it goes on

    def excused(self: Any) -> bool:
        """Whether what goes wrong in a pass is the end of the machine or of the engine."""
        return bool(self.machine.disk.off or self.engine._ended) and not self.checker.broken

    def on_pass(self: Any) -> None:
        """A pass of the loop; what gateways have sent arrives, what was written is read."""
        if self.machine.disk.off:
            return
        self.loop.run_pass(self.excused)
        self._hear_awaited()
        self.hear_watched()
        for client in list(self.gateways.values()):
            client.deliver(10_000)
            if not client.slow:
                client.read()

    def on_land(self: Any) -> None:
        """The journal's thread has the time for one turn."""
        if self.waiting:
            turn, tell = self.waiting.popleft()
            try:
                self.engine._commits.wait(turn)
            except BaseException as error:
                if self.checker.broken:
                    raise
                tell(error)
            else:
                tell(None)

    def settle(self: Any) -> None:
        """Until nothing is under way any more."""
        for _ in range(PASSES_MAX):
            if self.machine.disk.off or self.engine._ended is not None:
                return
            owed = self.engine._hasher.owed
            if not (self.loop.ready or self.waiting or self.loop.work or owed is not None):
                self.expect_let_go()
                return
            if owed is not None:
                self.on_hash(owed)
            self.on_pass()
            self.on_land()
            self.on_work()
        self.checker.fail("the loop does not come to rest")

    on_settle = settle
