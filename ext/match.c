/* Windows, lanes, masks: which positions of which devices match what was typed.
 *
 * Rule: who tries and how many positions a window has is public and steers; keys, codes and what
 * matches never do. Masks are folded with arithmetic, and read by decide alone.
 */
#include "match.h"

#include <string.h>

const ww_device ww_nobody = {.kind = WW_KIND_TOTP, .period_s = 30, .digits = 6, .window = 0x11};

int64_t ww_step_now(const ww_device *d, int64_t now_ms)
{
    int64_t seconds = now_ms >= 0 ? now_ms / 1000 : -((999 - now_ms) / 1000);
    int64_t since = seconds - ww_device_t0(d);
    int64_t period = d->period_s ? d->period_s : 1;
    return since >= 0 ? since / period : -((period - 1 - since) / period);
}

/* ---- windows ---- */

/* Two divisions that nearly every device of a turn would repeat. */
static inline int64_t step_now(ww_scratch *s, const ww_device *d, int64_t now_ms)
{
    if (d->wide) {
        ww_look_behind(d);
        return ww_step_now(d, now_ms);
    }
    if (s->period_s != d->period_s) {
        s->period_s = d->period_s;
        s->step = ww_step_now(d, now_ms);
    }
    return s->step;
}

static inline void window_of(ww_scratch *s, const ww_device *d, int resync, int64_t now_ms,
                             ww_try *y)
{
    if (d->kind == WW_KIND_TOTP) {
        int64_t now_step = step_now(s, d, now_ms);
        int64_t back = resync ? WW_RESYNC_STEPS : d->window >> 4;
        int64_t forward = resync ? WW_RESYNC_STEPS + 1 : d->window & 15;
        int64_t from = now_step - back + (resync ? 0 : ww_get(&d->drift));
        int64_t count = back + forward + 1;
        if (from < 0) { /* there is no step before t0 */
            count = count + from > 0 ? count + from : 0;
            from = 0;
        }
        y->base = (uint64_t)from;
        y->count = (uint32_t)count;
    } else {
        uint64_t moving = ww_get(&d->moving);
        if (d->wide)
            ww_look_behind(d);
        uint64_t left = UINT64_MAX - moving; /* the last counter of all is never used */
        uint64_t count = (resync ? WW_RESYNC_COUNTERS + 1u : d->window) + 1u;
        y->base = moving;
        y->count = (uint32_t)(count < left ? count : left);
    }
}

static inline void add_try(ww_scratch *s, uint32_t *n, uint32_t owner, ww_device *d,
                           const ww_device *source, int resync, int64_t now_ms)
{
    ww_try *y = &s->tries[*n];
    memset(y, 0, sizeof *y);
    y->device = d;
    window_of(s, source, resync, now_ms, y);
    s->source[*n] = source;
    s->owner[*n] = (uint8_t)owner;
    ++*n;
}

void ww_lay_plain(ww_scratch *s, ww_device *d, int64_t now_ms)
{
    uint32_t n = 0;
    add_try(s, &n, 0, d, d, 0, now_ms);
}

static int serial_is(const ww_tables *t, const ww_device *d, const uint8_t *serial, size_t len)
{
    size_t own_len;
    const uint8_t *own = ww_cold_second(t, d->cold, &own_len);
    return own_len == len && !memcmp(own, serial, len); /* serials are not secret */
}

static const ww_device *decoy_device(const ww_tables *t, uint64_t hash)
{
    if (!t->users_used)
        return &ww_nobody;
    ww_user *u = &t->users[ww_decoy_slot(t, hash)];
    const ww_device *d = u->name_len ? ww_device_first(t, u) : NULL;
    return d && d->kind < WW_KIND_PASSWORD ? d : &ww_nobody;
}

