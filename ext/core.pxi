# The core: the tables of one engine, its turns, acts and pages. It decides nothing.

cdef class Core:
    """The tables of one engine. Not thread-safe: the engine's lock is held around every call."""

    cdef ww_tables t
    cdef ww_policy p
    cdef ww_tally y
    cdef Region users_region, wides_region, cold_region, index_region, deep_region
    cdef Region decoys_region, decoy_names_region, decoy_streaks_region
    cdef Region sources_region, suites_region, pushes_region, phones_region
    cdef dict ids                # of each gateway that gives request ids its table
    cdef object ids_marks        # deque of (turn, time) of rows with ids, one a second
    cdef int64_t ids_marked_ms

    def __cinit__(self, bytes name_key, bytes ask_key=bytes(48), bytes passcode_key=bytes(32),
                  bytes kept_key=bytes(32), bytes id_key=bytes(16)):
        """name_key hashes names; ask_key makes questions (16 bytes) and challenge ids (32);
        passcode_key hashes passcodes, kept_key PINs and answers, id_key request ids."""
        if (len(name_key), len(ask_key), len(passcode_key), len(kept_key)) != (16, 48, 32, 32):
            raise InvalidArgument("name_key is 16 bytes, ask_key 48, the others 32")
        if len(id_key) != 16:
            raise InvalidArgument("id_key is 16 bytes")
        self.ids, self.ids_marks = {}, _deque()
        memcpy(self.t.id_key, PyBytes_AS_STRING(id_key), 16)
        ww_kept_key(&self.t, <const uint8_t *>PyBytes_AS_STRING(kept_key), 32)
        ww_passcode_key(&self.t, <const uint8_t *>PyBytes_AS_STRING(passcode_key), 32)
        memcpy(self.t.name_key, PyBytes_AS_STRING(name_key), 16)
        memcpy(self.t.ask_key, PyBytes_AS_STRING(ask_key), 16)
        memcpy(self.t.token_key, PyBytes_AS_STRING(ask_key) + 16, 32)
        self.suites_region = Region(WW_SUITES_MAX * sizeof(ww_suite))
        self.t.suites = <ww_suite *>self.suites_region.at
        self.t.suites_cap = WW_SUITES_MAX
        self.users_region = Region(WW_PAGE_USERS * sizeof(ww_user), keys=True, table=True)
        self.wides_region = Region(64 * sizeof(ww_wide), keys=True, table=True)
        self.cold_region = Region(1 << 16, keys=True, table=True)
        self.index_region = Region(4096 * 8, table=True)
        self.decoys_region = Region(WW_DECOYS // WW_DECOY_WAYS * sizeof(ww_decoys))
        self.decoy_names_region = Region(WW_DECOYS * sizeof(uint64_t))
        self.decoy_streaks_region = Region(WW_DECOYS * sizeof(ww_streak))
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
        self.t.decoys = <ww_decoys *>self.decoys_region.at
        self.t.decoy_names = <uint64_t *>self.decoy_names_region.at
        self.t.decoy_streaks = <ww_streak *>self.decoy_streaks_region.at
        # Resident, since both are read for everybody: what was never written is one page for all.
        memset(self.t.decoy_names, 0, WW_DECOYS * sizeof(uint64_t))
        memset(self.t.decoy_streaks, 0, WW_DECOYS * sizeof(ww_streak))
        self.t.sources = <ww_source *>self.sources_region.at
        self.pushes_region = Region(sizeof(ww_pushes))  # resident as it is used
        self.t.pushes = <ww_pushes *>self.pushes_region.at
        self.t.pushes.cap = WW_PUSHES_MAX
        self.phones_region = Region(64 * sizeof(uint32_t), table=True)
        self.t.phones = <uint32_t *>self.phones_region.at
        self.t.phones_mask = 63
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
                   bint names_any, bytes ranks=bytes(WW_KINDS), bytes challenge_labels=b"\1",
                   uint8_t sms_per_hour=3, uint32_t sms_seconds=600,
                   uint8_t card_shown_percent=50, uint32_t push_ms=60_000,
                   uint32_t push_per_window=5, uint32_t push_window_ms=600_000,
                   int64_t session_pin_ms=0, int64_t session_biometric_ms=0,
                   int64_t session_ms=0, bint allow_no_device=False):
        """ranks: of devices without a label, by kind; challenge_labels: of plausible challenges,
        the more often the likelier."""
        if len(ranks) != WW_KINDS or not 1 <= len(challenge_labels) <= WW_CHALLENGE_KINDS_MAX:
            raise InvalidArgument("a rank for every kind, and 1 to 16 labels")
        memcpy(self.p.ranks, PyBytes_AS_STRING(ranks), WW_KINDS)
        memcpy(self.p.mix, PyBytes_AS_STRING(challenge_labels), len(challenge_labels))
        self.p.mix_count = <uint8_t>len(challenge_labels)
        self.p.sms_per_hour, self.p.sms_seconds = sms_per_hour, sms_seconds
        self.p.card_shown_percent = card_shown_percent
        self.p.push_ms, self.p.push_window_ms = push_ms, push_window_ms
        self.p.push_per_window = push_per_window
        self.p.session_ms[0], self.p.session_ms[1] = session_pin_ms, session_biometric_ms
        self.p.session_ms[2], self.p.allow_no_device = session_ms, allow_no_device
        self.p.lockout_failures = lockout_failures
        self.p.lockout_window_ms = lockout_window_ms
        self.p.lockout_extend = lockout_extend
        self.p.failures_cap = failures_cap
        self.p.source_failures = source_failures
        self.p.names_any = names_any
        if lockout_failures > WW_RING_INLINE + 1:
            self.deepen(lockout_failures)
            return
        self.t.deep = NULL
        self.deep_region = None

    def deepen(self, uint32_t lockout_failures):
        """Sees to it that streaks can be as long as a policy with so many failures asks; those
        that stand keep what they know. Errors: MemoryError, and nothing has changed."""
        if lockout_failures > WW_RING_INLINE + 1 and self.deep_region is None:
            self.deep_region = Region(<size_t>self.t.users_cap * WW_RING_DEEP * 4, table=True)
            self.t.deep = <void *>self.deep_region.at
            ww_streaks_deepen(&self.t, NULL, 0, 0)

    def deepened(self, state_turns, int64_t turn):
        """A row that is replayed made streaks deep: what older pages hold was not."""
        cdef Py_buffer state
        PyObject_GetBuffer(state_turns, &state, PyBUF_SIMPLE)
        try:
            ww_streaks_deepen(&self.t, <const int64_t *>state.buf, <uint32_t>(state.len // 8), turn)
        finally:
            PyBuffer_Release(&state)

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
            index = Region(entries * 8, table=True)
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
            entries = <uint64_t>self.t.phones_mask + 1
            while entries < cap:
                entries *= 2
            self.t.phones = <uint32_t *>self.phones_region.grow(entries * sizeof(uint32_t))
            self.t.phones_mask = <uint32_t>(entries - 1)
            ww_phones_rebuild(&self.t)
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

    def turn(self, batch, int64_t now_ms):
        """Takes a batch, or one in parts, through one turn at now_ms. Returns the units of records
        that it wrote."""
        cdef Batch b
        if isinstance(batch, Split):
            units = batch.turn(now_ms)
            ww_tally_turn(&self.y, (<Split>batch).count)
            for b in (<Split>batch).batches:
                ww_tally_add(&self.y, &b.b)
            return units
        b = <Batch?>batch
        self.run(b, now_ms)
        if not b.gathered:
            self.tally(b)
        return b.b.units

    cdef void tally(self, Batch b) noexcept:
        """Counts a turn for operators; one that was gathered when its answers have left."""
        ww_tally_turn(&self.y, b.b.count)
        ww_tally_add(&self.y, &b.b)

    def passed(self, int64_t now_ms):
        """A row was written at now_ms: what had run out by then stays so."""
        if now_ms > self.t.latest_ms:
            self.t.latest_ms = now_ms

    @property
    def latest_ms(self):
        """The greatest time of any row that was written."""
        return self.t.latest_ms

    def row(self, batch, int64_t turn, bytes names, int gateways):
        """The journal row of a turn: header, the gateways' names (packed), records."""
        cdef ww_row h
        cdef uint32_t names_bytes = <uint32_t>len(names)
        cdef Batch b = batch.batches[0] if isinstance(batch, Split) else batch
        cdef uint32_t units = b.b.units
        if isinstance(batch, Split):
            units = sum([(<Batch>part).b.units for part in batch.batches])
        cdef size_t records = <size_t>units * WW_RECORD_BYTES
        if b.b.given_count:
            ids_noted(self, turn, self.t.latest_ms)
        memset(&h, 0, sizeof(h))
        h.magic = WW_ROW_MAGIC
        h.version = WW_ROW_VERSION
        h.gateways = <uint16_t>gateways
        h.names_bytes = names_bytes
        h.units = units
        h.turn = turn
        h.time_ms = b.now_ms
        cdef bytes out = PyBytes_FromStringAndSize(NULL, sizeof(h) + names_bytes + records)
        cdef char *to = PyBytes_AS_STRING(out)
        memcpy(to, &h, sizeof(h))
        memcpy(to + sizeof(h), PyBytes_AS_STRING(names), names_bytes)
        if isinstance(batch, Split):
            (<Split>batch).records_into(to + sizeof(h) + names_bytes)
        else:
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
        """The verdict of attempt i of a batch that went through its turn. Errors: InvalidArgument
        where its request id was given before, with other arguments."""
        cdef ww_attempt *a = &b.b.attempts[i]
        if b.b.given_count and b.misused(i):
            raise InvalidArgument(MISUSED_ID)
        cdef Verdict v = Verdict.__new__(Verdict)
        v.verdict, v.hidden, v.why = a.verdict, ww_shown(a), a.reason
        v.sort, v.label, v.rank, v.card_only = a.kind, a.label, a.rank, a.card_only
        v.device = self.serial_of(a.device_cold)
        v.offset = a.offset
        v.retry_after_ms = a.retry_after_ms
        v.session_ms = ww_session_ms(&self.p, a)
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
        self.passed(needs.time_ms)

    def enrolment(self, names, keys, bytes spec, bytes rest, bytes place, moving, Py_ssize_t start,
                  Py_ssize_t stop, int64_t turn, int64_t now_ms, bytes by=b""):
        """The row that adds users start .. stop of two columns, with a device each.

        names: numpy 'S' column; keys: a C-contiguous (n, key bytes) uint8 column, or None for
        users without a device; spec: the fixed part of ww_spec; rest: suite and PIN digest; place:
        account and realm; moving: int64 column of floors, or None; by: who does it. Nothing is
        applied.
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
                size += 1 + (trimmed(name, n.itemsize) + len(by) + 31) // 32
            if has_keys:
                spec_units = <uint32_t>(len(spec) + key_len + 11 + len(rest) + len(by) + 31) // 32
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
                size = trimmed(name, n.itemsize)
                memset(&r, 0, sizeof(r))
                r.event = WW_EVENT_USER_ADD
                r.place = <uint8_t>place[0]
                r.user = self.t.users[slot].id if slot < self.t.users_used else slot
                r.tail = <uint8_t>((size + len(by) + 31) // 32)
                r.lock_ms = <uint32_t>size
                memcpy(to, &r, sizeof(r))
                memcpy(to + sizeof(r), name, size)
                memcpy(to + sizeof(r) + size, PyBytes_AS_STRING(by), len(by))
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
                to += len(spec) + key_len + serial_len
                memcpy(to, PyBytes_AS_STRING(rest), len(rest))
                memcpy(to + len(rest), PyBytes_AS_STRING(by), len(by))
                to -= len(spec) + key_len + serial_len
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
                size = trimmed(name, n.itemsize)
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

    def next_slots(self, uint32_t count):
        """The ids of the next so many users, in order."""
        cdef uint32_t slot, free_slot = self.t.users_free, used = self.t.users_used
        ids = []
        for _ in range(count):
            if free_slot:
                slot = free_slot - 1
                free_slot = self.t.users[slot].more
                ids.append(self.t.users[slot].id)
            else:
                ids.append(used)
                used += 1
        return ids

    def next_device(self):
        return self.t.device_next

    def name_legal(self, bytes name):
        return bool(ww_name_legal(&self.p, <const uint8_t *>PyBytes_AS_STRING(name), len(name)))

    def name_hash(self, bytes name):
        """The keyed hash by which the journal calls a name that nobody has."""
        return ww_name_hash(&self.t, <const uint8_t *>PyBytes_AS_STRING(name), len(name))

    def find(self, bytes name):
        """The slot of a user, or None."""
        cdef const uint8_t *at = <const uint8_t *>PyBytes_AS_STRING(name)
        cdef uint32_t slot = ww_slot_find(&self.t, ww_name_hash(&self.t, at, len(name)), at,
                                          len(name))
        return None if slot == WW_SLOT_NONE else slot

    def user(self, uint32_t slot, int64_t now_ms=0):
        """(id, name, account, realm, failures, lock_until_ms, last_failure_ms, devices) or None;
        a device is (number, serial, kind, state, capped, hash, digits, period_s, back, forward,
        look_ahead, drift_max, t0_s, moving, drift, failures, label, suite, issued, opens, left,
        full_until_ms, until_ms, phone, resync, dates); opens are (count, epoch, if it has a
        purpose) or None, by platform; left: of a card, answers before it shows too many cells, else
        None; the two times are a passcode's, else 0; phone: a public key, or nothing; resync:
        whether two codes in a row are needed; dates: as life.pxi has them. How devices stand is as
        of now_ms, or of the last row. Codes are numbers."""
        cdef ww_user *u
        cdef ww_device *d
        cdef ww_issue *issue
        cdef uint8_t steps
        cdef size_t n = 0
        cdef const uint8_t *name
        if slot >= self.t.users_used or not self.t.users[slot].name_len:
            return None
        u = &self.t.users[slot]
        name = ww_user_name(&self.t, u, &n)
        devices = []
        d = ww_device_first(&self.t, u)
        while d != NULL:
            if d.kind >= WW_KIND_PASSWORD:      # kept like a device, and none
                d = ww_device_next(&self.t, u, d)
                continue
            totp = d.kind == WW_KIND_TOTP
            steps, issue = d.window if totp else 0, NULL
            full_until = until = 0
            if d.kind == WW_KIND_OCRA or d.kind == WW_KIND_CARD or ww_is_sms(d):
                issue = ww_issue_of(&self.t, d)
                steps = issue.steps
            elif d.kind == WW_KIND_PASSCODE:
                full_until = ww_passcode_of(d).full_until_ms
                until = ww_passcode_of(d).until_ms
            devices.append((
                d.number, self.serial_of(d.cold), d.kind, stands_at(&self.t, u, d, now_ms),
                bool(d.capped), d.hash, d.digits,
                d.period_s, steps >> 4, steps & 15, 0 if totp else d.window, d.drift_max,
                ww_device_t0(d), d.moving, d.drift, d.failures, d.label,
                self.suite_of(issue) if d.kind == WW_KIND_OCRA else "",
                0 if issue == NULL else issue.issued, opens_of(&self.t, d, issue != NULL),
                ww_card_left(&self.t, &self.p, d) if d.kind == WW_KIND_CARD else None,
                full_until, until, self.phone_of(d), bool(d.resync), dates_of(d)))
            d = ww_device_next(&self.t, u, d)
        return (u.id, PyUnicode_DecodeUTF8(<const char *>name, <Py_ssize_t>n, NULL), u.account,
                u.realm, u.streak.count, u.streak.lock_until_ms, u.streak.last_ms, devices)

    cdef bytes phone_of(self, const ww_device *d):
        """The public key of a device's phone, or nothing."""
        cdef size_t n = 0
        cdef const uint8_t *at
        if d.kind != WW_KIND_OCRA:
            return b""
        at = ww_device_phone(&self.t, d, &n)
        return PyBytes_FromStringAndSize(<const char *>at, <Py_ssize_t>n)

    cdef str suite_of(self, const ww_issue *issue):
        if issue == NULL:
            return ""
        return (<const char *>self.t.suites[issue.suite].text)[
            :self.t.suites[issue.suite].text_len].decode("ascii")

    def suite_fits(self, bytes suite):
        """Whether a device with this suite may be enrolled: the table holds it, or has room."""
        cdef const uint8_t *at = <const uint8_t *>PyBytes_AS_STRING(suite)
        return (ww_suite_find(&self.t, at, len(suite)) >= 0
                or self.t.suites_used < self.t.suites_cap)

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
                at = ww_device_key(&self.t, d, &n)
                return PyBytes_FromStringAndSize(<const char *>at, <Py_ssize_t>n)
            d = ww_device_next(&self.t, &self.t.users[slot], d)
        return None

    def device_pin(self, uint32_t slot, uint32_t number):
        """The digest of a device's PIN, as its suite has it; empty where there is none."""
        cdef ww_device *d
        cdef size_t n = 0
        cdef const uint8_t *at
        d = ww_device_find(&self.t, &self.t.users[slot], number)
        if d == NULL or d.prefix or d.kind != WW_KIND_OCRA:
            return b""
        at = ww_device_pin(&self.t, d, &n)
        return PyBytes_FromStringAndSize(<const char *>at, <Py_ssize_t>n)

    def device_prefixed(self, uint32_t slot, uint32_t number):
        """Whether a PIN is typed before a device's code."""
        cdef ww_device *d = ww_device_find(&self.t, &self.t.users[slot], number)
        return d != NULL and bool(d.prefix)

    def suite_known(self, bytes suite):
        """Whether the table holds this suite."""
        return ww_suite_find(&self.t, <const uint8_t *>PyBytes_AS_STRING(suite), len(suite)) >= 0

    def suites_left(self):
        """How many suites more the table has room for."""
        return self.t.suites_cap - self.t.suites_used

    def slots_used(self):
        return self.t.users_used

    # -- pages

    def dirty_page(self, uint32_t start):
        """The first changed page from `start` on, as (number, identity too), or None. It counts as
        clean from now on: the caller copies it before the lock is let go."""
        cdef uint32_t page, pages = (self.t.users_used + WW_PAGE_USERS - 1) // WW_PAGE_USERS
        for page in range(start, pages):
            if self.t.dirty[page]:
                identity = bool(self.t.dirty[page] & WW_DIRTY_IDENTITY)
                self.t.dirty[page] = 0
                return page, identity
        return None

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
            self.passed(needs.time_ms)
            if needs.ids:
                ids_replayed(self, <const uint8_t *>b.buf, b.len, self.t.latest_ms)
                ids_noted(self, needs.turn, self.t.latest_ms)
            return needs.events
        finally:
            PyBuffer_Release(&b)
            PyBuffer_Release(&identity)
            PyBuffer_Release(&state)

    def reserve(self, uint64_t users):
        """Room for so many users in all: an index that need not be made anew as they come."""
        self._room(users, 0, 0)

    def loaded(self):
        """After pages and replay: the free chain is made anew."""
        ww_slots_rebuild(&self.t)
