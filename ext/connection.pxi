# One client of the daemon: bytes in, attempts into the open batch, replies out in order.
#
# The rules:
# - bytes land in the connection's own buffer and are parsed where they lie; on the road of VERIFY
#   no Python object is made for an attempt, and each turn writes to a connection once;
# - replies keep the order of the commands: behind an unanswered attempt every reply waits its turn;
# - nothing grows past its limit: a connection that is full stops being parsed, then being read;
# - every callback ends in settle, which writes, reads on or not, and closes when nothing is left.

cimport cython
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.string cimport memmove, strlen

cdef extern from "Python.h":
    int PyBUF_WRITE
    void Py_FatalError(const char *text)

include "gather.pxi"
include "inbox.pxi"
include "replies.pxi"
include "options.pxi"
include "clients.pxi"
include "gateways.pxi"


@cython.final
cdef class Connection:
    """An asyncio.BufferedProtocol in all but its base, which uvloop does not ask for."""
    cdef readonly uint64_t id
    cdef public int protocol             # 2 or 3: how replies are written from here on
    cdef public bytes name               # as CLIENT SETNAME gave it
    cdef readonly object transport
    cdef object door
    cdef Clients clients
    cdef uint8_t gateway
    cdef State state
    cdef uint32_t stalls
    cdef bint reasons, acts, reading, linger, eof
    cdef bint curbed                     # not everything is allowed it: see gateways.pxi
    cdef bint tls
    cdef readonly bint stranger          # it has yet to say who it is
    cdef readonly Gateway who            # whom it speaks for; None: a stranger, or no list is kept
    cdef public object visit             # told .known() when it has said who it is, .gone() at
                                         # last; .tls; None: nobody asks
    cdef uint32_t strange                # commands of a stranger
    cdef Inbox inbox
    cdef Replies replies
    cdef uint64_t turn                   # the last turn it waits for
    cdef object act                      # future of the administrative act under way
    cdef public object feed              # what it subscribed to, with gone(); or None
    cdef object held                     # (id of the push, wake, timer) its VERIFY waits for
    cdef bint waited                     # it has: the VERIFY at head goes on
    cdef double active_s, partial_s, unread_s, linger_s  # since when; 0: not at all
    cdef double strange_s

    def __cinit__(self):
        inbox_init(&self.inbox)
        memset(&self.replies, 0, sizeof(self.replies))

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
        inbox_free(&self.inbox)
        replies_free(&self.replies)

    # ---- coming and going ----

    def connection_made(self, transport):
        cdef Clients clients = self.clients
        self.transport = transport
        clients.accepted += 1
        self.id = clients.accepted
        if not clients.open or clients.gather.ended or not self.door.admits(transport):
            transport.abort()
        elif <size_t>len(clients.all) >= clients.connections_max and not self.door.acts:
            clients.refused += 1       # administration gets in all the same, to see who is there
            transport.write(b"-ERR max number of clients reached\r\n")
            transport.close()
        else:
            self.state = OPENED
            self.active_s = clients.now_s
            self.tls = self.visit is not None and self.visit.tls
            clients.all.add(self)
            self.admit(None)
            if self.curbed:
                self.door.arrived(self)

    def admit(self, Gateway who):
        """From here on it speaks for who; None: for nobody, which a door that curbs lets do nothing
        but say who it is."""
        self.who = who
        self.stranger = self.curbed = who is None and self.door.curbed
        self.inbox.small = self.stranger
        if self.stranger:
            self.strange = 0
            self.strange_s = self.clients.loop.time()
            self.transport.set_write_buffer_limits(STRANGER_BYTES_MAX)
        else:
            self.transport.set_write_buffer_limits(self.clients.unread_bytes_max)
        if who is None:
            self.gateway, self.reasons = self.door.gateway, self.door.reasons
            self.acts = self.door.acts
            return
        self.gateway, self.reasons, self.acts = who.index, who.reasons, who.acts
        self.curbed = not who.free
        if self.visit is not None:
            self.visit.known()

    def leave(self):
        """It is no longer wanted: nothing more is heard, what is owed is answered."""
        self.stop()

    def connection_lost(self, error):
        """A decision under way is finished all the same; there is only nobody to tell."""
        self.state = CLOSED
        self.transport = None
        self.let_go()
        if self.visit is not None:
            visit, self.visit = self.visit, None
            visit.gone()
        if self.feed is not None:
            self.feed.gone()
        inbox_free(&self.inbox)
        replies_free(&self.replies)
        self.clients.all.discard(self)
        self.clients.emptied()

    def eof_received(self):
        """The client will say no more, but still hears what it is owed."""
        self.eof = True
        if self.held is not None:      # it has left: a login that nobody hears of is not claimed
            self.abort()
            return False
        if self.state == LINGERING or self.state == CLOSED:
            return False
        self.settle()
        return not self.tls            # which closes both sides at once

    def drain(self):
        """No further command is heard; closes when all before is answered (QUIT)."""
        if self.state == OPENED:
            self.state = DRAINING

    cdef int stop(self) except -1:
        if self.state == LINGERING:
            self.abort()
        elif self.state == OPENED:
            if self.held is not None:
                self.woken()           # whoever waits is answered as things stand
            if self.state == OPENED:
                self.state = DRAINING
                self.settle()
        return 0

    cdef int abort(self) except -1:
        if self.transport is not None:
            self.state = CLOSED
            self.transport.abort()
        return 0

    cdef int age(self, double now_s) except -1:
        """Closes what is too old, and takes buffers back from those who have gone quiet."""
        cdef Clients clients = self.clients
        if self.stranger and now_s - self.strange_s >= clients.stranger_s_max:
            self.abort()
        elif self.state == LINGERING:
            if now_s - self.linger_s >= clients.linger_s_max:
                self.abort()
        elif self.unread_s != 0:
            if now_s - self.unread_s >= clients.undrained_s_max:
                self.abort()
        elif self.stalls != 0 or replies_wait(&self.replies):
            pass
        elif self.partial_s != 0:
            if now_s - self.partial_s >= clients.partial_s_max:
                self.abort()
        elif self.feed is None and now_s - self.active_s >= clients.idle_s_max:
            self.stop()
        elif now_s - self.active_s > 1 and self.inbox.cap > 0:
            inbox_free(&self.inbox)
            replies_free(&self.replies)
        return 0

    # ---- bytes in ----

    def get_buffer(self, sizehint):
        if self.state != OPENED:
            self.inbox.head = self.inbox.tail = 0
        if not inbox_room(&self.inbox):
            raise MemoryError("no room for what a client sends")
        return PyMemoryView_FromMemory(<char *>self.inbox.at + self.inbox.tail,
                                       self.inbox.cap - self.inbox.tail, PyBUF_WRITE)

    def buffer_updated(self, uint32_t nbytes):
        if self.state != OPENED:
            return
        inbox_took(&self.inbox, nbytes)
        self.active_s = self.clients.now_s
        self.advance()
        self.settle()

    cdef int advance(self) except -1:
        """Serves commands until the bytes, or the room for what they ask, come to an end."""
        cdef ww_wire_status status
        while self.state == OPENED and not self.stalls:
            status = inbox_next(&self.inbox)
            if status == WW_WIRE_MORE:
                if inbox_empty(&self.inbox):
                    self.partial_s = 0
                else:
                    if self.partial_s == 0:
                        self.partial_s = self.clients.loop.time()
                    if self.stranger and inbox_full(&self.inbox):
                        self.unknown()
                return 0
            self.partial_s = 0
            if status != WW_WIRE_COMMAND:
                self.malformed(status)
                return 0
            if not self.command():     # it stays where it is until the stall is over
                return 0
            inbox_done(&self.inbox)
            if self.clients.out.len >= FLUSH_BYTES:
                self.flush()
        return 0

    cdef void malformed(self, ww_wire_status status) noexcept:
        """The one way a bad frame ends: its error, our side closed, what still comes dropped."""
        cdef uint8_t found[3]
        self.state = DRAINING
        self.linger = status != WW_WIRE_HTTP
        self.say(ww_wire_error(status))
        if status == WW_WIRE_EXPECTED_BULK:
            found[0] = found[2] = c"'"
            found[1] = self.inbox.wire.bad
            if found[1] == c'\r' or found[1] == c'\n':
                found[1] = c' '
            self.put(found, 3)
        if self.linger:
            self.say("\r\n")

    cdef void unknown(self) noexcept:
        """A stranger said too much that was not who it is: told once more, and closed."""
        self.state = DRAINING
        self.linger = True
        self.say("-NOAUTH Authentication required.\r\n")

    cdef int resume(self, uint32_t stall) except -1:
        """A stall is over, or is not any more what it was."""
        self.stalls &= ~stall
        if self.partial_s != 0:
            self.partial_s = self.clients.loop.time()  # while we did not read, nobody was slow
        self.advance()
        self.settle()
        return 0

    # ---- replies out ----

    cdef void put(self, const void *at, size_t n) noexcept:
        replies_put(&self.replies, &self.clients.out, at, n)
        if self.replies.later.len >= self.clients.unread_bytes_max:
            self.stalls |= STALL_ANSWERS

    cdef void say(self, const char *text) noexcept:
        self.put(text, strlen(text))

    cdef int deliver(self, Batch batch, uint64_t turn) except -1:
        """The turn is durable: its verdicts, and what waited behind them."""
        cdef uint32_t over = STALL_ANSWERS
        if self.state == CLOSED:
            return 0
        cdef Core core = self.clients.gather.core
        replies_land(&self.replies, &self.clients.out, &core.t, &core.p, &batch.b, turn,
                     self.reasons)
        if self.act is None and not replies_wait(&self.replies):
            over |= STALL_ACT
        return self.resume(over)

    def tell(self, bytes message):
        """Says something nobody asked for, behind every reply that waits. Returns the bytes that
        the client has not taken yet; 0 once it is closed."""
        if self.state != OPENED or self.transport is None:
            return 0
        self.put(PyBytes_AS_STRING(message), len(message))
        self.settle()
        if self.transport is None:
            return 0
        return self.transport.get_write_buffer_size() + self.replies.later.len

    def dismiss(self, bytes message):
        """Says why, and closes behind it."""
        if self.state == OPENED:
            self.put(PyBytes_AS_STRING(message), len(message))
            self.state = DRAINING
            self.settle()

    cdef int flush(self) except -1:
        """The one write of this callback."""
        cdef Bytes *out = &self.clients.out
        cdef bint lost = out.lost or self.replies.later.lost
        if out.len > 0 and self.transport is not None and not lost:
            self.transport.write(PyBytes_FromStringAndSize(<char *>out.at, out.len))
        out.len = 0
        out.lost = False
        if out.cap > KEEP_BYTES_MAX:
            bytes_free(out)
        if lost:
            self.abort()
        return 0

    cdef int settle(self) except -1:
        self.flush()
        if self.transport is None or self.state == CLOSED or self.transport.is_closing():
            return 0
        if self.act is None and not replies_wait(&self.replies):
            if self.state == DRAINING or (self.eof and not self.stalls):
                return self.finish()
        return self.read_on(self.state == OPENED and (not self.stalls or self.listens()))

    cdef bint listens(self) noexcept:
        """Whether it is read all the same, so that a client which leaves while it waits is heard
        of; as long as it says little."""
        return (self.stalls == STALL_PUSH
                and self.inbox.tail - self.inbox.head < READ_BYTES_MIN // 2)

    cdef int read_on(self, bint on) except -1:
        if on != self.reading and not self.eof:
            self.reading = on
            if on:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()
        return 0

    cdef int finish(self) except -1:
        """All is answered. After an error the client gets a moment to read it before we close."""
        if self.linger and not self.eof and self.transport.can_write_eof():
            self.state = LINGERING
            self.linger_s = self.clients.loop.time()
            self.transport.write_eof()
            return self.read_on(True)
        self.state = CLOSED
        self.transport.close()
        return 0

    def pause_writing(self):
        self.stalls |= STALL_WRITE
        self.unread_s = self.clients.loop.time()

    def resume_writing(self):
        self.unread_s = 0
        self.resume(STALL_WRITE)

    # ---- commands ----

    cdef bint command(self) except -1:
        """Serves the command at head; False when it has to wait where it is."""
        cdef ww_wire *wire = &self.inbox.wire
        cdef uint8_t *frame = self.inbox.at + self.inbox.head
        if wire.argc == 0:
            return True                # an empty line, or an array of nothing
        self.clients.commands += 1
        if self.curbed:
            return command_curbed(self, wire, frame)
        return self.serve(wire, frame)

    cdef bint serve(self, ww_wire *wire, uint8_t *frame) except -1:
        if ww_wire_is(frame, wire.args[0], "VERIFY"):
            return self.verify(wire, frame)
        if ww_wire_is(frame, wire.args[0], "VERIFYMANY"):
            return self.verify_many(wire, frame)
        if wire.argc == 1 and self.feed is None and ww_wire_is(frame, wire.args[0], "PING"):
            self.say("+PONG\r\n")
            return True
        return self.other(wire, frame)

    cdef bint verify(self, ww_wire *wire, uint8_t *frame) except -1:
        cdef Options o
        cdef Form form = FORM_PLAIN
        cdef const char *mistake
        if wire.argc < 3:
            mistake = "-ERR wrong number of arguments for 'verify' command\r\n"
        else:
            mistake = options_read(frame, wire, 3, WITH_VERIFY, &o)
        if mistake is not NULL:
            self.say(mistake)
            return True
        if o.seen & (SEEN_PASSWORD | SEEN_FIRST):
            mistake = self.vouches(&o)
            if mistake is not NULL:
                self.say(mistake)
                return True
        if o.wait_ms and not self.waited and self.hold(frame, &o):
            return False
        if o.seen & SEEN_PASSWORD:     # it is hashed first, off this thread
            if not self.other(wire, frame):
                return False
            self.waited = False
            return True
        if not self.room(1):
            return False
        self.waited = False
        self.attempt(frame, &wire.args[1], &o)
        if o.seen & SEEN_DETAIL:
            form = FORM_DETAIL_MAP if self.protocol == 3 else FORM_DETAIL
        if o.seen & SEEN_ID:
            return self.identify(form, 1, frame, &o)
        self.join(form, 1)
        return True

    cdef const char *vouches(self, const Options *o) noexcept:
        """The reply to whoever may not say what it says of the first factor; NULL: it may."""
        if not o.seen & SEEN_FIRST:
            return NULL
        if o.seen & SEEN_PASSWORD:
            return "-ERR syntax error, PASSWORD or FIRSTFACTOR\r\n"
        if self.who is None or not self.who.first_factor:
            return "-NOPERM only a gateway with the right first-factor vouches\r\n"
        return NULL

    # ---- waiting for a push ----

    cdef bint hold(self, const uint8_t *frame, const Options *o) except -1:
        """Whether the push that a VERIFY names is pending, so that it stays where it is until that
        is decided or its time is up: no command is parsed behind it. The engine calls back; nobody
        polls, and what others ask goes on."""
        if not o.seen & SEEN_CHALLENGE or o.challenge.len != WW_PUSH_ID_CHARS:
            return False
        loop = self.clients.loop
        id = (<const char *>frame + o.challenge.at)[:o.challenge.len].decode("latin-1")

        def wake():
            try:
                loop.call_soon_threadsafe(self.decided, wake)
            except RuntimeError:
                pass                       # the loop was closed over whoever waited

        left_s = self.clients.gather.engine._watch(id, wake)
        if left_s is None:
            return False
        timer = loop.call_later(min(left_s, o.wait_ms / 1000.0), self.decided, wake)
        self.held = (id, wake, timer)
        self.stalls |= STALL_PUSH
        return True

    cdef bint let_go(self) except -1:
        """Nothing is held any more; whether something was."""
        held, self.held = self.held, None
        if held is None:
            return False
        held[2].cancel()
        self.clients.gather.engine._unwatch(held[0], held[1])
        return True

    def decided(self, wake):
        """The push was decided, or the time is up; unless it is another that is waited for now."""
        if self.held is not None and self.held[1] is wake:
            self.woken()

    cdef int woken(self) except -1:
        self.let_go()
        self.waited = True
        return self.resume(STALL_PUSH)

    cdef bint verify_many(self, ww_wire *wire, uint8_t *frame) except -1:
        cdef Options o
        cdef uint32_t i, n = 0
        cdef const char *mistake = NULL
        if wire.argc < 4:
            mistake = "-ERR wrong number of arguments for 'verifymany' command\r\n"
        else:
            n = pairs_read(frame, wire.args[1])
            if n == 0:
                mistake = "-ERR VERIFYMANY takes 1 to 4096 pairs\r\n"
            elif wire.argc < 2 + 2 * n:
                mistake = "-ERR VERIFYMANY has fewer pairs than it says\r\n"
            else:
                mistake = options_read(frame, wire, 2 + 2 * n, WITH_VERIFYMANY, &o)
        if mistake is not NULL:
            self.say(mistake)
            return True
        if not self.room(n):
            return False
        for i in range(n):
            self.attempt(frame, &wire.args[2 + 2 * i], &o)
        if o.seen & SEEN_ID:
            return self.identify(FORM_MANY, n, frame, &o)
        self.join(FORM_MANY, n)
        return True

    cdef bint identify(self, Form form, uint32_t n, const uint8_t *frame,
                       const Options *o) except -1:
        """The last n attempts are a command with a request id, and join as that."""
        cdef Gather gather = self.clients.gather
        cdef Batch batch = gather.open
        cdef ww_ids *ids = gather.ids_of(self.gateway)
        cdef uint32_t i
        if ids is NULL or not batch.may_give():     # no table is to be had: BUSY
            for i in range(batch.b.count - n, batch.b.count):
                batch.b.attempts[i].shed = 1
        else:
            batch.give(ids, frame + o.id.at, o.id.len, batch.b.count - n, n, 0)
            form = <Form>(form | FORM_GIVEN)
        self.join(form, n)
        if form & FORM_GIVEN and not self.replies.later.lost:
            self.replies.slots[self.replies.last - 1].given = batch.b.given_count - n
        return True

    cdef bint room(self, uint32_t n) except -1:
        """Whether n attempts may be asked now. If not, notes what to wait for."""
        cdef Gather gather = self.clients.gather
        cdef uint32_t unanswered = self.replies.unanswered
        if unanswered > 0 and unanswered + n > self.clients.answers_max:
            self.stalls |= STALL_ANSWERS
            return False
        if gather.room() < n:
            self.stalls |= STALL_BATCH
            gather.stalled.append(self)
            return False
        return True

    cdef void attempt(self, uint8_t *frame, ww_span *pair, Options *o) noexcept:
        """A name and a response become an attempt. Batch.add holds them against their lengths."""
        cdef Batch batch = self.clients.gather.open
        cdef ww_attempt *a
        if o.seen & SEEN_PIN and pair[1].len > 0:
            a = add_pinned(batch, frame, pair, o.pin)
        else:
            a = batch.add(frame + pair[0].at, pair[0].len, frame + pair[1].at, pair[1].len)
        if a is NULL:
            Py_FatalError("a batch with room took no attempt")
        a.gateway = self.gateway
        options_into(batch, a, frame, o)

    cdef int join(self, Form form, uint32_t n) except -1:
        """The last n attempts of the open batch are ours, and one reply answers them."""
        cdef Gather gather = self.clients.gather
        replies_add(&self.replies, form, gather.number, gather.open.b.count - n, n)
        if self.turn != gather.number:
            self.turn = gather.number
            gather.began()
            gather.waiting.append(self)
        return gather.book()

    cdef bint other(self, ww_wire *wire, uint8_t *frame) except -1:
        """The commands that are not hot are Python's: args as bytes, the whole reply as bytes."""
        cdef uint32_t i
        if self.acts and replies_wait(&self.replies):
            self.stalls |= STALL_ACT   # an act sees, and is seen, in the order it was asked
            return False
        args = []
        for i in range(wire.argc):
            args.append(PyBytes_FromStringAndSize(<char *>frame + wire.args[i].at,
                                                  wire.args[i].len))
        ww_wipe(frame, wire.end)       # it may hold a device's key, or a password
        reply = self.door.answer(self, args)
        if isinstance(reply, bytes):
            self.put(PyBytes_AS_STRING(reply), len(reply))
        else:
            self.act = reply
            self.stalls |= STALL_ACT
            reply.add_done_callback(self.acted)
        return True

    def acted(self, future):
        """The act is durable, or refused: its reply, and on with what came behind it."""
        self.act = None
        if self.state != CLOSED:
            if future.cancelled() or future.exception() is not None:
                self.abort()           # a bug of ours, and a reply that will never come
            reply = future.result()
            self.put(PyBytes_AS_STRING(reply), len(reply))
            self.resume(STALL_ACT)
