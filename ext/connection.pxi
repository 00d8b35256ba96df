# One client of the daemon: its bytes in, its attempts into the open batch, its replies out in order.
#
# The rules:
# - bytes land in the connection's own buffer and are parsed where they lie (ext/wire.c); on the road
#   of VERIFY no Python object is made for an attempt, and each turn writes to a connection once;
# - replies keep the order of the commands: behind an unanswered attempt every reply waits its turn;
# - nothing grows past its limit: a connection that is full stops being parsed, then being read.

cimport cython
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.string cimport memcmp, memmove, strlen

include "gather.pxi"

cdef extern from "Python.h":
    int PyBUF_WRITE
    void Py_FatalError(const char *text)

cdef extern from "arpa/inet.h" nogil:
    int AF_INET, AF_INET6
    int inet_pton(int family, const char *text, void *address)

cdef enum:
    READ_BYTES_MIN = 4096                       # a connection's buffer when it begins to speak
    READ_BYTES_MAX = WW_WIRE_COMMAND_BYTES_MAX + READ_BYTES_MIN
    READ_MANY_BYTES_MAX = WW_WIRE_MANY_BYTES_MAX + READ_BYTES_MIN
    FLUSH_BYTES = 65536                         # immediate replies are handed on in such pieces
    KEEP_BYTES_MAX = 1 << 20                    # reply buffers larger than this are given back
    ARGS_INLINE = 24                            # a VERIFY with every option fits

ctypedef enum State:
    OPENED = 0        # commands are parsed
    DRAINING = 1      # nothing more is parsed; closes when all is answered
    LINGERING = 2     # our side is closed; what still arrives is dropped, so that the error is read
    CLOSED = 3

cdef enum:            # why an opened connection is not parsed on; any of them pauses reading
    STALL_BATCH = 1   # the open batch is full
    STALL_ANSWERS = 2 # too many unanswered attempts, or too much that waits behind them
    STALL_WRITE = 4   # the client does not read its replies
    STALL_ACT = 8     # an administrative act is under way, or waits for attempts before it

ctypedef enum Form:   # of a reply
    FORM_BYTES = 0    # `at` bytes of `later`
    FORM_PLAIN = 1    # attempt `at`
    FORM_DETAIL = 2   # the same as a flat array
    FORM_DETAIL_MAP = 3
    FORM_MANY = 4     # attempts `at` to `at + count` as an array

cdef struct Slot:     # a reply that waits
    uint64_t turn
    uint32_t at, count
    Form form


# ---- bytes that grow ------------------------------------------------------------------------------

cdef struct Bytes:
    uint8_t *at
    size_t len, cap
    bint lost         # no memory: what was to be said is incomplete, and must not be said

cdef bint bytes_room(Bytes *b, size_t more) noexcept nogil:
    cdef size_t cap
    cdef uint8_t *grown
    if b.len + more <= b.cap:
        return True
    cap = max(2 * b.cap, b.len + more, <size_t>1024)
    grown = <uint8_t *>realloc(b.at, cap)
    if grown is NULL:
        b.lost = True
        return False
    b.at, b.cap = grown, cap
    return True

cdef void bytes_put(Bytes *b, const void *from_, size_t n) noexcept nogil:
    if bytes_room(b, n):
        memcpy(b.at + b.len, from_, n)
        b.len += n

cdef void bytes_text(Bytes *b, const char *text) noexcept nogil:
    bytes_put(b, text, strlen(text))

cdef void bytes_number(Bytes *b, const char *before, int64_t n) noexcept nogil:
    """before, the number in decimal, CR LF."""
    cdef char digits[24]
    cdef size_t i = sizeof(digits)
    cdef uint64_t left = <uint64_t>(-n) if n < 0 else <uint64_t>n
    while True:
        i -= 1
        digits[i] = <char>(c'0' + left % 10)
        left //= 10
        if left == 0:
            break
    if n < 0:
        i -= 1
        digits[i] = c'-'
    bytes_text(b, before)
    bytes_put(b, digits + i, sizeof(digits) - i)
    bytes_text(b, "\r\n")

cdef void bytes_bulk(Bytes *b, const void *from_, size_t n) noexcept nogil:
    bytes_number(b, "$", <int64_t>n)
    bytes_put(b, from_, n)
    bytes_text(b, "\r\n")

