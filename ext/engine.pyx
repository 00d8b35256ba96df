# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, embedsignature=False
"""The door between Python and the core: memory, batches, turns, pages. It decides nothing.

Memory that holds secrets is private, left out of core dumps, locked where the system allows, and
wiped. The interpreter's lock is dropped once a turn. C codes become exceptions here alone.
"""
import enum
import ipaddress
import os

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_STRIDED_RO, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_Check, PyUnicode_DecodeUTF8
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

from core cimport *

from watchword.errors import Error, InvalidArgument

cdef extern from "stdio.h" nogil:
    int snprintf(char *to, size_t size, const char *form, ...)

cdef extern from "string.h" nogil:
    size_t strnlen(const char *text, size_t most)

cdef extern from "unistd.h" nogil:
    int getpid()

cdef extern from "sys/mman.h" nogil:
    enum:
        PROT_READ
        PROT_WRITE
        MAP_PRIVATE
        MAP_ANONYMOUS
        MAP_NORESERVE
        MREMAP_MAYMOVE
        MADV_HUGEPAGE
        MADV_DONTDUMP
        MLOCK_ONFAULT
    void *MAP_FAILED
    void *mmap(void *at, size_t n, int prot, int flags, int fd, long offset)
    void *mremap(void *at, size_t old, size_t new, int flags)
    int munmap(void *at, size_t n)
    int madvise(void *at, size_t n, int advice)
    int mlock2(const void *at, size_t n, unsigned int flags)


class Code(enum.IntEnum):
    """Verdicts, RULES section 7. Frozen: numbers are never used again and 0 is never one."""

    ACCEPTED = 1
    REJECTED = 2
    LOCKED = 3
    CHALLENGE = 4
    EXPIRED = 5
    NOT_PERMITTED = 6
    BAD_CHARACTER = 7
    BUSY = 8


class Reason(enum.IntEnum):
    """Why an attempt ended as it did: for the audit trail and for gateways that may see it."""

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


KINDS = ("none", "totp", "hotp")
HASH_NAMES = ("sha1", "sha256", "sha512")
DEVICE_STATES = ("shipped", "active", "suspended", "lost", "returned", "expired")
ACCOUNT_STATES = ("open", "pending", "closed")
PLATFORMS = ("trading", "portal")
REALMS = ("live", "paper")
cdef dict PLATFORM_CODES = {"trading": WW_TRADING, "portal": WW_PORTAL}
cdef dict REALM_CODES = {"live": WW_LIVE, "paper": WW_PAPER}
cdef dict HASH_CODES = {name: code for code, name in enumerate(HASH_NAMES)}
cdef tuple CODES = (None,) + tuple(Code)
cdef tuple REASONS = tuple(Reason)

BATCH_ATTEMPTS_MAX = WW_BATCH_ATTEMPTS_MAX
PAGE_USERS = WW_PAGE_USERS
DEVICES_PER_USER_MAX = WW_DEVICES_PER_USER_MAX
NAME_BYTES_MAX = WW_NAME_BYTES_MAX
ROW_MAGIC = WW_ROW_MAGIC


# ---- plain pieces ---------------------------------------------------------------------------------

def hmac(str algorithm, bytes key, bytes text):
    """HMAC (RFC 2104) of text: raw bytes. algorithm: sha1, sha256 or sha512."""
    cdef uint8_t mac[64]
    cdef ww_hash hash = <ww_hash><int>HASH_CODES[algorithm]
    ww_hmac(hash, <const uint8_t *>PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key),
            <const uint8_t *>PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text), mac)
    try:
        return PyBytes_FromStringAndSize(<char *>mac, ww_hash_bytes(hash))
    finally:
        ww_wipe(mac, 64)


def truncate(bytes mac):
    """Dynamic truncation of RFC 4226 section 5.3: 31 bits of a MAC of 20, 32 or 64 bytes."""
    return ww_truncate(<const uint8_t *>PyBytes_AS_STRING(mac), PyBytes_GET_SIZE(mac))


def reduce(uint32_t truncated, uint32_t digits):
    """truncated modulo 10^digits, digits 4 to 10."""
    return ww_reduce(truncated, digits)


def hotp(bytes key, uint64_t counter, uint32_t digits, str algorithm):
    """The code of RFC 4226 section 5.3, as text of `digits` characters."""
    cdef uint8_t message[8]
    cdef int i
    for i in range(8):
        message[i] = <uint8_t>(counter >> (56 - 8 * i))
    mac = hmac(algorithm, key, PyBytes_FromStringAndSize(<char *>message, 8))
    return str(reduce(truncate(mac), digits)).zfill(digits)


def kernels():
    """Names of the kernel rows this machine can run, portable first."""
    cdef const ww_kernel *rows = NULL
    cdef size_t n = ww_kernels(&rows)
    return [rows[i].name.decode() for i in range(n)]


def kernel_in_use():
    return ww_kernel_in_use().name.decode()


