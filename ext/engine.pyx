"""The door between Python and the core: memory, batches, turns, pages. It decides nothing.

Memory that holds secrets is private, left out of core dumps, locked where the system allows, and
wiped. The interpreter's lock is dropped once a turn. C codes become exceptions here alone.
"""
import enum
import ipaddress
import os
from collections import deque as _deque
from _thread import start_new_thread
from queue import SimpleQueue
from threading import RLock

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.buffer cimport (
    PyBUF_SIMPLE,
    PyBUF_STRIDED_RO,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from cpython.unicode cimport PyUnicode_AsUTF8AndSize, PyUnicode_Check, PyUnicode_DecodeUTF8
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset

from core cimport *
from entry cimport *
from ids cimport *
from tally cimport *
from wire cimport *

from watchword.errors import Busy, Error, InvalidArgument

cdef extern from "stdio.h" nogil:
    int snprintf(char *to, size_t size, const char *form, ...)

cdef extern from "unistd.h" nogil:
    int getpid()

cdef extern from "sys/mman.h" nogil:
    enum:
        PROT_NONE
        PROT_READ
        PROT_WRITE
        MAP_PRIVATE
        MAP_ANONYMOUS
        MAP_NORESERVE
        MADV_HUGEPAGE
        MADV_DONTDUMP
        MLOCK_ONFAULT
    void *MAP_FAILED
    void *mmap(void *at, size_t n, int prot, int flags, int fd, long offset)
    int munmap(void *at, size_t n)
    int mprotect(void *at, size_t n, int prot)
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
    NO_CHALLENGE = 14
    OVERDUE = 15
    SCOPE = 16
    PIN = 17
    PASSWORD = 18
    PENDING = 21
    DENIED = 22
    MISMATCHED = 23
    CANCELLED = 24
    ENDED = 30
    ADDRESS = 34
    IDENTITY = 35
    TEMPORARY = 36
    LESS_SECURE = 37
    LIMIT = 38


KINDS = tuple([ww_kind_name(kind, 0).decode() for kind in range(WW_KINDS)])
LABELS = ("",) + tuple([ww_kind_name(0, label).decode() for label in range(1, WW_LABELS)])
cdef dict KIND_NAMES = {(kind, label): LABELS[label] or KINDS[kind]
                        for kind in range(WW_KINDS) for label in range(WW_LABELS)}
HASH_NAMES = ("sha1", "sha256", "sha512")
DEVICE_STATES = ("shipped", "active", "suspended", "lost", "returned", "expired")
ACCOUNT_STATES = ("open", "pending", "closed")
PLATFORMS = ("trading", "portal")
REALMS = ("live", "paper")
cdef dict PLATFORM_CODES = {"trading": WW_TRADING, "portal": WW_PORTAL}
cdef dict REALM_CODES = {"live": WW_LIVE, "paper": WW_PAPER}
cdef dict HASH_CODES = {name: code for code, name in enumerate(HASH_NAMES)}
cdef tuple CODES = (None,) + tuple(Code)
cdef tuple REASONS = tuple([{int(reason): reason for reason in Reason}.get(number)
                            for number in range(max(Reason) + 1)])  # some are nobody's

BATCH_ATTEMPTS_MAX = WW_BATCH_ATTEMPTS_MAX
PAGE_USERS = WW_PAGE_USERS
DEVICES_PER_USER_MAX = WW_DEVICES_PER_USER_MAX
NAME_BYTES_MAX = WW_NAME_BYTES_MAX
SESSION_BYTES_MAX = WW_SESSION_BYTES_MAX
PURPOSE_BYTES_MAX = WW_PURPOSE_BYTES_MAX
SENT_MAX = WW_SENT_MAX
ID_BYTES_MIN, ID_BYTES_MAX = WW_ID_BYTES_MIN, WW_ID_BYTES_MAX
ID_MS, IDS_MAX = WW_ID_MS, WW_IDS_MAX
ANSWERS_MAX = WW_ANSWERS_MAX
ROW_MAGIC = WW_ROW_MAGIC


# ---- plain pieces ----

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


include "gate.pxi"
include "region.pxi"
include "batch.pxi"
include "core.pxi"
include "ask.pxi"
include "known.pxi"
include "entry.pxi"
include "life.pxi"
include "push.pxi"
include "ids.pxi"
include "split.pxi"
include "watch.pxi"
include "ahead.pxi"
include "slices.pxi"
include "history.pxi"
include "floors.pxi"
include "connection.pxi"
