/* Yesterday's attempts under another policy: what a row recorded is laid before decide once more.
 *
 * Rule: the one transition decides here too. A record tells which devices were tried and at which
 * position one was right; windows of one position are made of that, and decide and apply do the
 * rest on tables of their own. No key is needed and no code is known: what a record does not tell
 * (a code that was never held against a device) counts as wrong and is marked.
 */
#include "match.h"

#include <string.h>

/* One attempt as recorded: its main record, and ALSO for what else it touched. */
typedef struct { const ww_record *main, *end; } told;

static const ww_record *next_of(const ww_record *r) { return r + 1 + r->tail; }

/* The record that says at which position a device was right, if it was. */
static const ww_record *right_of(const told *f, uint32_t device)
{
    for (const ww_record *r = f->main; r < f->end; r = next_of(r))
        if (r->device == device && (r->effects & WW_EFFECT_ADVANCE))
            return r;
    return NULL;
}

static int any_with(const told *f, uint32_t effect)
{
    for (const ww_record *r = f->main; r < f->end; r = next_of(r))
        if (r->effects & effect)
            return 1;
    return 0;
}

/* A window of the one position at which its device was right. */
static void set_right(ww_try *y, ww_answer *w, const ww_record *r, int resync)
{
    uint32_t kind = y->device->kind;
    y->count = 1;
    y->mask.lo = 1;
    if (kind == WW_KIND_OCRA) {
        y->base = r->moving - (w->suite->counter_at != 0);
        w->steps = 1;
        w->first = (uint64_t)(w->step_now + r->drift);
    } else if (kind < WW_KIND_OCRA) {
        y->base = r->moving - (resync ? 2 : 1);
        y->second.lo = 2;
    }
}

/* One that says: only a position already used matched. */
static void set_replayed(ww_try *tries, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        ww_try *y = &tries[i];
        if (y->device->kind >= WW_KIND_OCRA || !y->device->moving)
            continue;
        y->base = 0;
        y->mask.lo = 1;
        y->second.lo = 2;
        return;
    }
}

/* Whether it claimed a push: nothing else that is empty gets an answer but CHALLENGE. A lock does
 * not tell. */
static int claims(const ww_record *r)
{
    int password = r->reason == WW_REASON_PASSWORD && !(r->effects & WW_EFFECT_CHARGE);
    return r->event == WW_EVENT_ATTEMPT && r->place & WW_PLACE_EMPTY && !password &&
           r->verdict != WW_CHALLENGE && r->verdict != WW_LOCKED && r->place & WW_PLACE_NAMED;
}

/* What had become of the push. */
static uint8_t push_of(const ww_record *r)
{
    if (r->verdict == WW_EXPIRED)
        return r->reason == WW_REASON_CANCELLED ? WW_PUSH_CANCELLED : WW_PUSH_OVERDUE;
    return r->verdict != WW_REJECTED || r->reason == WW_REASON_PASSWORD ? WW_PUSH_APPROVED
           : r->reason == WW_REASON_DENIED     ? WW_PUSH_DENIED
           : r->reason == WW_REASON_MISMATCHED ? WW_PUSH_MISMATCHED : WW_PUSH_NONE;
}

/* Whether the challenge that was named had run out: a verdict says so, a lock does not. */
static int overdue_of(const ww_tables *t, const told *f, ww_device *d, const ww_attempt *a,
                      int64_t now_ms)
{
    if (!ww_has_issue(d) || d->kind == WW_KIND_CARD)
        return 0;
    const ww_open *open = &ww_device_issue(d)->open[a->platform & 1u];
    if (f->main->verdict != WW_LOCKED || !right_of(f, d->number))
        return f->main->verdict == WW_EXPIRED;
    return ww_is_sms(d) ? ww_second(t, now_ms) >= open->epoch
                        : !ww_open_current(open, ww_epoch(t, now_ms));
}

