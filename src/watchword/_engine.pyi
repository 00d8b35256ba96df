"""The compiled module's surface, for readers and type checkers; ext/engine.pyx has the words."""

import asyncio
import enum
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

Buffer: TypeAlias = Any  # any object with the buffer protocol; collections.abc.Buffer is of 3.12

class Code(enum.IntEnum):
    ACCEPTED = 1
    REJECTED = 2
    LOCKED = 3
    CHALLENGE = 4
    EXPIRED = 5
    NOT_PERMITTED = 6
    BAD_CHARACTER = 7
    BUSY = 8

class Reason(enum.IntEnum):
    NONE = 0
    WRONG = 1
    REPLAYED = 2
    UNKNOWN_USER = 3
    NO_DEVICE = 4
    DEVICE_UNKNOWN = 5
    DEVICE_INACTIVE = 6
    LOCKED = 7
    EMPTY = 8
    ACCOUNT = 9
    REALM = 10
    NAME = 11
    SOURCE = 12
    LOAD = 13
    NO_CHALLENGE = 14
    OVERDUE = 15
    SCOPE = 16
    PIN = 17
    PASSWORD = 18
    PENDING = 21
    DENIED = 22
    MISMATCHED = 23
    CANCELLED = 24

class Gate:
    open_turn: bool
    def __init__(self, ended: Callable[[BaseException], None]) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None: ...

KINDS: tuple[str, ...]
LABELS: tuple[str, ...]
HASH_NAMES: tuple[str, ...]
DEVICE_STATES: tuple[str, ...]
ACCOUNT_STATES: tuple[str, ...]
PLATFORMS: tuple[str, ...]
REALMS: tuple[str, ...]
BATCH_ATTEMPTS_MAX: int
DEVICES_PER_USER_MAX: int
NAME_BYTES_MAX: int
SESSION_BYTES_MAX: int
PURPOSE_BYTES_MAX: int
SENT_MAX: int
ANSWERS_MAX: int
PAGE_USERS: int
ROW_MAGIC: int

def hmac(algorithm: str, key: bytes, text: bytes) -> bytes: ...
def truncate(mac: bytes) -> int: ...
def reduce(truncated: int, digits: int) -> int: ...
def hotp(key: bytes, counter: int, digits: int, algorithm: str) -> str: ...
def kernels() -> list[str]: ...
def kernel_in_use() -> str: ...
def kernel_force(name: str | None) -> None: ...
def hotp_many(algorithm: str, keys: list[bytes], counters: list[int]) -> list[int]: ...
def text_many(algorithm: str, keys: list[bytes], texts: list[bytes]) -> list[int]: ...
def question(ask_key: bytes, suite: bytes, who: int, n: int) -> str: ...
def card_cells(key: bytes) -> tuple[str, ...]: ...
def card_pair(ask_key: bytes, key: bytes, once: bool, n: int) -> tuple[int, int]: ...
def ask(
    core: Core,
    user: bytes,
    platform: int,
    purpose: bytes | None,
    device: bytes | None,
    turn: int,
    now_ms: int,
    names: bytes,
    gateways: int,
    sends: bool = ...,
    sms: bool = ...,
    phone: bool = ...,
    question: bytes | None = ...,
    client: bytes | None = ...,
) -> tuple[bytes, str, str, str, int, str | None, str, str] | None: ...
def ask_question(
    core: Core, user: bytes, dice: int, turn: int, now_ms: int, names: bytes, gateways: int
) -> tuple[bytes, str, str | None, int, int]: ...
def secrets_kept(
    core: Core, slot: int
) -> tuple[tuple[int, bytes] | None, list[tuple[int, str, str, int, bool]], int]: ...
def pin_kept(core: Core, slot: int, number: int) -> str: ...
def push_limit(core: Core, most: int) -> None: ...
def push_open(
    core: Core,
    user: bytes,
    platform: int,
    device: bytes | None,
    id: bytes,
    number: int,
    now_ms: int,
) -> tuple[bool, int, str | None, bytes | None] | None: ...
def push_found(
    core: Core, id: bytes, now_ms: int
) -> tuple[str, int, int, int, bytes | None] | None: ...
def push_decide(
    core: Core, id: bytes, phone: bytes, state: str, biometric: bool, now_ms: int
) -> str | None: ...
def push_list(
    core: Core, user: bytes, device: int, now_ms: int
) -> list[tuple[bytes, str, int, int]]: ...
def phone_pin_fits(core: Core, phone: bytes, pin_hash: bytes) -> bool: ...
def token_is_for(core: Core, id: bytes, purpose: bytes) -> bool: ...
def expect_texts(texts: Any) -> None: ...
def pack_address(address: object) -> bytes: ...