cdef void bytes_free(Bytes *b) noexcept nogil:
    free(b.at)
    memset(b, 0, sizeof(b[0]))


# ---- verdicts as replies ---------------------------------------------------------------------------

cdef const char *verdict_text(uint8_t verdict) noexcept nogil:
    if verdict == WW_ACCEPTED:
        return "+ACCEPTED\r\n"
    if verdict == WW_LOCKED:
        return "+LOCKED\r\n"
    if verdict == WW_CHALLENGE:
        return "+CHALLENGE\r\n"
    if verdict == WW_EXPIRED:
        return "+EXPIRED\r\n"
    if verdict == WW_NOT_PERMITTED:
        return "+NOT_PERMITTED\r\n"
    if verdict == WW_BAD_CHARACTER:
        return "+BAD_CHARACTER\r\n"
    if verdict == WW_BUSY:
        return "+BUSY\r\n"
    return "+REJECTED\r\n"      # whatever else it is, it is not yes


cdef uint8_t verdict_shown(uint8_t verdict, bint reasons) noexcept nogil:
    """What a gateway may see: without the right `reasons` three verdicts read REJECTED."""
    if verdict < WW_ACCEPTED or verdict > WW_BUSY:
        return WW_REJECTED
    if not reasons and (verdict == WW_LOCKED or verdict == WW_EXPIRED
                        or verdict == WW_NOT_PERMITTED):
        return WW_REJECTED
    return verdict


# ---- options of the verifying verbs ------------------------------------------------------------------

cdef enum:
    SEEN_PLATFORM = 1
    SEEN_REALM = 2
    SEEN_DEVICE = 4
    SEEN_ADDRESS = 8
    SEEN_DETAIL = 16
    WITH_VERIFY = 31
    WITH_VERIFYMANY = SEEN_PLATFORM | SEEN_ADDRESS
    ADDRESS_BYTES_MAX = 45                      # of an IPv6 address as text

cdef struct Options:
    uint32_t seen
    uint8_t platform, realm
    uint8_t address[16]
    ww_span device

cdef const char *option_unserved(const uint8_t *frame, ww_span s) noexcept nogil:
    """The reply to an option of the house that is not served yet; NULL: it is no option at all."""
    if ww_wire_is(frame, s, "CHALLENGE"):
        return "-ERR option 'CHALLENGE' is not served yet\r\n"
    if ww_wire_is(frame, s, "PASSWORD"):
        return "-ERR option 'PASSWORD' is not served yet\r\n"
    if ww_wire_is(frame, s, "PIN"):
        return "-ERR option 'PIN' is not served yet\r\n"
    if ww_wire_is(frame, s, "SESSION"):
        return "-ERR option 'SESSION' is not served yet\r\n"
    if ww_wire_is(frame, s, "ID"):
        return "-ERR option 'ID' is not served yet\r\n"
    return NULL

cdef uint32_t option_named(const uint8_t *frame, ww_span s) noexcept nogil:
    if ww_wire_is(frame, s, "PLATFORM"):
        return SEEN_PLATFORM
    if ww_wire_is(frame, s, "REALM"):
        return SEEN_REALM
    if ww_wire_is(frame, s, "DEVICE"):
        return SEEN_DEVICE
    if ww_wire_is(frame, s, "ADDRESS"):
        return SEEN_ADDRESS
    if ww_wire_is(frame, s, "DETAIL"):
        return SEEN_DETAIL
    return 0

cdef bint address_read(const uint8_t *text, uint32_t n, uint8_t *address) noexcept nogil:
    """IPv4 mapped into IPv6, IPv6 to its /64, as pack_address does."""
    cdef char line[ADDRESS_BYTES_MAX + 1]
    cdef uint8_t mapped[12]
    if n > ADDRESS_BYTES_MAX:
        return False
    memcpy(line, text, n)
    line[n] = 0
    if strlen(line) != n:
        return False
    memset(mapped, 0, 10)
    mapped[10] = mapped[11] = 0xff
    if inet_pton(AF_INET, line, address + 12) == 1:
        memcpy(address, mapped, 12)
        return True
    if inet_pton(AF_INET6, line, address) != 1:
        return False
    if memcmp(address, mapped, 12) != 0:
        memset(address + 8, 0, 8)
    return True

