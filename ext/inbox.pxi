# What a connection has read and not yet served: its own buffer, parsed in place by ext/wire.c.
#
# The rule: bytes are copied only to make room; a frame longer than its limit is refused by the
# parser before there would be room for it; what is given back is wiped, for codes were typed here.

cdef enum:
    READ_BYTES_MIN = 4096              # the buffer when a client begins to speak
    READ_BYTES_MAX = WW_WIRE_COMMAND_BYTES_MAX + READ_BYTES_MIN
    READ_MANY_BYTES_MAX = WW_WIRE_MANY_BYTES_MAX + READ_BYTES_MIN
    STRANGER_BYTES_MAX = 1024          # of whoever has yet to say who it is, either way
    ARGS_INLINE = 24                   # a VERIFY with every option fits
    ARGS_KEPT_MAX = 1024

cdef struct Inbox:
    uint8_t *at                        # the frame under way is at + head, its bytes end at tail
    uint32_t head, tail, cap
    bint hungry                        # the last read filled the buffer: the next may be larger
    bint ready                         # a whole command stands at head and is yet to be served
    bint small                         # a stranger's: it does not grow
    ww_wire wire
    ww_span args[ARGS_INLINE]


cdef void inbox_init(Inbox *b) noexcept nogil:
    memset(b, 0, sizeof(b[0]))
    b.wire.args = b.args
    b.wire.args_cap = ARGS_INLINE

cdef void inbox_args_free(Inbox *b) noexcept nogil:
    if b.wire.args != b.args:
        free(b.wire.args)
    b.wire.args = b.args
    b.wire.args_cap = ARGS_INLINE

cdef void inbox_free(Inbox *b) noexcept nogil:
    """Gives memory back; whatever was under way is forgotten."""
    if b.at is not NULL:
        ww_wipe(b.at, b.cap)
        free(b.at)
    b.at = NULL
    b.head = b.tail = b.cap = 0
    b.ready = b.hungry = False
    inbox_args_free(b)
    ww_wire_next(&b.wire)

cdef bint inbox_empty(const Inbox *b) noexcept nogil:
    return b.head == b.tail

cdef bint inbox_full(const Inbox *b) noexcept nogil:
    """Whether a stranger has said all it may in one command."""
    return b.small and b.tail - b.head >= STRANGER_BYTES_MAX

cdef void inbox_grow(Inbox *b, uint32_t most) noexcept nogil:
    cdef uint32_t cap = min(max(2 * b.cap, <uint32_t>READ_BYTES_MIN), most)
    cdef uint8_t *grown = <uint8_t *>malloc(cap)
    b.hungry = False
    if grown is NULL:
        return
    if b.at is not NULL:
        memcpy(grown, b.at, b.tail)
        ww_wipe(b.at, b.cap)
        free(b.at)
    b.at, b.cap = grown, cap

cdef bint inbox_room(Inbox *b) noexcept nogil:
    """Sees to room behind tail for the next read; False: there is none, and there will be none."""
    cdef uint32_t most = READ_MANY_BYTES_MAX if b.wire.many else READ_BYTES_MAX
    if b.small:
        most = STRANGER_BYTES_MAX
    if b.head == b.tail:
        b.head = b.tail = 0
        if b.cap > READ_BYTES_MAX and not b.wire.many:
            inbox_free(b)
    if b.cap - b.tail < b.cap // 4 and b.head > 0:
        memmove(b.at, b.at + b.head, b.tail - b.head)
        b.tail -= b.head
        b.head = 0
    if (b.hungry or b.cap - b.tail < READ_BYTES_MIN // 4) and b.cap < most:
        inbox_grow(b, most)
    return b.cap > b.tail

cdef void inbox_took(Inbox *b, uint32_t n) noexcept nogil:
    b.tail += n
    b.hungry = b.tail == b.cap

cdef bint inbox_more_args(Inbox *b) noexcept nogil:
    cdef uint32_t cap = min(4 * b.wire.args_cap, <uint32_t>WW_WIRE_ARGS_MAX)
    cdef ww_span *grown = <ww_span *>malloc(cap * sizeof(ww_span))
    if grown is NULL:
        return False
    memcpy(grown, b.wire.args, b.wire.argc * sizeof(ww_span))
    if b.wire.args != b.args:
        free(b.wire.args)
    b.wire.args, b.wire.args_cap = grown, cap
    return True

cdef ww_wire_status inbox_next(Inbox *b) noexcept nogil:
    """COMMAND: one stands at head, until inbox_done. MORE: it is not all there. Else: a bad one."""
    cdef ww_wire_status status = WW_WIRE_COMMAND
    while not b.ready:
        if b.head == b.tail:
            return WW_WIRE_MORE
        status = ww_wire_parse(&b.wire, b.at + b.head, b.tail - b.head)
        if status != WW_WIRE_ROOM:
            b.ready = status == WW_WIRE_COMMAND
            return status
        if not inbox_more_args(b):
            return WW_WIRE_TOO_MANY_ARGS
    return status

cdef void inbox_done(Inbox *b) noexcept nogil:
    """Leaves the command just served behind."""
    if b.ready:
        b.ready = False
        b.head += b.wire.end
        if b.wire.args_cap > ARGS_KEPT_MAX:
            inbox_args_free(b)
        ww_wire_next(&b.wire)


# ---- a door for tests of the parser --------------------------------------------------------------

def wire_parse(bytes data, cuts=(), uint32_t args_cap=4):
    """Parses data as it would arrive in pieces ending at each of `cuts` and at its end.

    Returns (frames, status, bad): a list of args for each whole frame, the number of the status
    the parser stopped with (0: it wants more), and the byte it complains of, or 0.
    """
    cdef ww_wire w
    cdef ww_span *grown
    cdef ww_wire_status status = WW_WIRE_MORE
    cdef uint8_t *buf = <uint8_t *>malloc(len(data) + 1)
    cdef uint32_t i, head = 0, stop
    frames = []
    memset(&w, 0, sizeof(w))
    memcpy(buf, PyBytes_AS_STRING(data), len(data))
    try:
        for stop in [*cuts, len(data)]:
            while True:
                status = ww_wire_parse(&w, buf + head, stop - head)
                if status == WW_WIRE_COMMAND:
                    frames.append([PyBytes_FromStringAndSize(<char *>buf + head + w.args[i].at,
                                                             w.args[i].len)
                                   for i in range(w.argc)])
                    head += w.end
                    ww_wire_next(&w)
                elif status == WW_WIRE_ROOM:
                    grown = <ww_span *>realloc(w.args, (w.args_cap + args_cap) * sizeof(ww_span))
                    if grown is NULL:
                        raise MemoryError
                    w.args = grown
                    w.args_cap = min(w.args_cap + args_cap, <uint32_t>WW_WIRE_ARGS_MAX)
                else:
                    break
            if status != WW_WIRE_MORE:
                break
        return frames, <int>status, w.bad
    finally:
        free(buf)
        free(w.args)


def wire_error(int status):
    """The text a client is sent for a status below zero, without what follows it."""
    return ww_wire_error(<ww_wire_status>status)
