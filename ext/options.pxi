# What stands behind VERIFY's two words and VERIFYMANY's pairs: PLATFORM trading, ADDRESS ip, ...
#
# The rule: any order, each at most once, names and fixed values in any case; whatever is not
# understood is refused before anything is counted. A mistake is the reply that says so.


cdef extern from "arpa/inet.h" nogil:
    int AF_INET, AF_INET6
    int inet_pton(int family, const char *text, void *address)

cdef enum:
    SEEN_PLATFORM = 1
    SEEN_REALM = 2
    SEEN_DEVICE = 4
    SEEN_ADDRESS = 8
    SEEN_DETAIL = 16
    SEEN_CHALLENGE = 32
    SEEN_SESSION = 64
    SEEN_WAIT = 128
    SEEN_PASSWORD = 256
    SEEN_PIN = 512
    SEEN_ID = 1024
    SEEN_FIRST = 2048                           # the gateway vouches for the first factor
    WITH_VERIFY = 2047 | SEEN_FIRST
    WITH_VERIFYMANY = SEEN_PLATFORM | SEEN_ADDRESS | SEEN_ID
    ADDRESS_BYTES_MAX = 45                      # of an IPv6 address as text
    WAIT_MS_MAX = 60000                         # that an answer is held for a push

cdef struct Options:
    uint32_t seen
    uint8_t platform, realm
    uint8_t address[16]
    ww_span device, challenge, pin, id
    uint8_t session[WW_SESSION_BYTES_MAX]
    uint32_t session_len, wait_ms

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
    if ww_wire_is(frame, s, "CHALLENGE"):
        return SEEN_CHALLENGE
    if ww_wire_is(frame, s, "SESSION"):
        return SEEN_SESSION
    if ww_wire_is(frame, s, "PASSWORD"):
        return SEEN_PASSWORD
    if ww_wire_is(frame, s, "PIN"):
        return SEEN_PIN
    if ww_wire_is(frame, s, "WAIT"):
        return SEEN_WAIT
    if ww_wire_is(frame, s, "ID"):
        return SEEN_ID
    if ww_wire_is(frame, s, "FIRSTFACTOR"):
        return SEEN_FIRST
    return 0

cdef bint address_read(const uint8_t *text, uint32_t n, uint8_t *address) noexcept nogil:
    """IPv4 mapped into IPv6, as pack_address does."""
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
    return inet_pton(AF_INET6, line, address) == 1

cdef int nibble(uint8_t c) noexcept nogil:
    if c'0' <= c <= c'9':
        return c - c'0'
    c |= 0x20
    return c - c'a' + 10 if c'a' <= c <= c'f' else -1

