/* apply, for the acts of administration: users and devices come, change and go.
 *
 * Like the rest of apply it reads records and tables and nothing else. Room for what is added was
 * seen to by the door; what is removed is wiped.
 */
#include "internal.h"

#include <string.h>

static int user_add(ww_tables *t, uint32_t slot, const ww_record *r)
{
    const uint8_t *name = (const uint8_t *)(r + 1);
    uint32_t len = r->lock_ms;
    if (len < 1 || len > WW_NAME_BYTES_MAX || len > r->tail * (uint32_t)WW_RECORD_BYTES)
        return -1;
    ww_user *u = &t->users[slot];
    if (slot < t->users_used && u->name_len)
        return -1;
    if (t->users_free == slot + 1)
        t->users_free = u->more;
    if (slot >= t->users_used)
        t->users_used = slot + 1;
    memset(u, 0, sizeof *u);
    u->id = r->user;
    u->account = r->place & 3u;
    u->realm = (r->place >> 2) & 1u;
    u->name_len = (uint8_t)len;
    if (len <= WW_NAME_INLINE_BYTES)
        memcpy(u->name.text, name, len);
    else
        u->name.cold = ww_cold_add(t, name, len, NULL, 0);
    if (t->deep)
        memset(t->deep[slot], 0, sizeof t->deep[slot]);
    t->users_live++;
    ww_slot_index(t, slot, ww_name_hash(t, name, len));
    return 0;
}

static void cold_drop(ww_tables *t, uint32_t ref)
{
    size_t a_len, b_len;
    uint8_t *a = t->cold + ((uint64_t)ref * 8) + 2;
    ww_cold_first(t, ref, &a_len);
    ww_cold_second(t, ref, &b_len);
    ww_wipe(a, a_len); /* a serial stays: a verdict on its way may still name the device */
    t->cold_dead += WW_COLD_BYTES(a_len, b_len);
}

static void wide_drop(ww_tables *t, ww_user *u, uint32_t at)
{
    ww_wide *w = &t->wides[at - 1];
    uint32_t *link = &u->more;
    while (*link != at)
        link = &ww_far_of(&t->wides[*link - 1].line)->next;
    *link = ww_far_of(&w->line)->next;
    ww_wipe(w, sizeof *w);
    ww_far_of(&w->line)->next = t->wides_free;
    t->wides_free = at;
}

static int device_remove(ww_tables *t, ww_user *u, uint32_t number)
{
    ww_device *d = ww_device_find(t, u, number);
    if (!d)
        return -1;
    ww_phone_unlink(t, d);
    cold_drop(t, d->cold);
    u->devices--;
    if (d->wide) {
        wide_drop(t, u, (uint32_t)((ww_wide *)(void *)d - t->wides) + 1);
        return 0;
    }
    if (u->card.here)
        wide_drop(t, u, u->more);
    memset(&u->card, 0, sizeof u->card);
    ww_wipe(d, sizeof *d);
    return 0;
}

static int user_remove(ww_tables *t, uint32_t slot, ww_user *u)
{
    for (ww_device *d; (d = ww_device_first(t, u)) != NULL;)
        if (device_remove(t, u, d->number))
            return -1;
    ww_slot_unindex(t, slot);
    if (u->name_len > WW_NAME_INLINE_BYTES)
        cold_drop(t, u->name.cold);
    ww_extra_drop(t, u);
    uint64_t id = u->id + ((uint64_t)1 << 32);
    ww_wipe(u, sizeof *u);
    if (t->deep)
        memset(t->deep[slot], 0, sizeof t->deep[slot]);
    u->id = id;
    u->more = t->users_free;
    t->users_free = slot + 1;
    t->users_live--;
    return 0;
}

/* Behind the PIN's digest of an ib-key: the public key of a phone, or nothing. */
static uint8_t phone_len(const ww_suite *suite, const ww_spec *s)
{
    int phone = s->label == WW_IB_KEY && suite->pin_bytes &&
                s->pin_len == suite->pin_bytes + WW_PHONE_BYTES;
    return phone ? WW_PHONE_BYTES : 0;
}

/* Whether what is enrolled is what its suite says. */
static int suite_fits(const ww_suite *suite, const ww_spec *s)
{
    uint32_t counters = suite->counter_at ? s->look_ahead + 1u : 1;
    uint32_t steps = suite->step_s ? s->back + s->forward + 1u : 1;
    return suite->hash == s->hash && suite->digits == s->digits &&
           (suite->pin_bytes + phone_len(suite, s) == s->pin_len ||
            (!suite->pin_bytes && suite->digits && s->pin_len == WW_KEPT_BYTES)) &&
           counters * steps <= WW_POSITIONS_MAX;
}