/* The window of the one device that was named. */
static uint32_t lay_one(const ww_tables *t, const told *f, ww_attempt *a, ww_scratch *s,
                        ww_device *d, int64_t now_ms)
{
    uint32_t n = 0;
    int overdue = overdue_of(t, f, d, a, now_ms);
    a->has_serial = 1;
    a->challenge_len = (uint8_t)overdue;
    int answers = d->state == WW_ACTIVE || ww_answers_still(d, a->event);
    int waits = d->resync && a->event != WW_EVENT_RESYNC;
    s->inactive[0] = !answers ? WW_REASON_DEVICE_INACTIVE : waits ? WW_REASON_NO_CHALLENGE : 0;
    s->passed_over[0] = 0;
    if (s->inactive[0])
        return 0;
    if (d->kind == WW_KIND_OCRA) {
        ww_lay_answer(t, s, 0, &n, d, d, a, overdue, now_ms);
    } else {
        s->tries[0] = (ww_try){.device = d};
        s->answers[0] = (ww_answer){.steps = 1, .platform = a->platform,
                                    .overdue = (uint8_t)overdue};
        n = 1;
    }
    s->tries[0].mask = (ww_mask){0, 0};
    return n;
}

/* The phone that a push asked, if it asked one; what is right is its approval. */
static uint32_t lay_claim(const told *f, ww_attempt *a, ww_scratch *s, ww_device *d)
{
    const ww_record *r = f->main;
    uint8_t push = push_of(r);
    uint32_t active = d && d->state == WW_ACTIVE;
    s->tries[0] = (ww_try){.device = d, .mask = {.lo = push == WW_PUSH_APPROVED}, .count = 1};
    s->answers[0] = (ww_answer){.steps = 1, .platform = a->platform, .push = push};
    s->passed_over[0] = WW_PUSHED;
    int refused = r->verdict == WW_REJECTED && r->reason != WW_REASON_PASSWORD;
    s->inactive[0] = refused ? r->reason : d && !active ? WW_REASON_DEVICE_INACTIVE : 0;
    a->has_serial = 1;
    return active;
}

/* The question that was answered, if it is one of the user's. */
static uint32_t lay_answered(const told *f, ww_attempt *a, ww_scratch *s, ww_device *d)
{
    const ww_record *r = f->main;
    s->tries[0] = (ww_try){.device = d, .mask = {.lo = r->verdict == WW_ACCEPTED}, .count = 1};
    s->answers[0] = (ww_answer){.steps = 1, .count = (uint32_t)r->moving};
    s->passed_over[0] = 0;
    s->inactive[0] = !d && r->verdict == WW_REJECTED ? r->reason : 0;
    a->has_serial = 1;
    return d != NULL;
}

/* What stood beside a code that was right: a PIN that was not, or a wrong password. A lock tells of
 * neither, and of what was accepted only the one that is reported had a right PIN for certain. */
static uint8_t spoil(const ww_tables *t, const told *f, ww_attempt *a, ww_scratch *s, ww_user *u,
                     uint32_t n, uint8_t allow_no_device)
{
    const ww_record *r = f->main;
    uint8_t unsure = 0;
    /* Nothing was typed and a challenge was asked for: no first factor held, as far as is told. */
    int bare = (r->place & WW_PLACE_EMPTY) != 0;
    a->first = r->reason == WW_REASON_PASSWORD ? WW_FIRST_GIVEN
               : bare && (r->verdict == WW_CHALLENGE || r->verdict == WW_LOCKED)
                   ? 0 : WW_FIRST_VOUCHED;
    unsure |= bare && r->verdict == WW_CHALLENGE && allow_no_device &&
              !ww_has_device(t, u);
    for (uint32_t i = 0; i < n; i++) {
        const ww_device *d = s->tries[i].device;
        const ww_record *was = right_of(f, d->number);
        if (!was || !ww_has_pin(t, d) || r->event == WW_EVENT_ANSWER)
            continue;
        unsure |= r->verdict == WW_LOCKED;
        s->tries[i].spoiled = r->reason == WW_REASON_PIN ||
                              (r->verdict != WW_LOCKED && r->verdict != WW_REJECTED &&
                               d->number != r->device && !(was->effects & WW_EFFECT_FORGIVE));
    }
    for (uint32_t i = 0; i < n && r->reason == WW_REASON_PIN; i++)
        s->tries[i].spoiled = 1;
    return unsure || (r->verdict == WW_LOCKED && (r->place & WW_PLACE_EMPTY ||
                      (any_with(f, WW_EFFECT_ADVANCE) && ww_password_of(t, u))));
}

