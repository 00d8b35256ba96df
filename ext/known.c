/* What a user knows beside a device: a password, and the answers to security questions.
 *
 * Both are kept like devices, so that enrolment, pages and replay are what they are, and are none:
 * no code is tried against them and no cap suspends them. A password is hashed by the door, which
 * says here whether it was right. Rule: as in match.c, and a name that does not exist is asked as
 * plausibly as any, and its answers cost and count the same.
 */
#include "match.h"

#include <string.h>

/* ---- passwords ---- */

ww_device *ww_password_of(const ww_tables *t, ww_user *u)
{
    for (ww_device *d = ww_device_first(t, u); d; d = ww_device_next(t, u, d))
        if (d->kind == WW_KIND_PASSWORD)
            return d;
    return NULL;
}

/* Codes show that a device is at hand; resynchronisation and answers stand on those alone. */
uint32_t ww_password_amiss(const ww_tables *t, const ww_attempt *a, const ww_event_in *in)
{
    if (!(in->limited & WW_GUARDED) ||
        (a->event != WW_EVENT_ATTEMPT && a->event != WW_EVENT_ACTIVATE))
        return 0;
    const ww_device *d = in->user ? ww_password_of(t, in->user) : NULL;
    uint32_t right = d && d->number == a->password && (a->first & WW_FIRST_RIGHT);
    if (a->first & WW_FIRST_GIVEN)
        return right ? 0 : WW_REASON_PASSWORD;
    return d && !(a->first & (WW_FIRST_VOUCHED | WW_FIRST_PIN)) ? WW_REASON_PASSWORD : 0;
}

int ww_spoiled(const ww_tables *t, const ww_attempt *a, const ww_try *y)
{
    uint32_t spoiled = y->spoiled;
    WW_PUBLIC(&spoiled, sizeof spoiled); /* the verdict says so: of a right code alone */
    return spoiled || ((a->first & WW_FIRST_PIN) && !ww_has_pin(t, y->device));
}

/* ---- questions: which one stands ---- */

static ww_issue *issue_of(ww_device *d) { return ww_device_issue(d); }

static ww_device *question_that_stands(const ww_tables *t, ww_user *u)
{
    for (ww_device *d = ww_device_first(t, u); d; d = ww_device_next(t, u, d))
        if (d->kind == WW_KIND_QUESTION && issue_of(d)->open[0].stands)
            return d;
    return NULL;
}

static ww_device *question_picked(const ww_tables *t, ww_user *u, uint64_t dice)
{
    uint32_t count = 0;
    for (ww_device *d = ww_device_first(t, u); d; d = ww_device_next(t, u, d))
        count += d->kind == WW_KIND_QUESTION && issue_of(d)->issued < UINT32_MAX - 1;
    uint32_t left = count ? (uint32_t)((dice >> 32) * count >> 32) + 1 : 0;
    for (ww_device *d = ww_device_first(t, u); d && left; d = ww_device_next(t, u, d))
        if (d->kind == WW_KIND_QUESTION && issue_of(d)->issued < UINT32_MAX - 1 && !--left)
            return d;
    return NULL;
}

void ww_question_ask(ww_tables *t, ww_quiz *q)
{
    uint64_t hash = ww_name_hash(t, q->name, q->name_len);
    uint32_t slot = ww_slot_within(t, hash, q->name, q->name_len, q->within), count;
    ww_user *u = slot == WW_SLOT_NONE ? NULL : &t->users[slot];
    ww_device *d = u ? question_that_stands(t, u) : NULL;
    if (d) {
        count = issue_of(d)->open[0].stands - 1;
    } else if (u && (d = question_picked(t, u, q->dice)) != NULL) {
        count = issue_of(d)->issued;
    } else { /* the one that stands until it is answered, like anyone's */
        count = ww_decoy_answered(t, hash, 1)->count;
        uint64_t words[3] = {hash, count, (uint64_t)1 << 62};
        q->plausible = (uint32_t)(ww_sip24(t->ask_key, words, 3) >> 32);
        q->whose = (uint32_t)ww_sip24(t->ask_key, words, 1);
        WW_PUBLIC(&q->plausible, sizeof q->plausible); /* they are shown */
        WW_PUBLIC(&q->whose, sizeof q->whose);
    }
    q->cold = d ? d->cold : 0;
    ww_token token = {.name_hash = hash, .device = d ? d->number : 0, .count = count,
                      .platform = WW_QUESTIONS, .version = 1};
    ww_token_seal(t, &token, q->name, q->id); /* which carries nothing that was posed */
    memset(&q->record, 0, sizeof q->record);
    q->record.event = WW_EVENT_QUESTION;
    q->record.place = u ? 0 : WW_PLACE_UNKNOWN;
    q->record.user = u ? u->id : hash;
    q->record.device = token.device;
    q->record.moving = count;
    (void)ww_apply_question(t, &q->record);
}

static void nothing_stands(const ww_tables *t, ww_user *u)
{
    for (ww_device *d = ww_device_first(t, u); d; d = ww_device_next(t, u, d))
        if (d->kind == WW_KIND_QUESTION)
            issue_of(d)->open[0].stands = 0;
}

