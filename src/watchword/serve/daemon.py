"""The daemon's life: open the store, listen, serve until told or until the store fails, stop.

The rule: whatever was answered is durable, and whatever was not was never promised. SIGTERM and
SIGINT stop accepting, finish the open turn, answer it and close the store; a commit that fails ends
everything at once, with a message and exit code 1. SIGHUP reads the settings again: the policy, the
access list, and the certificates of TLS.
"""

import asyncio
import contextlib
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata

import uvloop

from watchword._engine import Clients, Gather, take_short_slices
from watchword.engine import Engine
from watchword.errors import Error, StoreFailed
from watchword.lifecycle import names_packed
from watchword.policy import Policy
from watchword.serve import limits
from watchword.serve.audit import AUDIT
from watchword.serve.backup import BACKUP, PROOF
from watchword.serve.commands import GATEWAYS
from watchword.serve.config import Config
from watchword.serve.doors import Doors
from watchword.serve.feeds import Feeds
from watchword.serve.files import FILES
from watchword.serve.heads import known_head, note_head
from watchword.serve.knowing import Knowing
from watchword.serve.life import LIFE
from watchword.serve.listening import Sockets, bound
from watchword.serve.logs import CHANNELS_OF, Told, configure, say
from watchword.serve.phones import Phones
from watchword.serve.privileges import become, expect_no_root, protect
from watchword.serve.probes import Probes
from watchword.serve.units import Systemd
from watchword.serve.vitals import Vitals

__all__ = ["ADMIN_SOCKET", "run"]

ADMIN_SOCKET = "admin.sock"
LOOPS = {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
# How long a thread may keep the interpreter from others: the loop and the journal's thread wait for
# each other in every turn, and at Python's own 5 ms one that writes pages holds up both.
SWITCH_SECONDS = 0.0002


def run(
    config: Config,
    ready: Callable[[str, int], None] | None = None,
    reread: Callable[[], Config] | None = None,
) -> int:
    """Serves until a signal or the store's failure. Returns the exit code: 0, or 1 for a failure.

    ready(host, port) is called once connections are accepted, reread() after a SIGHUP, for the
    policy that the settings have by then. Errors: whatever Engine.open raises,
    and Error when an address cannot be listened on or memory cannot be locked.
    """
    configure(config.log, config.log_level)
    protect()
    connections_max = raise_file_limit()
    with listening(config) as sockets, probing(config) as probes:
        engine = Engine.open(
            config.store, config.key, config.policy, deliver=config.delivery,
            known_head=known_head(config),
        )  # fmt: skip
        failed: BaseException | None = None
        try:
            prepare(config, engine)
            failed = Daemon(config, engine, connections_max, reread, probes, sockets).run(ready)
        finally:
            note_head(config, engine)
            try:
                engine.close()
            except StoreFailed as error:
                failed = failed or error
    if failed is None:
        say("stopped", event="stopped")
        return 0
    why = str(failed.args[0] if failed.args else failed)
    say(f"the store failed: {why}", event="store failed", level="error", because=why)
    say("hint: nothing unanswered was promised; see to the disk and start again", event="hint",
        level="error")  # fmt: skip
    return 1


@contextlib.contextmanager
def listening(config: Config) -> Iterator[Sockets]:
    """The gateways' sockets, bound; and then this process is who it is to be."""
    sockets = bound(config)
    try:
        if config.user:
            become(config.user)
        if expect_no_root(sockets.reachable, config.stay_root):
            say("warning: this is root; `user` in the settings has the daemon become another",
                event="root", level="warning")  # fmt: skip
        yield sockets
    finally:
        sockets.unlink()


@contextlib.contextmanager
def probing(config: Config) -> Iterator[Probes | None]:
    """The operators' port, where one is set: from before the store is opened, to its end."""
    address = config.metrics_address()
    if address is None:
        yield None
        return
    probes = Probes(address)
    say(f"metrics on {probes.address[0]}:{probes.address[1]}", event="listening", what="metrics",
        address=probes.address[0], port=probes.address[1])  # fmt: skip
    try:
        yield probes
    finally:
        probes.close()


def prepare(config: Config, engine: Engine) -> None:
    """What has to be so, or be said, before anybody is answered."""
    if engine._keeper is not None:
        engine._keeper.pass_seconds = config.page_interval_ms / 1000
    engine.keep_journal(config.retention)
    if not engine.memory_locked:
        if not config.unlocked_memory:
            raise Error(
                "the system does not let memory be locked, so keys could reach the swap",
                hint="raise the limit on locked memory, or set unlocked_memory = true",
            )
        say("warning: memory is not locked, keys could reach the swap", event="unlocked memory",
            level="warning")  # fmt: skip
    if engine.busy_because:
        say(f"warning: {engine.busy_because}: every login is BUSY until that is seen to",
            event="busy", level="warning", because=engine.busy_because)  # fmt: skip
        if engine.clock_doubt:
            say("hint: `watchword clock accept` believes the clock as it is", event="hint",
                level="warning")  # fmt: skip


def version() -> str:
    try:
        return metadata.version("watchword")
    except metadata.PackageNotFoundError:  # run from a source tree that was never installed
        return "not installed"


def raise_file_limit() -> int:
    """Asks for all the open files there are; returns how many connections they allow."""
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.CONNECTIONS_MAX + limits.FILES_SPARE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, most))
    if soft == resource.RLIM_INFINITY:
        return limits.CONNECTIONS_MAX
    allowed = soft - limits.FILES_SPARE
    if allowed < limits.CONNECTIONS_MAX:
        say(f"warning: open files are limited to {soft}, so connections to {allowed}",
            event="few files", level="warning", connections_max=allowed)  # fmt: skip
    return max(1, min(limits.CONNECTIONS_MAX, allowed))


