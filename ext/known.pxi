# What users know, at the door: what is said of a password, PINs given apart, and questions.

cdef int put_facts(Batch b, ww_attempt *a, pin, response, int first, uint32_t password,
                   bint answer) except -1:
    """What an attempt brings besides. pin: of the response, which then begins with it."""
    cdef const char *text = NULL
    cdef Py_ssize_t n = 0
    if pin is not None and a.response_len > 0:
        take_text(pin, &text, &n)
        a.pin_len = <uint8_t>min(n, <Py_ssize_t>a.response_len)
    a.first = <uint8_t>first
    a.password = password
    if answer:
        a.event = WW_EVENT_ANSWER
    return 0


cdef object with_pin(pin, response):
    """The PIN and then the code, as one would type them; nothing before an empty response."""
    cdef const char *text = NULL
    cdef Py_ssize_t n = 0
    if pin is None:
        return response
    take_text(response, &text, &n)
    typed = PyBytes_FromStringAndSize(text, n)
    if n == 0:
        return typed
    take_text(pin, &text, &n)
    return PyBytes_FromStringAndSize(text, n) + typed


def secrets_kept(Core core, uint32_t slot):
    """What a user knows: (password, questions, wrong answers in a row). A password is its number
    and what is kept of it, or None; a question is (number, pool, text, how often it was asked, and
    whether it stands)."""
    cdef ww_device *d = ww_device_first(&core.t, &core.t.users[slot])
    cdef size_t n = 0
    cdef const uint8_t *at
    cdef ww_issue *issue
    password, questions = None, []
    while d != NULL:
        if d.kind >= WW_KIND_PASSWORD:
            at = ww_device_key(&core.t, d, &n)
            kept = PyBytes_FromStringAndSize(<const char *>at, <Py_ssize_t>n)
            if d.kind == WW_KIND_PASSWORD:
                password = d.number, kept
            else:
                issue = ww_device_issue(d)
                questions.append((d.number, core.serial_of(d.cold), kept[QUESTION_AT:].decode(),
                                  issue.issued, issue.open[0].stands != 0))
        d = ww_device_next(&core.t, &core.t.users[slot], d)
    return password, questions, core.t.users[slot].wrong_answers


def password_figures(Core core):
    """How many passwords are kept under which figures: {(memory in KiB, passes, lanes): count}."""
    cdef dict found = {}
    cdef uint32_t[3] last = [0, 0, 0]
    cdef uint32_t[3] own
    cdef uint64_t count = 0
    cdef uint32_t i
    cdef size_t n = 0
    cdef ww_device *d
    for i in range(core.t.wides_used):
        d = &core.t.wides[i].line
        if d.kind != WW_KIND_PASSWORD:
            continue
        memcpy(own, ww_device_key(&core.t, d, &n) + FIGURES_AT, sizeof(own))
        if memcmp(own, last, sizeof(own)) != 0:
            put_figures(found, last, count)
            memcpy(last, own, sizeof(own))
            count = 0
        count += 1
    put_figures(found, last, count)
    return found


cdef int put_figures(dict found, uint32_t *figures, uint64_t count) except -1:
    if count:
        key = figures[0], figures[1], figures[2]
        found[key] = found.get(key, 0) + count
    return 0


def pin_kept(Core core, uint32_t slot, uint32_t number):
    """How a device's PIN is kept: "prefix", "element", or "" when it has none."""
    cdef ww_device *d = ww_device_first(&core.t, &core.t.users[slot])
    cdef size_t n = 0
    while d != NULL:
        if d.number == number:
            ww_device_pin(&core.t, d, &n)
            return "prefix" if d.prefix else "element" if n else ""
        d = ww_device_next(&core.t, &core.t.users[slot], d)
    return ""


def phone_lines(Core core, uint32_t slot, uint32_t number):
    """(slot, number) of every device that is the same phone as this one, in the order of their
    numbers; this one alone where it is no phone."""
    cdef ww_device *d = ww_device_find(&core.t, &core.t.users[slot], number)
    cdef ww_device *other = ww_phone_first(&core.t, d)
    found = []
    while other != NULL:
        found.append((other.number, ww_far_of(other).owner))
        other = ww_phone_next(&core.t, d, other)
    return [(owner, one) for one, owner in sorted(found)] or [(slot, number)]


def ask_question(Core core, bytes user, uint64_t dice, int64_t turn, int64_t now_ms, bytes names,
                 int gateways, int within=0):
    """A security question for a legal name, and it stands: (row, id, text, plausible, whose).

    text: None for a name that has none; of the two numbers one is then made, the second is always
    this name's.
    """
    cdef ww_quiz q
    cdef ww_row h
    cdef size_t n = 0
    cdef const uint8_t *at
    memset(&q, 0, sizeof(q))
    q.name = <const uint8_t *>PyBytes_AS_STRING(user)
    q.name_len = <size_t>len(user)
    q.dice, q.within = dice, <uint8_t>within
    ww_question_ask(&core.t, &q)
    core.passed(now_ms)
    memset(&h, 0, sizeof(h))
    h.magic = WW_ROW_MAGIC
    h.version = WW_ROW_VERSION
    h.gateways = <uint16_t>gateways
    h.names_bytes = <uint32_t>len(names)
    h.units = 1
    h.turn = turn
    h.time_ms = now_ms
    row = (PyBytes_FromStringAndSize(<char *>&h, sizeof(h)) + names
           + PyBytes_FromStringAndSize(<char *>&q.record, sizeof(q.record)))
    text = None
    if q.cold:
        at = ww_cold_first(&core.t, q.cold, &n)
        text = PyBytes_FromStringAndSize(<const char *>at + QUESTION_AT,
                                         <Py_ssize_t>n - QUESTION_AT).decode()
    return row, (<char *>q.id)[:WW_TOKEN_CHARS].decode("ascii"), text, q.plausible, q.whose


cdef enum:
    QUESTION_AT = 64                    # of what is kept of an answer: then the question's text
    FIGURES_AT = 48                     # of a password: behind salt and digest