/* Whether one more of its sort may hang on this user. */
static int has_room(const ww_tables *t, ww_user *u, const ww_spec *s)
{
    enum { OTHERS_MAX = WW_HELD_PER_USER_MAX - WW_DEVICES_PER_USER_MAX };
    uint32_t count = 0;
    for (ww_device *d = ww_device_first(t, u); d; d = ww_device_next(t, u, d))
        count += (d->kind < WW_KIND_PASSWORD) == (s->kind < WW_KIND_PASSWORD);
    return count < (s->kind < WW_KIND_PASSWORD ? (uint32_t)WW_DEVICES_PER_USER_MAX : OTHERS_MAX);
}

static ww_wide *wide_new(ww_tables *t, const ww_user *u, uint8_t hash, uint32_t *at)
{
    *at = t->wides_free;
    if (*at)
        t->wides_free = ww_far_of(&t->wides[*at - 1].line)->next;
    else
        *at = ++t->wides_used;
    ww_wide *w = &t->wides[*at - 1];
    memset(w, 0, sizeof *w);
    w->line.wide = 1;
    w->line.hash = hash & 3u; /* which says where its user stands */
    ww_far_of(&w->line)->owner = (uint32_t)(u - t->users);
    return w;
}

/* Out of the user's own line, where there is no room for what only few devices have. It stays the
 * first. */
ww_device *ww_device_widen(ww_tables *t, ww_user *u)
{
    uint32_t at;
    ww_wide *w;
    if (u->card.here) { /* it has one, and there it says again what stands */
        w = &t->wides[u->more - 1];
        for (uint32_t place = 0; place < WW_PLATFORMS; place++) {
            w->issue.open[place] = ww_device_open(t, &u->device, place);
            if (w->issue.open[place].stands)
                memcpy(w->issue.question[place], u->card.pair, sizeof u->card.pair);
        }
        memset(&u->card, 0, sizeof u->card);
    } else {
        w = wide_new(t, u, u->device.hash, &at);
        ww_far_of(&w->line)->next = u->more;
        u->more = at;
    }
    w->line = u->device; /* SHA-1: its midstates stay where they are */
    w->line.wide = 1;
    ww_wipe(&u->device, sizeof u->device);
    return &w->line;
}

/* Places a device in the user's own line when it is the first and fits there: a card all but what
 * was asked of it. */
ww_device *ww_device_place(ww_tables *t, ww_user *u, const ww_spec *spec, const void *mid)
{
    ww_device *d;
    void *own;
    int ocra = spec->kind == WW_KIND_OCRA;
    int kept = spec->label == WW_TEMPORARY_PASSCODE || spec->kind >= WW_KIND_PASSWORD;
    int suite = ocra ? ww_suite_add(t, spec->suite, spec->suite_len) : 0;
    if (suite < 0 || !has_room(t, u, spec) || (ocra && !suite_fits(&t->suites[suite], spec)))
        return NULL;
    if (!u->devices && spec->hash == WW_SHA1 && !spec->t0_s && !spec->shared && !spec->dated &&
        (spec->kind < WW_KIND_OCRA || spec->kind == WW_KIND_CARD)) {
        d = &u->device;
        memset(d, 0, sizeof *d);
        own = d->u.sha1;
        if (spec->kind == WW_KIND_CARD) {
            wide_new(t, u, WW_SHA1, &u->more)->line.wide = 0;
            u->card = (ww_own_card){.here = 1};
        }
    } else {
        uint32_t at;
        ww_wide *w = wide_new(t, u, spec->hash, &at);
        d = &w->line;
        ww_far *far = ww_far_of(d);
        far->t0_s = spec->t0_s & (2 * WW_T0_S_MAX - 1);
        far->shared = spec->shared;
        u->sharing |= spec->shared != 0;
        t->shared_used += spec->shared != 0;
        if (spec->dated)
            ww_device_set_dates(u, d, &spec->dates);
        w->issue.suite = (uint8_t)suite;
        w->issue.steps = (uint8_t)(spec->back << 4 | spec->forward);
        w->issue.phone = ocra ? phone_len(&t->suites[suite], spec) : 0;
        uint32_t *link = &u->more;
        while (*link)
            link = &ww_far_of(&t->wides[*link - 1].line)->next;
        *link = at;
        own = spec->hash == WW_SHA1 ? (void *)d->u.sha1 : &w->mid;
    }
    if (mid || kept) /* whose text nobody knows: what is kept stands where midstates do */
        memcpy(own, mid ? mid : spec->key, ww_mid_bytes((ww_hash)spec->hash));
    else
        ww_hmac_mid((ww_hash)spec->hash, spec->key, spec->key_len, own);
    d->period_s = spec->period_s & 4095u;
    d->kind = spec->kind & 15u;
    d->drift_max = spec->drift_max & 15u;
    d->state = spec->state & 7u;
    d->label = spec->label & 15u;
    d->hash = spec->hash & 3u;
    d->digits = spec->digits & 15u;
    d->prefix = spec->pin_len == WW_KEPT_BYTES;
    d->window = spec->kind == WW_KIND_TOTP ? (uint8_t)(spec->back << 4 | spec->forward)
                                           : spec->look_ahead;
    uint8_t secret[WW_KEY_BYTES_MAX + sizeof spec->pin];
    memcpy(secret, spec->key, spec->key_len);
    memcpy(secret + spec->key_len, spec->pin, spec->pin_len);
    d->cold = ww_cold_add(t, secret, (size_t)spec->key_len + spec->pin_len, spec->serial,
                          spec->serial_len);
    ww_wipe(secret, sizeof secret);
    ww_phone_link(t, d);
    u->devices++;
    return d;
}

