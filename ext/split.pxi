# A batch in parts: attempts of one turn that threads decide side by side, with one batch's answers.

cdef class Split:
    """One batch laid into several by its names' keyed hashes.

    Parts share no user, no decoy and no record, so that each may go through its turn in a thread of
    its own while the others do; what they still share is said at ww_put in internal.h. Attempts on
    one user stay in one part and in their order, and verdicts and records are put together again as
    they came: whoever looks at either cannot tell. The addresses of attempts are not supported: a
    source's failures are one count for all parts.
    """

    cdef Core core
    cdef readonly list batches
    cdef uint8_t *where
    cdef uint32_t cap, count
    cdef object jobs          # a turn for each thread that may help; None ends one
    cdef object done          # something whenever a thread finds no part left
    cdef uint32_t threads
    cdef uint64_t number      # of the turn under way
    cdef uint32_t taken       # its parts that a thread has begun, a bit each
    cdef int at_work          # parts begun and not done

    def __cinit__(self, Core core, uint32_t parts, uint32_t cap=WW_BATCH_ATTEMPTS_MAX):
        if parts not in (2, 4, 8):
            raise InvalidArgument("a batch is split in 2, 4 or 8")
        self.core = core
        self.cap = cap
        self.batches = [Batch(cap) for _ in range(parts)]
        for part in self.batches:
            (<Batch>part).b.part = 1
        self.where = <uint8_t *>malloc(cap)
        if self.where == NULL:
            raise MemoryError
        self.jobs, self.done = SimpleQueue(), SimpleQueue()

    def __dealloc__(self):
        free(self.where)

    def __len__(self):
        return self.count

    def close(self):
        """Ends the threads, each as soon as it is at rest."""
        while self.threads:
            self.threads -= 1
            self.jobs.put(None)

    def __del__(self):
        self.close()

    def reset(self):
        cdef Batch b
        for b in self.batches:
            b.clear()
        self.count = 0

    cdef Batch of(self, const uint8_t *name, size_t name_len):
        """The part of the attempt that comes next. Decoys, too, go by the hash's low bits."""
        cdef uint32_t part = <uint32_t>ww_name_hash(&self.core.t, name, name_len)
        part &= <uint32_t>len(self.batches) - 1
        if self.count >= self.cap:
            raise InvalidArgument(f"a batch holds at most {self.cap} attempts")
        self.where[self.count] = <uint8_t>part
        self.count += 1
        return <Batch>self.batches[part]

    def put_many(self, users, responses, devices, addresses, challenges, Py_ssize_t start,
                 Py_ssize_t stop, int platform, int realm, bint shed):
        if addresses is not None:
            raise InvalidArgument("attempts with addresses are not split")
        fill_many(None, self, users, responses, devices, None, challenges, start, stop, platform,
                  realm, shed)

    def put_columns(self, users, responses, Py_ssize_t start, Py_ssize_t stop, int platform,
                    int realm, bint shed):
        fill_columns(None, self, users, responses, start, stop, platform, realm, shed)

    def vouch(self):
        for b in self.batches:
            (<Batch>b).vouch()

    cdef void part(self, int i, uint64_t number, int64_t now_ms):
        """One part of a turn through it, unless a thread has it or the turn is over. Between two
        looks at what is shared here nobody drops the interpreter's lock."""
        if number != self.number or self.taken >> i & 1:
            return
        self.taken |= <uint32_t>1 << i
        self.at_work += 1
        self.core.run(<Batch>self.batches[i], now_ms)
        self.at_work -= 1

    def turn(self, int64_t now_ms):
        """Every part through its turn, whichever thread comes first to it. Returns the units of
        records.

        No line of it is the interpreter's: an interrupt is seen where this waits and nowhere else,
        never between a lock's taking and its knowing, which hung whoever came next.
        """
        cdef int i
        interrupt = None
        self.number += 1
        self.taken = 0
        while not self.done.empty():
            self.done.get()
        try:
            while self.threads < len(self.batches) - 1:
                start_new_thread(help_turns, (self.jobs,))
                self.threads += 1
        except RuntimeError:  # no thread is to be had: this one does what nobody takes
            pass
        for i in range(<int>self.threads):
            self.jobs.put((self, self.number, now_ms))
        for i in range(<int>len(self.batches)):
            self.part(i, self.number, now_ms)
        while self.at_work:  # whatever interrupts, nobody is left at work on the tables
            try:
                self.done.get()
            except BaseException as error:
                interrupt = error
        if interrupt is not None:
            raise interrupt
        return sum([(<Batch>b).b.units for b in self.batches])

    cdef char *records_into(self, char *to):
        """Copies the records in the order in which their attempts came."""
        cdef ww_batch *b
        cdef uint32_t i
        cdef size_t size, part
        cdef uint32_t[8] at        # attempts of each part that are done
        cdef size_t[8] unit        # and their records
        memset(at, 0, sizeof(at))
        memset(unit, 0, sizeof(unit))
        for i in range(self.count):
            part = self.where[i]
            b = &(<Batch>self.batches[part]).b
            size = b.attempts[at[part]].units
            memcpy(to, b.records + unit[part], size * WW_RECORD_BYTES)
            to += size * WW_RECORD_BYTES
            at[part] += 1
            unit[part] += size
        return to

    def codes_into(self, out, Py_ssize_t start):
        """Writes the verdicts' numbers into a buffer of bytes, from out[start] on."""
        cdef Py_buffer view
        cdef uint32_t i
        cdef size_t part
        cdef uint32_t[8] at
        memset(at, 0, sizeof(at))
        PyObject_GetBuffer(out, &view, PyBUF_WRITABLE)
        try:
            if start < 0 or start + <Py_ssize_t>self.count > view.len:
                raise InvalidArgument("out is shorter than the batch")
            for i in range(self.count):
                part = self.where[i]
                (<uint8_t *>view.buf)[start + i] = (
                    (<Batch>self.batches[part]).b.attempts[at[part]].verdict)
                at[part] += 1
        finally:
            PyBuffer_Release(&view)