def kernel_force(name):
    """Forces a kernel row by name; None: the best again. For tests and benchmarks."""
    cdef bytes text = b"" if name is None else name.encode()
    cdef const char *row = NULL
    if name is not None:
        row = text
    if ww_kernel_force(row):
        raise InvalidArgument(f"kernel {name!r} is not one of {', '.join(kernels())}")


def hotp_many(str algorithm, list keys, list counters):
    """31-bit truncations for pairs of key and counter, through the kernel row in use."""
    cdef ww_hash hash = <ww_hash><int>HASH_CODES[algorithm]
    cdef size_t n = len(keys), mid_bytes = ww_mid_bytes(hash), i
    cdef const ww_kernel *k = ww_kernel_in_use()
    cdef uint8_t *mids = <uint8_t *>malloc(n * 128 + 1)
    cdef const void **at = <const void **>malloc(n * sizeof(void *) + 1)
    cdef uint64_t *moving = <uint64_t *>malloc(n * 8 + 1)
    cdef uint32_t *out = <uint32_t *>malloc(n * 4 + 1)
    cdef bytes key
    try:
        if mids == NULL or at == NULL or moving == NULL or out == NULL:
            raise MemoryError
        for i in range(n):
            key = keys[i]
            ww_hmac_mid(hash, <const uint8_t *>PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key),
                        mids + i * 128)
            at[i] = mids + i * 128
            moving[i] = counters[i]
        with nogil:
            k.hotp[<int>hash](at, moving, out, n)
        return [out[i] for i in range(n)]
    finally:
        if mids != NULL:
            ww_wipe(mids, n * 128)
        free(mids)
        free(at)
        free(moving)
        free(out)


if os.environ.get("WATCHWORD_KERNEL"):
    kernel_force(os.environ["WATCHWORD_KERNEL"])


# ---- memory that holds secrets ----------------------------------------------------------------------

