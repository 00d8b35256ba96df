/* libFuzzer target for a whole turn: any names, responses, serials, challenge ids, sessions and times
 * on tables that stand.
 *
 * The input is a program of challenges, attempts and turns, right codes among them, made by the plain
 * HMAC. Two machines take part: one takes the turns, the other only applies their records, as
 * recovery does, and both must come to the same pages. No position of a device is accepted twice and
 * no challenge, moving factors never fall, and what a turn writes stays in the room it was given.
 */
#include "asked.h"
#include "given.h"
#include "pushed.h"

enum { USERS = 6, ATTEMPTS = 80, TURNS = 4, ARENA = 1 << 14, DEVICES = 15 };
enum { UNITS = ATTEMPTS * WW_RECORD_UNITS_PER_ATTEMPT_MAX };

enum { ADDRESSES = 4 };

static world lived, replayed, spare;
static ww_decoys *decoys;
static uint64_t *decoy_names;
static ww_streak *decoy_streaks;
static ww_source *sources, *charged[ADDRESSES]; /* where failures of an address are counted */
static _Alignas(64) uint8_t arena[ARENA + 64];
static _Alignas(64) ww_record records[UNITS + 8];
static ww_attempt attempts[ATTEMPTS];
static ww_given given[ATTEMPTS];
static uint8_t ids[ATTEMPTS]; /* 0: none, else which + 1 */

enum { SHOWN = USERS + 1 };
static int asking;           /* whether this input asks at all */
static uint8_t questions[SHOWN][WW_TOKEN_CHARS];
static asked_shown shown[SHOWN][WW_PLATFORMS]; /* the last one is nobody's */

static void stand(world *w, int deep)
{
    static const char *const names[USERS] = {"ann", "bob", "cyd", "dan", "eve", "fay"};
    world_begin(w, deep);
    for (uint32_t slot = 0; slot < USERS; slot++)
        world_add_user(w, slot, names[slot], slot == 4 ? 1 : slot == 5 ? 4 : 0);
    static const struct { uint8_t user, kind, hash, t0; } devices[] = {
        {0, WW_KIND_TOTP, WW_SHA1, 0}, {1, WW_KIND_HOTP, WW_SHA1, 0},
        {2, WW_KIND_TOTP, WW_SHA256, 7}, {2, WW_KIND_HOTP, WW_SHA512, 0},
        {2, WW_KIND_TOTP, WW_SHA1, 0}, {4, WW_KIND_TOTP, WW_SHA1, 0}, {5, WW_KIND_HOTP, WW_SHA1, 0},
    };
    for (uint8_t i = 0; i < sizeof devices / sizeof *devices; i++) {
        ww_spec spec = world_spec((ww_kind)devices[i].kind, (ww_hash)devices[i].hash,
                                  devices[i].t0, i);
        if (i == 1 || i == 3) { /* bob's, and cyd's second: behind a PIN */
            spec.pin_len = WW_KEPT_BYTES;
            world_kept(spec.pin);
        }
        if (i == 4) { /* cyd's third is on its way, and active of itself in a while */
            spec.state = WW_SHIPPED;
            spec.dated = 1;
            spec.dates.activates_ms = WORLD_START_MS + 90000;
        }
        world_add_device(w, devices[i].user, &spec, i == 6 ? UINT64_MAX - 5 : 0);
    }
    for (uint8_t i = 0; i < 3; i++) { /* ann's, fay's and bob's second ones are asked */
        static const uint8_t whose[3] = {0, 5, 1};
        ww_spec spec = asked_spec(i, 7 + i);
        world_add_device(w, whose[i], &spec, i ? 0 : UINT64_MAX - 3);
    }
    static const struct { uint8_t user, kind, hash; uint64_t moving; } given[] = {
        {3, WW_KIND_CARD, WW_SHA1, 0}, {1, WW_KIND_PASSCODE, WW_SHA256, 0},
        {3, WW_KIND_PASSCODE, WW_SHA1, 0},
    };
    for (uint8_t i = 0; i < sizeof given / sizeof *given; i++) {
        ww_spec spec = world_spec((ww_kind)given[i].kind, (ww_hash)given[i].hash, 0, 10 + i);
        world_add_device(w, given[i].user, &spec, given[i].moving);
    }
    ww_spec phone = phone_spec(12);
    world_add_device(w, 0, &phone, 0); /* ann's third approves */
    for (uint8_t i = 0; i < 2; i++) { /* eve has a password, dan a question */
        ww_spec spec = {.kind = i ? WW_KIND_QUESTION : WW_KIND_PASSWORD, .hash = WW_SHA256,
                        .state = WW_ACTIVE, .key_len = 64 + i, .serial_len = 1, .serial = "*"};
        world_kept(spec.key);
        world_add_device(w, 4 - i, &spec, 0);
    }
    ww_passcode_key(&w->t, (const uint8_t *)"passcodes", 9);
    ww_kept_key(&w->t, (const uint8_t *)"pins", 4);
    w->t.decoys = decoys;
    w->t.decoy_names = decoy_names;
    w->t.decoy_streaks = decoy_streaks;
    w->t.sources = sources;
    (void)world_room(w, USERS, 0, 0); /* from here on nothing grows */
}