/* A password, or a question with what is kept of its answer: one block, and then its text. */
static int secret_legal(const ww_spec *s)
{
    return s->kind < WW_KINDS && s->hash == WW_SHA256 && s->state == WW_ACTIVE && !s->label &&
           !s->digits && !s->back && !s->forward && !s->look_ahead && !s->drift_max &&
           !s->period_s && !s->t0_s && !s->suite_len && !s->pin_len && !s->dated &&
           s->key_len >= 64 &&
           s->key_len <= WW_KEY_BYTES_MAX && s->serial_len >= 1 &&
           s->serial_len <= WW_SERIAL_BYTES_MAX;
}

int ww_spec_legal(const ww_spec *s)
{
    int totp = s->kind == WW_KIND_TOTP, hotp = s->kind == WW_KIND_HOTP;
    int ocra = s->kind == WW_KIND_OCRA; /* the suite itself is read where it is kept */
    int passcode = s->label == WW_TEMPORARY_PASSCODE, sms = s->label == WW_SMS;
    if ((s->kind == WW_KIND_PASSCODE) != (passcode || sms) || s->shared > WW_SHARED_LENT)
        return 0;
    if (s->kind >= WW_KIND_PASSWORD)
        return secret_legal(s);
    if (passcode && (s->hash != WW_SHA256 || s->key_len != sizeof(ww_passcode) ||
                     s->digits != WW_PASSCODE_CHARS))
        return 0;
    if (sms && s->digits != WW_DIGITS_MIN)
        return 0;
    uint32_t digits_min = s->digits ? WW_SUITE_DIGITS_MIN : 0; /* 0: the whole HMAC */
    int card = s->kind == WW_KIND_CARD;
    if (card && (s->hash != WW_SHA1 || s->back || s->forward || s->look_ahead > 1 ||
                 s->period_s || s->drift_max ||
                 (s->label != WW_CODE_CARD && s->label != WW_ONLINE_CODE_CARD)))
        return 0;
    return (totp || hotp || ocra || card || passcode || sms) && s->hash < WW_HASHES &&
           (!s->dated || ww_dates_legal(&s->dates)) &&
           s->state <= WW_ENDED && s->digits >= (ocra ? digits_min : WW_DIGITS_MIN) &&
           s->digits <= (ocra || passcode ? WW_SUITE_DIGITS_MAX : WW_DIGITS_MAX) &&
           s->label < WW_LABELS && (totp || hotp || ocra || !s->t0_s) &&
           s->t0_s >= 0 && s->t0_s <= WW_T0_S_MAX &&
           s->suite_len <= (ocra ? WW_SUITE_BYTES_MAX : 0) && (!ocra || !s->t0_s) &&
           (ocra || !s->pin_len || (s->pin_len == WW_KEPT_BYTES && (totp || hotp))) &&
           s->pin_len <= sizeof s->pin &&
           s->key_len >= WW_KEY_BYTES_MIN && s->key_len <= WW_KEY_BYTES_MAX &&
           s->serial_len >= 1 && s->serial_len <= WW_SERIAL_BYTES_MAX &&
           s->back <= WW_WINDOW_STEPS_MAX && s->forward <= WW_WINDOW_STEPS_MAX &&
           s->look_ahead <= WW_LOOK_AHEAD_MAX && s->drift_max <= WW_DRIFT_STEPS_MAX &&
           (!totp || (s->period_s >= 1 && s->period_s <= WW_PERIOD_SECONDS_MAX));
}

