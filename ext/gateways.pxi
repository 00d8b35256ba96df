# Whom a connection speaks for: a gateway's rights, the users it may name, and its rate.
#
# The rules:
# - a connection that nothing curbs pays one test a command, and nothing here runs for it;
# - before it has said who it is a client is a stranger: 1 kB, five commands and five seconds;
# - what may not be is refused before anything is evaluated or charged; beyond the rate attempts are
#   BUSY, which nothing counts.

from posix.time cimport clock_gettime, clockid_t, timespec

cdef extern from "time.h" nogil:
    clockid_t CLOCK_MONOTONIC_COARSE

cdef enum:
    MAY_VERIFY = 1
    MAY_VERIFY_MANY = 2
    EVERY_PLATFORM = 1 << WW_TRADING | 1 << WW_PORTAL
    EVERY_REALM = 1 << WW_LIVE | 1 << WW_PAPER

cdef double soon_s() noexcept nogil:
    """Seconds of a clock that never goes back, to the tick of the system: cheap, for rates."""
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now)
    return now.tv_sec + now.tv_nsec * 1e-9


@cython.final
cdef class Gateway:
    """What a gateway of the access list may do, for the compiled road and for the others.

    index: into the gather's gateways; verbs: names of commands in capitals; prefix: what the user
    names it says must begin with; realm: the one it may say, and whose users alone it has, or "";
    platforms: those it may say, or
    none for all; rate: attempts a second, a second's worth at once, 0 for any number. acts: whether
    it has acts of administration. door: what answers it, as whoever made that left it here.
    """
    cdef readonly str name, realm
    cdef readonly int index
    cdef readonly bint reasons, acts, first_factor, free
    cdef readonly frozenset verbs
    cdef readonly bytes prefix
    cdef readonly double rate
    cdef readonly uint64_t busy
    cdef public object door
    cdef uint32_t may
    cdef uint32_t platforms, realms
    cdef double tokens, filled_s

    def __init__(self, str name, int index, verbs, *, bint reasons=False, bint acts=False,
                 bint first_factor=False, bytes prefix=b"", str realm="", platforms=(),
                 double rate=0.0):
        self.name, self.realm, self.index = name, realm, index
        self.reasons, self.acts, self.first_factor = reasons, acts, first_factor
        self.verbs = frozenset(verbs)
        self.prefix = prefix
        self.realms = EVERY_REALM
        if realm:
            self.realms = 1 << <int>REALM_CODES[realm]
        self.platforms = 0 if platforms else EVERY_PLATFORM
        for platform in platforms:
            self.platforms |= 1 << <int>PLATFORM_CODES[platform]
        self.rate = self.tokens = rate
        self.filled_s = soon_s()
        self.may = ((MAY_VERIFY if "VERIFY" in self.verbs else 0)
                    | (MAY_VERIFY_MANY if "VERIFYMANY" in self.verbs else 0))
        self.free = (self.may == (MAY_VERIFY | MAY_VERIFY_MANY) and not prefix and rate == 0
                     and self.realms == EVERY_REALM and self.platforms == EVERY_PLATFORM)

    cdef bint spend(self, uint32_t n, double now_s) noexcept:
        """Whether n attempts may be made now. Whoever has any left may overdraw with one command,
        which is waited for: the rate holds over time, whatever a VERIFYMANY holds."""
        if self.rate == 0:
            return True
        self.tokens = min(self.rate, self.tokens + (now_s - self.filled_s) * self.rate)
        self.filled_s = now_s
        if self.tokens < 1 and self.tokens < self.rate:
            self.busy += n
            return False
        self.tokens -= n
        return True

    def take(self, uint32_t n=1, now_s=None):
        """Whether n attempts may be made now; they are charged then."""
        return self.spend(n, soon_s() if now_s is None else <double>now_s)

    def uses(self, str platform):
        """Whether it may say this platform."""
        return bool(self.platforms >> <int>PLATFORM_CODES.get(platform, 31) & 1)

    def names(self, bytes user):
        """Whether it may say this user's name."""
        return user.startswith(self.prefix)