cdef const char *option_read(Options *o, uint32_t option, const uint8_t *frame,
                             ww_span s) noexcept nogil:
    """Takes an option's value; the reply when it is not one it may have."""
    if option == SEEN_PLATFORM:
        if not ww_wire_is(frame, s, "TRADING") and not ww_wire_is(frame, s, "PORTAL"):
            return "-ERR PLATFORM is trading or portal\r\n"
        o.platform = WW_TRADING if s.len == 7 else WW_PORTAL
    elif option == SEEN_REALM:
        if not ww_wire_is(frame, s, "LIVE") and not ww_wire_is(frame, s, "PAPER"):
            return "-ERR REALM is live or paper\r\n"
        o.realm = WW_LIVE if s.len == 4 else WW_PAPER
    elif option == SEEN_ADDRESS:
        if not address_read(frame + s.at, s.len, o.address):
            return "-ERR ADDRESS is not an IPv4 or IPv6 address\r\n"
    elif option == SEEN_DEVICE:
        o.device = s
    return NULL

cdef const char *options_read(const uint8_t *frame, const ww_wire *w, uint32_t first,
                              uint32_t legal, Options *o) noexcept nogil:
    """Options from args[first] on: any order, each at most once. NULL, or the reply to a mistake."""
    cdef uint32_t i = first, option
    cdef const char *mistake
    memset(o, 0, sizeof(o[0]))
    o.platform = WW_TRADING
    o.realm = WW_LIVE
    while i < w.argc:
        option = option_named(frame, w.args[i]) & legal
        if option == 0:
            mistake = option_unserved(frame, w.args[i])
            if mistake is NULL:
                mistake = "-ERR syntax error\r\n"
            return mistake
        if o.seen & option:
            return "-ERR syntax error, an option is given twice\r\n"
        o.seen |= option
        i += 1
        if option == SEEN_DETAIL:
            continue
        if i == w.argc:
            return "-ERR syntax error, an option lacks its value\r\n"
        mistake = option_read(o, option, frame, w.args[i])
        if mistake is not NULL:
            return mistake
        i += 1
    return NULL


# ---- what the connections of a loop share ----------------------------------------------------------

cdef class Clients:
    """Every connection of one loop: their count, their limits, and the one sweep that ages them.

    limits has the attributes of watchword.serve.limits; a door is what a listening socket gives its
    connections: .admits(transport) -> bool; .answer(connection, args) -> bytes or an asyncio.Future
    of bytes; .gateway, an index into the gather's names; .reasons, whether it may see why; .acts,
    whether it has acts, which take time and wait for the answers before them.
    """
    cdef readonly Gather gather
    cdef readonly object loop
    cdef readonly uint64_t accepted, refused, commands
    cdef set all
    cdef Bytes out                # replies of the callback under way; empty between callbacks
    cdef double now_s             # of the last sweep
    cdef size_t connections_max, unread_bytes_max
    cdef uint32_t answers_max
    cdef double partial_s_max, idle_s_max, undrained_s_max, linger_s_max
    cdef object drained

    def __cinit__(self):
        memset(&self.out, 0, sizeof(self.out))

    def __init__(self, Gather gather, loop, limits, size_t connections_max):
        self.gather = gather
        self.loop = loop
        self.all = set()
        self.connections_max = connections_max
        self.unread_bytes_max = limits.UNREAD_BYTES_MAX
        self.answers_max = limits.ANSWERS_MAX
        self.partial_s_max = limits.PARTIAL_SECONDS_MAX
        self.idle_s_max = limits.IDLE_SECONDS_MAX
        self.undrained_s_max = limits.UNDRAINED_SECONDS_MAX
        self.linger_s_max = limits.LINGER_SECONDS_MAX
        self.now_s = loop.time()

    def __dealloc__(self):
        bytes_free(&self.out)

    def __len__(self):
        return len(self.all)

    def connect(self, door):
        """A protocol for a connection that was just accepted."""
        return Connection(self, door)

    def sweep(self, double now_s):
        """Closes what is too old; to be called about once a second with the loop's time."""
        cdef Connection connection
        self.now_s = now_s
        for connection in list(self.all):
            connection.age(now_s)

    def drain(self, drained):
        """Stops parsing everywhere; drained() is called when the last connection has closed."""
        cdef Connection connection
        self.drained = drained
        for connection in list(self.all):
            connection.stop()
        self.emptied()

    def abort(self):
        """Closes every connection at once, answered or not."""
        cdef Connection connection
        for connection in list(self.all):
            connection.abort()

    cdef void emptied(self):
        if self.drained is not None and not self.all:
            drained, self.drained = self.drained, None
            drained()


