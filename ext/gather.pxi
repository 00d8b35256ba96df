# Gathers attempts into turns: one Gather for each event loop.
#
# The rule is beam 3 of the house: attempts join the open batch; a turn runs at the end of a loop
# pass if none is in flight, else as soon as the one in flight is durable. No timer and no knob: idle
# means a batch of one at once, busy means hundreds. Nobody hears a verdict before its turn is
# durable, and when the disk refuses nobody hears anything.

from collections import deque as _deque
from threading import get_ident as _get_ident

cdef enum:
    ASKS_MAX = 65536         # awaited attempts that wait for room in a batch; beyond it: BUSY


cdef class Gather:
    """The open batch, the batch in flight, and who waits for either.

    on_end(error) is called once, on the loop, when a turn fails: the engine has ended then.
    """
    cdef readonly object engine, loop
    cdef public object on_end
    cdef public list gateways            # names; an attempt's gateway is an index into them
    cdef readonly uint64_t turns, attempts
    cdef Core core
    cdef Batch open, flying, spare
    cdef uint64_t number                 # of the open batch; a turn's name to those who wait
    cdef list waiting, landing           # connections with attempts in the open batch, in flight
    cdef list asked, asked_landing       # [index of the attempt, future], in the same two
    cdef list stalled                    # connections that found the open batch full
    cdef object asks                     # deque of what ask could not add yet
    cdef bint booked, ended
    cdef unsigned long thread

    def __init__(self, engine, loop):
        self.engine = engine
        self.loop = loop
        self.core = engine._core
        self.gateways = [""]
        self.open = Batch()
        self.spare = Batch()
        self.number = 1
        self.waiting, self.landing = [], []
        self.asked, self.asked_landing = [], []
        self.stalled = []
        self.asks = _deque()
        self.thread = 0

    # ---- filling the open batch ----

    cdef uint32_t room(self) noexcept:
        """Attempts the open batch still takes."""
        return 0 if self.ended else WW_BATCH_ATTEMPTS_MAX - self.open.b.count

    cdef void book(self):
        """A turn at the end of this pass; while one is in flight its landing sees to the next."""
        if not self.booked and self.flying is None and not self.ended:
            self.booked = True
            self.loop.call_soon(self._turn)

    def ask(self, bytes name, bytes response, int platform, int realm, bytes serial=None,
            bytes address=None, int gateway=0):
        """One attempt of this loop's own program: an asyncio.Future of its Verdict."""
        future = self.loop.create_future()
        ask = (name, response, platform, realm, serial, address, gateway, future)
        if self.ended:
            future.set_exception(self.engine._ended())
        elif self.asks or not self._add(ask):
            if len(self.asks) < ASKS_MAX:
                self.asks.append(ask)
            else:
                future.set_result(self.engine._busy())
        return future

    cdef bint _add(self, tuple ask):
        cdef bytes name = ask[0], response = ask[1], serial = ask[4], address = ask[5]
        cdef ww_attempt *a
        if self.room() == 0:
            return False
        a = self.open.add(<const uint8_t *>PyBytes_AS_STRING(name), len(name),
                          <const uint8_t *>PyBytes_AS_STRING(response), len(response))
        if a is NULL:
            return False
        a.platform = ask[2]
        a.realm = ask[3]
        a.gateway = ask[6]
        if serial is not None:
            self.open.set_serial(a, <const uint8_t *>PyBytes_AS_STRING(serial), len(serial))
        if address is not None:
            memcpy(a.address, PyBytes_AS_STRING(address), sizeof(a.address))
            a.has_address = 1
        self.asked.append((self.open.b.count - 1, ask[7]))
        self.book()
        return True

    # ---- a turn, and its landing ----

    def _turn(self):
        self.booked = False
        if self.flying is not None or self.ended or self.open.b.count == 0:
            return
        cdef Batch batch = self.open
        self.open, self.spare, self.flying = self.spare, None, batch
        self.landing, self.waiting = self.waiting, []
        self.asked_landing, self.asked = self.asked, []
        self.number += 1
        self.turns += 1
        self.attempts += batch.b.count
        self.thread = _get_ident()
        try:
            with self.engine._lock:
                self.core.run(batch, self.engine._now())
                row = self.engine._row(batch, self.gateways)
                ticket = self.engine._submit(row)
            self.engine._when_durable(ticket, self._durable)
        except BaseException as error:
            self._end(error)
            raise
        self._refill()

    cdef void _refill(self):
        """Room again: first come, first served."""
        cdef Connection connection
        while self.asks and self._add(self.asks[0]):
            self.asks.popleft()
        stalled, self.stalled = self.stalled, []
        for connection in stalled:
            connection.resume(STALL_BATCH)

    def _durable(self, error):
        """The journal's word, from whatever thread: the turn in flight is durable, or is not."""
        if _get_ident() == self.thread:
            self.loop.call_soon(self._landed, error)
            return
        try:
            self.loop.call_soon_threadsafe(self._landed, error)
        except RuntimeError:
            pass  # the loop was closed over an attempt in flight; it stays decided and recorded

    def _landed(self, error):
        cdef Connection connection
        cdef Batch batch = self.flying
        cdef uint64_t turn = self.number - 1
        if error is not None:
            self._end(error)
            return
        landing, self.landing = self.landing, []
        asked, self.asked_landing = self.asked_landing, []
        for connection in landing:
            connection.deliver(batch, turn)
        for index, future in asked:
            if not future.done():
                future.set_result(self.engine._verdict(batch, index))
        batch.clear()
        self.flying, self.spare = None, batch
        self._turn()

    cdef void _end(self, error):
        """The engine has ended. Connections hear nothing, for nothing was promised."""
        self.ended = True
        self.flying = None
        asked = self.asked_landing + self.asked + [(0, ask[7]) for ask in self.asks]
        self.asked, self.asked_landing = [], []
        self.asks.clear()
        for _, future in asked:
            if not future.done():
                future.set_exception(self.engine._ended())
        if self.on_end is not None:
            self.on_end(error)
