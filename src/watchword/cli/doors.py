"""One interface, two ways in: the engine itself, or the daemon that owns the store.

A verb never knows which one it has. Whoever owns the store does the work: we open it when nobody
does, and ask through the store's administration socket when a daemon does.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol

from watchword import (
    Card,
    Challenge,
    Device,
    Engine,
    Explanation,
    Imported,
    Passcode,
    Policy,
    Push,
    PushShown,
    Question,
    User,
    Verdict,
    Wanted,
)
from watchword.audit import Page
from watchword.cli.answers import Answer, Change, Enrolled
from watchword.cli.entry_doors import EntryDoor, OwnEntryDoor
from watchword.cli.life_doors import Life, OwnLife
from watchword.cli.options import settings, who
from watchword.cli.remote import RemoteDoor
from watchword.cli.words import note
from watchword.errors import Error, NotFound, StoreOwned
from watchword.retention import Kept
from watchword.serve.config import Config
from watchword.serve.daemon import ADMIN_SOCKET
from watchword.store import Head, Proof
from watchword.store.owner import DATABASE

__all__ = ["ADMIN_SOCKET", "Door", "OwnDoor", "enter", "is_store"]


Progress = Callable[[int], object] | None
Copied = Callable[[int, int], object]


class Door(EntryDoor, Protocol):
    """What the verbs ask for; each means what Engine's method of that name means."""

    life: Life

    def add_user(self, name: str, state: str, realm: str) -> None: ...
    def user(self, name: str) -> User: ...
    def users(self, after: str, count: int) -> list[str]: ...
    def remove_user(self, name: str) -> None: ...
    def unlock(self, name: str, by: str) -> None: ...
    def add_device(self, user: str, device: Device, serial: str | None) -> str: ...
    def issue_passcode(self, user: str, serial: str | None) -> Passcode: ...
    def remove_device(self, user: str, serial: str) -> None: ...
    def card(self, user: str, serial: str, by: str) -> Card: ...
    def resync(
        self, user: str, first: str, second: str, serial: str, address: str | None
    ) -> Answer: ...
    def challenge(
        self, user: str, platform: str, serial: str | None, purpose: str | None, sms: bool,
        question: str | None, client_question: str | None,
    ) -> Challenge: ...  # fmt: skip
    def verify(
        self, user: str, response: str, platform: str, serial: str | None, challenge: str | None,
        session: bytes | None, password: str | None, pin: str | None,
        request_id: str | None = None, address: str | None = None,
    ) -> Answer: ...  # fmt: skip
    def set_password(self, name: str, password: str) -> None: ...
    def clear_password(self, name: str) -> None: ...
    def set_questions(self, name: str, questions: Sequence[tuple[str, str, str]]) -> None: ...
    def clear_questions(self, name: str) -> None: ...
    def question(self, user: str) -> Question: ...
    def answer(self, user: str, id: str, answer: str, address: str | None) -> Answer: ...
    def change_pin(self, user: str, old: str, code: str, new: str, by: Change) -> Answer: ...
    def change_password(self, user: str, old: str, code: str, new: str, by: Change) -> Answer: ...
    def push(self, user: str, platform: str, purpose: str | None, text: str) -> Push: ...
    def claim(self, user: str, platform: str, push: str, wait_ms: int) -> Answer: ...
    def pushes(
        self, user: str, serial: str, time_ms: int, signature: str
    ) -> list[PushShown]: ...
    def decide_push(
        self, push: str, decision: str, number: int | None, unlocked: str, signature: str
    ) -> str: ...
    def enrol_phone(
        self, user: str, challenge: str, token: str, public_key: str, pin: str, platform: str,
        serial: str | None,
    ) -> Enrolled: ...  # fmt: skip
    def rotate_key(self) -> None: ...
    def accept_clock(self, by: str) -> None: ...
    def head(self) -> int: ...
    def backup(self, path: str, by: str, progress: Copied) -> tuple[int, int]: ...
    def raise_floors(self, by: str, ended_ms: int | None) -> int: ...
    def signed_head(self) -> str: ...
    def expect_known(self, head: str) -> None: ...
    def prove_rows(self, after: int) -> Proof: ...
    def prove_pages(self, after: int) -> Proof: ...
    def kept(self) -> Kept: ...
    def audit_page(self, wanted: Wanted, turn: int, place: int) -> Page: ...
    def explain(self, user: str, last: int) -> Explanation: ...
    def bare_rows(self) -> Iterator[tuple[int, bytes, int]]: ...
    def policy(self) -> Policy: ...
    def check_policy(self, policy: Policy) -> list[str]: ...
    def set_policy(self, policy: Policy, by: str, force: bool) -> int: ...
    def import_csv(
        self, file: BinaryIO, by: str, dry_run: bool, skip_bad: bool, progress: Progress
    ) -> Imported: ...
    def export_rows(self, after: str, keys: bool, by: str) -> tuple[int, str, list[str]]: ...
    def close(self) -> None: ...