class Verdict:
    @property
    def code(self) -> Code: ...
    @property
    def reason(self) -> Reason: ...
    @property
    def device(self) -> str | None: ...
    @property
    def kind(self) -> str: ...
    @property
    def scope(self) -> str: ...
    @property
    def rank(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def retry_after_ms(self) -> int: ...
    @property
    def session_ms(self) -> int: ...
    def __bool__(self) -> bool: ...

class Batch:
    now_ms: int
    def __init__(self, cap: int = ...) -> None: ...
    def __len__(self) -> int: ...
    def reset(self) -> None: ...
    def put(
        self,
        user: str | bytes,
        response: str | bytes,
        platform: int = ...,
        realm: int = ...,
        device: str | None = ...,
        address: str | None = ...,
        second: str | None = ...,
        shed: bool = ...,
        challenge: str | None = ...,
        session: bytes | None = ...,
        pin: str | None = ...,
        first: int = ...,
        password: int = ...,
        answer: bool = ...,
    ) -> None: ...
    def vouch(self) -> None: ...
    def put_many(
        self,
        users: Any,
        responses: Any,
        devices: Sequence[str | None] | None,
        addresses: Sequence[str | None] | None,
        challenges: Sequence[str | None] | None,
        start: int,
        stop: int,
        platform: int,
        realm: int,
        shed: bool,
    ) -> None: ...
    def put_columns(
        self,
        users: Buffer,
        responses: Buffer,
        start: int,
        stop: int,
        platform: int,
        realm: int,
        shed: bool,
    ) -> None: ...
    def codes_into(self, out: Buffer, start: int) -> None: ...

class Split:
    @property
    def batches(self) -> list[Batch]: ...
    def __init__(self, core: Core, parts: int, cap: int = ...) -> None: ...
    def __len__(self) -> int: ...
    def vouch(self) -> None: ...
    def reset(self) -> None: ...
    def put_many(
        self,
        users: Any,
        responses: Any,
        devices: Sequence[str | None] | None,
        addresses: Sequence[str | None] | None,
        challenges: Sequence[str | None] | None,
        start: int,
        stop: int,
        platform: int,
        realm: int,
        shed: bool,
    ) -> None: ...
    def put_columns(
        self,
        users: Buffer,
        responses: Buffer,
        start: int,
        stop: int,
        platform: int,
        realm: int,
        shed: bool,
    ) -> None: ...
    def turn(self, now_ms: int) -> int: ...
    def codes_into(self, out: Buffer, start: int) -> None: ...
    def close(self) -> None: ...

class Core:
    def __init__(
        self, name_key: bytes, ask_key: bytes = ..., passcode_key: bytes = ...,
        kept_key: bytes = ...,
    ) -> None: ...
    @property
    def memory_locked(self) -> bool: ...
    @property
    def memory_bytes(self) -> int: ...
    @property
    def users_live(self) -> int: ...
    def set_policy(
        self,
        *,
        lockout_failures: int,
        lockout_window_ms: int,
        lockout_extend: bool,
        failures_cap: int,
        source_failures: int,
        names_any: bool,
        ranks: bytes = ...,
        challenge_labels: bytes = ...,
        sms_per_hour: int = ...,
        sms_seconds: int = ...,
        push_ms: int = ...,
        push_per_window: int = ...,
        push_window_ms: int = ...,
        session_pin_ms: int = ...,
        session_biometric_ms: int = ...,
        card_shown_percent: int = ...,
    ) -> None: ...
    def deepen(self, lockout_failures: int) -> None: ...
    def deepened(self, state_turns: Buffer, turn: int) -> None: ...
    def passed(self, now_ms: int) -> None: ...
    @property
    def latest_ms(self) -> int: ...
    def suite_fits(self, suite: bytes) -> bool: ...
    def turn(self, batch: Batch | Split, now_ms: int) -> int: ...
    def row(self, batch: Batch | Split, turn: int, names: bytes, gateways: int) -> bytes: ...
    def verdict(self, batch: Batch, i: int) -> Verdict: ...
    def act(self, row: bytes) -> None: ...
    def enrolment(
        self,
        names: Any,
        keys: Any,
        spec: bytes,
        rest: bytes,
        place: bytes,
        moving: Any,
        start: int,
        stop: int,
        turn: int,
        now_ms: int,
        by: bytes = b"",
    ) -> bytes: ...
    def first_bad_name(self, names: Any) -> tuple[int, str] | None: ...
    def next_slot(self) -> tuple[int, int]: ...
    def next_slots(self, count: int) -> list[int]: ...
    def next_device(self) -> int: ...
    def name_legal(self, name: bytes) -> bool: ...
    def name_hash(self, name: bytes) -> int: ...
    def find(self, name: bytes) -> int | None: ...
    def user(
        self, slot: int
    ) -> tuple[int, str, int, int, int, int, int, list[tuple[Any, ...]]] | None: ...
    def device_key(self, slot: int, number: int) -> bytes | None: ...
    def device_pin(self, slot: int, number: int) -> bytes: ...
    def device_prefixed(self, slot: int, number: int) -> bool: ...
    def suite_known(self, suite: bytes) -> bool: ...
    def suites_left(self) -> int: ...
    def slots_used(self) -> int: ...
    def dirty_page(self, start: int) -> tuple[int, bool] | None: ...
    def dirty_all(self) -> None: ...
    def page_identity(self, page: int) -> bytes: ...
    def page_state(self, page: int) -> bytes: ...
    def load_identity(self, page: int, image: Buffer) -> bool: ...
    def load_state(self, page: int, image: Buffer) -> bool: ...
    def replay(self, row: Buffer, identity_turns: Buffer, state_turns: Buffer) -> int | None: ...
    def reserve(self, users: int) -> None: ...
    def loaded(self) -> None: ...

class Gather:
    names: bytes
    gateways: int
    def __init__(self, engine: Any) -> None: ...
    @property
    def turns(self) -> int: ...
    @property
    def attempts(self) -> int: ...
    def ask(
        self,
        user: str | bytes,
        response: str | bytes,
        platform: int,
        realm: int,
        device: str | bytes | None = None,
        address: str | None = None,
        challenge: str | bytes | None = None,
        session: bytes | None = None,
        pin: str | bytes | None = None,
        first: int = 0,
        password: int = 0,
        answer: bool = False,
        gateway: int = 0,
        shed: bool = False,
    ) -> asyncio.Future[Verdict]: ...

class Clients:
    def __init__(
        self, gather: Gather, loop: asyncio.AbstractEventLoop, limits: Any, connections_max: int
    ) -> None: ...
    def __len__(self) -> int: ...
    @property
    def accepted(self) -> int: ...
    @property
    def refused(self) -> int: ...
    @property
    def commands(self) -> int: ...
    def held_bytes(self) -> int: ...
    def connect(self, door: Any, visit: Any = None) -> Connection: ...
    def of_gateways(self) -> list[Connection]: ...
    gather: Gather
    def sweep(self, now_s: float) -> None: ...
    def drain(self, drained: Callable[[], object]) -> None: ...
    def abort(self) -> None: ...

class Connection(asyncio.BufferedProtocol):
    id: int
    protocol: int
    name: bytes
    transport: Any
    who: Gateway | None
    stranger: bool
    visit: Any
    def admit(self, who: Gateway | None) -> None: ...
    def leave(self) -> None: ...
    def drain(self) -> None: ...

class Gateway:
    name: str
    index: int
    verbs: frozenset[str]
    reasons: bool
    acts: bool
    first_factor: bool
    free: bool
    prefix: bytes
    rate: float
    busy: int
    door: Any
    def __init__(
        self,
        name: str,
        index: int,
        verbs: Iterable[str],
        *,
        reasons: bool = False,
        acts: bool = False,
        first_factor: bool = False,
        prefix: bytes = b"",
        realm: str = "",
        platforms: Sequence[str] = (),
        rate: float = 0.0,
    ) -> None: ...
    def take(self, n: int = 1, now_s: float | None = None) -> bool: ...
    def uses(self, platform: str) -> bool: ...
    def names(self, user: bytes) -> bool: ...

def wire_parse(
    data: bytes, cuts: Sequence[int] = ..., args_cap: int = ...
) -> tuple[list[list[bytes]], int, int]: ...
def wire_error(status: int) -> bytes: ...

# history.pxi

OUTCOME_BYTES: int

def row_gateways(row: Buffer) -> tuple[str, ...]: ...
def row_records(
    row: Buffer,
    events: int,
    verdicts: int = 0,
    users: set[int] | None = None,
    devices: set[int] | None = None,
    text: bytes | None = None,
) -> list[tuple[int, tuple[Any, ...], list[tuple[int, int, int]]]]: ...
def bare_row(row: Buffer, stand_in: Callable[[bytes], bytes]) -> bytes: ...
def whatif(core: Core, row: Buffer, out: Any, at: int) -> tuple[int, int] | None: ...
def whatif_forget(core: Core) -> None: ...