/* Codes behind a PIN have lanes of their own (pins.c). */
static void add_pinned(ww_scratch *s, uint32_t *n, uint32_t owner, ww_device *d,
                       const ww_device *source, int resync, int64_t now_ms)
{
    add_try(s, n, owner, d, source, resync, now_ms);
    s->passed_over[owner] |= WW_PINNED;
    ww_is_laid(s, source);
}

/* Whatever is not a plain counter or step. */
static void lay_further(const ww_tables *t, ww_scratch *s, uint32_t i, uint32_t *n, ww_device *d,
                        const ww_attempt *a, int64_t now_ms)
{
    if (d->resync && a->event != WW_EVENT_RESYNC)
        s->passed_over[i] |= WW_NOT_TRIED;
    else if (d->kind < WW_KIND_OCRA && !d->prefix)
        add_try(s, n, i, d, d, 1, now_ms);
    else if (d->kind < WW_KIND_OCRA)
        add_pinned(s, n, i, d, d, a->event == WW_EVENT_RESYNC, now_ms);
    else if (ww_is_asked(d->kind))
        s->passed_over[i] |= !ww_lay_open(t, s, i, n, d, a, now_ms);
    else if (d->kind == WW_KIND_PASSCODE)
        s->passed_over[i] |= !ww_lay_given(t, s, i, n, d, a, now_ms);
    else
        s->passed_over[i] |= d->kind == WW_KIND_PASSWORD ? WW_GUARDED : 0;
}

/* What is not active but says more than no to a right answer. Nobody waits for it. */
static void lay_dormant(const ww_tables *t, ww_scratch *s, uint32_t i, uint32_t *n, ww_device *d,
                        const ww_attempt *a, int64_t now_ms)
{
    if (!ww_answers_still(d, a->event))
        return;
    uint32_t ended = d->state == WW_ENDED, before = s->passed_over[i];
    if ((d->kind >= WW_KIND_OCRA) | d->prefix | d->resync)
        lay_further(t, s, i, n, d, a, now_ms);
    else
        add_try(s, n, i, d, d, 0, now_ms);
    if (ended)
        s->passed_over[i] = (uint8_t)(before | WW_LIMITED);
}

/* The windows an attempt is held against: every active device, or the one it names. */
WW_ROAD void ww_lay_attempt(const ww_tables *t, const ww_batch *b, ww_attempt *a, ww_scratch *s,
                            uint32_t i, uint32_t *n, int64_t now_ms)
{
    int resync = a->event == WW_EVENT_RESYNC;
    uint32_t before = *n;
    s->inactive[i] = 0;
    s->passed_over[i] = a->first ? WW_GUARDED : 0;
    if (a->challenge_len) {
        s->passed_over[i] |= WW_LIMITED;
        ww_lay_named(t, b, a, s, i, n, now_ms);
    } else if (a->slot != WW_SLOT_NONE) {
        ww_user *u = &t->users[a->slot];
        int named_seen = 0;
        s->passed_over[i] |= (uint8_t)(u->restricted * WW_RESTRICTED);
        for (ww_device *d = ww_device_first(t, u); d; d = ww_device_next(t, u, d)) {
            if (a->has_serial && !serial_is(t, d, b->bytes + a->serial_at, a->serial_len)) {
                s->passed_over[i] |= d->kind == WW_KIND_PASSWORD ? WW_GUARDED : 0;
                continue;
            }
            named_seen |= d->kind < WW_KIND_PASSWORD;
            if (d->state != WW_ACTIVE) {
                lay_dormant(t, s, i, n, d, a, now_ms);
                continue;
            }
            if ((d->kind >= WW_KIND_OCRA) | d->prefix | d->resync)
                lay_further(t, s, i, n, d, a, now_ms);
            else
                add_try(s, n, i, d, d, resync, now_ms);
        }
        if (*n == before && (s->passed_over[i] & WW_NOT_TRIED))
            s->inactive[i] = WW_REASON_NO_CHALLENGE;
        else if (*n == before && a->has_serial)
            s->inactive[i] = named_seen ? WW_REASON_DEVICE_INACTIVE : WW_REASON_DEVICE_UNKNOWN;
    }
    if (*n == before) {
        const ww_device *decoy = decoy_device(t, a->name_hash);
        if (decoy->kind == WW_KIND_OCRA)
            ww_lay_answer(t, s, i, n, NULL, decoy, a, 0, now_ms);
        else if (decoy->kind == WW_KIND_CARD)
            ww_lay_card(s, i, n, NULL, decoy, a);
        else if (decoy->kind == WW_KIND_PASSCODE)
            ww_lay_code(s, i, n, NULL, decoy, a, 0);
        else if (decoy->prefix)
            add_pinned(s, n, i, NULL, decoy, resync, now_ms);
        else
            add_try(s, n, i, NULL, decoy, resync, now_ms);
    }
}