/* The code a device would show `off` positions from where it is expected; returns its length. */
static uint32_t right_code(uint32_t slot, uint32_t which, int64_t off, int64_t now_ms,
                           uint32_t platform, uint8_t *to)
{
    ww_user *u = &lived.t.users[slot];
    ww_device *d = ww_device_first(&lived.t, u);
    while (which-- > 0 && d && ww_device_next(&lived.t, u, d))
        d = ww_device_next(&lived.t, u, d);
    if (!d)
        return 0;
    if (d->kind >= WW_KIND_PASSWORD) {
        memcpy(to, WORLD_PIN, sizeof WORLD_PIN - 1);
        return sizeof WORLD_PIN - 1;
    }
    if (d->kind == WW_KIND_OCRA)
        return asked_answer(&lived.t, d, platform, &shown[slot][platform], off, now_ms, to);
    if (d->kind == WW_KIND_CARD)
        return card_answer(&lived.t, d, platform, off, to);
    if (d->label == WW_TEMPORARY_PASSCODE) {
        memcpy(to, WORLD_PASSCODE, WW_PASSCODE_CHARS);
        return WW_PASSCODE_CHARS;
    }
    size_t key_len;
    const uint8_t *key = ww_device_key(&lived.t, d, &key_len);
    uint64_t from = d->kind == WW_KIND_TOTP ? (uint64_t)ww_step_now(d, now_ms) : d->moving;
    uint8_t text[8], mac[64];
    ww_store_be64(text, from + (uint64_t)off);
    ww_hmac((ww_hash)d->hash, key, key_len, text, sizeof text, mac);
    uint32_t code = ww_reduce(ww_truncate(mac, ww_hash_bytes((ww_hash)d->hash)), d->digits);
    uint32_t before = d->prefix ? sizeof WORLD_PIN - 1 : 0;
    memcpy(to, WORLD_PIN, before);
    for (uint32_t i = d->digits; i-- > 0; code /= 10)
        to[before + i] = (uint8_t)('0' + code % 10);
    return before + d->digits;
}

/* A text of the input's own, its length by one byte. */
static uint16_t own_text(source *s, uint32_t most, uint32_t *used)
{
    uint32_t len = (uint32_t)take(s, 1) % (most + 1);
    for (uint32_t i = 0; i < len; i++)
        arena[*used + i] = (uint8_t)take(s, 1);
    *used += len;
    return (uint16_t)len;
}

static uint16_t response(source *s, uint32_t slot, int64_t now_ms, uint32_t platform,
                         uint32_t *used)
{
    uint8_t how = (uint8_t)take(s, 1);
    if (how >= 200)
        return own_text(s, 12, used);
    uint32_t len = right_code(slot, how % 3, (int64_t)(how / 3 % 16) - 4, now_ms, platform,
                              arena + *used);
    *used += len;
    return (uint16_t)len;
}

/* The id that this user, or anyone, was shown last, or a text of the input's own; and a session. */
static void name_challenge(source *s, ww_attempt *a, uint32_t slot, uint32_t *used)
{
    uint8_t how = (uint8_t)take(s, 1);
    if (how < 200) {
        const asked_shown *it = &shown[how < 160 ? slot : how % SHOWN][a->platform];
        memcpy(arena + *used, it->id, it->len);
        *used += a->challenge_len = it->len;
        arena[*used - 1] ^= how >= 190;
    } else if (how < 220) { /* a push, claimed */
        pushed_text(how % 8, arena + *used);
        *used += a->challenge_len = WW_PUSH_ID_CHARS;
        a->response_len = how % 16 ? 0 : a->response_len;
    } else if (how < 240) {
        a->challenge_len = own_text(s, WW_TOKEN_CHARS + 1, used);
    }
    a->second_len = (uint16_t)(a->challenge_len + (how % 4 ? 0 : own_text(s, 12, used)));
}

