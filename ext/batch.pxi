# A batch: attempts going through one turn together; and a verdict, what becomes of one.

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
        raise InvalidArgument(
            "user, response, device, challenge and pin are str or bytes, not "
            f"{type(text).__name__}")
    return 0


cdef inline size_t trimmed(const char *text, Py_ssize_t size) noexcept:
    """The length of an entry of an 'S' column: zeros at the end are numpy's, others are its own."""
    while size > 0 and text[size - 1] == 0:
        size -= 1
    return <size_t>size


cdef class Batch:
    """Attempts going through one turn together, with their bytes and, after it, their records."""

    cdef ww_batch b
    cdef uint32_t cap
    cdef Region texts
    cdef uint8_t *arena
    cdef uint32_t arena_used
    cdef bint gathered            # its Gather counts it
    cdef readonly int64_t now_ms

    def __cinit__(self, uint32_t cap=WW_BATCH_ATTEMPTS_MAX):
        self.cap = cap
        self.texts = Region(
            cap * <size_t>(WW_NAME_BYTES_MAX + WW_RESPONSE_BYTES_MAX + WW_SERIAL_BYTES_MAX
                           + WW_TOKEN_CHARS_MAX + WW_SESSION_BYTES_MAX))
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
        free(self.b.given)

    def __len__(self):
        return self.b.count

    cdef void clear(self) noexcept:
        ww_wipe(self.arena, self.arena_used)  # what was typed is not kept
        self.b.count = 0
        self.b.units = self.b.given_count = 0
        self.arena_used = 0

    cdef inline uint32_t _keep(self, const uint8_t *text, size_t n) noexcept:
        cdef uint32_t at = self.arena_used
        ww_copy_short(self.arena + at, text, n)
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

    cdef void set_challenge(self, ww_attempt *a, const uint8_t *token, size_t n,
                            const uint8_t *session, size_t session_len) noexcept:
        """The challenge an attempt names (n 0: none) and its session, at most
        WW_SESSION_BYTES_MAX."""
        if n > WW_TOKEN_CHARS_MAX or (n == 0 and token != NULL):
            token = b"!"  # too long for an id, or empty: one that names nothing
            n = 1
        a.second_at = self.arena_used
        self._keep(token, n)
        self._keep(session, session_len)
        a.challenge_len = <uint16_t>n
        a.second_len = <uint16_t>(n + session_len)

    def put(self, user, response, int platform=WW_TRADING, int realm=WW_LIVE, device=None,
            address=None, second=None, bint shed=False, challenge=None, session=None, pin=None,
            int first=0, uint32_t password=0, bint answer=False, bint activate=False, given=None):
        """Adds one attempt from Python. first, password: what is said of one (ww_attempt).
        activate: of the device named, which it makes active. given: of a request id what identify
        takes."""
        cdef const char *name = NULL
        cdef const char *text = NULL
        cdef Py_ssize_t name_len = 0, text_len = 0
        cdef bytes packed
        response = with_pin(pin, response)
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
        elif challenge is not None or session is not None:
            put_challenge(self, a, challenge, session)
        put_facts(self, a, pin, response, first, password, answer)
        if activate:
            a.event = WW_EVENT_ACTIVATE
        if address is not None:
            packed = pack_address(address)
            a.has_address = 1
            memcpy(a.address, PyBytes_AS_STRING(packed), 16)
        if given is not None:
            self.identify(*given)

    cdef bint may_give(self) noexcept:
        """Sees to room for request ids, as many as attempts."""
        if self.b.given == NULL:
            self.b.given = <ww_given *>malloc(self.cap * sizeof(ww_given))
        return self.b.given != NULL

    cdef void give(self, ww_ids *ids, const uint8_t *text, size_t n, uint32_t at, uint32_t many,
                   uint64_t password) noexcept:
        """Attempts at, at + 1, ... are one command with this id; may_give said yes."""
        cdef ww_given *first = &self.b.given[self.b.given_count]
        cdef uint32_t i
        memset(first, 0, many * sizeof(ww_given))
        for i in range(many):
            first[i].ids, first[i].at = ids, at + i
            ww_given_id(&first[i], text, n, i)
            ww_given_said(&first[i], &self.b, password)
        first.many = 1
        if many > 1:
            ww_given_together(first, many)
        self.b.given_count += many

    def identify(self, Core core, bytes names, bytes request_id, secret=None, int gateway=0):
        """The attempt put last brings a request id, given by one of the gateways named; secret: the
        password tried with it. Errors: Busy."""
        cdef ww_ids *ids = ids_of(core, gateway_at(names, gateway))
        cdef const char *text = NULL
        cdef Py_ssize_t n = 0
        cdef uint64_t[2] password
        password[0] = 0
        if not self.may_give():
            raise MemoryError
        if secret is not None:
            take_text(secret, &text, &n)
            ww_sip128(ids.key, <const uint8_t *>text, n, password)
        self.give(ids, <const uint8_t *>PyBytes_AS_STRING(request_id), len(request_id),
                  self.b.count - 1, 1, password[0])

    cdef bint misused(self, uint32_t i) noexcept:
        """Whether attempt i was not looked at, for its request id came with other arguments."""
        cdef uint32_t k
        for k in range(self.b.given_count):
            if self.b.given[k].at == i:
                return self.b.given[k].outcome == WW_ID_MISUSED
        return False

    def put_many(self, users, responses, devices, addresses, challenges, Py_ssize_t start,
                 Py_ssize_t stop, int platform, int realm, bint shed):
        """Adds attempts start .. stop of equally long sequences."""
        fill_many(self, None, users, responses, devices, addresses, challenges, start, stop,
                  platform, realm, shed)

    def put_columns(self, users, responses, Py_ssize_t start, Py_ssize_t stop, int platform,
                    int realm, bint shed):
        """The same from two numpy 'S' arrays, without an object per attempt."""
        fill_columns(self, None, users, responses, start, stop, platform, realm, shed)

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

    def tell(self, facts):
        """What is said of the password of each attempt: (first, number), or None where too many
        wait to be hashed, and the attempt is BUSY."""
        cdef uint32_t i = 0
        for fact in facts:
            if i == self.b.count:
                break
            if fact is None:
                self.b.attempts[i].shed = 1
            else:
                self.b.attempts[i].first, self.b.attempts[i].password = fact
            i += 1

    def vouch(self):
        """Somebody else has seen to the first factor of every attempt."""
        cdef uint32_t i
        for i in range(self.b.count):
            self.b.attempts[i].first = WW_FIRST_VOUCHED

    def reset(self):
        self.clear()


