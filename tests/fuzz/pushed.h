/* Phones and their pushes, for the turn target: who is asked, what a phone says, and which ids were
 * accepted.
 *
 * The table is one for all inputs; what an input opened is taken out of it again.
 */
#ifndef WATCHWORD_PUSHED_H
#define WATCHWORD_PUSHED_H

#include "world.h"

enum { PUSHED_MAX = 64 };

static ww_pushes *pushed;
static uint32_t pushed_ids;              /* given out to this input */
static uint8_t pushed_accepted[PUSHED_MAX + 1];

/* An ib-key whose phone approves. */
static inline ww_spec phone_spec(uint8_t number)
{
    static const char suite[] = "OCRA-1:HOTP-SHA256-8:QN06-PSHA256";
    ww_spec spec = world_spec(WW_KIND_OCRA, WW_SHA256, 0, number);
    spec.back = spec.forward = spec.look_ahead = spec.drift_max = 0;
    spec.label = WW_IB_KEY;
    spec.suite_len = sizeof suite - 1;
    memcpy(spec.suite, suite, sizeof suite - 1);
    spec.pin_len = 32 + WW_PHONE_BYTES;
    memset(spec.pin, 0x66, spec.pin_len);
    return spec;
}

static inline void pushed_begin(ww_tables *t)
{
    if (!pushed)
        pushed = calloc(1, sizeof *pushed);
    HOLDS(pushed);
    for (uint32_t i = 0; i < pushed->used; i++) {
        pushed->by_id[ww_load_le16(pushed->at[i].id) % WW_PUSH_BUCKETS] = 0;
        pushed->by_name[pushed->at[i].name_hash % WW_PUSH_BUCKETS] = 0;
        memset(&pushed->at[i], 0, sizeof pushed->at[i]);
    }
    pushed->used = pushed->oldest = pushed->newest = pushed_ids = 0;
    pushed->cap = 5; /* soon full */
    memset(pushed_accepted, 0, sizeof pushed_accepted);
    t->pushes = pushed;
}

/* The id of the n-th push of this input; of none, one that nobody has. */
static inline void pushed_id(uint32_t n, uint8_t id[WW_PUSH_ID_BYTES])
{
    memset(id, 0x5a, WW_PUSH_ID_BYTES);
    id[0] = (uint8_t)(n % 3); /* some share a bucket */
    id[1] = 0;
    id[15] = (uint8_t)n;
}

static inline void pushed_text(uint32_t n, uint8_t *text)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t id[WW_PUSH_ID_BYTES];
    pushed_id(n, id);
    for (size_t k = 0; k < WW_PUSH_ID_CHARS; k++)
        text[k] = (uint8_t)hex[id[k / 2] >> (k % 2 ? 0 : 4) & 15];
}

static inline void pushed_ask(ww_tables *t, const ww_policy *p, const uint8_t *name, uint8_t how,
                              int64_t now_ms)
{
    if (pushed_ids >= PUSHED_MAX)
        return;
    ww_push_ask a = {.name = name, .name_len = 3, .platform = how & 1, .number = 42};
    pushed_id(pushed_ids + 1, a.id);
    ww_push_asked said = ww_push_open(t, p, &a, now_ms);
    HOLDS(said <= WW_PUSH_FULL);
    HOLDS(!a.device == !a.cold);
    if (said != WW_PUSH_OPENED)
        return;
    pushed_ids++;
    const ww_push *push = ww_push_find(t, a.id);
    HOLDS(push && push->state == WW_PUSH_PENDING && a.expires_ms >= now_ms + p->push_ms);
    uint32_t places[8], pending = 0;
    uint32_t n = ww_push_list(t, push->name_hash, now_ms, places, 8);
    for (uint32_t i = 0; i < n; i++)
        pending += pushed->at[places[i]].state == WW_PUSH_PENDING;
    HOLDS(pending == 1); /* each name has one that is open, and no more */
}

/* A phone's word, as the door would have checked it. */
static inline void pushed_decide(ww_tables *t, uint32_t n, uint8_t how, int64_t now_ms)
{
    uint8_t id[WW_PUSH_ID_BYTES];
    pushed_id(n, id);
    ww_push *push = ww_push_find(t, id);
    if (push && ww_push_phone(t, push) && ww_push_stands(t, push, now_ms) == WW_PUSH_PENDING)
        push->state = (uint8_t)(WW_PUSH_APPROVED + how % 3);
}

/* One was accepted: it is there, approved, in time, this user's, and never was before. */
static inline void pushed_spend(const ww_batch *b, const ww_attempt *a, int64_t now_ms)
{
    HOLDS(a->label == WW_IB_KEY && !a->response_len);
    for (uint32_t i = 0; i < pushed->used; i++) {
        const ww_push *push = &pushed->at[i];
        uint8_t text[WW_PUSH_ID_CHARS];
        pushed_text(push->id[15], text);
        if (memcmp(text, b->bytes + a->second_at, sizeof text) != 0)
            continue;
        HOLDS(push->state == WW_PUSH_APPROVED && push->claimed && now_ms < push->until_ms);
        HOLDS(push->device == a->device && push->platform == a->platform);
        HOLDS(!pushed_accepted[push->id[15]]);
        pushed_accepted[push->id[15]] = 1;
        return;
    }
    HOLDS(0);
}

#endif