/* What is said of a password, how much of the response is a PIN; or it is an answer instead. */
static void know(source *s, ww_attempt *a, uint32_t *used)
{
    uint8_t how = (uint8_t)take(s, 1);
    a->first = how & 15 && how & 16 ? how & 15 : 0;
    a->password = lived.t.device_next - 2 - (how >> 7);
    if (how >> 5 & 1 && a->response_len)
        a->pin_len = (uint8_t)(how >> 6 ? 4 : 1);
    if (a->pin_len > a->response_len)
        a->pin_len = (uint8_t)a->response_len;
    if (how < 200)
        return;
    a->event = WW_EVENT_ANSWER;
    a->pin_len = a->first = 0;
    memcpy(arena + *used, questions[how % SHOWN], WW_TOKEN_CHARS);
    a->second_len = a->challenge_len = WW_TOKEN_CHARS;
    *used += WW_TOKEN_CHARS;
}

static void lay(source *s, ww_attempt *a, int64_t now_ms, uint32_t *used)
{
    uint8_t who = (uint8_t)take(s, 1), how = (uint8_t)take(s, 1);
    uint32_t slot = who % USERS;
    memset(a, 0, sizeof *a);
    ids[a - attempts] = who % 8 == 7 ? 1 + (how >> 3 & 3) : 0;
    a->event = how & 1 && how & 2 ? WW_EVENT_RESYNC : WW_EVENT_ATTEMPT;
    a->platform = how >> 2 & 1;
    a->realm = how >> 3 & 1 && how & 16;
    a->shed = how == 255;
    a->bad_name = how == 254;
    a->name_at = *used;
    if (who < 200) {
        memcpy(arena + *used, lived.t.users[slot].name.text, 3);
        *used += a->name_len = 3;
    } else {
        a->name_len = own_text(s, who < 250 ? 4 : WW_NAME_BYTES_MAX, used);
    }
    a->response_at = *used;
    a->response_len = response(s, slot, now_ms, a->platform, used);
    a->second_at = *used;
    if (asking && a->event == WW_EVENT_ATTEMPT)
        know(s, a, used);
    if (a->event == WW_EVENT_ANSWER)
        return;
    if (a->event == WW_EVENT_RESYNC)
        a->second_len = response(s, slot, now_ms, a->platform, used);
    else if (how >> 7 && asking)
        name_challenge(s, a, slot, used);
    a->serial_at = *used;
    if (how >> 5 & 1) {
        a->has_serial = 1;
        memcpy(arena + *used, "W00", 3);
        arena[*used + 2] = (uint8_t)('0' + take(s, 1) % DEVICES);
        *used += a->serial_len = 3;
        if (a->event == WW_EVENT_ATTEMPT && (how & 12) == 12)
            a->event = WW_EVENT_ACTIVATE;
    }
    if (how >> 6 & 1) { /* one of four addresses */
        a->has_address = 1;
        a->address[10] = a->address[11] = 255;
        a->address[15] = who % ADDRESSES;
    }
}

/* Decoys and sources are large: what an input may have touched is emptied, and no more. */
static void forget_decoy(const ww_attempt *a)
{
    memset((void *)(uintptr_t)ww_decoy_line(&lived.t, a->name_hash), 0,
           WW_DECOY_WAYS * sizeof *decoy_names);
}

static void find_charged(void)
{
    for (uint8_t i = 0; i < ADDRESSES; i++) {
        uint8_t address[16] = {[10] = 255, [11] = 255, [15] = i};
        ww_source_charge(&lived.t, address, WORLD_START_MS);
        for (ww_source *at = sources; !charged[i]; at++)
            if (at->used)
                charged[i] = at;
        memset(charged[i], 0, sizeof *sources);
    }
}

static void begin(int deep)
{
    if (!decoys) {
        decoys = calloc(WW_DECOYS / WW_DECOY_WAYS, sizeof *decoys);
        decoy_names = calloc(WW_DECOYS, sizeof *decoy_names);
        decoy_streaks = calloc(WW_DECOYS, sizeof *decoy_streaks);
        sources = calloc(WW_SOURCES, sizeof *sources);
        HOLDS(decoys && decoy_names && decoy_streaks && sources);
        world_shut(&lived);
        world_shut(&replayed);
        world_shut(&spare);
    }
    stand(&lived, deep);
    stand(&replayed, deep);
    pushed_begin(&lived.t);
    given_begin(&lived.t);
    memset(shown, '0', sizeof shown);
    memset(questions, '0', sizeof questions);
    for (uint32_t i = 0; i < SHOWN; i++)
        for (uint32_t at = 0; at < WW_PLATFORMS; at++)
            shown[i][at].len = WW_TOKEN_CHARS, shown[i][at].posed_len = 0;
    memset(spent, 0, sizeof spent);
    if (!charged[0])
        find_charged();
    for (uint32_t i = 0; i < ADDRESSES; i++)
        memset(charged[i], 0, sizeof *sources);
}