cdef class Region:
    """Zeroed memory of our own: private and not dumped; with keys in it locked too, where the
    system allows, and wiped at the end."""

    cdef void *at
    cdef size_t size
    cdef readonly bint locked
    cdef bint keys
    cdef int pid

    def __cinit__(self, size_t size, bint keys=False):
        self.keys = keys
        self.size = max(<size_t>4096, (size + 4095) & ~<size_t>4095)
        self.pid = getpid()
        self.at = mmap(NULL, self.size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        if self.at == MAP_FAILED:
            self.at = NULL
            raise MemoryError(f"no memory for a table of {size} bytes")
        self._advise()

    cdef void _advise(self):
        # Locked as pages are touched: a table is as large as its capacity, resident as it is used.
        self.locked = self.keys and mlock2(self.at, self.size, MLOCK_ONFAULT) == 0
        madvise(self.at, self.size, MADV_DONTDUMP)
        if self.size >= <size_t>(4 << 20):
            madvise(self.at, self.size, MADV_HUGEPAGE)

    cdef void *grow(self, size_t size) except NULL:
        cdef void *at
        size = (size + 4095) & ~<size_t>4095
        if size > self.size:
            at = mremap(self.at, self.size, size, MREMAP_MAYMOVE)
            if at == MAP_FAILED:
                raise MemoryError(f"no memory for a table of {size} bytes")
            self.at = at
            self.size = size
            self._advise()
        return self.at

    def __dealloc__(self):
        if self.at == NULL:
            return
        if self.keys and self.pid == getpid():  # wiping a fork's copy would only cost memory
            ww_wipe(self.at, self.size)
        munmap(self.at, self.size)


# ---- batches -----------------------------------------------------------------------------------------

cdef inline int take_text(object text, const char **at, Py_ssize_t *size) except -1:
    if PyUnicode_Check(text):
        try:
            at[0] = PyUnicode_AsUTF8AndSize(text, size)
        except UnicodeEncodeError:  # lone surrogates: no UTF-8, so no legal name and no code
            at[0] = b"\xff"
            size[0] = 1
    elif isinstance(text, bytes):
        at[0] = PyBytes_AS_STRING(text)
        size[0] = PyBytes_GET_SIZE(text)
    else:
        raise InvalidArgument(f"names and responses are str or bytes, not {type(text).__name__}")
    return 0


cdef class Batch:
    """Attempts going through one turn together, with their bytes and, after it, their records."""

    cdef ww_batch b
    cdef uint32_t cap
    cdef Region texts
    cdef uint8_t *arena
    cdef uint32_t arena_used
    cdef readonly int64_t now_ms

    def __cinit__(self, uint32_t cap=WW_BATCH_ATTEMPTS_MAX):
        self.cap = cap
        self.texts = Region(
            cap * (WW_NAME_BYTES_MAX + 2 * WW_RESPONSE_BYTES_MAX + WW_SERIAL_BYTES_MAX))
        self.arena = <uint8_t *>self.texts.at
        self.b.attempts = <ww_attempt *>malloc(cap * sizeof(ww_attempt))
        self.b.records = <ww_record *>malloc(
            cap * <size_t>(WW_RECORD_UNITS_PER_ATTEMPT_MAX * WW_RECORD_BYTES))
        if self.b.attempts == NULL or self.b.records == NULL:
            raise MemoryError
        self.b.bytes = self.arena

    def __dealloc__(self):
        if self.texts is not None:
            ww_wipe(self.arena, self.arena_used)
        free(self.b.attempts)
        free(self.b.records)

    def __len__(self):
        return self.b.count

    cdef void clear(self) noexcept:
        ww_wipe(self.arena, self.arena_used)  # what was typed is not kept
        self.b.count = 0
        self.b.units = 0
        self.arena_used = 0

    cdef uint32_t _keep(self, const uint8_t *text, size_t n) noexcept:
        cdef uint32_t at = self.arena_used
        memcpy(self.arena + at, text, n)
        self.arena_used += <uint32_t>n
        return at

    cdef ww_attempt *add(self, const uint8_t *name, size_t name_len,
                         const uint8_t *response, size_t response_len) noexcept:
        """The next attempt, its texts copied in; NULL when the batch is full. A name or a
        response longer than its limit is not copied: the one is illegal, the other wrong."""
        cdef ww_attempt *a
        if self.b.count >= self.cap:
            return NULL
        a = &self.b.attempts[self.b.count]
        self.b.count += 1
        memset(a, 0, sizeof(ww_attempt))
        a.event = WW_EVENT_ATTEMPT
        if name_len > WW_NAME_BYTES_MAX:
            a.bad_name = 1
        else:
            a.name_at = self._keep(name, name_len)
            a.name_len = <uint16_t>name_len
        if response_len > WW_RESPONSE_BYTES_MAX:
            response = b"!"
            response_len = 1
        a.response_at = self._keep(response, response_len)
        a.response_len = <uint16_t>response_len
        return a

    cdef void set_serial(self, ww_attempt *a, const uint8_t *serial, size_t n) noexcept:
        a.has_serial = 1
        if n > WW_SERIAL_BYTES_MAX:
            n = 0  # no device has an empty serial
        a.serial_at = self._keep(serial, n)
        a.serial_len = <uint16_t>n

    cdef void set_second(self, ww_attempt *a, const uint8_t *text, size_t n) noexcept:
        a.event = WW_EVENT_RESYNC
        if n > WW_RESPONSE_BYTES_MAX:
            n = 0
        a.second_at = self._keep(text, n)
        a.second_len = <uint16_t>n

    cdef int set_address(self, ww_attempt *a, const uint8_t *text, size_t n) except -1:
        """An IP address as text; ValueError when it is none."""
        cdef bytes packed = pack_address((<char *>text)[:n].decode("ascii"))
        a.has_address = 1
        memcpy(a.address, PyBytes_AS_STRING(packed), 16)
        return 0

    def put(self, user, response, int platform=WW_TRADING, int realm=WW_LIVE, device=None,
            address=None, second=None, bint shed=False):
        """Adds one attempt from Python."""
        cdef const char *name = NULL
        cdef const char *text = NULL
        cdef Py_ssize_t name_len = 0, text_len = 0
        cdef bytes packed
        take_text(user, &name, &name_len)
        take_text(response, &text, &text_len)
        cdef ww_attempt *a = self.add(<const uint8_t *>name, name_len,
                                      <const uint8_t *>text, text_len)
        if a == NULL:
            raise InvalidArgument(f"a batch holds at most {self.cap} attempts")
        a.platform = <uint8_t>platform
        a.realm = <uint8_t>realm
        a.shed = shed
        if device is not None:
            take_text(device, &text, &text_len)
            self.set_serial(a, <const uint8_t *>text, text_len)
        if second is not None:
            take_text(second, &text, &text_len)
            self.set_second(a, <const uint8_t *>text, text_len)
        if address is not None:
            packed = pack_address(address)
            a.has_address = 1
            memcpy(a.address, PyBytes_AS_STRING(packed), 16)

    def put_many(self, users, responses, devices, addresses, Py_ssize_t start, Py_ssize_t stop,
                 int platform, int realm, bint shed):
        """Adds attempts start .. stop of equally long sequences."""
        cdef Py_ssize_t i, name_len = 0, text_len = 0
        cdef const char *name = NULL
        cdef const char *text = NULL
        cdef ww_attempt *a
        for i in range(start, stop):
            take_text(users[i], &name, &name_len)
            take_text(responses[i], &text, &text_len)
            a = self.add(<const uint8_t *>name, name_len, <const uint8_t *>text, text_len)
            if a == NULL:
                raise InvalidArgument(f"a batch holds at most {self.cap} attempts")
            a.platform = <uint8_t>platform
            a.realm = <uint8_t>realm
            a.shed = shed
            if devices is not None and devices[i] is not None:
                take_text(devices[i], &text, &text_len)
                self.set_serial(a, <const uint8_t *>text, text_len)
            if addresses is not None and addresses[i] is not None:
                packed = pack_address(addresses[i])
                a.has_address = 1
                memcpy(a.address, PyBytes_AS_STRING(packed), 16)

    def put_columns(self, users, responses, Py_ssize_t start, Py_ssize_t stop, int platform,
                    int realm, bint shed):
        """The same from two numpy 'S' arrays, without an object per attempt."""
        cdef Py_buffer u, r
        cdef Py_ssize_t i
        cdef const char *name
        cdef const char *text
        cdef ww_attempt *a
        PyObject_GetBuffer(users, &u, PyBUF_STRIDED_RO)
        try:
            PyObject_GetBuffer(responses, &r, PyBUF_STRIDED_RO)
            try:
                for i in range(start, stop):
                    name = <const char *>u.buf + i * u.strides[0]
                    text = <const char *>r.buf + i * r.strides[0]
                    a = self.add(<const uint8_t *>name, strnlen(name, u.itemsize),
                                 <const uint8_t *>text, strnlen(text, r.itemsize))
                    if a == NULL:
                        raise InvalidArgument(f"a batch holds at most {self.cap} attempts")
                    a.platform = <uint8_t>platform
                    a.realm = <uint8_t>realm
                    a.shed = shed
            finally:
                PyBuffer_Release(&r)
        finally:
            PyBuffer_Release(&u)

    def codes_into(self, out, Py_ssize_t start):
        """Writes the verdicts' numbers into a buffer of bytes, from out[start] on."""
        cdef Py_buffer view
        cdef uint32_t i
        PyObject_GetBuffer(out, &view, PyBUF_WRITABLE)
        try:
            if start < 0 or start + <Py_ssize_t>self.b.count > view.len:
                raise InvalidArgument("out is shorter than the batch")
            for i in range(self.b.count):
                (<uint8_t *>view.buf)[start + i] = self.b.attempts[i].verdict
        finally:
            PyBuffer_Release(&view)

    def reset(self):
        self.clear()


def expect_texts(texts):
    """Raises InvalidArgument unless every entry is str or bytes: told before anything is done."""
    for text in texts:
        if not (PyUnicode_Check(text) or isinstance(text, bytes)):
            raise InvalidArgument(
                f"names and responses are str or bytes, not {type(text).__name__}")


def pack_address(address):
    """16 bytes of an IP address: IPv4 mapped into IPv6, IPv6 to its /64. Errors: InvalidArgument."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        raise InvalidArgument("address is not an IPv4 or IPv6 address") from None
    if ip.version == 4:
        return b"\0" * 10 + b"\xff\xff" + ip.packed
    if ip.ipv4_mapped is not None:
        return ip.packed
    return ip.packed[:8] + b"\0" * 8


cdef class Verdict:
    """The engine's answer to one attempt (RULES section 7). True for ACCEPTED alone.

    code: Code. reason: Reason, for the audit trail. device: serial of the device that matched,
    or None. kind: its kind. offset: matched position from the expected one, in steps or counters.
    retry_after_ms: time left while the user is locked, else 0. scope, rank: what an acceptance
    opens. session_ms: session limit, 0 when there is none.
    """

    cdef readonly object code, reason, device
    cdef readonly str kind, scope
    cdef readonly int rank, offset
    cdef readonly int64_t retry_after_ms, session_ms

    def __bool__(self):
        return self.code is CODES[WW_ACCEPTED]

    def __repr__(self):
        text = f"<Verdict {self.code.name}"
        if self.device is not None and self.code is CODES[WW_ACCEPTED]:
            text += f" device={self.device}"
        if self.retry_after_ms:
            text += f" retry_after_ms={self.retry_after_ms}"
        return text + ">"


# ---- the core ------------------------------------------------------------------------------------------

cdef class Core:
    """The tables of one engine. Not thread-safe: the engine's lock is held around every call."""

    cdef ww_tables t
    cdef ww_policy p
    cdef Region users_region, wides_region, cold_region, index_region, deep_region
    cdef Region decoys_region, sources_region

    def __cinit__(self, bytes name_key):
        if len(name_key) != 16:
            raise InvalidArgument("name_key is 16 bytes")
        memcpy(self.t.name_key, PyBytes_AS_STRING(name_key), 16)
        self.users_region = Region(WW_PAGE_USERS * sizeof(ww_user), keys=True)
        self.wides_region = Region(64 * sizeof(ww_wide), keys=True)
        self.cold_region = Region(1 << 16, keys=True)
        self.index_region = Region(4096 * 8)
        self.decoys_region = Region(WW_DECOYS * sizeof(ww_decoy))
        self.sources_region = Region(WW_SOURCES * sizeof(ww_source))
        self.t.users = <ww_user *>self.users_region.at
        self.t.users_cap = WW_PAGE_USERS
        self.t.wides = <ww_wide *>self.wides_region.at
        self.t.wides_cap = 64
        self.t.cold = <uint8_t *>self.cold_region.at
        self.t.cold_cap = 1 << 16
        self.t.cold_used = 8
        self.t.index = <uint64_t *>self.index_region.at
        self.t.index_mask = 4095
        self.t.decoys = <ww_decoy *>self.decoys_region.at
        self.t.sources = <ww_source *>self.sources_region.at
        self.t.device_next = 1
        self.t.dirty = <uint8_t *>calloc(self.t.users_cap // WW_PAGE_USERS, 1)
        if self.t.dirty == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.t.dirty)
        ww_wipe(&self.t, sizeof(ww_tables))

    @property
    def memory_locked(self):
        """Whether the system let every table with keys in it be kept out of swap."""
        return (self.users_region.locked and self.wides_region.locked
                and self.cold_region.locked)

    @property
    def users_live(self):
        return self.t.users_live

    @property
    def memory_bytes(self):
        """Bytes in use for users, their devices, keys, names and the index."""
        return (self.t.users_used * sizeof(ww_user) + self.t.wides_used * sizeof(ww_wide)
                + self.t.cold_used + (<size_t>self.t.index_mask + 1) * 8)

    def set_policy(self, *, uint32_t lockout_failures, int64_t lockout_window_ms,
                   bint lockout_extend, uint32_t failures_cap, uint32_t source_failures,
                   bint names_any):
        self.p.lockout_failures = lockout_failures
        self.p.lockout_window_ms = lockout_window_ms
        self.p.lockout_extend = lockout_extend
        self.p.failures_cap = failures_cap
        self.p.source_failures = source_failures
        self.p.names_any = names_any
        if lockout_failures > WW_RING_INLINE + 1 and self.deep_region is None:
            self.deep_region = Region(<size_t>self.t.users_cap * WW_RING_DEEP * 4)
            self.t.deep = self.deep_region.at

    # -- room: tables grow between turns, never below the door

    cdef int _room(self, uint64_t users, uint64_t wides, uint64_t cold) except -1:
        """Sees to it that `users` slots in all, and `wides` and `cold` bytes more, fit."""
        cdef uint64_t cap = self.t.users_cap, entries
        cdef uint8_t *dirty
        cdef Region index
        if users >= WW_SLOT_NONE:
            raise Error("a store holds at most 4,294,967,294 users")
        if users > cap:
            while cap < users:
                cap += cap // 2
            cap = (cap + WW_PAGE_USERS - 1) // WW_PAGE_USERS * WW_PAGE_USERS
            dirty = <uint8_t *>realloc(self.t.dirty, cap // WW_PAGE_USERS)
            if dirty == NULL:
                raise MemoryError
            memset(dirty + self.t.users_cap // WW_PAGE_USERS, 0,
                   (cap - self.t.users_cap) // WW_PAGE_USERS)
            self.t.dirty = dirty
            self.t.users = <ww_user *>self.users_region.grow(cap * sizeof(ww_user))
            if self.deep_region is not None:
                self.t.deep = self.deep_region.grow(cap * WW_RING_DEEP * 4)
            self.t.users_cap = <uint32_t>cap
        entries = <uint64_t>self.t.index_mask + 1
        if users * 4 > entries * 3:
            while users * 4 > entries * 3:
                entries *= 2
            index = Region(entries * 8)
            ww_index_move(self.t.index, self.t.index_mask, <uint64_t *>index.at,
                          <uint32_t>(entries - 1))
            self.index_region = index
            self.t.index = <uint64_t *>index.at
            self.t.index_mask = <uint32_t>(entries - 1)
        if self.t.wides_used + wides > self.t.wides_cap:
            cap = self.t.wides_cap
            while cap < self.t.wides_used + wides:
                cap += cap // 2
            self.t.wides = <ww_wide *>self.wides_region.grow(cap * sizeof(ww_wide))
            self.t.wides_cap = <uint32_t>cap
        if self.t.cold_used + cold > self.t.cold_cap:
            cap = self.t.cold_cap
            while cap < self.t.cold_used + cold:
                cap += cap // 2
            if cap // 8 >= 0xffffffff:
                raise Error("keys, serials and long names take more than 32 GiB")
            self.t.cold = <uint8_t *>self.cold_region.grow(cap)
            self.t.cold_cap = cap
        return 0

    # -- turns

    cdef void run(self, Batch b, int64_t now_ms) noexcept:
        b.now_ms = now_ms
        with nogil:
            ww_turn(&self.t, &self.p, &b.b, now_ms)

    def turn(self, Batch b, int64_t now_ms):
        """Takes a batch through one turn at now_ms. Returns the units of records it wrote."""
        self.run(b, now_ms)
        return b.b.units

    def row(self, Batch b, int64_t turn, bytes names, int gateways):
        """The journal row of a turn: header, the gateways' names (packed), records."""
        cdef ww_row h
        cdef uint32_t names_bytes = <uint32_t>len(names)
        cdef size_t records = <size_t>b.b.units * WW_RECORD_BYTES
        memset(&h, 0, sizeof(h))
        h.magic = WW_ROW_MAGIC
        h.version = WW_ROW_VERSION
        h.gateways = <uint16_t>gateways
        h.names_bytes = names_bytes
        h.units = b.b.units
        h.turn = turn
        h.time_ms = b.now_ms
        cdef bytes out = PyBytes_FromStringAndSize(NULL, sizeof(h) + names_bytes + records)
        cdef char *to = PyBytes_AS_STRING(out)
        memcpy(to, &h, sizeof(h))
        memcpy(to + sizeof(h), PyBytes_AS_STRING(names), names_bytes)
        memcpy(to + sizeof(h) + names_bytes, b.b.records, records)
        return out

    cdef object serial_of(self, uint32_t cold):
        cdef size_t n = 0
        cdef const uint8_t *at
        if not cold:
            return None
        at = ww_cold_second(&self.t, cold, &n)
        return PyUnicode_DecodeUTF8(<const char *>at, <Py_ssize_t>n, NULL)

    def verdict(self, Batch b, uint32_t i):
        """The verdict of attempt i of a batch that went through its turn."""
        cdef ww_attempt *a = &b.b.attempts[i]
        cdef Verdict v = Verdict.__new__(Verdict)
        v.code = CODES[a.verdict]
        v.reason = REASONS[a.reason]
        v.kind = KINDS[a.kind]
        v.scope = "full" if a.verdict == WW_ACCEPTED else ""
        v.device = self.serial_of(a.device_cold)
        v.offset = a.offset
        v.retry_after_ms = a.retry_after_ms
        return v

    # -- administration

    def act(self, bytes row):
        """Applies a row of acts. Errors: Error when a record does not fit the tables."""
        cdef ww_row_needs needs
        cdef const uint8_t *at = <const uint8_t *>PyBytes_AS_STRING(row)
        cdef size_t n = PyBytes_GET_SIZE(row)
        if ww_row_needed(&self.t, at, n, &needs):
            raise Error("a row of acts is malformed")
        self._room(needs.users, needs.wides, needs.cold_bytes)
        if ww_row_replay(&self.t, at, n, NULL, NULL, 0):
            raise Error("a row of acts does not fit the tables")

    def enrolment(self, names, keys, bytes spec, bytes place, moving, Py_ssize_t start,
                  Py_ssize_t stop, int64_t turn, int64_t now_ms):
        """The row that adds users start .. stop of two columns, with a device each.

        names: numpy 'S' column; keys: a C-contiguous (n, key bytes) uint8 column, or None for
        users without a device; spec: the fixed part of ww_spec; place: account and realm;
        moving: int64 column of floors, or None. Nothing is applied.
        """
        cdef Py_buffer n, k, m
        cdef Py_ssize_t i, size, key_len = 0
        cdef const char *name
        cdef ww_row h
        cdef ww_record r
        cdef char serial[16]
        cdef int serial_len
        cdef uint32_t slot, free_slot = self.t.users_free, used = self.t.users_used
        cdef uint32_t number = self.t.device_next, units, spec_units = 0
        cdef bytes out
        cdef char *to
        cdef bint has_keys = keys is not None, has_moving = moving is not None
        PyObject_GetBuffer(names, &n, PyBUF_STRIDED_RO)
        if has_keys:
            PyObject_GetBuffer(keys, &k, PyBUF_STRIDED_RO)
            key_len = k.shape[1]
        if has_moving:
            PyObject_GetBuffer(moving, &m, PyBUF_STRIDED_RO)
        try:
            size = 0
            for i in range(start, stop):
                name = <const char *>n.buf + i * n.strides[0]
                size += 1 + (strnlen(name, n.itemsize) + 31) // 32
            if has_keys:
                spec_units = <uint32_t>(len(spec) + key_len + 11 + 31) // 32
                size += (stop - start) * (1 + spec_units)
            memset(&h, 0, sizeof(h))
            h.magic = WW_ROW_MAGIC
            h.version = WW_ROW_VERSION
            h.units = <uint32_t>size
            h.turn = turn
            h.time_ms = now_ms
            out = PyBytes_FromStringAndSize(NULL, sizeof(h) + size * WW_RECORD_BYTES)
            to = PyBytes_AS_STRING(out)
            memset(to, 0, len(out))
            memcpy(to, &h, sizeof(h))
            to += sizeof(h)
            for i in range(start, stop):
                if free_slot:
                    slot = free_slot - 1
                    free_slot = self.t.users[slot].more
                else:
                    slot = used
                    used += 1
                name = <const char *>n.buf + i * n.strides[0]
                size = strnlen(name, n.itemsize)
                memset(&r, 0, sizeof(r))
                r.event = WW_EVENT_USER_ADD
                r.place = <uint8_t>place[0]
                r.user = self.t.users[slot].id if slot < self.t.users_used else slot
                r.tail = <uint8_t>((size + 31) // 32)
                r.lock_ms = <uint32_t>size
                memcpy(to, &r, sizeof(r))
                memcpy(to + sizeof(r), name, size)
                to += sizeof(r) + 32 * r.tail
                if not has_keys:
                    continue
                r.event = WW_EVENT_DEVICE_ADD
                r.place = 0
                r.tail = <uint8_t>spec_units
                r.lock_ms = 0
                r.device = number
                if has_moving:
                    r.moving = (<uint64_t *>(<char *>m.buf + i * m.strides[0]))[0]
                memcpy(to, &r, sizeof(r))
                to += sizeof(r)
                serial_len = snprintf(serial, sizeof(serial), "W%08u", number)
                memcpy(to, PyBytes_AS_STRING(spec), len(spec))
                to[10] = <char>key_len
                to[11] = <char>serial_len
                memcpy(to + len(spec), <char *>k.buf + i * k.strides[0], key_len)
                memcpy(to + len(spec) + key_len, serial, serial_len)
                to += 32 * spec_units
                number += 1
            return out
        finally:
            PyBuffer_Release(&n)
            if has_keys:
                PyBuffer_Release(&k)
            if has_moving:
                PyBuffer_Release(&m)

    def first_bad_name(self, names):
        """What is wrong with a column of new names: None, or (index, "illegal" | "taken" |
        "repeated")."""
        cdef Py_buffer n
        cdef Py_ssize_t i, count
        cdef const char *name
        cdef size_t size
        cdef uint64_t hash, entries = 16, at
        cdef uint64_t *seen
        PyObject_GetBuffer(names, &n, PyBUF_STRIDED_RO)
        seen = NULL
        try:
            count = n.shape[0]
            while entries < 2 * <uint64_t>count:
                entries *= 2
            seen = <uint64_t *>calloc(entries, 8)
            if seen == NULL:
                raise MemoryError
            for i in range(count):
                name = <const char *>n.buf + i * n.strides[0]
                size = strnlen(name, n.itemsize)
                if not ww_name_legal(&self.p, <const uint8_t *>name, size):
                    return i, "illegal"
                if not self.p.names_any:
                    for at in range(size):
                        if c'A' <= name[at] <= c'Z':
                            return i, "illegal"
                hash = ww_name_hash(&self.t, <const uint8_t *>name, size)
                if ww_slot_find(&self.t, hash, <const uint8_t *>name, size) != WW_SLOT_NONE:
                    return i, "taken"
                hash |= hash == 0
                at = hash & (entries - 1)
                while seen[at]:  # 64 keyed bits: two names that share them are not met by chance
                    if seen[at] == hash:
                        return i, "repeated"
                    at = (at + 1) & (entries - 1)
                seen[at] = hash
            return None
        finally:
            free(seen)
            PyBuffer_Release(&n)

    def next_slot(self):
        """(slot, id) for the next user: an id is generation << 32 | slot and never used again."""
        cdef uint32_t slot = ww_slot_next(&self.t)
        if slot < self.t.users_used:
            return slot, self.t.users[slot].id
        return slot, slot

    def next_device(self):
        return self.t.device_next

    def name_legal(self, bytes name):
        return bool(ww_name_legal(&self.p, <const uint8_t *>PyBytes_AS_STRING(name), len(name)))

    def name_hash(self, bytes name):
        return ww_name_hash(&self.t, <const uint8_t *>PyBytes_AS_STRING(name), len(name))

    def find(self, bytes name):
        """The slot of a user, or None."""
        cdef const uint8_t *at = <const uint8_t *>PyBytes_AS_STRING(name)
        cdef uint32_t slot = ww_slot_find(&self.t, ww_name_hash(&self.t, at, len(name)), at,
                                          len(name))
        return None if slot == WW_SLOT_NONE else slot

    def user(self, uint32_t slot):
        """(id, name, account, realm, failures, lock_until_ms, last_failure_ms, devices) or None;
        a device is (number, serial, kind, state, capped, hash, digits, period_s, back, forward,
        look_ahead, drift_max, t0_s, moving, drift, failures). Codes are numbers."""
        cdef ww_user *u
        cdef ww_device *d
        cdef size_t n = 0
        cdef const uint8_t *name
        if slot >= self.t.users_used or not self.t.users[slot].name_len:
            return None
        u = &self.t.users[slot]
        name = ww_user_name(&self.t, u, &n)
        devices = []
        d = ww_device_first(&self.t, u)
        while d != NULL:
            totp = d.kind == WW_KIND_TOTP
            devices.append((
                d.number, self.serial_of(d.cold), d.kind, d.state, bool(d.capped), d.hash, d.digits,
                d.period_s, d.window >> 4 if totp else 0, d.window & 15 if totp else 0,
                0 if totp else d.window, d.drift_max, ww_device_t0(d), d.moving, d.drift,
                d.failures))
            d = ww_device_next(&self.t, u, d)
        return (u.id, PyUnicode_DecodeUTF8(<const char *>name, <Py_ssize_t>n, NULL), u.account,
                u.realm, u.streak.count, u.streak.lock_until_ms, u.streak.last_ms, devices)

    def device_key(self, uint32_t slot, uint32_t number):
        """The key of a device, for fingerprints and export; None when there is none."""
        cdef ww_device *d
        cdef size_t n = 0
        cdef const uint8_t *at
        if slot >= self.t.users_used:
            return None
        d = ww_device_first(&self.t, &self.t.users[slot])
        while d != NULL:
            if d.number == number:
                at = ww_cold_first(&self.t, d.cold, &n)
                return PyBytes_FromStringAndSize(<const char *>at, <Py_ssize_t>n)
            d = ww_device_next(&self.t, &self.t.users[slot], d)
        return None

    def slots_used(self):
        return self.t.users_used

    # -- pages

    def dirty_pages(self, uint32_t most):
        """Up to `most` changed pages as (number, identity too); they count as clean from now on."""
        cdef uint32_t page, pages = (self.t.users_used + WW_PAGE_USERS - 1) // WW_PAGE_USERS
        out = []
        for page in range(pages):
            if self.t.dirty[page]:
                out.append((page, bool(self.t.dirty[page] & WW_DIRTY_IDENTITY)))
                self.t.dirty[page] = 0
                if len(out) >= most:
                    break
        return out

    def dirty_all(self):
        """Every page counts as changed: a new key is to be laid over all of them."""
        cdef uint32_t page, pages = (self.t.users_used + WW_PAGE_USERS - 1) // WW_PAGE_USERS
        for page in range(pages):
            self.t.dirty[page] = WW_DIRTY_STATE | WW_DIRTY_IDENTITY

    def page_identity(self, uint32_t page):
        cdef size_t n = ww_page_identity_max(&self.t, page)
        cdef uint8_t *out = <uint8_t *>malloc(n)
        if out == NULL:
            raise MemoryError
        try:
            n = ww_page_identity_encode(&self.t, page, out)
            return PyBytes_FromStringAndSize(<char *>out, n)
        finally:
            ww_wipe(out, n)
            free(out)

    def page_state(self, uint32_t page):
        cdef size_t n = ww_page_state_max(&self.t, page)
        cdef uint8_t *out = <uint8_t *>malloc(n)
        if out == NULL:
            raise MemoryError
        try:
            n = ww_page_state_encode(&self.t, page, out)
            return PyBytes_FromStringAndSize(<char *>out, n)
        finally:
            free(out)

    def load_identity(self, uint32_t page, image):
        """Reads a stored page. False when the bytes are not one."""
        cdef Py_buffer b
        cdef ww_page_needs needs
        PyObject_GetBuffer(image, &b, PyBUF_SIMPLE)
        try:
            if ww_page_identity_needed(<const uint8_t *>b.buf, b.len, &needs):
                return False
            self._room(<uint64_t>page * WW_PAGE_USERS + needs.slots, needs.wides, needs.cold_bytes)
            return not ww_page_identity_decode(&self.t, page, <const uint8_t *>b.buf, b.len)
        finally:
            PyBuffer_Release(&b)

    def load_state(self, uint32_t page, image):
        cdef Py_buffer b
        PyObject_GetBuffer(image, &b, PyBUF_SIMPLE)
        try:
            return not ww_page_state_decode(&self.t, page, <const uint8_t *>b.buf, b.len)
        finally:
            PyBuffer_Release(&b)

    def replay(self, row, identity_turns, state_turns):
        """Applies what is newer than its page; the turns are buffers of int64, one a page. Returns
        the set of events seen (bit = event), or None when the row does not fit the tables."""
        cdef Py_buffer b, identity, state
        cdef ww_row_needs needs
        PyObject_GetBuffer(row, &b, PyBUF_SIMPLE)
        PyObject_GetBuffer(identity_turns, &identity, PyBUF_SIMPLE)
        PyObject_GetBuffer(state_turns, &state, PyBUF_SIMPLE)
        try:
            if ww_row_needed(&self.t, <const uint8_t *>b.buf, b.len, &needs):
                return None
            self._room(needs.users, needs.wides, needs.cold_bytes)
            if ww_row_replay(&self.t, <const uint8_t *>b.buf, b.len,
                             <const int64_t *>identity.buf, <const int64_t *>state.buf,
                             <uint32_t>(min(identity.len, state.len) // 8)):
                return None
            return needs.events
        finally:
            PyBuffer_Release(&b)
            PyBuffer_Release(&identity)
            PyBuffer_Release(&state)

    def loaded(self):
        """After pages and replay: the free chain is made anew."""
        ww_slots_rebuild(&self.t)


include "connection.pxi"