def unchanged(error: Exception) -> None:
    """Why a SIGHUP did nothing."""
    why = str(error.args[0] if isinstance(error, Error) else error)
    say(f"SIGHUP: {why}", event="policy refused", level="error", because=why)
    say("hint: what is in force stays; `watchword policy set FILE --force` forces a policy",
        event="hint", level="error")  # fmt: skip


class Daemon:
    """One engine, one loop, two listening sockets."""

    def __init__(
        self,
        config: Config,
        engine: Engine,
        connections_max: int,
        reread: Callable[[], Config] | None = None,
        probes: Probes | None = None,
        sockets: Sockets | None = None,
    ) -> None:
        self._config = config
        self._sockets = sockets or bound(config)
        self._systemd = Systemd()
        self._probes = probes
        self._reread = reread
        self._engine = engine
        self._connections_max = connections_max
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="watchword-acts")
        self._phones = Phones(engine)
        self._knowing: Knowing | None = None
        self._signals = 0
        self._failed: BaseException | None = None

    def run(self, ready: Callable[[str, int], None] | None) -> BaseException | None:
        """Serves until told to stop. What ended the engine, if something did."""
        sys.setswitchinterval(SWITCH_SECONDS)
        take_short_slices()
        with asyncio.Runner(loop_factory=LOOPS[self._config.loop]) as runner:
            runner.run(self._serve(ready))
        self._worker.shutdown()
        if self._knowing is not None:
            self._knowing.close()
        self._phones.close()
        return self._failed

    async def _serve(self, ready: Callable[[str, int], None] | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = self._loop.create_future()
        gather = Gather(self._engine)
        gather.names, gather.gateways = names_packed(GATEWAYS), len(GATEWAYS)
        self._clients = Clients(gather, self._loop, limits, self._connections_max)
        self._vitals = Vitals(self._engine, gather, self._clients, version())
        self._feeds = self._vitals.feeds = Feeds(self._engine, self._vitals)
        if channels := CHANNELS_OF[self._config.log_level]:
            self._engine.subscribe(Told(self._engine, self._config.log_users), *channels)
        self._knowing = Knowing(self._engine, gather)
        self._doors = Doors(
            self._config, self._engine, self._clients, self._worker, self._vitals.info,
            self._knowing, self._phones,
            {b"AUDIT": AUDIT | PROOF, b"BACKUP": BACKUP, **FILES, **LIFE}, self._feeds,
            self._connections_max,
        )  # fmt: skip
        self._vitals.doors = self._doors.facts
        self._engine._at_end.append(self._end)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._signalled)
        self._loop.add_signal_handler(signal.SIGHUP, self._hung_up)
        administration = await self._listen_unix()
        await self._doors.open(self._sockets)
        self._sweep()
        self._note_head()
        if self._probes is not None:
            self._probes.show(self._vitals)
            self._step()
        host, port = self._sockets.address()
        if ready is not None:
            ready(host, port)
        say(f"serving {self._config.store} on {host}:{port}", event="listening", what="gateways",
            address=host, port=port, store=self._config.store)  # fmt: skip
        self._systemd.say("READY=1")
        try:
            await self._stopping
        finally:
            self._systemd.say("STOPPING=1")
            administration.close()
            self._doors.close()
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(self._config.store, ADMIN_SOCKET))
        if self._failed is None:
            await self._drain()
        self._clients.abort()

    # ---- listening ----

    async def _listen_unix(self) -> asyncio.Server:
        """The administration socket: born with its mode, over what a killed daemon left behind."""
        door = self._doors.administration
        path = os.path.join(self._config.store, ADMIN_SOCKET)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            listener.bind(path)
        except OSError as error:
            listener.close()
            raise Error(
                f"cannot make the administration socket {path}: {error}",
                hint="a store's path may have some 90 bytes" if len(path) > 100 else "",
            ) from None
        finally:
            os.umask(before)
        return await self._loop.create_unix_server(
            lambda: self._doors.connect(door), sock=listener, backlog=limits.LISTEN_BACKLOG
        )

    # ---- while serving ----

    def _sweep(self) -> None:
        now_s = self._loop.time()
        self._clients.sweep(now_s)
        self._doors.sweep(now_s)
        self._systemd.alive(now_s)
        self._vitals.look()
        self._loop.call_later(limits.SWEEP_SECONDS, self._sweep)

    def _step(self) -> None:
        """A look at some users more, for the metrics."""
        self._vitals.step()
        self._loop.call_later(limits.FLEET_STEP_SECONDS, self._step)

    def _note_head(self) -> None:
        self._loop.run_in_executor(None, note_head, self._config, self._engine)
        self._loop.call_later(limits.HEAD_SECONDS, self._note_head)

    def _hung_up(self) -> None:
        """SIGHUP: the settings are read again: who may connect and how, and their policy, which is
        set on the thread of acts."""
        try:
            config = self._reread() if self._reread is not None else None
            if config is not None:
                for line in self._doors.reload(config):
                    say(f"SIGHUP: {line}", event="hangup")
        except (Error, OSError) as error:
            unchanged(error)
            return
        policy = config.policy if config is not None else None
        if policy is None:
            say("SIGHUP: the settings name no policy, so the one in force stays", event="hangup")
        else:
            self._worker.submit(self._set_policy, policy)

    def _set_policy(self, policy: Policy) -> None:
        try:
            changed = self._engine.set_policy(policy, by="the settings, after a SIGHUP")
        except Error as error:
            unchanged(error)
        else:
            figures = ", ".join(change.figure for change in changed) or "nothing"
            say(f"SIGHUP: the policy is the settings' again; changed: {figures}", event="hangup",
                changed=[change.figure for change in changed])  # fmt: skip

    # ---- stopping ----

    def _signalled(self) -> None:
        self._signals += 1
        if self._signals == 1:
            self._vitals.stopping = True
            say("stopping: what is asked is answered first", event="stopping")
        if self._signals > 1:
            self._clients.abort()
        elif not self._stopping.done():
            self._stopping.set_result(None)

    def _end(self, error: BaseException) -> None:
        """The engine has ended, as told from any thread."""

        def stop() -> None:
            self._failed = self._failed or error
            self._clients.abort()
            if not self._stopping.done():
                self._stopping.set_result(None)

        with contextlib.suppress(RuntimeError):  # the loop has already closed
            self._loop.call_soon_threadsafe(stop)

    async def _drain(self) -> None:
        """Everyone who is owed an answer gets it, within limits."""
        drained = asyncio.Event()
        self._clients.drain(drained.set)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(drained.wait(), limits.DRAIN_SECONDS_MAX)