int ww_apply_question(ww_tables *t, const ww_record *r)
{
    if (!r->device)
        return 0; /* a plausible one: nothing answers it */
    ww_user *u = ww_user_of(t, r);
    ww_device *d = u ? ww_device_find(t, u, r->device) : NULL;
    if (!d || d->kind != WW_KIND_QUESTION || r->moving >= UINT32_MAX - 1)
        return -1;
    ww_mark_dirty(t, (uint32_t)r->user, WW_DIRTY_STATE);
    nothing_stands(t, u);
    ww_issue *issue = issue_of(d);
    if (issue->issued <= r->moving)
        issue->issued = (uint32_t)r->moving + 1;
    issue->open[0] = (ww_open){0, (uint32_t)r->moving + 1, 0};
    return 0;
}

/* ---- answers ---- */

/* What an answer that answers nothing is held against: nobody's. */
static const ww_wide nobody = {.line = {.kind = WW_KIND_QUESTION, .hash = WW_SHA256, .wide = 1}};

/* The question that an id names, if it is this user's and stands. count: one more than the id's of
 * one that nothing answers, else 0. */
static ww_device *question_named(const ww_tables *t, const ww_batch *b, const ww_attempt *a,
                                 uint32_t *count)
{
    ww_token token;
    uint8_t posed[WW_POSED_CHARS_MAX];
    int sealed = !ww_token_open(t, b->bytes + a->second_at, a->challenge_len, &token, posed);
    *count = 0;
    if (!sealed || token.name_hash != a->name_hash || token.platform != WW_QUESTIONS)
        return NULL;
    *count = token.device ? 0 : token.count + 1;
    if (a->slot == WW_SLOT_NONE || !token.device)
        return NULL;
    ww_device *d = ww_device_find(t, &t->users[a->slot], token.device);
    return d && d->kind == WW_KIND_QUESTION && issue_of(d)->open[0].stands == token.count + 1
               ? d : NULL;
}

void ww_lay_question(const ww_tables *t, const ww_batch *b, const ww_attempt *a, ww_scratch *s,
                     uint32_t i, uint32_t *n)
{
    uint32_t count;
    ww_device *d = question_named(t, b, a, &count);
    s->inactive[i] = d || a->slot == WW_SLOT_NONE ? 0 : WW_REASON_NO_CHALLENGE;
    ww_lay_code(s, i, n, d, d ? d : &nobody.line, a, 0);
    s->answers[*n - 1].count = count;
}

void ww_match_answered(const ww_tables *t, const ww_batch *b, uint32_t group, ww_scratch *s,
                       uint32_t tries)
{
    for (uint32_t n = 0; n < tries; n++) {
        const ww_device *d = s->source[n];
        if (d->kind != WW_KIND_QUESTION)
            continue;
        const ww_attempt *a = &b->attempts[group + s->owner[n]];
        uint32_t same = ww_kept_is(t, ww_device_mid(d), b->bytes + a->response_at,
                                   a->response_len);
        ww_mask_set(&s->tries[n].mask, 0, same);
        s->laid[n] = 1;
    }
}

/* Whether one more wrong answer to a question is as many in a row as lock. */
int ww_answers_lock(const ww_tables *t, const ww_attempt *a, const ww_user *u)
{
    const ww_answered *known = u ? NULL : ww_decoy_answered(t, a->name_hash, 0);
    uint32_t wrong = u ? u->wrong_answers : known ? known->wrong : 0;
    return wrong + 1 >= WW_WRONG_ANSWERS_MAX;
}

/* Of the main record of an answer: how it counts (refused by a lock, it was not looked at), and
 * which question that nothing answers it was. */
void ww_put_answer(const ww_event_in *in, ww_record *out)
{
    out->effects |= out->verdict == WW_ACCEPTED   ? WW_EFFECT_FORGIVE
                    : out->verdict == WW_REJECTED ? WW_EFFECT_CHARGE : 0;
    if (!out->device)
        out->moving = in->answers->count;
}

static uint32_t one_more(uint32_t wrong, const ww_record *r)
{
    if (r->effects & (WW_EFFECT_FORGIVE | WW_EFFECT_LOCK))
        return 0;
    return wrong + ((r->effects & WW_EFFECT_CHARGE) && wrong < WW_WRONG_ANSWERS_MAX);
}

/* Right or wrong, it was answered: what stood does not, and another will be picked. */
void ww_apply_answer(ww_tables *t, ww_user *u, const ww_record *r, int living)
{
    uint64_t hash = r->user;
    if (u) {
        size_t len;
        const uint8_t *name = ww_user_name(t, u, &len);
        u->wrong_answers = one_more(u->wrong_answers, r) & 3u;
        if (r->device) {
            nothing_stands(t, u);
            return;
        }
        hash = ww_name_hash(t, name, len);
    }
    if (!living)
        return; /* what was asked plausibly is not durable */
    ww_answered *known = ww_decoy_answered(t, hash, 1);
    known->count += r->moving == (uint64_t)known->count + 1;
    if (!u)
        known->wrong = one_more(known->wrong, r);
}
