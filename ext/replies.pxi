# A connection's replies: what is said at once, and what waits, in the order of the commands.
#
# The rule: behind a reply that waits for a turn every later one waits too. What a turn's landing
# makes of them goes into one range of bytes, for one write.

ctypedef enum Form:       # of a reply that waits
    FORM_BYTES = 0        # the next `at` bytes of `later`
    FORM_PLAIN = 1        # the verdict of attempt `at`
    FORM_DETAIL = 2       # with what it carries, as a flat array
    FORM_DETAIL_MAP = 3
    FORM_MANY = 4         # the verdicts of attempts `at` to `at + count`, as an array
    FORM_GIVEN = 8        # with one of these: a request id was given, the batch's number `given`

cdef struct Slot:
    uint64_t turn
    uint32_t at, count
    Form form
    uint32_t given

cdef struct Bytes:
    uint8_t *at
    size_t len, cap
    bint lost         # no memory: what was to be said is incomplete, and must not be said

cdef struct Replies:
    Slot *slots           # those that wait are [first, last)
    uint32_t first, last, cap
    uint32_t unanswered   # attempts among them
    Bytes later           # bytes of FORM_BYTES; those before later_at are gone
    size_t later_at


# ---- bytes that grow -----------------------------------------------------------------------------

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


# ---- verdicts as replies -------------------------------------------------------------------------

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


cdef uint8_t verdict_shown(const ww_attempt *a, bint reasons) noexcept nogil:
    """What a gateway may see: with the right `reasons` the verdict itself."""
    if a.verdict < WW_ACCEPTED or a.verdict > WW_BUSY:
        return WW_REJECTED
    return a.verdict if reasons else ww_shown(a)

cdef void detail_put(Bytes *out, const ww_tables *t, const ww_policy *p, const ww_attempt *a,
                     bint reasons, bint as_map) noexcept nogil:
    """A verdict with what it carries: for ACCEPTED the device, for LOCKED the time left."""
    cdef uint8_t verdict = verdict_shown(a, reasons)
    cdef bint accepted = verdict == WW_ACCEPTED
    cdef const char *scope = "$-1\r\n"
    cdef const char *kind = "$-1\r\n"
    cdef const char *device = "$-1\r\n"
    cdef const uint8_t *serial
    cdef size_t serial_len = 0
    if as_map:
        scope = kind = device = "_\r\n"
        bytes_text(out, "%8\r\n")
    else:
        bytes_text(out, "*16\r\n")
    if accepted:
        scope = "$4\r\ncard\r\n" if a.card_only else "$4\r\nfull\r\n"
    bytes_text(out, "$7\r\nverdict\r\n")
    bytes_text(out, verdict_text(verdict))
    bytes_number(out, "$4\r\ncode\r\n:", verdict)
    bytes_text(out, "$5\r\nscope\r\n")
    bytes_text(out, scope)
    bytes_text(out, "$6\r\ndevice\r\n")
    if accepted and a.device_cold:
        serial = ww_cold_second(t, a.device_cold, &serial_len)
        bytes_bulk(out, serial, serial_len)
    else:
        bytes_text(out, device)
    bytes_text(out, "$4\r\nkind\r\n")
    if accepted:
        kind = ww_kind_name(a.kind, a.label)
        bytes_bulk(out, kind, strlen(kind))
    else:
        bytes_text(out, kind)
    bytes_number(out, "$4\r\nrank\r\n:", a.rank if accepted else 0)
    bytes_number(out, "$10\r\nsession_ms\r\n:", ww_session_ms(p, a))
    bytes_number(out, "$14\r\nretry_after_ms\r\n:",
                 a.retry_after_ms if verdict == WW_LOCKED else 0)


# ---- the order of replies ------------------------------------------------------------------------

cdef bint replies_wait(const Replies *r) noexcept nogil:
    return r.first < r.last

cdef void replies_free(Replies *r) noexcept nogil:
    free(r.slots)
    bytes_free(&r.later)
    memset(r, 0, sizeof(r[0]))

cdef void replies_add(Replies *r, Form form, uint64_t turn, uint32_t at,
                      uint32_t count) noexcept nogil:
    """A reply joins those that wait."""
    cdef uint32_t cap
    cdef Slot *grown
    if r.last == r.cap and r.first > 0:
        memmove(r.slots, r.slots + r.first, (r.last - r.first) * sizeof(Slot))
        r.last -= r.first
        r.first = 0
    if r.last == r.cap:
        cap = max(2 * r.cap, <uint32_t>16)
        grown = <Slot *>realloc(r.slots, cap * sizeof(Slot))
        if grown is NULL:
            r.later.lost = True
            return
        r.slots, r.cap = grown, cap
    r.slots[r.last].form = form
    r.slots[r.last].turn = turn
    r.slots[r.last].at = at
    r.slots[r.last].count = count
    r.last += 1
    r.unanswered += count

cdef void replies_put(Replies *r, Bytes *out, const void *at, size_t n) noexcept nogil:
    """Part of a reply known at once: into out, or behind what waits."""
    if not replies_wait(r):
        bytes_put(out, at, n)
        return
    if r.slots[r.last - 1].form != FORM_BYTES:
        replies_add(r, FORM_BYTES, 0, 0, 0)
    if not r.later.lost:
        r.slots[r.last - 1].at += <uint32_t>n
        bytes_put(&r.later, at, n)

cdef bint misused(const ww_batch *b, const Slot *s) noexcept nogil:
    return s.form & FORM_GIVEN and b.given[s.given].outcome == WW_ID_MISUSED

cdef void replies_land(Replies *r, Bytes *out, const ww_tables *t, const ww_policy *p,
                       const ww_batch *b, uint64_t turn, bint reasons) noexcept nogil:
    """A turn is durable: every reply up to the first that waits for a later one goes into out."""
    cdef Slot *s
    cdef Form form
    cdef uint32_t i, count
    while r.first < r.last:
        s = &r.slots[r.first]
        if s.form == FORM_BYTES:
            bytes_put(out, r.later.at + r.later_at, s.at)
            r.later_at += s.at
        elif s.turn != turn:
            break
        else:
            r.unanswered -= s.count
            form, count = s.form, s.count
            if form >= FORM_MANY:
                if misused(b, s):
                    bytes_text(out, "-ERR request_id was given before, with other arguments\r\n")
                    count = 0
                form = <Form>(form & ~FORM_GIVEN)
                if form == FORM_MANY and count > 0:
                    bytes_number(out, "*", count)
            for i in range(s.at, s.at + count):
                if form == FORM_PLAIN or form == FORM_MANY:
                    bytes_text(out, verdict_text(verdict_shown(&b.attempts[i], reasons)))
                else:
                    detail_put(out, t, p, &b.attempts[i], reasons, form == FORM_DETAIL_MAP)
        r.first += 1
    if r.first == r.last:
        r.first = r.last = 0
    if r.later_at == r.later.len:
        r.later.len = r.later_at = 0
    elif r.later_at > r.later.len // 2:
        r.later.len -= r.later_at
        memmove(r.later.at, r.later.at + r.later_at, r.later.len)
        r.later_at = 0