/* One is asked a security question: the record of it brings the other to the same. */
static void ask_question(const uint8_t *name, uint32_t slot, uint64_t dice, int64_t now_ms)
{
    ww_quiz q = {.name = name, .name_len = 3, .dice = dice};
    ww_question_ask(&lived.t, &q);
    HOLDS(q.record.event == WW_EVENT_QUESTION && !q.record.tail && !q.cold == !q.record.device);
    HOLDS((q.cold != 0) == (slot == 3)); /* dan alone has one */
    HOLDS(ww_apply(&replayed.t, &q.record, now_ms, NULL, NULL) == 0);
    memcpy(questions[slot], q.id, WW_TOKEN_CHARS);
    ww_attempt of = {.name_hash = ww_name_hash(&lived.t, name, 3)};
    forget_decoy(&of);
}

/* What is posed, if anything: of lengths that the suites have, and of others. */
static void pose(source *s, ww_ask *a)
{
    static const char *const texts[] = {
        "", "", "", "12345678", "10000000", "5343", "A1B2C3D4", "thirteenchars", "13characters3",
        "00000001", "z9z9z9z9z9z9z9z9z9z9z9z9z9z9z9z9z9z9z9z9z9z9z9z9z9z9z9z9z9z9z9z9",
    };
    uint8_t which = (uint8_t)take(s, 1), client = (uint8_t)take(s, 1);
    a->question = (const uint8_t *)texts[which % (sizeof texts / sizeof *texts)];
    a->client = (const uint8_t *)texts[client % (sizeof texts / sizeof *texts)];
    a->question_len = (uint8_t)strlen((const char *)a->question);
    a->client_len = (uint8_t)strlen((const char *)a->client);
    a->sms = a->sms && !(a->question_len + a->client_len);
    if (a->question_len + a->client_len)
        a->purpose = ww_posed(&lived.t, (const uint8_t *)"wire", which >> 6, a->question,
                              a->question_len, a->client, a->client_len);
}

/* One asks for challenges: what is recorded of it brings the other to the same. */
static void ask(source *s, const ww_policy *p, int64_t now_ms)
{
    static const uint8_t purposes[] = "wire";
    static uint8_t name[8];
    uint8_t who = (uint8_t)take(s, 1), how = (uint8_t)take(s, 1), serial[3] = "W00";
    uint32_t slot = who % SHOWN;
    memcpy(name, slot < USERS ? lived.t.users[slot].name.text : (const uint8_t *)"zoe", 3);
    serial[2] = (uint8_t)('0' + how / 4 % 16);
    if (how >= 224) {
        ask_question(name, slot, (uint64_t)how << 59, now_ms);
        return;
    }
    ww_ask a = {.name = name, .name_len = 3, .serial = serial, .serial_len = 3,
                .has_serial = how >> 7, .platform = how & 1, .sends = 1, .sms = how % 16 == 8,
                .purpose = how & 2 ? ww_purpose(&lived.t, purposes, 1 + how / 64) : 0};
    if (how & 64)
        pose(s, &a);
    if (ww_challenge(&lived.t, p, &a, now_ms)) /* so many were sent, or answered */
        return;
    HOLDS((a.answer_len != 0) == (a.client_len != 0));
    HOLDS(!a.question_len || (a.prompt_len == a.question_len &&
                              !memcmp(a.prompt, a.question, a.question_len)));
    HOLDS(!a.sms || a.label == WW_SMS);
    HOLDS(a.prompt_len <= WW_QUESTION_CHARS_MAX);
    HOLDS(a.kind == WW_KIND_OCRA ? a.prompt_len >= 4
          : a.kind == WW_KIND_CARD ? a.prompt_len >= 3 && a.prompt_len <= 7
                                   : a.label == WW_SMS && !a.prompt_len);
    HOLDS(a.records[0].event == WW_EVENT_CHALLENGE && a.records[0].tail == 1);
    HOLDS(a.kind == WW_KIND_CARD ? !a.expires_ms
                                 : a.expires_ms > now_ms && a.expires_ms % 1000 == 0);
    HOLDS(a.kind != WW_KIND_OCRA || a.expires_ms % WW_EPOCH_MS == 0);
    HOLDS(a.label == WW_SMS || !a.cold);
    HOLDS(ww_apply(&replayed.t, a.records, now_ms, NULL, NULL) == 0);
    ww_token token;
    asked_shown *it = &shown[slot][a.platform];
    HOLDS(!ww_token_open(&lived.t, a.id, a.id_len, &token, it->posed));
    memcpy(it->id, a.id, it->len = a.id_len);
    it->posed_len = token.posed_len;
    HOLDS((it->posed_len != 0) == (a.question_len + a.client_len != 0));
    if (slot >= USERS) { /* decoys are forgotten input by input */
        ww_attempt of = {.name_hash = ww_name_hash(&lived.t, name, 3)};
        forget_decoy(&of);
    }
}

