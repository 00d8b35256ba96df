# What Cython may see of the core: declarations only, from watchword.h.
from ids cimport ww_given
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "watchword.h" nogil:
    enum:
        WW_NAME_BYTES_MAX
        WW_RESPONSE_BYTES_MAX
        WW_SERIAL_BYTES_MAX
        WW_SUITES_MAX
        WW_SESSION_BYTES_MAX
        WW_TOKEN_CHARS, WW_TOKEN_CHARS_MAX
        WW_ANSWERS_MAX
        WW_QUESTION_CHARS_MIN, WW_QUESTION_CHARS_MAX
        WW_PURPOSE_BYTES_MAX
        WW_CHALLENGE_KINDS_MAX
        WW_BATCH_ATTEMPTS_MAX
        WW_RECORD_UNITS_PER_ATTEMPT_MAX
        WW_DECOYS
        WW_DECOY_WAYS
        WW_SOURCES
        WW_RING_INLINE
        WW_RING_DEEP
        WW_PAGE_USERS, WW_RECORD_BYTES
        WW_ROW_MAGIC
        WW_ROW_VERSION
        WW_SLOT_NONE
        WW_DIRTY_STATE, WW_DIRTY_IDENTITY
        WW_DEVICES_PER_USER_MAX
        WW_WIRE_INLINE_BYTES_MAX
        WW_WIRE_COMMAND_BYTES_MAX
        WW_WIRE_MANY_BYTES_MAX
        WW_WIRE_MANY_PAIRS_MAX
        WW_WIRE_ARGS_MAX
    enum:
        WW_ACCEPTED
        WW_REJECTED
        WW_LOCKED
        WW_CHALLENGE
        WW_EXPIRED
        WW_NOT_PERMITTED
        WW_BAD_CHARACTER
        WW_BUSY
    enum:
        WW_EVENT_ATTEMPT
        WW_EVENT_RESYNC
        WW_EVENT_USER_ADD
        WW_EVENT_DEVICE_ADD
        WW_EVENT_ALSO, WW_EVENT_LAST
        WW_EVENT_PIN, WW_EVENT_CHALLENGE
        WW_EVENT_TOMBSTONE, WW_EVENT_NOTE, WW_SPEC_HEAD_BYTES
        WW_EVENT_ANSWER
        WW_EVENT_ACTIVATE
        WW_FIRST_VOUCHED, WW_FIRST_WITHIN
    enum:
        WW_TRADING, WW_PORTAL
        WW_LIVE, WW_PAPER
        WW_KIND_NONE
        WW_KIND_TOTP
        WW_KIND_HOTP
        WW_KIND_OCRA
        WW_KIND_CARD
        WW_KIND_PASSCODE
        WW_KIND_PASSWORD
        WW_KIND_QUESTION
        WW_TEMPORARY_PASSCODE
        WW_SENT_MAX, WW_HELD_PER_USER_MAX
        WW_CARD_CELLS
        WW_OWN_WORDS
        WW_CELL_CHARS
        WW_KINDS
        WW_LABELS
        WW_PLATFORMS
        WW_SHA1
        WW_HASHES
    ctypedef enum ww_hash:
        pass

    ctypedef struct ww_record:
        uint8_t event, verdict, reason, tail, effects, gateway, place
        int8_t drift
        uint64_t user, moving
        uint32_t device, lock_ms

    ctypedef struct ww_row:
        uint32_t magic
        uint16_t version, gateways
        uint32_t names_bytes, units
        int64_t turn, time_ms

    ctypedef struct ww_far:
        uint32_t next, owner, alike, shared

    ctypedef struct ww_device:
        uint64_t moving
        uint32_t number, cold
        uint16_t period_s, resync
        uint8_t kind, drift_max, state, capped, label, hash, wide, prefix, digits, window, failures
        int8_t drift

    ctypedef struct ww_open:
        uint64_t purpose
        uint32_t stands, epoch

    ctypedef struct ww_issue:
        uint32_t issued
        uint8_t suite
        uint8_t steps
        ww_open open[2]

    ctypedef struct ww_wide:
        ww_device line

    ctypedef struct ww_passcode:
        int64_t full_until_ms, until_ms

    ctypedef struct ww_suite:
        uint16_t counter_at
        uint32_t step_s
        uint8_t digits, chars, text_len, blocks, own_at, own_words
        uint8_t text[64]

    ctypedef struct ww_streak:
        int64_t last_ms, lock_until_ms
        uint8_t count

    ctypedef struct ww_user:
        uint64_t id
        uint32_t more
        uint8_t name_len, account, realm, devices, wrong_answers, opted_out
        ww_device device
        ww_streak streak

    ctypedef struct ww_decoys:
        pass
    ctypedef struct ww_source:
        int64_t minute

    enum:
        WW_PHONE_BYTES
        WW_PUSHES_MAX
        WW_PUSH_ID_BYTES
        WW_PUSH_ID_CHARS
        WW_PUSH_NONE
        WW_PUSH_PENDING
        WW_PUSH_APPROVED
        WW_PUSH_DENIED
        WW_PUSH_MISMATCHED
        WW_PUSH_OVERDUE
        WW_PUSH_OPENED
        WW_PUSH_SPENT
        WW_PUSH_FULL

    ctypedef struct ww_push:
        uint8_t id[16]
        uint64_t user
        int64_t until_ms
        uint32_t device
        uint8_t platform, number, state, claimed, biometric

    ctypedef struct ww_pushes:
        uint32_t cap
        ww_push *at

    ctypedef struct ww_tables:
        ww_user *users
        void *deep
        uint32_t users_used, users_cap, users_free, users_live, index_mask, device_next
        ww_wide *wides
        uint32_t wides_used, wides_cap, wides_free
        uint64_t *index
        uint8_t *cold
        uint64_t cold_used, cold_cap, cold_dead
        ww_decoys *decoys
        uint64_t *decoy_names
        ww_streak *decoy_streaks
        ww_source *sources
        uint8_t *dirty
        uint64_t name_key[2]
        ww_suite *suites
        uint32_t suites_used, suites_cap
        uint64_t ask_key[2]
        uint64_t id_key[2]
        uint8_t token_key[32]
        int64_t latest_ms
        ww_pushes *pushes
        uint32_t *phones
        uint32_t phones_mask, shared_used

    ctypedef struct ww_policy:
        int64_t lockout_window_ms
        uint32_t lockout_failures, failures_cap, source_failures
        uint8_t lockout_extend, names_any
        uint8_t ranks[8]
        uint8_t card_shown_percent
        uint8_t mix[16]
        uint8_t mix_count, sms_per_hour
        uint32_t sms_seconds, push_ms, push_window_ms, push_per_window
        int64_t session_ms[3]
        uint8_t allow_no_device

    ctypedef struct ww_attempt:
        uint32_t name_at, response_at, second_at, serial_at
        uint16_t name_len, response_len, second_len, serial_len
        uint64_t name_hash
        uint32_t slot
        uint8_t event, platform, realm, gateway, place_in
        uint8_t has_address, has_serial, shed, bad_name
        uint8_t address[16]
        uint8_t label, rank, card_only, biometric, first, pin_len
        uint16_t challenge_len
        uint32_t password
        uint64_t origin
        uint8_t verdict, reason, kind, units
        uint32_t device, device_cold
        int32_t offset
        int64_t retry_after_ms

    ctypedef struct ww_batch:
        ww_attempt *attempts
        uint32_t count
        const uint8_t *bytes
        ww_record *records
        uint32_t units, lanes, idle_lanes, given_count, part
        ww_given *given

    ctypedef struct ww_common:
        pass

    ctypedef struct ww_kernel:
        const char *name
        void (*hotp[3])(const void *const *, const uint64_t *, uint32_t *, size_t) noexcept nogil
        uint32_t lanes[3]
        void (*text[3])(const void *const *, const void *const *, size_t, uint32_t *,
                        size_t) noexcept nogil
        void (*ocra)(const void *const *, const uint32_t *, size_t, size_t, const ww_common *,
                     size_t, uint32_t *, size_t) noexcept nogil

    ctypedef struct ww_row_needs:
        uint32_t users, wides, ids
        uint64_t events
        uint64_t cold_bytes
        int64_t turn, time_ms

    ctypedef struct ww_page_needs:
        uint32_t slots, wides
        uint64_t cold_bytes

    size_t ww_kernels(const ww_kernel **rows)
    const ww_kernel *ww_kernel_in_use()
    int ww_kernel_force(const char *name)
    size_t ww_hash_bytes(ww_hash hash)
    size_t ww_mid_bytes(ww_hash hash)
    void ww_hmac_mid(ww_hash hash, const uint8_t *key, size_t key_len, void *mid)
    void ww_hmac(ww_hash hash, const uint8_t *key, size_t key_len, const uint8_t *text,
                 size_t text_len, uint8_t *mac)
    uint32_t ww_truncate(const uint8_t *mac, size_t mac_len)
    uint32_t ww_reduce(uint32_t truncated, uint32_t digits)

    uint64_t ww_name_hash(const ww_tables *t, const uint8_t *name, size_t len)
    int ww_name_legal(const ww_policy *p, const uint8_t *name, size_t len)
    uint32_t ww_slot_find(const ww_tables *t, uint64_t hash, const uint8_t *name, size_t len)
    uint32_t ww_slot_next(const ww_tables *t)
    void ww_slots_rebuild(ww_tables *t)
    void ww_index_move(const uint64_t *old, uint32_t from_mask, uint64_t *to, uint32_t to_mask)
    const uint8_t *ww_user_name(const ww_tables *t, const ww_user *u, size_t *len)
    const uint8_t *ww_cold_first(const ww_tables *t, uint32_t ref, size_t *len)
    const uint8_t *ww_cold_second(const ww_tables *t, uint32_t ref, size_t *len)
    ww_device *ww_device_first(const ww_tables *t, ww_user *u)
    ww_device *ww_device_next(const ww_tables *t, ww_user *u, ww_device *d)
    int64_t ww_device_t0(const ww_device *d)
    ww_far *ww_far_of(const ww_device *d)
    ww_issue *ww_device_issue(ww_device *d)
    ww_issue *ww_issue_of(const ww_tables *t, const ww_device *d)
    ww_open ww_device_open(const ww_tables *t, const ww_device *d, uint32_t platform)
    int ww_is_sms(const ww_device *d)
    void ww_passcode_key(ww_tables *t, const uint8_t *key, size_t size)
    void ww_kept_key(ww_tables *t, const uint8_t *key, size_t size)
    const uint8_t *ww_device_pin(const ww_tables *t, const ww_device *d, size_t *size)
    ww_device *ww_phone_first(const ww_tables *t, const ww_device *d)
    ww_device *ww_phone_next(const ww_tables *t, const ww_device *d, const ww_device *other)
    ctypedef struct ww_quiz:
        const uint8_t *name
        size_t name_len
        uint64_t dice
        uint8_t within
        uint32_t cold, plausible, whose
        uint8_t id[96]
        ww_record record
    void ww_question_ask(ww_tables *t, ww_quiz *q)
    const char *ww_kind_name(uint32_t kind, uint32_t label)
    const uint8_t *ww_device_key(const ww_tables *t, const ww_device *d, size_t *size)

    int ww_suite_read(const uint8_t *text, size_t len, ww_suite *s)
    void ww_suite_common(const ww_suite *s, ww_common *common, uint32_t *own, size_t stride)
    void ww_suite_own(const ww_suite *s, uint64_t counter, const uint8_t *question, uint32_t *own,
                      size_t stride)
    size_t ww_question_pack(const ww_suite *s, const uint8_t *text, size_t len, uint8_t *packed)
    int ww_suite_find(const ww_tables *t, const uint8_t *text, size_t len)
    void ww_question(const uint64_t key[2], const ww_suite *s, uint64_t who, uint32_t n,
                     uint8_t *text)
    int ww_posed_legal(const uint8_t *text, size_t len)
    uint64_t ww_posed(const ww_tables *t, const uint8_t *purpose, size_t purpose_len,
                      const uint8_t *question, size_t question_len, const uint8_t *client,
                      size_t client_len)
    uint64_t ww_purpose(const ww_tables *t, const uint8_t *text, size_t len)

    ctypedef struct ww_ask:
        const uint8_t *name
        const uint8_t *serial
        size_t name_len, serial_len
        uint64_t purpose
        const uint8_t *question
        const uint8_t *client
        uint8_t question_len, client_len
        uint8_t platform, has_serial, sends, sms, phone, activates, within, kind, label
        uint8_t prompt_len, answer_len
        uint16_t id_len
        uint32_t cold, code
        uint8_t prompt[64]
        uint8_t id[352]
        uint8_t answer[128]
        int64_t expires_ms
        ww_record records[2]
    uint64_t ww_card_who(const uint8_t *key, size_t len)
    void ww_card_pair(const uint64_t key[2], uint64_t who, int once, uint32_t n, uint32_t pair[2])
    uint32_t ww_card_answers(int once)
    uint32_t ww_card_left(const ww_tables *t, const ww_policy *p, const ww_device *d)
    void ww_card_cells(const uint8_t *key, size_t len, uint8_t text[224][3])
    int ww_challenge(ww_tables *t, const ww_policy *p, ww_ask *a, int64_t now_ms)

    ctypedef struct ww_token:
        uint64_t purpose
    int ww_token_open(const ww_tables *t, const uint8_t *text, size_t len, ww_token *token,
                      uint8_t *posed)

    ctypedef struct ww_push_ask:
        const uint8_t *name
        const uint8_t *serial
        size_t name_len, serial_len
        uint8_t id[16]
        uint8_t number, platform, has_serial, within, cancels
        uint8_t cancelled[16]
        uint32_t device, cold
        int64_t expires_ms
    int ww_push_open(ww_tables *t, const ww_policy *p, ww_push_ask *a, int64_t now_ms)
    ww_push *ww_push_find(const ww_tables *t, const uint8_t *id)
    uint8_t ww_push_stands(const ww_tables *t, const ww_push *push, int64_t now_ms)
    uint32_t ww_push_list(const ww_tables *t, uint64_t name_hash, int64_t now_ms, uint32_t *places,
                          uint32_t most)
    ww_device *ww_push_phone(const ww_tables *t, const ww_push *push)
    int64_t ww_session_ms(const ww_policy *p, const ww_attempt *a)
    uint8_t ww_shown(const ww_attempt *a)
    uint32_t ww_device_rank(const ww_policy *p, const ww_device *d)

    const uint8_t *ww_device_phone(const ww_tables *t, const ww_device *d, size_t *len)
    ww_device *ww_device_find(const ww_tables *t, ww_user *u, uint32_t number)
    void ww_phones_rebuild(ww_tables *t)
    int ww_phone_pin_fits(const ww_tables *t, const uint8_t *key, const uint8_t *pin,
                          size_t pin_len)

    void ww_turn(ww_tables *t, const ww_policy *p, ww_batch *b, int64_t now_ms)
    int ww_apply(ww_tables *t, const ww_record *r, int64_t now_ms, ww_streak *streak,
                 uint32_t *deep)

    ctypedef struct ww_lost:
        int64_t ended_ms
        uint32_t issues, answers
    uint32_t ww_floors(const ww_tables *t, const ww_lost *lost, uint32_t *at, ww_record *out,
                       uint32_t room)
    int ww_row_needed(const ww_tables *t, const uint8_t *row, size_t len, ww_row_needs *needs)
    ww_device *ww_device_find(const ww_tables *t, ww_user *u, uint32_t number)
    const uint8_t *ww_device_pin(const ww_tables *t, const ww_device *d, size_t *len)
    void ww_streaks_deepen(ww_tables *t, const int64_t *state_turns, uint32_t pages, int64_t turn)
    int ww_row_replay(ww_tables *t, const uint8_t *row, size_t len, const int64_t *identity_turns,
                      const int64_t *state_turns, uint32_t pages)
    ctypedef struct ww_outcome:
        int64_t time_ms
        uint64_t user
        int64_t until_ms
        uint8_t was, was_reason, flags
    int ww_whatif_row(ww_tables *t, const ww_policy *p, const uint8_t *row, size_t len,
                      ww_outcome *out, uint32_t *count, uint32_t *lost)
    void ww_whatif_forget(ww_tables *t)
    size_t ww_page_identity_max(const ww_tables *t, uint32_t page)
    size_t ww_page_identity_encode(const ww_tables *t, uint32_t page, uint8_t *out)
    int ww_page_identity_needed(const uint8_t *raw, size_t len, ww_page_needs *needs)
    int ww_page_identity_decode(ww_tables *t, uint32_t page, const uint8_t *raw, size_t len)
    size_t ww_page_state_max(const ww_tables *t, uint32_t page)
    size_t ww_page_state_encode(const ww_tables *t, uint32_t page, uint8_t *out)
    int ww_page_state_decode(ww_tables *t, uint32_t page, const uint8_t *raw, size_t len)

cdef extern from "internal.h" nogil:
    const ww_passcode *ww_passcode_of(const ww_device *d)

cdef extern from "secret.h" nogil:
    void ww_wipe(void *p, size_t n)

cdef extern from "texts.h" nogil:
    void ww_copy_short(uint8_t *to, const uint8_t *text, size_t len)