/* ---- lanes ---- */

/* Runs the lanes laid for tries [from, to) of one hash and folds the answers into their masks. */
static void run_lanes(const ww_kernel *k, ww_hash hash, const ww_batch *b, uint32_t group,
                      ww_scratch *s, uint32_t from, uint32_t to, uint32_t lanes)
{
    if (!lanes)
        return;
    k->hotp[hash](s->mids, s->moving, s->out, lanes);
    ww_lanes_ran(s, k->lanes[hash], lanes, 1);
    if (s->lanes_used < lanes)
        s->lanes_used = lanes;
    uint32_t lane = 0;
    for (uint32_t n = from; n < to; n++) {
        ww_try *y = &s->tries[n];
        const ww_device *d = s->source[n];
        if (d->hash != hash || s->laid[n])
            continue;
        uint32_t who = s->owner[n], digits = d->digits;
        int resync = b->attempts[group + who].event == WW_EVENT_RESYNC;
        uint32_t fits = ww_eq_u32(s->digits[0][who], digits);
        uint32_t fits2 = ww_eq_u32(s->digits[1][who], digits);
        for (uint32_t j = 0; j < y->count; j++) {
            uint32_t code = ww_reduce(s->out[lane++], digits);
            ww_mask_set(&y->mask, j, ww_eq_u32(code, s->value[0][who]) & fits);
            if (resync)
                ww_mask_set(&y->second, j, ww_eq_u32(code, s->value[1][who]) & fits2);
        }
    }
}

/* ---- devices at one step ---- */

/* Most devices of a group are held against the same few steps, so that their lanes begin with the
 * same block: its schedule is made once. Returns how many tries were gathered: those like the first
 * (SHA-1, window, digits), in whole vectors, or in one that is nearly full. Answers to challenges
 * are never of them. */
static uint32_t gather_same(const ww_kernel *k, const ww_batch *b, uint32_t group, ww_scratch *s,
                            uint32_t tries)
{
    uint32_t n = 0, lanes = k->lanes[WW_SHA1], at = 0;
    while ((s->asked | s->pushes) && at + 1 < tries &&
           (s->source[at]->kind >= WW_KIND_OCRA || s->source[at]->prefix ||
            s->source[at] == &ww_nobody))
        at++;
    const ww_try *first = &s->tries[at];
    const ww_device *like = s->source[at];
    memset(s->laid, 0, tries);
    if (!k->totp || like->kind != WW_KIND_TOTP || first->count > WW_SHARED_STEPS_MAX)
        return 0;
    for (uint32_t i = 0; i < tries && n < WW_GROUP_ATTEMPTS_MAX; i++) {
        const ww_try *y = &s->tries[i];
        const ww_device *d = s->source[i];
        s->same[n] = (uint16_t)i;
        n += (y->base == first->base) & (y->count == first->count) & (d->digits == like->digits) &
             (d->hash == WW_SHA1) & !d->prefix & (d->kind == WW_KIND_TOTP) &
             (b->attempts[group + s->owner[i]].event == WW_EVENT_ATTEMPT);
    }
    uint32_t rest = n & (lanes - 1);
    if (rest * first->count <= (first->count - 1) * lanes)
        n -= rest; /* other lanes hold them in fewer vectors */
    for (uint32_t i = 0; i < n; i++)
        s->laid[s->same[i]] = 1;
    return n;
}