/* The windows an attempt was held against. */
static uint32_t lay_told(const ww_tables *t, const told *f, ww_attempt *a, ww_scratch *s,
                         ww_user *u, int64_t now_ms, uint8_t *unsure)
{
    static const ww_batch nothing;
    const ww_record *r = f->main;
    uint32_t n = 0;
    int failed = r->verdict == WW_REJECTED || r->verdict == WW_LOCKED;
    s->asked = s->period_s = s->pushes = 0;
    ww_lay_attempt(t, &nothing, a, s, 0, &n, now_ms);
    if (n && !s->tries[0].device)
        n = 0;
    ww_device *d = r->device ? ww_device_find(t, u, r->device) : NULL;
    if (r->event == WW_EVENT_ANSWER)
        return lay_answered(f, a, s, d);
    if (claims(r))
        return lay_claim(f, a, s, d);
    if (failed && !any_with(f, WW_EFFECT_CHARGE | WW_EFFECT_ADVANCE)) { /* nothing was tried */
        for (uint32_t i = 0; i < n; i++)
            *unsure |= s->tries[i].device->unsure;
        for (ww_device *o = ww_device_first(t, u); o; o = ww_device_next(t, u, o))
            *unsure |= r->place & WW_PLACE_NAMED && o->unsure && o->state == WW_ACTIVE;
        int named = r->reason == WW_REASON_DEVICE_UNKNOWN || r->reason > WW_REASON_PASSWORD ||
                    r->reason == WW_REASON_DEVICE_INACTIVE || r->reason == WW_REASON_NO_CHALLENGE ||
                    r->reason == WW_REASON_WRONG; /* of what had ended */
        s->inactive[0] = named ? r->reason : 0;
        s->passed_over[0] = 0;
        return 0;
    }
    if (d && (failed || r->place & WW_PLACE_NAMED))
        return lay_one(t, f, a, s, d, now_ms);
    int laid = !d || d->state != WW_ACTIVE || d->resync || r->event == WW_EVENT_RESYNC;
    for (uint32_t i = 0; i < n; i++)
        laid |= s->tries[i].device == d;
    int expired = r->verdict == WW_EXPIRED && d && ww_has_issue(d);
    if (d && (!laid || expired || r->event == WW_EVENT_RESYNC))
        return lay_one(t, f, a, s, d, now_ms);
    return n;
}

/* A device that was suspended by the cap was not tried from then on, whatever it is here: in these
 * tables its spare bit says so. */
static void note_suspended(const ww_tables *t, const told *f, ww_user *u)
{
    for (const ww_record *r = f->main; r < f->end; r = next_of(r)) {
        ww_device *d = r->effects & WW_EFFECT_SUSPEND ? ww_device_find(t, u, r->device) : NULL;
        if (d)
            d->unsure = 1;
    }
}

/* A code that was used up then and is not here may be typed again, and a device that waits for two
 * codes in a row there and no more here was not tried; the record will say no more than that it was
 * no good: in these tables the user's spare bit says so. */
static void note_behind(const ww_tables *t, const told *f, ww_user *u, const ww_device *waited)
{
    if (waited && !waited->resync && f->main->verdict != WW_ACCEPTED)
        u->behind = 1;
    for (const ww_record *r = f->main; r < f->end; r = next_of(r)) {
        ww_device *d = r->effects & WW_EFFECT_ADVANCE ? ww_device_find(t, u, r->device) : NULL;
        if (d && d->moving < r->moving)
            u->behind = 1;
    }
}

static void note_active(const ww_tables *t, const ww_record *r)
{
    uint32_t slot = (uint32_t)r->user;
    if ((r->event != WW_EVENT_UNLOCK && r->event != WW_EVENT_DEVICE_SET) || slot >= t->users_used)
        return;
    ww_user *u = &t->users[slot];
    for (ww_device *d = ww_device_first(t, u); d; d = ww_device_next(t, u, d))
        if (r->event == WW_EVENT_UNLOCK || d->number == r->device)
            d->unsure = 0;
}