/* A login is put before a phone, or one speaks; mostly ann's. */
static void push(source *s, const ww_policy *p, int64_t now_ms)
{
    static uint8_t name[8];
    uint8_t who = (uint8_t)take(s, 1), how = (uint8_t)take(s, 1);
    uint32_t slot = who < 128 ? 0 : who % SHOWN;
    memcpy(name, slot < USERS ? lived.t.users[slot].name.text : (const uint8_t *)"zoe", 3);
    if (how & 1)
        pushed_ask(&lived.t, p, name, how >> 1, now_ms);
    else
        pushed_decide(&lived.t, how / 2 % 8, how >> 4, now_ms);
}

static void expect(const ww_batch *b, const ww_device *before, const asked_before *stood,
                   int64_t now_ms)
{
    uint32_t n = 0;
    HOLDS(b->units <= b->count * WW_RECORD_UNITS_PER_ATTEMPT_MAX);
    for (uint32_t i = 0; i < b->count; i++) {
        const ww_attempt *a = &b->attempts[i];
        HOLDS(a->verdict >= WW_ACCEPTED && a->verdict <= WW_BUSY && a->reason <= WW_REASON_ENDED);
        HOLDS((a->verdict == WW_EXPIRED) ==
              (a->reason == WW_REASON_OVERDUE || a->reason == WW_REASON_CANCELLED ||
               a->reason == WW_REASON_ENDED));
        HOLDS(a->reason != WW_REASON_PENDING || /* what had come due is told, whoever asks */
              (a->verdict == WW_CHALLENGE && a->units == a->came_due));
        HOLDS(a->verdict != WW_EXPIRED || a->challenge_len || a->label == WW_TEMPORARY_PASSCODE);
        HOLDS((a->reason == WW_REASON_SCOPE) <= (a->label == WW_TEMPORARY_PASSCODE));
        HOLDS(a->verdict != WW_ACCEPTED || a->kind != WW_KIND_PASSWORD);
        HOLDS((a->verdict == WW_ACCEPTED && a->event == WW_EVENT_ANSWER) ==
              (a->kind == WW_KIND_QUESTION));
        int again = a->verdict == WW_ACCEPTED && !a->units; /* by its request id */
        if (again)
            continue;
        if (a->verdict == WW_ACCEPTED && a->challenge_len == WW_PUSH_ID_CHARS)
            pushed_spend(b, a, now_ms);
        else if (a->verdict == WW_ACCEPTED && a->kind >= WW_KIND_OCRA &&
                 a->kind < WW_KIND_PASSWORD && a->label != WW_TEMPORARY_PASSCODE)
            asked_spend(stood, a, now_ms);
        HOLDS((a->verdict == WW_ACCEPTED) == (a->reason == WW_REASON_NONE));
        HOLDS(a->verdict != WW_ACCEPTED || (a->slot < USERS && a->device > 0));
        HOLDS(a->retry_after_ms >= 0 && a->retry_after_ms <= (int64_t)UINT32_MAX);
        for (uint32_t j = 0; j < i && a->verdict == WW_ACCEPTED; j++)
            HOLDS(b->attempts[j].verdict != WW_ACCEPTED || b->attempts[j].device != a->device ||
                  !b->attempts[j].units ||
                  b->attempts[j].response_len != a->response_len ||
                  a->kind != WW_KIND_TOTP || b->attempts[j].offset < a->offset);
    }
    for (; n < b->units; n += 1u + b->records[n].tail) {
        const ww_record *r = &b->records[n];
        HOLDS((r->event >= WW_EVENT_ATTEMPT && r->event <= WW_EVENT_RESYNC) ||
              r->event == WW_EVENT_ANSWER || r->event == WW_EVENT_ACTIVATE ||
              (r->event == WW_EVENT_DUE && !r->tail && r->user == lived.t.users[2].id));
        HOLDS(n + 1u + r->tail <= b->units);
        HOLDS(ww_apply(&replayed.t, r, now_ms, NULL, NULL) == 0);
        int64_t at_ms = lived.t.latest_ms > now_ms ? lived.t.latest_ms : now_ms;
        if (ww_has_id(r))
            ww_ids_replay(&replayed.t, given_ids[1], r, at_ms);
    }
    HOLDS(n == b->units);
    given_holds(b);
    for (uint32_t slot = 0, i = 0; slot < USERS; slot++) {
        ww_user *u = &lived.t.users[slot];
        for (ww_device *d = ww_device_first(&lived.t, u); d; d = ww_device_next(&lived.t, u, d))
            HOLDS(d->moving >= before[i++].moving);
    }
}

