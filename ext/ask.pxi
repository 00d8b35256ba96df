# Challenges at the door: one is asked for, in a turn of its own; and what is asked, for tests.

cdef tuple opens_of(const ww_tables *t, const ww_device *d, bint asked):
    """What stands on each platform: (count, epoch, whether it has a purpose), or None."""
    cdef ww_open o
    cdef list found = []
    cdef int platform
    for platform in range(WW_PLATFORMS):
        memset(&o, 0, sizeof(o))
        if asked:
            o = ww_device_open(t, d, platform)
        found.append((o.stands - 1, o.epoch, o.purpose != 0) if o.stands else None)
    return tuple(found)


cdef pose(Core core, ww_ask *a, bytes purpose, bytes question, bytes client):
    """What is posed, which the caller of ask keeps, and the purpose it is bound into."""
    for name, text in (("question", question), ("client_question", client)):
        if text and not ww_posed_legal(<const uint8_t *>PyBytes_AS_STRING(text), len(text)):
            raise InvalidArgument(f"{name} is {WW_QUESTION_CHARS_MIN} to {WW_QUESTION_CHARS_MAX} "
                                  "ASCII letters and digits")
    a.question = <const uint8_t *>PyBytes_AS_STRING(question)
    a.question_len = <uint8_t>len(question)
    a.client = <const uint8_t *>PyBytes_AS_STRING(client)
    a.client_len = <uint8_t>len(client)
    a.purpose = ww_posed(&core.t, <const uint8_t *>PyBytes_AS_STRING(purpose), len(purpose),
                         a.question, a.question_len, a.client, a.client_len)


def ask(Core core, bytes user, int platform, purpose, device, int64_t turn, int64_t now_ms,
        bytes names, int gateways, bint sends=False, bint sms=False, bint phone=False,
        question=None, client=None, bint activates=False, int within=0):
    """A challenge for a legal name, and it stands: (row, id, kind, prompt, expires_ms, serial,
    code, answer).

    purpose and device are bytes or None; whoever has no such device gets a plausible one. sends:
    codes can be sent, so that devices which get them are asked too; sms: they alone; phone: a phone
    that could have approved a push, alone; activates: a shipped device, alone. serial: of the
    device that `code` is to be sent to, or None: nothing is to be sent. question, client: posed by
    the caller and by a client, bytes or None; answer: to the client's. within: 1 and the realm of
    whom the gateway may know. None, and nothing happened:
    as many codes were sent, or answers given, as may be.
    """
    cdef ww_ask a
    cdef ww_row h
    memset(&a, 0, sizeof(a))
    a.name = <const uint8_t *>PyBytes_AS_STRING(user)
    a.name_len = <size_t>len(user)
    a.platform = <uint8_t>platform
    a.sends, a.sms, a.phone, a.activates = sends, sms, phone, activates
    a.within = <uint8_t>within
    if purpose is not None:
        if not 1 <= len(purpose) <= WW_PURPOSE_BYTES_MAX:
            raise InvalidArgument(f"purpose is text of 1 to {WW_PURPOSE_BYTES_MAX} bytes")
        a.purpose = ww_purpose(&core.t, <const uint8_t *>PyBytes_AS_STRING(purpose), len(purpose))
    if question is not None or client is not None:
        pose(core, &a, purpose or b"", question or b"", client or b"")
    if device is not None:
        a.has_serial = 1
        a.serial = <const uint8_t *>PyBytes_AS_STRING(device)
        a.serial_len = <size_t>len(device)
    if ww_challenge(&core.t, &core.p, &a, now_ms):
        return None
    core.passed(now_ms)
    memset(&h, 0, sizeof(h))
    h.magic = WW_ROW_MAGIC
    h.version = WW_ROW_VERSION
    h.gateways = <uint16_t>gateways
    h.names_bytes = <uint32_t>len(names)
    h.units = 2
    h.turn = turn
    h.time_ms = now_ms
    row = (PyBytes_FromStringAndSize(<char *>&h, sizeof(h)) + names
           + PyBytes_FromStringAndSize(<char *>a.records, sizeof(a.records)))
    return (row, (<char *>a.id)[:a.id_len].decode("ascii"), KIND_NAMES[a.kind, a.label],
            (<char *>a.prompt)[:a.prompt_len].decode("ascii"), a.expires_ms,
            core.serial_of(a.cold), "%06d" % a.code,
            (<char *>a.answer)[:a.answer_len].decode("ascii"))


def question(bytes ask_key, bytes suite, uint64_t who, uint32_t n):
    """The text of question n for `who`; ask_key as Core takes it."""
    cdef ww_suite s
    cdef uint64_t key[2]
    cdef uint8_t[64] text
    if len(ask_key) != 48 or ww_suite_read(<const uint8_t *>PyBytes_AS_STRING(suite), len(suite),
                                           &s):
        raise InvalidArgument("ask_key is 48 bytes, suite is an OCRA suite")
    memcpy(key, PyBytes_AS_STRING(ask_key), 16)
    ww_question(key, &s, who, n, text)
    return (<char *>text)[:s.chars].decode("ascii")