/* An act, as it was recorded. A floor tells how its device stood then; what the cap did, or did not
 * do, here stays. */
static int apply_act(ww_tables *t, const ww_record *r, int64_t now_ms)
{
    ww_user *u = r->event == WW_EVENT_FLOOR ? ww_user_of(t, r) : NULL;
    ww_device *d = u ? ww_device_find(t, u, r->device) : NULL;
    uint32_t state = d && (d->kind != WW_KIND_PASSCODE || ww_is_sms(d)) ? d->state : r->place;
    int lost = ww_apply(t, r, now_ms, NULL, NULL);
    if (d && !lost)
        d->state = state & 7u;
    return lost;
}

/* Decides what a record tells of, on these tables; applies it. */
static void decide_told(ww_tables *t, const ww_policy *p, const told *f, ww_user *u, uint32_t slot,
                        ww_scratch *s, int64_t now_ms, ww_outcome *o)
{
    const ww_record *r = f->main;
    ww_attempt a = {0};
    a.event = r->event;
    a.platform = r->place & 3u;
    a.realm = (r->place >> 2) & 1u;
    a.place_in = r->place & (uint8_t)~(WW_PLACE_UNKNOWN | WW_PLACE_ID);
    a.gateway = r->gateway;
    a.slot = slot;
    a.name_hash = r->user;
    a.response_len = !(r->place & WW_PLACE_EMPTY) && r->verdict != WW_CHALLENGE;
    if (ww_record_address(r)) {
        a.has_address = 1;
        memcpy(a.address, ww_record_address(r), sizeof a.address);
    }
    /* A claim under a lock may have been of a push that was approved. */
    uint8_t claim = WW_PLACE_EMPTY | WW_PLACE_NAMED;
    uint8_t unsure = (u->behind && (r->verdict == WW_REJECTED || r->verdict == WW_LOCKED)) ||
                     (r->verdict == WW_LOCKED && (r->place & claim) == claim) ||
                     (r->verdict == WW_LOCKED && r->event == WW_EVENT_ANSWER);
    uint32_t *deep = t->deep ? t->deep[slot] : NULL;
    uint32_t n = lay_told(t, f, &a, s, u, now_ms, &unsure);
    int resync = r->event == WW_EVENT_RESYNC;
    for (uint32_t i = 0; i < n; i++) {
        const ww_record *was = right_of(f, s->tries[i].device->number);
        unsure |= s->tries[i].device->unsure;
        if (was && !claims(r) && r->event != WW_EVENT_ANSWER)
            set_right(&s->tries[i], &s->answers[i], was, resync);
    }
    unsure |= spoil(t, f, &a, s, u, n, p->allow_no_device);
    if (r->reason == WW_REASON_REPLAYED)
        set_replayed(s->tries, n);
    ww_event_in in = {
        .user = u, .streak = &u->streak, .deep = deep, .tries = s->tries, .answers = s->answers,
        .tries_count = n, .legal = 1, .inactive = s->inactive[0],
        .passed_over = s->passed_over[0] & WW_NOT_TRIED,
        .limited = WW_LIMITED | WW_GUARDED | WW_PINNED | (s->passed_over[0] & WW_PUSHED),
        .source_busy = (uint8_t)(a.has_address && ww_source_busy(t, p, a.address, now_ms)),
    };
    note_suspended(t, f, u);
    const ww_device *waited = resync && n && s->tries[0].device->resync ? s->tries[0].device : NULL;
    ww_record out[WW_RECORD_UNITS_PER_ATTEMPT_MAX];
    uint32_t units = ww_decide(t, p, &a, &in, now_ms, 0, out);
    for (uint32_t at = 0; at < units; at += 1u + out[at].tail)
        (void)ww_apply(t, &out[at], now_ms, &u->streak, deep);
    if (a.has_address && units && ww_charges_source(&a))
        ww_source_charge(t, a.address, now_ms);
    note_behind(t, f, u, waited); /* and after another activation its devices may stand otherwise */
    if (a.event == WW_EVENT_ACTIVATE && (r->verdict == WW_ACCEPTED) != (a.verdict == WW_ACCEPTED))
        u->behind = 1;
    o->is = a.verdict;
    o->is_reason = a.reason;
    o->until_ms = units && (out->effects & WW_EFFECT_LOCK) ? now_ms + out->lock_ms : 0;
    o->flags |= o->until_ms && a.verdict != WW_LOCKED ? WW_OUTCOME_LOCKS : 0u;
    o->flags |= unsure ? WW_OUTCOME_UNSURE : 0u;
}