# ---- one connection ---------------------------------------------------------------------------------

@cython.final
cdef class Connection:
    """An asyncio.BufferedProtocol in all but its base."""
    cdef readonly uint64_t id
    cdef public int protocol          # 2 or 3: how replies are written from here on
    cdef public bytes name            # as CLIENT SETNAME gave it
    cdef readonly object transport
    cdef Clients clients
    cdef object door
    cdef bint reasons, acts
    cdef uint8_t gateway
    cdef State state
    cdef uint32_t stalls
    cdef bint reading, ready, linger, eof    # ready: a parsed command waits for its stall to end
    cdef uint8_t *rx                  # bytes read: the frame under way begins at head
    cdef uint32_t head, tail, cap
    cdef bint hungry                  # the last read filled the buffer
    cdef ww_wire wire
    cdef ww_span args[ARGS_INLINE]
    cdef Slot *slots                  # replies that wait, in order: [first, last)
    cdef uint32_t first, last, slots_cap
    cdef uint32_t unanswered          # attempts among them
    cdef Bytes later                  # bytes of FORM_BYTES slots; those before later_at are gone
    cdef size_t later_at
    cdef uint64_t turn                # the last turn it waits for
    cdef object act                   # future of the administrative act under way
    cdef double active_s, partial_s, unread_s, linger_s   # since when, 0: not at all

    def __cinit__(self):
        memset(&self.wire, 0, sizeof(self.wire))
        memset(&self.later, 0, sizeof(self.later))
        self.wire.args = self.args
        self.wire.args_cap = ARGS_INLINE

    def __init__(self, Clients clients, door):
        self.clients = clients
        self.door = door
        self.gateway = door.gateway
        self.reasons = door.reasons
        self.acts = door.acts
        self.protocol = 2
        self.name = b""
        self.reading = True
        self.state = CLOSED

    def __dealloc__(self):
        self.forget()
        if self.wire.args != self.args:
            free(self.wire.args)

    # ---- coming and going ----

    def connection_made(self, transport):
        cdef Clients clients = self.clients
        self.transport = transport
        clients.accepted += 1
        self.id = clients.accepted
        if (clients.drained is not None or clients.gather.ended
                or not self.door.admits(transport)):
            transport.abort()
        elif <size_t>len(clients.all) >= clients.connections_max:
            clients.refused += 1
            transport.write(b"-ERR max number of clients reached\r\n")
            transport.close()
        else:
            self.state = OPENED
            self.active_s = clients.now_s
            transport.set_write_buffer_limits(clients.unread_bytes_max)
            clients.all.add(self)

    def connection_lost(self, error):
        self.state = CLOSED
        self.forget()
        self.transport = None
        self.clients.all.discard(self)
        self.clients.emptied()

    def eof_received(self):
        self.eof = True
        if self.state == LINGERING or self.state == CLOSED:
            return False
        self.settle()
        return True

    cdef void forget(self) noexcept:
        """Gives memory back, wiped: codes were typed into it."""
        if self.rx is not NULL:
            ww_wipe(self.rx, self.cap)
            free(self.rx)
        self.rx = NULL
        self.head = self.tail = self.cap = 0
        self.ready = False
        free(self.slots)
        self.slots = NULL
        self.first = self.last = self.slots_cap = self.unanswered = 0
        bytes_free(&self.later)
        self.later_at = 0

    cdef void abort(self):
        if self.transport is not None:
            self.state = CLOSED
            self.transport.abort()

    cdef void stop(self):
        if self.state == OPENED:
            self.state = DRAINING
            self.settle()

    def drain(self):
        """No further command is heard; closes when all before is answered (QUIT)."""
        if self.state == OPENED:
            self.state = DRAINING

    cdef void age(self, double now_s):
        cdef Clients clients = self.clients
        if self.state == LINGERING:
            if now_s - self.linger_s >= clients.linger_s_max:
                self.abort()
        elif self.unread_s and now_s - self.unread_s >= clients.undrained_s_max:
            self.abort()
        elif self.partial_s and now_s - self.partial_s >= clients.partial_s_max:
            self.abort()
        elif self.first == self.last and not self.stalls and self.head == self.tail:
            if now_s - self.active_s >= clients.idle_s_max:
                self.stop()
            elif now_s - self.active_s > 1 and self.rx is not NULL:
                self.forget()     # ten thousand silent clients hold no buffers

    # ---- bytes in ----

    def get_buffer(self, sizehint):
        cdef uint32_t most = READ_MANY_BYTES_MAX if self.wire.many else READ_BYTES_MAX
        if self.head == self.tail or self.state != OPENED:
            self.head = self.tail = 0
            if self.cap > READ_BYTES_MAX and not self.wire.many:
                self.forget()
        if self.cap - self.tail < self.cap // 4 and self.head > 0:
            memmove(self.rx, self.rx + self.head, self.tail - self.head)
            self.tail -= self.head
            self.head = 0
        if (self.hungry or self.cap - self.tail < READ_BYTES_MIN // 4) and self.cap < most:
            self.grow(most)
        if self.cap == self.tail:
            raise MemoryError("no room for what a client sends")
        return PyMemoryView_FromMemory(<char *>self.rx + self.tail, self.cap - self.tail,
                                       PyBUF_WRITE)

    cdef void grow(self, uint32_t most) noexcept:
        cdef uint32_t cap = min(max(2 * self.cap, <uint32_t>READ_BYTES_MIN), most)
        cdef uint8_t *grown = <uint8_t *>malloc(cap)
        self.hungry = False
        if grown is NULL:
            return
        if self.rx is not NULL:
            memcpy(grown, self.rx, self.tail)
            ww_wipe(self.rx, self.cap)
            free(self.rx)
        self.rx, self.cap = grown, cap

    def buffer_updated(self, uint32_t nbytes):
        if self.state != OPENED:
            self.head = self.tail = 0
            return
        self.tail += nbytes
        self.hungry = self.tail == self.cap
        self.active_s = self.clients.now_s
        self.advance()
        self.settle()

    cdef void advance(self):
        """Parses commands until the bytes, or the room for what they ask, come to an end."""
        cdef ww_wire_status status
        while self.state == OPENED and not self.stalls:
            if not self.ready:
                if self.head == self.tail:
                    self.partial_s = 0
                    return
                status = ww_wire_parse(&self.wire, self.rx + self.head, self.tail - self.head)
                if status == WW_WIRE_MORE:
                    if self.partial_s == 0:
                        self.partial_s = self.clients.loop.time()
                    return
                if status == WW_WIRE_ROOM:
                    if not self.more_args():
                        self.abort()
                    continue
                if status != WW_WIRE_COMMAND:
                    self.malformed(status)
                    return
                self.ready = True
                self.partial_s = 0
            if not self.command():
                return                 # it stays where it is until the stall is over
            self.done()
            if self.clients.out.len >= FLUSH_BYTES:
                self.flush()

    cdef void done(self) noexcept:
        """Leaves the command just served behind."""
        if self.ready:
            self.head += self.wire.end
            self.ready = False
            if self.wire.args != self.args and self.wire.args_cap > 1024:
                free(self.wire.args)
                self.wire.args = self.args
                self.wire.args_cap = ARGS_INLINE
            ww_wire_next(&self.wire)

    cdef bint more_args(self) noexcept:
        cdef uint32_t cap = min(4 * self.wire.args_cap, <uint32_t>WW_WIRE_ARGS_MAX)
        cdef ww_span *grown = <ww_span *>malloc(cap * sizeof(ww_span))
        if grown is NULL:
            return False
        memcpy(grown, self.wire.args, self.wire.argc * sizeof(ww_span))
        if self.wire.args != self.args:
            free(self.wire.args)
        self.wire.args, self.wire.args_cap = grown, cap
        return True

    cdef void malformed(self, ww_wire_status status):
        """The one way a bad frame ends: its error, our side closed, what still comes dropped."""
        cdef uint8_t found[4]
        self.state = DRAINING
        if status == WW_WIRE_HTTP:
            return
        self.linger = True
        self.say(ww_wire_error(status))
        if status == WW_WIRE_EXPECTED_BULK:
            found[0] = found[2] = c"'"
            found[1] = self.wire.bad
            if found[1] == c'\r' or found[1] == c'\n':
                found[1] = c' '
            self.put(found, 3)
        self.say("\r\n")

    # ---- replies out ----

    cdef void put(self, const void *at, size_t n) noexcept:
        """Part of a reply known at once; behind unanswered attempts it waits for them."""
        if self.first == self.last:
            bytes_put(&self.clients.out, at, n)
            return
        if self.slots[self.last - 1].form != FORM_BYTES:
            self.wait_for(FORM_BYTES, 0, 0, 0)
        self.slots[self.last - 1].at += <uint32_t>n
        bytes_put(&self.later, at, n)
        if self.later.len - self.later_at >= self.clients.unread_bytes_max:
            self.stalls |= STALL_ANSWERS

    cdef void say(self, const char *text) noexcept:
        self.put(text, strlen(text))

    cdef void wait_for(self, Form form, uint64_t turn, uint32_t at, uint32_t count) noexcept:
        cdef uint32_t cap
        cdef Slot *grown
        if self.last == self.slots_cap and self.first > 0:
            memmove(self.slots, self.slots + self.first, (self.last - self.first) * sizeof(Slot))
            self.last -= self.first
            self.first = 0
        if self.last == self.slots_cap:
            cap = max(2 * self.slots_cap, <uint32_t>16)
            grown = <Slot *>realloc(self.slots, cap * sizeof(Slot))
            if grown is NULL:
                Py_FatalError("no memory for the order of replies")
            self.slots, self.slots_cap = grown, cap
        self.slots[self.last] = Slot(turn, at, count, form)
        self.last += 1

    cdef void deliver(self, Batch batch, uint64_t turn):
        """The turn is durable: its verdicts, and what waited behind them."""
        if self.state == CLOSED:
            return
        self.answer(batch, turn)
        if self.first == self.last:
            self.stalls &= ~STALL_ACT if self.act is None else ~0
        self.stalls &= ~STALL_ANSWERS
        self.advance()
        self.settle()

    cdef void answer(self, Batch batch, uint64_t turn) noexcept:
        cdef Bytes *out = &self.clients.out
        cdef Slot *s
        cdef uint32_t i
        while self.first < self.last:
            s = &self.slots[self.first]
            if s.form == FORM_BYTES:
                bytes_put(out, self.later.at + self.later_at, s.at)
                self.later_at += s.at
            elif s.turn != turn:
                break
            else:
                if s.form == FORM_MANY:
                    bytes_number(out, "*", s.count)
                for i in range(s.at, s.at + s.count):
                    if s.form == FORM_PLAIN or s.form == FORM_MANY:
                        bytes_text(out, verdict_text(verdict_shown(
                            batch.b.attempts[i].verdict, self.reasons)))
                    else:
                        self.detail(out, batch, &batch.b.attempts[i], s.form)
                self.unanswered -= s.count
            self.first += 1
        if self.first == self.last:
            self.first = self.last = 0
        if self.later_at == self.later.len:
            self.later.len = self.later_at = 0
        elif self.later_at > self.later.len // 2:
            self.later.len -= self.later_at
            memmove(self.later.at, self.later.at + self.later_at, self.later.len)
            self.later_at = 0

    cdef void detail(self, Bytes *out, Batch batch, ww_attempt *a, Form form) noexcept:
        """A verdict with what it carries: for ACCEPTED the device, for LOCKED the time left."""
        cdef uint8_t verdict = verdict_shown(a.verdict, self.reasons)
        cdef bint accepted = verdict == WW_ACCEPTED
        cdef const char *scope = "$-1\r\n"
        cdef const char *kind = "$-1\r\n"
        cdef const char *device = "$-1\r\n"
        cdef const uint8_t *serial
        cdef size_t serial_len = 0
        if form == FORM_DETAIL_MAP:
            scope = kind = device = "_\r\n"
            bytes_text(out, "%8\r\n")
        else:
            bytes_text(out, "*16\r\n")
        if accepted:
            scope = "$4\r\nfull\r\n"
            kind = "$4\r\ntotp\r\n"
            if a.kind == WW_KIND_HOTP:
                kind = "$4\r\nhotp\r\n"
        bytes_text(out, "$7\r\nverdict\r\n")
        bytes_text(out, verdict_text(verdict))
        bytes_number(out, "$4\r\ncode\r\n:", verdict)
        bytes_text(out, "$5\r\nscope\r\n")
        bytes_text(out, scope)
        bytes_text(out, "$6\r\ndevice\r\n")
        if accepted:
            serial = ww_cold_second(&self.clients.gather.core.t, a.device_cold, &serial_len)
            bytes_bulk(out, serial, serial_len)
        else:
            bytes_text(out, device)
        bytes_text(out, "$4\r\nkind\r\n")
        bytes_text(out, kind)
        bytes_number(out, "$4\r\nrank\r\n:", 0)
        bytes_number(out, "$10\r\nsession_ms\r\n:", 0)
        bytes_number(out, "$14\r\nretry_after_ms\r\n:",
                     a.retry_after_ms if verdict == WW_LOCKED else 0)

    cdef void flush(self):
        """The one write of this callback."""
        cdef Bytes *out = &self.clients.out
        cdef bint lost = out.lost or self.later.lost
        if out.len > 0 and self.transport is not None and not lost:
            self.transport.write(PyBytes_FromStringAndSize(<char *>out.at, out.len))
        out.len = 0
        out.lost = False
        if out.cap > KEEP_BYTES_MAX:
            bytes_free(out)
        if lost:
            self.abort()

    cdef void settle(self):
        """Ends every callback: writes, reads or not, and closes when there is nothing left."""
        self.flush()
        if self.transport is None or self.state == CLOSED or self.transport.is_closing():
            return
        if self.first == self.last and self.act is None:
            if self.state == DRAINING or (self.eof and not self.stalls):
                self.finish()
                return
        self.read_on(self.state == LINGERING or (self.state == OPENED and not self.stalls))

    cdef void read_on(self, bint on):
        if on != self.reading and not self.eof:
            self.reading = on
            if on:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()

    cdef void finish(self):
        """All is answered. After an error the client gets a moment to read it before we close."""
        if self.linger and not self.eof and self.transport.can_write_eof():
            self.state = LINGERING
            self.linger_s = self.clients.loop.time()
            self.transport.write_eof()
            self.read_on(True)
        else:
            self.state = CLOSED
            self.transport.close()

    def pause_writing(self):
        self.stalls |= STALL_WRITE
        self.unread_s = self.clients.loop.time()

    def resume_writing(self):
        self.unread_s = 0
        self.resume(STALL_WRITE)

    cdef void resume(self, uint32_t stall):
        self.stalls &= ~stall
        if self.state == OPENED:
            self.advance()
        self.settle()

    # ---- commands ----

    cdef bint command(self):
        """Serves the command in args; False when it has to wait where it is."""
        cdef uint8_t *frame = self.rx + self.head
        cdef ww_span name
        if self.wire.argc == 0:
            return True                # an empty line, or an array of nothing
        self.clients.commands += 1
        name = self.wire.args[0]
        if name.len == 6 and ww_wire_is(frame, name, "VERIFY"):
            return self.verify(frame)
        if name.len == 10 and ww_wire_is(frame, name, "VERIFYMANY"):
            return self.verify_many(frame)
        if name.len == 4 and self.wire.argc == 1 and ww_wire_is(frame, name, "PING"):
            self.say("+PONG\r\n")
            return True
        return self.other(frame)

    cdef bint verify(self, uint8_t *frame):
        cdef Options o
        cdef Form form = FORM_PLAIN
        cdef const char *mistake
        if self.wire.argc < 3:
            self.say("-ERR wrong number of arguments for 'verify' command\r\n")
            return True
        mistake = options_read(frame, &self.wire, 3, WITH_VERIFY, &o)
        if mistake is not NULL:
            self.say(mistake)
            return True
        if not self.room(1):
            return False
        if self.attempt(frame, &self.wire.args[1], &o) is NULL:
            Py_FatalError("a batch with room took no attempt")
        if o.seen & SEEN_DETAIL:
            form = FORM_DETAIL_MAP if self.protocol == 3 else FORM_DETAIL
        self.join(form, 1)
        return True

    cdef bint verify_many(self, uint8_t *frame):
        cdef Options o
        cdef uint32_t i, n = 0
        cdef ww_span count
        cdef const char *mistake
        if self.wire.argc < 4:
            self.say("-ERR wrong number of arguments for 'verifymany' command\r\n")
            return True
        count = self.wire.args[1]
        for i in range(min(count.len, <uint32_t>5)):
            if not c'0' <= frame[count.at + i] <= c'9':
                n = 0
                break
            n = 10 * n + frame[count.at + i] - c'0'
        if n == 0 or n > WW_WIRE_MANY_PAIRS_MAX or count.len > 4:
            self.say("-ERR VERIFYMANY takes 1 to 4096 pairs\r\n")
            return True
        if self.wire.argc < 2 + 2 * n:
            self.say("-ERR VERIFYMANY has fewer pairs than it says\r\n")
            return True
        mistake = options_read(frame, &self.wire, 2 + 2 * n, WITH_VERIFYMANY, &o)
        if mistake is not NULL:
            self.say(mistake)
            return True
        if not self.room(n):
            return False
        for i in range(n):
            if self.attempt(frame, &self.wire.args[2 + 2 * i], &o) is NULL:
                Py_FatalError("a batch with room took no attempt")
        self.join(FORM_MANY, n)
        return True

    cdef bint room(self, uint32_t n):
        """Whether n attempts may be asked now. If not, notes what to wait for."""
        cdef Gather gather = self.clients.gather
        if self.unanswered > 0 and self.unanswered + n > self.clients.answers_max:
            self.stalls |= STALL_ANSWERS
            return False
        if gather.room() < n:
            self.stalls |= STALL_BATCH
            gather.stalled.append(self)
            return False
        return True

    cdef ww_attempt *attempt(self, uint8_t *frame, ww_span *pair, Options *o) noexcept:
        """A name and a response become an attempt. Batch.add holds them against their lengths."""
        cdef Batch batch = self.clients.gather.open
        cdef ww_attempt *a = batch.add(frame + pair[0].at, pair[0].len,
                                       frame + pair[1].at, pair[1].len)
        if a is NULL:
            return NULL
        a.platform = o.platform
        a.realm = o.realm
        a.gateway = self.gateway
        if o.seen & SEEN_ADDRESS:
            memcpy(a.address, o.address, sizeof(o.address))
            a.has_address = 1
        if o.seen & SEEN_DEVICE:
            batch.set_serial(a, frame + o.device.at, o.device.len)
        return a

    cdef void join(self, Form form, uint32_t n):
        """The last n attempts of the open batch are ours, and one reply answers them."""
        cdef Gather gather = self.clients.gather
        self.wait_for(form, gather.number, gather.open.b.count - n, n)
        self.unanswered += n
        if self.turn != gather.number:
            self.turn = gather.number
            gather.waiting.append(self)
        gather.book()

    cdef bint other(self, uint8_t *frame):
        """The commands that are not hot are Python's: args as bytes, the whole reply as bytes."""
        cdef uint32_t i
        cdef ww_span s
        if self.acts and self.first < self.last:
            self.stalls |= STALL_ACT   # an act sees, and is seen, in the order it was asked
            return False
        args = []
        for i in range(self.wire.argc):
            s = self.wire.args[i]
            args.append(PyBytes_FromStringAndSize(<char *>frame + s.at, s.len))
        if self.acts:
            ww_wipe(frame, self.wire.end)   # it may hold a device's key
        reply = self.door.answer(self, args)
        if isinstance(reply, bytes):
            self.put(PyBytes_AS_STRING(reply), len(reply))
        else:
            self.act = reply
            self.stalls |= STALL_ACT
            reply.add_done_callback(self._acted)
        return True

    def _acted(self, future):
        self.act = None
        if self.state == CLOSED:
            return
        reply = future.result()
        self.put(PyBytes_AS_STRING(reply), len(reply))
        self.resume(STALL_ACT)


# ---- a door for tests of the parser --------------------------------------------------------------------

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