cdef put_challenge(Batch b, ww_attempt *a, challenge, session):
    cdef const char *text = NULL
    cdef Py_ssize_t n = 0
    cdef const char *said = NULL
    cdef Py_ssize_t said_len = 0
    if challenge is not None:
        take_text(challenge, &text, &n)
    if session is not None:
        if not isinstance(session, bytes) or len(session) > WW_SESSION_BYTES_MAX:
            raise InvalidArgument(f"session is bytes, at most {WW_SESSION_BYTES_MAX} of them")
        said, said_len = PyBytes_AS_STRING(session), PyBytes_GET_SIZE(session)
    b.set_challenge(a, <const uint8_t *>text, n, <const uint8_t *>said, said_len)


def expect_texts(texts):
    """Raises InvalidArgument unless every entry is str or bytes: told before anything is done."""
    for text in texts:
        if not (PyUnicode_Check(text) or isinstance(text, bytes)):
            raise InvalidArgument(
                "users, responses, devices, challenges and passwords are str or bytes, not "
                f"{type(text).__name__}")


def pack_address(address):
    """16 bytes of an IP address in text, IPv4 mapped into IPv6. Errors: InvalidArgument."""
    if not isinstance(address, str):
        raise InvalidArgument(f"address is str, not {type(address).__name__}")
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        raise InvalidArgument("address is not an IPv4 or IPv6 address") from None
    if ip.version == 4:
        return b"\0" * 10 + b"\xff\xff" + ip.packed
    return ip.packed


cdef class Verdict:
    """The engine's answer to one attempt (RULES section 7). True for ACCEPTED alone.

    code: Code. reason: Reason, for the audit trail. shown: the Code that a gateway without the
    right `reasons` reads. device: serial of the device that matched, or None. kind: its kind.
    offset: matched position from the expected one, in steps or counters.
    retry_after_ms: time left while the user is locked, else 0. scope, rank: what an acceptance
    opens. session_ms: session limit, 0 when there is none.
    """

    # Numbers, until somebody asks: an object that one refusal in five touches would tell them
    # apart by its place in memory.
    cdef uint8_t verdict, hidden, why, sort, label, card_only
    cdef readonly object device
    cdef readonly int rank, offset
    cdef readonly int64_t retry_after_ms, session_ms

    def __init__(self):
        raise TypeError("verdicts are made by an engine alone")

    def __bool__(self):
        return self.verdict == WW_ACCEPTED

    @property
    def code(self):
        return CODES[self.verdict]

    @property
    def shown(self):
        return CODES[self.hidden]

    @property
    def reason(self):
        return REASONS[self.why]

    @property
    def kind(self):
        return KIND_NAMES[self.sort, self.label]

    @property
    def scope(self):
        return ("card" if self.card_only else "full") if self.verdict == WW_ACCEPTED else ""

    def __repr__(self):
        text = f"<Verdict {self.code.name}"
        if self.device is not None and self.verdict == WW_ACCEPTED:
            text += f" device={self.device}"
        if self.retry_after_ms:
            text += f" retry_after_ms={self.retry_after_ms}"
        return text + ">"