cdef bint session_read(Options *o, const uint8_t *text, uint32_t n) noexcept nogil:
    cdef uint32_t i
    cdef int high, low
    if n % 2 or n > 2 * WW_SESSION_BYTES_MAX:
        return False
    for i in range(n // 2):
        high, low = nibble(text[2 * i]), nibble(text[2 * i + 1])
        if high < 0 or low < 0:
            return False
        o.session[i] = <uint8_t>(high << 4 | low)
    o.session_len = n // 2
    return True

cdef bint wait_read(Options *o, const uint8_t *text, uint32_t n) noexcept nogil:
    cdef uint32_t i
    if not 1 <= n <= 5:
        return False
    o.wait_ms = 0
    for i in range(n):
        if not c'0' <= text[i] <= c'9':
            return False
        o.wait_ms = 10 * o.wait_ms + text[i] - c'0'
    return o.wait_ms <= WAIT_MS_MAX

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
    elif option == SEEN_CHALLENGE:
        o.challenge = s
    elif option == SEEN_PIN:
        o.pin = s
    elif option == SEEN_ID:
        if not WW_ID_BYTES_MIN <= s.len <= WW_ID_BYTES_MAX:
            return "-ERR ID is 8 to 64 bytes\r\n"
        o.id = s
    elif option == SEEN_SESSION:
        if not session_read(o, frame + s.at, s.len):
            return "-ERR SESSION is hex, of 0 to 512 bytes\r\n"
    elif option == SEEN_WAIT:
        if not wait_read(o, frame + s.at, s.len):
            return "-ERR WAIT is 0 to 60000 milliseconds\r\n"
    return NULL

cdef const char *options_read(const uint8_t *frame, const ww_wire *w, uint32_t first,
                              uint32_t legal, Options *o) noexcept nogil:
    """Options from args[first] on, in any order, each once. NULL, or the reply to a mistake."""
    cdef uint32_t i = first, option
    cdef const char *mistake
    o.seen = o.session_len = o.wait_ms = o.challenge.at = o.challenge.len = 0
    o.platform = WW_TRADING
    o.realm = WW_LIVE
    while i < w.argc:
        option = option_named(frame, w.args[i]) & legal
        if option == 0:
            return "-ERR syntax error\r\n"
        if o.seen & option:
            return "-ERR syntax error, an option is given twice\r\n"
        o.seen |= option
        i += 1
        if option & (SEEN_DETAIL | SEEN_FIRST):
            continue
        if i == w.argc:
            return "-ERR syntax error, an option lacks its value\r\n"
        mistake = option_read(o, option, frame, w.args[i])
        if mistake is not NULL:
            return mistake
        i += 1
    return NULL

cdef void options_into(Batch batch, ww_attempt *a, const uint8_t *frame,
                       const Options *o) noexcept:
    """What was said about an attempt becomes the attempt's."""
    cdef const uint8_t *challenge = NULL
    a.platform = o.platform
    a.realm = o.realm
    if o.seen & SEEN_ADDRESS:
        memcpy(a.address, o.address, sizeof(o.address))
        a.has_address = 1
    if o.seen & SEEN_DEVICE:
        batch.set_serial(a, frame + o.device.at, o.device.len)
    if o.seen & (SEEN_CHALLENGE | SEEN_SESSION | SEEN_FIRST):
        if o.seen & SEEN_FIRST:
            a.first = WW_FIRST_VOUCHED
        if o.seen & SEEN_CHALLENGE:
            challenge = frame + o.challenge.at
        if o.seen & (SEEN_CHALLENGE | SEEN_SESSION):
            batch.set_challenge(a, challenge, o.challenge.len, o.session, o.session_len)

cdef ww_attempt *add_pinned(Batch batch, const uint8_t *frame, const ww_span *pair,
                            ww_span pin) noexcept:
    """An attempt whose PIN was given apart: as if it had been typed before the code."""
    cdef uint8_t joined[WW_RESPONSE_BYTES_MAX + 1]
    cdef size_t n = <size_t>pin.len + pair[1].len
    cdef ww_attempt *a
    if n <= WW_RESPONSE_BYTES_MAX:
        memcpy(joined, frame + pin.at, pin.len)
        memcpy(joined + pin.len, frame + pair[1].at, pair[1].len)
    else:
        n = WW_RESPONSE_BYTES_MAX + 1       # too long to be right: Batch.add says so
    a = batch.add(frame + pair[0].at, pair[0].len, joined, n)
    if a != NULL:
        a.pin_len = <uint8_t>min(<uint32_t>a.response_len, pin.len)
    ww_wipe(joined, sizeof(joined))
    return a

cdef uint32_t pairs_read(const uint8_t *frame, ww_span s) noexcept nogil:
    """VERIFYMANY's count of pairs; 0: it is none that may be."""
    cdef uint32_t i, n = 0
    if s.len > 4:
        return 0
    for i in range(s.len):
        if not c'0' <= frame[s.at + i] <= c'9':
            return 0
        n = 10 * n + frame[s.at + i] - c'0'
    return n if n <= WW_WIRE_MANY_PAIRS_MAX else 0