static void turn(source *s, const ww_policy *p, int64_t now_ms)
{
    ww_device before[16];
    asked_before stood = {0};
    if (asking)
        for (uint32_t n = (uint32_t)take(s, 1) % 4; n-- > 0;)
            ask(s, p, now_ms);
    if (asking)
        for (uint32_t n = (uint32_t)take(s, 1) % 4; n-- > 0;)
            push(s, p, now_ms);
    asked_look(&stood, &lived.t, USERS);
    uint32_t used = 0, count = 1 + (uint32_t)take(s, 1) % ATTEMPTS, i = 0;
    for (uint32_t slot = 0; slot < USERS; slot++) {
        ww_user *u = &lived.t.users[slot];
        for (ww_device *d = ww_device_first(&lived.t, u); d; d = ww_device_next(&lived.t, u, d))
            before[i++] = *d;
    }
    fence_open(arena, 0, sizeof arena);
    for (i = 0; i < count && s->at < s->end && used < ARENA - 1024; i++)
        lay(s, &attempts[i], now_ms, &used);
    ww_batch b = {.attempts = attempts, .count = i, .bytes = arena, .records = records,
                  .given = given};
    for (i = 0; i < b.count; i++)
        if (ids[i])
            given_add(&b, i, ids[i]);
    fence_shut(arena, used, sizeof arena);
    fence_move(records, UNITS * sizeof *records,
               b.count * (size_t)WW_RECORD_UNITS_PER_ATTEMPT_MAX * sizeof *records);
    ww_turn(&lived.t, p, &b, now_ms);
    expect(&b, before, &stood, now_ms);
    lived.t.latest_ms = lived.t.latest_ms > now_ms ? lived.t.latest_ms : now_ms; /* as the door */
    fence_open(records, 0, UNITS * sizeof *records);
    static uint8_t image[2][WORLD_PAGE];
    size_t n = ww_page_state_encode(&lived.t, 0, image[0]);
    HOLDS(ww_page_state_encode(&replayed.t, 0, image[1]) == n && !memcmp(image[0], image[1], n));
    for (i = 0; i < b.count; i++)
        forget_decoy(&attempts[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    source s = {bytes, bytes + size};
    uint8_t how = (uint8_t)take(&s, 1);
    ww_policy p = {.lockout_window_ms = 86400000,
                   .lockout_failures = how & 1 ? 3 : how & 2 ? 20 : 10,
                   .failures_cap = how & 4 ? 5 : 0, .source_failures = how & 8 ? 4 : 0,
                   .push_ms = 60000, .push_window_ms = 90000, .push_per_window = 3,
                   .lockout_extend = how >> 4 & 1, .names_any = how >> 5 & 1,
                   .sms_per_hour = 1 + (how & 3), .sms_seconds = how & 1 ? 600 : 60};
    asking = how >> 7;
    HOLDS(ww_kernel_force(how & 64 ? "portable" : NULL) == 0);
    begin(how & 2);
    int64_t now_ms = WORLD_START_MS;
    for (uint32_t turns = 0; turns < TURNS && s.at < s.end; turns++) {
        uint8_t step = (uint8_t)take(&s, 1);
        now_ms += step < 128 ? step : step < 192 ? 30000 * (step & 7) : step < 224 ? 86400000 / 4
                                                                      : -(int64_t)step * 1000;
        turn(&s, &p, now_ms);
    }
    world_holds(&lived);
    world_keeps(&lived, &spare);
    return 0;
}