static void match_same(const ww_kernel *k, ww_scratch *s, uint32_t n)
{
    const ww_try *first = &s->tries[s->same[0]];
    uint32_t steps = first->count, digits = s->source[s->same[0]]->digits;
    uint32_t hit[WW_GROUP_ATTEMPTS_MAX];
    if (s->shared_from != first->base || s->shared_count < steps) {
        for (uint32_t j = 0; j < steps; j++)
            ww_sha1_shared(first->base + j, s->shared[j]);
        s->shared_from = first->base;
        s->shared_count = steps;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t who = s->owner[s->same[i]];
        s->mids[i] = ww_device_mid(s->source[s->same[i]]);
        s->want[i] = s->value[0][who];
        s->misfit[i] = s->digits[0][who] ^ digits;
    }
    if (s->lanes_used < n * steps)
        s->lanes_used = n * steps;
    k->totp(s->mids, n, (const uint32_t (*)[80])s->shared, steps, s->out);
    ww_lanes_ran(s, k->lanes[WW_SHA1], n, steps);
    for (uint32_t j = 0; j < steps; j++) {
        ww_match_many(s->out + j * n, s->want, s->misfit, digits, hit, n);
        for (uint32_t i = 0; i < n; i++)
            s->tries[s->same[i]].mask.lo |= (uint64_t)hit[i] << j;
    }
    ww_wipe(hit, sizeof hit);
}

void ww_match_group(const ww_tables *t, const ww_kernel *k, const ww_batch *b, uint32_t group,
                    ww_scratch *s, uint32_t tries)
{
    uint32_t present = 0, same = gather_same(k, b, group, s, tries);
    if (same > 0)
        match_same(k, s, same);
    if (s->asked > 0) {
        uint32_t laid = s->asked;
        if (laid & 1u << WW_KIND_OCRA) {
            ww_match_whole(t, b, group, s, tries);
            ww_match_alike(k, s, tries);
            ww_match_answers(t, k, b, group, s, tries);
        }
        if (laid & 1u << WW_KIND_CARD)
            ww_match_cards(k, b, group, s, tries);
        if (laid & 1u << WW_KIND_PASSCODE)
            ww_match_passcodes(t, b, group, s, tries);
        if (laid & (1u << WITH_PIN | 1u << WW_KIND_OCRA)) /* whose P is a PIN as well */
            ww_match_pins(t, k, b, group, s, tries);
        if (laid & 1u << WW_KIND_QUESTION)
            ww_match_answered(t, b, group, s, tries);
    }
    for (uint32_t n = 0; n < tries; n++)
        present |= s->laid[n] ? 0 : 1u << s->source[n]->hash;
    for (uint32_t hash = 0; hash < WW_HASHES; hash++) {
        if (!(present & 1u << hash))
            continue;
        uint32_t lanes = 0, from = 0;
        for (uint32_t n = 0; n < tries; n++) {
            const ww_device *d = s->source[n];
            if (d->hash != hash || s->laid[n])
                continue;
            const ww_try *y = &s->tries[n];
            if (lanes + y->count > WW_LANES_CHUNK) {
                run_lanes(k, (ww_hash)hash, b, group, s, from, n, lanes);
                lanes = 0;
                from = n;
            }
            const void *mid = ww_device_mid(d);
            for (uint32_t j = 0; j < y->count; j++, lanes++) {
                s->mids[lanes] = mid;
                s->moving[lanes] = y->base + j;
            }
        }
        run_lanes(k, (ww_hash)hash, b, group, s, from, tries, lanes);
    }
}