class OwnDoor(OwnEntryDoor):
    """The store opened here, for as long as one verb takes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        by = who()  # whose act it is, where the verb takes no --by
        self.add_user = partial(engine.add_user, by=by)
        self.user = engine.user
        self.users = engine.users
        self.remove_user = partial(engine.remove_user, by=by)
        self.add_device = partial(engine.add_device, by=by)
        self.issue_passcode = partial(engine.issue_passcode, by=by)
        self.remove_device = partial(engine.remove_device, by=by)
        self.audit_page = engine.audit_page
        self.bare_rows = engine.bare_rows
        self.prove_rows = engine.prove_rows
        self.prove_pages = engine.prove_pages
        self.set_password = partial(engine.set_password, by=by)
        self.clear_password = partial(engine.clear_password, by=by)
        self.set_questions = partial(engine.set_questions, by=by)
        self.clear_questions = partial(engine.clear_questions, by=by)
        self.question = engine.question
        self.check_policy = engine.check_policy
        self.close = engine.close
        self.life: Life = OwnLife(engine)

    def head(self) -> int:
        return self._engine.counters()["head"]

    def backup(self, path: str, by: str, progress: Copied) -> tuple[int, int]:
        made = self._engine.backup(path, by=by, pace=0.0, progress=progress)
        return made.turn, made.bytes

    def raise_floors(self, by: str, ended_ms: int | None) -> int:
        return self._engine.raise_floors(by=by, ended_ms=ended_ms)

    def signed_head(self) -> str:
        return self._engine.journal_head().text()

    def expect_known(self, head: str) -> None:
        self._engine.expect_known(Head.read(head))

    def kept(self) -> Kept:
        return self._engine.journal_kept

    def explain(self, user: str, last: int) -> Explanation:
        return self._engine.explain(user, last=last)

    def unlock(self, name: str, by: str) -> None:
        self._engine.unlock(name, by=by)

    def card(self, user: str, serial: str, by: str) -> Card:
        return self._engine.card(user, serial, by=by)

    def resync(
        self, user: str, first: str, second: str, serial: str, address: str | None
    ) -> Answer:
        return told(self._engine.resync(user, first, second, device=serial, address=address))

    def challenge(
        self, user: str, platform: str, serial: str | None, purpose: str | None, sms: bool,
        question: str | None, client_question: str | None,
    ) -> Challenge:  # fmt: skip
        if sms:
            return self._engine.send_code(user, platform=platform, device=serial, purpose=purpose)
        return self._engine.challenge(
            user, platform=platform, device=serial, purpose=purpose, question=question,
            client_question=client_question,
        )  # fmt: skip

    def verify(
        self, user: str, response: str, platform: str, serial: str | None, challenge: str | None,
        session: bytes | None, password: str | None, pin: str | None,
        request_id: str | None = None, address: str | None = None,
    ) -> Answer:  # fmt: skip
        return told(self._engine.verify(
            user, response, platform=platform, device=serial, challenge=challenge,
            session=session, password=password, pin=pin, request_id=request_id, address=address,
        ))  # fmt: skip

    def answer(self, user: str, id: str, answer: str, address: str | None) -> Answer:
        return told(self._engine.answer(user, id, answer, address=address))

    def change_pin(self, user: str, old: str, code: str, new: str, by: Change) -> Answer:
        return told(self._engine.change_pin(
            user, old, code, new, device=by.device, challenge=by.challenge,
            platform=by.platform, personal=by.personal, address=by.address,
        ))  # fmt: skip

    def change_password(self, user: str, old: str, code: str, new: str, by: Change) -> Answer:
        return told(self._engine.change_password(
            user, old, code, new, device=by.device, challenge=by.challenge, platform=by.platform,
            address=by.address,
        ))  # fmt: skip

    def push(self, user: str, platform: str, purpose: str | None, text: str) -> Push:
        raise needs_daemon()

    def claim(self, user: str, platform: str, push: str, wait_ms: int) -> Answer:
        raise needs_daemon()

    def pushes(
        self, user: str, serial: str, time_ms: int, signature: str
    ) -> list[PushShown]:
        raise needs_daemon()

    def decide_push(
        self, push: str, decision: str, number: int | None, unlocked: str, signature: str
    ) -> str:
        raise needs_daemon()

    def enrol_phone(
        self, user: str, challenge: str, token: str, public_key: str, pin: str, platform: str,
        serial: str | None,
    ) -> Enrolled:  # fmt: skip
        made = self._engine.enrol_phone(
            user, challenge, token, public_key, pin, platform=platform, serial=serial
        )
        verdict = Answer(made.verdict.code, made.serial or None, made.verdict.retry_after_ms)
        return Enrolled(verdict, made.serial, made.key, made.suite, made.replaced)

    def rotate_key(self) -> None:
        self._engine.rotate_key(by=who())

    def accept_clock(self, by: str) -> None:
        self._engine.accept_clock(by=by)

    def policy(self) -> Policy:
        return self._engine.policy

    def import_csv(
        self, file: BinaryIO, by: str, dry_run: bool, skip_bad: bool, progress: Progress
    ) -> Imported:
        return self._engine.import_csv(
            file, by=by, dry_run=dry_run, skip_bad=skip_bad, progress=progress
        )

    def export_rows(self, after: str, keys: bool, by: str) -> tuple[int, str, list[str]]:
        return self._engine.export_rows(after, keys=keys, by=by)

    def set_policy(self, policy: Policy, by: str, force: bool) -> int:
        return len(self._engine.set_policy(policy, by=by, force=force))


def told(verdict: Verdict) -> Answer:
    return Answer(verdict.code, verdict.device, verdict.retry_after_ms)


def needs_daemon() -> Error:
    return Error(
        "a push lives in the daemon, and none owns this store",
        hint="watchword serve, and try again",
    )


def is_store(config: Config) -> bool:
    return (Path(config.store) / DATABASE).exists()


def open_engine(config: Config, held: bool = True) -> Engine:
    """The engine of a store that exists: a verb that mistypes a path must not make a new store.
    held: against the head that the settings know."""
    if not is_store(config):
        raise NotFound(
            f"there is no store at {config.store}",
            hint=f"watchword init --store {config.store}",
        )
    engine = Engine.open(
        config.store, config.key, config.policy, deliver=config.delivery,
        known_head=config.known_head if held else None,
    )  # fmt: skip
    engine.keep_journal(config.retention)
    return engine


@contextmanager
def enter(held: bool = True) -> Iterator[Door]:
    """The door to the store that --store or --config means. held: as in open_engine."""
    config = settings()
    door: Door
    try:
        engine = open_engine(config, held)
    except StoreOwned as owned:
        socket = Path(config.store) / ADMIN_SOCKET
        if not socket.exists():
            owned.hint = f"no daemon answers at {socket}: is one starting, or a program holding it?"
            raise
        door = RemoteDoor(socket)
    else:
        door = OwnDoor(engine)
        if engine.clock_doubt:
            note(f"warning: {engine.clock_doubt}; logins are busy until `watchword clock accept`")
    try:
        yield door
    finally:
        door.close()