int ww_spec_read(const ww_record *r, ww_spec *s)
{
    const uint8_t *tail = (const uint8_t *)(r + 1);
    size_t room = r->tail * (size_t)WW_RECORD_BYTES;
    memset(s, 0, sizeof *s);
    if (room < WW_SPEC_HEAD_BYTES)
        return -1;
    memcpy(s, tail, WW_SPEC_HEAD_BYTES);
    if (!ww_spec_legal(s) || WW_SPEC_HEAD_BYTES + (size_t)s->key_len + s->serial_len +
                                     s->suite_len + s->pin_len > room)
        return -1;
    tail += WW_SPEC_HEAD_BYTES;
    memcpy(s->key, tail, s->key_len);
    tail += s->key_len;
    memcpy(s->serial, tail, s->serial_len);
    tail += s->serial_len;
    memcpy(s->suite, tail, s->suite_len);
    memcpy(s->pin, tail + s->suite_len, s->pin_len);
    tail += s->suite_len + s->pin_len;
    if (!s->dated)
        return 0;
    if ((size_t)((const uint8_t *)(r + 1) + room - tail) < sizeof s->dates)
        return -1;
    memcpy(&s->dates, tail, sizeof s->dates);
    return ww_dates_legal(&s->dates) ? 0 : -1;
}

static int device_add(ww_tables *t, ww_user *u, const ww_record *r)
{
    ww_spec spec;
    if (ww_spec_read(r, &spec) || u->devices >= WW_HELD_PER_USER_MAX || !r->device ||
        ww_device_find(t, u, r->device))
        return -1;
    ww_device *d = ww_device_place(t, u, &spec, NULL);
    int drift_max = spec.drift_max;
    ww_wipe(&spec, sizeof spec);
    if (!d)
        return -1;
    d->number = r->device;
    d->moving = r->moving;
    if (r->drift >= -drift_max && r->drift <= drift_max)
        d->drift = r->drift; /* of a device that was enrolled elsewhere before */
    if (d->state == WW_ACTIVE && (r->place & WW_PLACE_ENDS))
        ww_become_active(t, u, d);
    if (ww_is_sms(d))
        ww_device_issue(d)->issued = r->moving < UINT32_MAX ? (uint32_t)r->moving : UINT32_MAX;
    if (t->device_next <= r->device)
        t->device_next = r->device + 1;
    return 0;
}

int ww_apply_act(ww_tables *t, ww_user *u, uint32_t slot, const ww_record *r)
{
    ww_device *d;
    switch (r->event) {
    case WW_EVENT_USER_ADD:
        return user_add(t, slot, r);
    case WW_EVENT_USER_SET:
        u->account = r->place & 3u;
        u->realm = (r->place >> 2) & 1u;
        return 0;
    case WW_EVENT_USER_REMOVE:
        return user_remove(t, slot, u);
    case WW_EVENT_UNLOCK:
        ww_streak_clear(&u->streak, t->deep ? t->deep[slot] : NULL);
        u->wrong_answers = 0;
        for (d = ww_device_first(t, u); d; d = ww_device_next(t, u, d)) {
            if (!d->capped)
                continue;
            d->state = WW_ACTIVE;
            d->capped = 0;
            d->failures = 0;
            if (r->place & WW_PLACE_ENDS)
                ww_become_active(t, u, d);
        }
        return 0;
    case WW_EVENT_DEVICE_ADD:
        return device_add(t, u, r);
    case WW_EVENT_DEVICE_SET:
        d = ww_device_find(t, u, r->device);
        if (!d || (r->place & ~(uint32_t)WW_PLACE_ENDS) > WW_ENDED)
            return -1;
        d->state = r->place & 7u;
        d->capped = 0;
        if (d->state == WW_ACTIVE)
            d->failures = 0;
        if (d->state == WW_ACTIVE && (r->place & WW_PLACE_ENDS))
            ww_become_active(t, u, d);
        return 0;
    case WW_EVENT_DEVICE_REMOVE:
        return device_remove(t, u, r->device);
    default:
        return -1;
    }
}