cdef bint gateway_names(Gateway who, const uint8_t *frame, ww_span user) noexcept:
    cdef Py_ssize_t n = PyBytes_GET_SIZE(who.prefix)
    return <Py_ssize_t>user.len >= n and memcmp(frame + user.at,
                                                PyBytes_AS_STRING(who.prefix), n) == 0


cdef const char *gateway_refuses(Gateway who, const ww_wire *w, const uint8_t *frame, bint many,
                                 uint32_t pairs, const Options *o) noexcept:
    """The reply to an attempt that this gateway may not make; NULL: it may."""
    cdef uint32_t i
    for i in range(pairs):
        if not gateway_names(who, frame, w.args[2 + 2 * i if many else 1]):
            return "-NOPERM this gateway may not name that user\r\n"
    if not who.platforms >> o.platform & 1:
        return "-NOPERM this gateway may not use that platform\r\n"
    if not who.realms >> o.realm & 1:
        return "-NOPERM this gateway may not use that realm\r\n"
    return NULL


cdef bint command_curbed(Connection c, ww_wire *wire, uint8_t *frame) except -1:
    """A command of a stranger, or of a gateway that may not do everything as often as it likes."""
    cdef Gateway who = c.who
    cdef bint many
    if who is None:
        c.strange += 1
        if c.strange > c.clients.stranger_commands_max:
            c.unknown()
            return True
        return c.other(wire, frame)
    many = ww_wire_is(frame, wire.args[0], "VERIFYMANY")
    if not many and not ww_wire_is(frame, wire.args[0], "VERIFY"):
        return c.serve(wire, frame)
    if not who.may & (MAY_VERIFY_MANY if many else MAY_VERIFY):
        c.say("-NOPERM this gateway may not use 'verifymany'\r\n" if many else
              "-NOPERM this gateway may not use 'verify'\r\n")
        return True
    return attempts_curbed(c, who, wire, frame, many)


cdef bint served_within(Connection c, Gateway who, ww_wire *wire, uint8_t *frame) except -1:
    """VERIFY or VERIFYMANY, to which whoever is of another realm than the gateway's is nobody."""
    cdef Batch batch = c.clients.gather.open
    cdef uint32_t i = batch.b.count
    cdef bint done = c.serve(wire, frame)
    if who.realm:
        for i in range(i, batch.b.count):
            batch.b.attempts[i].first |= WW_FIRST_WITHIN
    return done


cdef bint attempts_curbed(Connection c, Gateway who, ww_wire *wire, uint8_t *frame,
                          bint many) except -1:
    """VERIFY or VERIFYMANY within a gateway's bounds and rate."""
    cdef Options o
    cdef uint32_t n = 1, i
    cdef const char *mistake = NULL
    cdef Batch batch
    cdef Form form = FORM_MANY if many else FORM_PLAIN
    if many:
        n = pairs_read(frame, wire.args[1]) if wire.argc >= 4 else 0
        if n == 0 or wire.argc < 2 + 2 * n:
            return c.serve(wire, frame)         # which says what is wrong with it
    elif wire.argc < 3:
        return c.serve(wire, frame)
    if many:
        mistake = options_read(frame, wire, 2 + 2 * n, WITH_VERIFYMANY, &o)
    else:
        mistake = options_read(frame, wire, 3, WITH_VERIFY, &o)
    if mistake is NULL:
        mistake = c.vouches(&o)
    if mistake is NULL:
        mistake = gateway_refuses(who, wire, frame, many, n, &o)
    if mistake is not NULL:
        c.say(mistake)
        return True
    if not c.room(n):
        return False
    if c.waited or who.spend(n, soon_s()):      # whoever waited for a push was charged before
        return served_within(c, who, wire, frame)
    for i in range(n):
        c.attempt(frame, &wire.args[2 + 2 * i if many else 1], &o)
        batch = c.clients.gather.open
        batch.b.attempts[batch.b.count - 1].shed = 1
    if o.seen & SEEN_DETAIL:
        form = FORM_DETAIL_MAP if c.protocol == 3 else FORM_DETAIL
    c.join(form, n)
    return True