def help_turns(jobs):
    """What a helping thread does until it is given None. At rest it holds the queue alone, so that
    a forgotten engine is freed."""
    cdef int i
    while True:
        job = jobs.get()
        if job is None:
            return
        split, number, now_ms = job
        for i in range(<int>len((<Split>split).batches)):
            (<Split>split).part(i, number, now_ms)
        (<Split>split).done.put(None)
        job = split = None


cdef fill_many(Batch one, Split split, users, responses, devices, addresses, challenges,
               Py_ssize_t start, Py_ssize_t stop, int platform, int realm, bint shed):
    """Attempts start .. stop of equally long sequences into one batch, or into the parts of one."""
    cdef Py_ssize_t i, name_len = 0, text_len = 0
    cdef const char *name = NULL
    cdef const char *text = NULL
    cdef ww_attempt *a
    cdef Batch b
    for i in range(start, stop):
        # An entry may be made for this one look: it has to live as long as its bytes are read.
        user, response = users[i], responses[i]
        take_text(user, &name, &name_len)
        take_text(response, &text, &text_len)
        b = one if split is None else split.of(<const uint8_t *>name, name_len)
        a = b.add(<const uint8_t *>name, name_len, <const uint8_t *>text, text_len)
        if a == NULL:
            raise InvalidArgument(f"a batch holds at most {b.cap} attempts")
        a.platform = <uint8_t>platform
        a.realm = <uint8_t>realm
        a.shed = shed
        device = None if devices is None else devices[i]
        if device is not None:
            take_text(device, &text, &text_len)
            b.set_serial(a, <const uint8_t *>text, text_len)
        challenge = None if challenges is None else challenges[i]
        if challenge is not None:
            put_challenge(b, a, challenge, None)
        address = None if addresses is None else addresses[i]
        if address is not None:
            packed = pack_address(address)
            a.has_address = 1
            memcpy(a.address, PyBytes_AS_STRING(packed), 16)


cdef fill_columns(Batch one, Split split, users, responses, Py_ssize_t start, Py_ssize_t stop,
                  int platform, int realm, bint shed):
    """The same from two numpy 'S' arrays, without an object per attempt."""
    cdef Py_buffer u, r
    cdef Py_ssize_t i
    cdef size_t name_len
    cdef const char *name
    cdef const char *text
    cdef ww_attempt *a
    cdef Batch b = one
    PyObject_GetBuffer(users, &u, PyBUF_STRIDED_RO)
    try:
        PyObject_GetBuffer(responses, &r, PyBUF_STRIDED_RO)
        try:
            for i in range(start, stop):
                name = <const char *>u.buf + i * u.strides[0]
                text = <const char *>r.buf + i * r.strides[0]
                name_len = trimmed(name, u.itemsize)
                if split is not None:
                    b = split.of(<const uint8_t *>name, name_len)
                a = b.add(<const uint8_t *>name, name_len,
                          <const uint8_t *>text, trimmed(text, r.itemsize))
                if a == NULL:
                    raise InvalidArgument(f"a batch holds at most {b.cap} attempts")
                a.platform = <uint8_t>platform
                a.realm = <uint8_t>realm
                a.shed = shed
        finally:
            PyBuffer_Release(&r)
    finally:
        PyBuffer_Release(&u)
