# Gathers attempts into turns: one Gather for each event loop.
#
# The rule is beam 3 of the house: attempts join the open batch; a turn runs at the end of a loop
# pass if none is in flight, else as soon as the one in flight is durable. No timer and no knob:
# idle means a batch of one at once, busy means hundreds. Nobody hears a verdict before its turn is
# durable, and when the disk refuses nobody hears one at all. The next turn goes on its way before
# the answers of the last one are written, so that the disk works meanwhile: three batches.

from asyncio import get_running_loop as _get_running_loop
from threading import get_ident as _get_ident

cdef enum:
    ASKS_MAX = 65536         # awaited attempts that wait for room in a batch; beyond it: BUSY


cdef Verdict verdict_busy():
    cdef Verdict v = Verdict.__new__(Verdict)
    v.verdict = v.hidden = WW_BUSY
    v.why = Reason.LOAD
    return v


@cython.final
cdef class Gather:
    """The open batch, the batch in flight, and who waits for either. Lives on one loop's thread.

    names and gateways are how a row names who asked: the packed names, and how many they are; an
    attempt's gateway is an index into them.
    """
    cdef readonly object engine
    cdef public bytes names
    cdef public int gateways
    cdef readonly uint64_t turns, attempts
    cdef Core core
    cdef object loop                     # held only while a turn is booked or in flight
    cdef Batch open, flying
    cdef list spares                     # batches that are neither
    cdef uint64_t number                 # of the open batch: a turn's name to those who wait
    cdef list waiting, landing           # connections with attempts in the open batch; in flight
    cdef list asked, asked_landing       # (index of the attempt, future), in the same two
    cdef list stalled                    # connections that found the open batch full
    cdef object asks                     # deque of what ask could not add yet
    cdef bint booked, ended
    cdef unsigned long thread
    cdef bytes ids_names                 # the names that the next are of
    cdef ww_ids *ids[256]                # tables of request ids, by gateway; NULL: not looked for
    cdef readonly Times answers          # from a turn's first attempt to its last answer
    cdef uint64_t opened_ns, flown_ns    # when the first joined the open batch; the one in flight

    def __init__(self, engine):
        self.engine = engine
        self.core = engine._core
        self.names = engine._names
        self.gateways = 1
        self.open = Batch()
        self.spares = [Batch(), Batch()]
        for batch in (self.open, *self.spares):
            (<Batch>batch).gathered = True
        self.answers = Times()
        self.number = 1
        self.waiting, self.landing = [], []
        self.asked, self.asked_landing = [], []
        self.stalled = []
        self.asks = _deque()
        self.thread = _get_ident()

    # ---- filling the open batch ----

    cdef ww_ids *ids_of(self, uint8_t gateway) noexcept:
        """The table of a gateway's request ids; NULL: there is no room for one more."""
        if self.ids_names is not self.names:
            memset(self.ids, 0, sizeof(self.ids))
            self.ids_names = self.names
        if self.ids[gateway] == NULL:
            try:
                self.ids[gateway] = ids_of(self.core, gateway_at(self.names, gateway))
            except (Busy, MemoryError):
                return NULL
        return self.ids[gateway]

    cdef uint32_t room(self) noexcept:
        """Attempts the open batch still takes."""
        return 0 if self.ended else WW_BATCH_ATTEMPTS_MAX - self.open.b.count

    cdef void began(self) noexcept:
        """Somebody joins: the first is who its turn is timed from. No verdict sees this clock."""
        if self.opened_ns == 0:
            self.opened_ns = monotonic_ns()

    def queued(self):
        """Attempts in the open batch, in flight, and awaited ones that found no room."""
        return (self.open.b.count, 0 if self.flying is None else self.flying.b.count,
                len(self.asks))

    cdef int book(self) except -1:
        """A turn at the end of this pass; while one is in flight its landing sees to the next."""
        if not self.booked and self.flying is None and not self.ended:
            self.booked = True
            if self.loop is None:
                self.loop = _get_running_loop()
            self.loop.call_soon(self._turn)
        return 0

    def ask(self, user, response, int platform, int realm, device=None, address=None,
            challenge=None, session=None, pin=None, int first=0, uint32_t password=0,
            bint answer=False, int gateway=0, bint shed=False, request_id=None, secret=None):
        """One attempt of this loop's own program: an asyncio.Future of its Verdict.

        user, response, device and challenge are str or bytes; address an IP address as text;
        session bytes; pin, first, password, answer as Batch.put takes them; request_id, secret as
        Batch.identify. Errors: InvalidArgument, Busy, and the engine's end.
        """
        cdef const char *text = NULL
        cdef Py_ssize_t n = 0
        for given in (user, response, "" if device is None else device,
                      "" if challenge is None else challenge):
            take_text(given, &text, &n)      # what is wrong is said before anything is counted
        response = with_pin(pin, response)
        if request_id is not None:
            request_id = id_text(request_id), secret
            ids_of(self.core, gateway_at(self.names, gateway))
        packed = None if address is None else pack_address(address)
        future = _get_running_loop().create_future()
        ask = (user, response, platform, realm, device, packed, future, challenge, session,
               (pin, first, password, answer, gateway, shed), request_id)
        if self.ended:
            future.set_exception(self.failure())
        elif self.asks or not self.add(ask):
            if len(self.asks) < ASKS_MAX:
                self.asks.append(ask)
            else:
                future.set_result(verdict_busy())
        return future

    cdef bint add(self, tuple ask) except -1:
        cdef const char *name = NULL
        cdef const char *text = NULL
        cdef Py_ssize_t name_len = 0, text_len = 0
        cdef ww_attempt *a
        if self.room() == 0:
            return False
        take_text(ask[0], &name, &name_len)
        take_text(ask[1], &text, &text_len)
        a = self.open.add(<const uint8_t *>name, name_len, <const uint8_t *>text, text_len)
        a.platform = <uint8_t><int>ask[2]
        a.realm = <uint8_t><int>ask[3]
        if ask[4] is not None:
            take_text(ask[4], &text, &text_len)
            self.open.set_serial(a, <const uint8_t *>text, text_len)
        if ask[5] is not None:
            memcpy(a.address, PyBytes_AS_STRING(ask[5]), sizeof(a.address))
            a.has_address = 1
        if ask[7] is not None or ask[8] is not None:
            put_challenge(self.open, a, ask[7], ask[8])
        pin, first, password, answer, gateway, shed = ask[9]
        put_facts(self.open, a, pin, ask[1], first, password, answer)
        a.gateway, a.shed = gateway, shed
        if ask[10] is not None:
            request_id, secret = ask[10]
            self.open.identify(self.core, self.names, request_id, secret, gateway)
        self.asked.append((self.open.b.count - 1, ask[6]))
        self.began()
        self.book()
        return True

    # ---- a turn, and its landing ----

    def _turn(self):
        """Closes the open batch and takes it through its turn."""
        cdef Batch batch = self.open
        cdef uint32_t i
        clockless = None
        self.booked = False
        if self.flying is not None or self.ended:
            return
        if batch.b.count == 0:
            self.loop = None
            return
        self.open, self.flying = self.spares.pop(), batch
        self.landing, self.waiting = self.waiting, []
        self.asked_landing, self.asked = self.asked, []
        self.number += 1
        self.flown_ns, self.opened_ns = self.opened_ns, 0
        self.turns += 1
        self.attempts += batch.b.count
        self.thread = _get_ident()
        try:
            with self.engine._lock:
                self.engine._alive()
                try:
                    now_ms = self.engine._now()
                except Exception as error:
                    if self.landing:
                        raise
                    clockless = error   # of whoever asked: his own clock, and nothing was decided
                else:
                    if self.engine._shed():
                        for i in range(batch.b.count):
                            batch.b.attempts[i].shed = 1
                    turn = self.engine._take(batch, now_ms, self.names, self.gateways)
            if clockless is None:
                self.engine._when_durable(turn, self._durable)
        except BaseException as error:
            self.end(error)
            raise
        if clockless is not None:
            self.give_back(batch, clockless)
        self.refill()

    cdef int give_back(self, Batch batch, error) except -1:
        """A batch that never went through its turn: everybody who awaits it is told why."""
        asked, self.asked_landing = self.asked_landing, []
        self.flying = self.loop = None
        self.turns -= 1
        self.attempts -= batch.b.count
        batch.clear()
        self.spares.append(batch)
        for _, future in asked:
            if not future.done():
                future.set_exception(error)
        return 0

    cdef int refill(self) except -1:
        """Room again: first come, first served."""
        cdef Connection connection
        while self.asks and self.add(self.asks[0]):
            self.asks.popleft()
        stalled, self.stalled = self.stalled, []
        for connection in stalled:
            connection.resume(STALL_BATCH)
        return 0

    def _durable(self, error):
        """The journal's word, on its own thread: the turn in flight is durable, or error."""
        loop = self.loop
        if loop is None:
            return
        if _get_ident() == self.thread:
            loop.call_soon(self._landed, error)
            return
        try:
            loop.call_soon_threadsafe(self._landed, error)
        except RuntimeError:
            pass    # the loop was closed over a turn in flight, which stays decided and recorded

    def _landed(self, error):
        """The next turn goes on its way, for the journal is idle; then every verdict goes out."""
        cdef Batch batch = self.flying
        cdef uint64_t turn = self.number - 1, flown_ns = self.flown_ns
        if self.ended:
            return
        if error is not None:
            self.end(error)
            return
        landing, self.landing = self.landing, []
        asked, self.asked_landing = self.asked_landing, []
        self.flying = None
        try:
            self._turn()
        finally:
            self.answer(batch, turn, landing, asked)
            ww_times_add(&self.answers.t, monotonic_ns() - flown_ns, batch.b.count)
            self.core.tally(batch)
            batch.clear()
            self.spares.append(batch)

    cdef int answer(self, Batch batch, uint64_t turn, list landing, list asked) except -1:
        """The verdicts of a turn that is durable, whatever became of the next."""
        cdef Connection connection
        for connection in landing:
            connection.deliver(batch, turn)
        for index, future in asked:
            if future.done():
                pass
            elif batch.b.given_count and batch.misused(index):
                future.set_exception(InvalidArgument(MISUSED_ID))
            else:
                future.set_result(self.core.verdict(batch, index))
        return 0

    cdef object failure(self):
        """The exception that says that the engine has ended."""
        try:
            self.engine._alive()
        except BaseException as error:
            return error
        return Error("the engine has ended")

    cdef int end(self, error) except -1:
        """The engine has ended. Connections hear nothing, for nothing was promised."""
        self.ended = True
        self.engine._end(error)
        asked = [future for _, future in self.asked_landing + self.asked]
        asked += [ask[6] for ask in self.asks]
        self.asked, self.asked_landing = [], []
        self.waiting, self.landing, self.stalled = [], [], []
        self.asks.clear()
        self.flying = self.loop = None
        for future in asked:
            if not future.done():
                future.set_exception(self.failure())
        return 0