static void take_told(ww_tables *t, const ww_policy *p, const told *f, ww_scratch *s,
                      int64_t now_ms, ww_outcome *o)
{
    const ww_record *r = f->main;
    uint32_t slot = (uint32_t)r->user;
    int unknown = (r->place & WW_PLACE_UNKNOWN) != 0;
    ww_user *u = !unknown && slot < t->users_used && t->users[slot].id == r->user &&
                 t->users[slot].name_len ? &t->users[slot] : NULL;
    *o = (ww_outcome){.time_ms = now_ms, .user = r->user, .was = r->verdict, .is = r->verdict,
                      .was_reason = r->reason, .is_reason = r->reason};
    if ((r->effects & WW_EFFECT_LOCK) && r->verdict != WW_LOCKED)
        o->flags |= WW_OUTCOME_LOCKED;
    if (unknown) {
        o->flags |= WW_OUTCOME_UNKNOWN;
        const uint8_t *address = ww_record_address(r);
        if (address && (r->verdict == WW_REJECTED || r->verdict == WW_LOCKED) &&
            !ww_source_busy(t, p, address, now_ms))
            ww_source_charge(t, address, now_ms);
        return;
    }
    if (!u) { /* enrolled before the first row that is kept */
        o->flags |= WW_OUTCOME_LEFT_OUT;
        return;
    }
    /* Refused although something was right, or by a rule this file does not know: as it was. */
    int told_all = r->verdict <= WW_NOT_PERMITTED &&
                   (r->verdict != WW_REJECTED || !any_with(f, WW_EFFECT_ADVANCE) ||
                    r->reason == WW_REASON_PIN || r->reason == WW_REASON_PASSWORD) &&
                   (r->verdict == WW_REJECTED || r->reason <= WW_REASON_SCOPE ||
                    r->reason == WW_REASON_CANCELLED || r->reason == WW_REASON_ADDRESS ||
                    r->reason == WW_REASON_ENDED);
    if (told_all) {
        decide_told(t, p, f, u, slot, s, now_ms, o);
        return;
    }
    o->flags |= WW_OUTCOME_AS_RECORDED;
    for (; r < f->end; r = next_of(r))
        (void)ww_apply(t, r, now_ms, &u->streak, t->deep ? t->deep[slot] : NULL);
}

int ww_whatif_row(ww_tables *t, const ww_policy *p, const uint8_t *row, size_t len, ww_outcome *out,
                  uint32_t *count, uint32_t *lost)
{
    ww_row h;
    ww_row_needs needs;
    ww_scratch s;
    *count = *lost = 0;
    if (ww_row_needed(t, row, len, &needs)) /* every tail ends within the row, then */
        return -1;
    memcpy(&h, row, sizeof h);
    const ww_record *r = (const ww_record *)(const void *)(row + sizeof h + h.names_bytes);
    const ww_record *end = r + h.units;
    while (r < end) {
        told f = {.main = r, .end = next_of(r)};
        int asked = r->event == WW_EVENT_CHALLENGE || r->event == WW_EVENT_QUESTION;
        if (!ww_is_attempt(r)) {
            if (!(r->place & WW_PLACE_UNKNOWN && asked) && apply_act(t, r, h.time_ms))
                ++*lost;
            note_active(t, r);
        } else {
            while (f.end < end && f.end->event == WW_EVENT_ALSO)
                f.end = next_of(f.end);
            take_told(t, p, &f, &s, h.time_ms, &out[(*count)++]);
        }
        r = f.end;
    }
    if (h.time_ms > t->latest_ms)
        t->latest_ms = h.time_ms;
    return 0;
}

void ww_whatif_forget(ww_tables *t) { memset(t->sources, 0, WW_SOURCES * sizeof *t->sources); }