def card_cells(bytes key):
    """The cells of the card with this key: text of three characters each, the first numbered 1."""
    cdef uint8_t[224][3] text
    try:
        ww_card_cells(<const uint8_t *>PyBytes_AS_STRING(key), len(key), text)
        return tuple([(<char *>text[i])[:WW_CELL_CHARS].decode("ascii")
                      for i in range(WW_CARD_CELLS)])
    finally:
        ww_wipe(text, sizeof(text))


def card_pair(bytes ask_key, bytes key, bint once, uint32_t n):
    """The indices asked for after n answered pairs; ask_key as Core takes it."""
    cdef uint64_t[2] words
    cdef uint32_t[2] pair
    if len(ask_key) != 48 or n >= ww_card_answers(once):
        raise InvalidArgument("ask_key is 48 bytes, n is a count the card can reach")
    memcpy(words, PyBytes_AS_STRING(ask_key), 16)
    ww_card_pair(words, ww_card_who(<const uint8_t *>PyBytes_AS_STRING(key), len(key)), once, n,
                 pair)
    return pair[0], pair[1]


def text_many(str algorithm, list keys, list texts):
    """31-bit truncations of the HMACs of texts of one length, through the kernel row in use."""
    cdef ww_hash hash = <ww_hash><int>HASH_CODES[algorithm]
    cdef size_t n = len(keys), block = 128 if hash == WW_HASHES - 1 else 64, i, j
    cdef size_t word = block // 16, length = len(texts[0]) if n else 0
    cdef size_t blocks = (length + 1 + block // 8 + block - 1) // block
    cdef const ww_kernel *k = ww_kernel_in_use()
    cdef uint8_t *mids = <uint8_t *>malloc(n * 128 + 1)
    cdef uint8_t *words = <uint8_t *>malloc(n * blocks * block + 1)
    cdef const void **at = <const void **>malloc(2 * n * sizeof(void *) + 1)
    cdef uint32_t *out = <uint32_t *>malloc(n * 4 + 1)
    cdef bytes key, text
    try:
        if mids == NULL or words == NULL or at == NULL or out == NULL:
            raise MemoryError
        for i in range(n):
            key = keys[i]
            ww_hmac_mid(hash, <const uint8_t *>PyBytes_AS_STRING(key), PyBytes_GET_SIZE(key),
                        mids + i * 128)
            if <size_t>len(texts[i]) != length:
                raise InvalidArgument("texts are of one length")
            text = texts[i] + b"\x80"
            text = text.ljust(blocks * block - 8, b"\0") + (8 * (length + block)).to_bytes(8, "big")
            for j in range(blocks * block):
                words[i * blocks * block + (j ^ (word - 1))] = <uint8_t>text[j]
            at[i] = mids + i * 128
            at[n + i] = words + i * blocks * block
        with nogil:
            k.text[<int>hash](at, at + n, blocks, out, n)
        return [out[i] for i in range(n)]
    finally:
        if mids != NULL:
            ww_wipe(mids, n * 128)
        free(mids)
        free(words)
        free(at)
        free(out)


def ocra_many(bytes suite, list keys, list counters, list questions):
    """31-bit truncations of OCRA's HMACs through the kernel row in use, as answers of one suite are
    held against it; None: messages of this suite differ in more than a few words."""
    cdef ww_suite s
    cdef ww_common common
    cdef const ww_kernel *k = ww_kernel_in_use()
    cdef size_t n = len(keys), i
    cdef uint8_t[64] packed
    cdef bytes key, question
    if ww_suite_read(<const uint8_t *>PyBytes_AS_STRING(suite), len(suite), &s):
        raise InvalidArgument("suite is one of RFC 6287")
    if not s.own_words:
        return None
    cdef uint8_t *mids = <uint8_t *>malloc(n * 40 + 1)
    cdef const void **at = <const void **>malloc(n * sizeof(void *) + 1)
    cdef uint32_t *own = <uint32_t *>malloc(n * WW_OWN_WORDS * 4 + 1)
    cdef uint32_t *out = <uint32_t *>malloc(n * 4 + 1)
    try:
        if mids == NULL or at == NULL or own == NULL or out == NULL:
            raise MemoryError
        ww_suite_common(&s, &common, own, n)
        for i in range(n):
            key, question = keys[i], questions[i]
            if len(question) != s.chars:
                raise InvalidArgument(f"a question of this suite has {s.chars} characters")
            ww_hmac_mid(<ww_hash><int>WW_SHA1, <const uint8_t *>PyBytes_AS_STRING(key),
                        PyBytes_GET_SIZE(key), mids + i * 40)
            memset(packed, 0, sizeof(packed))
            ww_question_pack(&s, <const uint8_t *>PyBytes_AS_STRING(question), s.chars, packed)
            ww_suite_own(&s, counters[i], packed, own + i, n)
            at[i] = mids + i * 40
        with nogil:
            k.ocra(at, own, n, s.own_at, &common, 1, out, n)
        return [out[i] for i in range(n)]
    finally:
        if mids != NULL:
            ww_wipe(mids, n * 40)
        free(mids)
        free(at)
        free(own)
        free(out)
