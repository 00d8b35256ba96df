/* Floors: what a restored store must take for used up, since nobody knows what became of it after
 * the copy was made.
 *
 * decide's half reads tables and writes a record for each device, apply's does what one says; no
 * position, count or challenge that the lost life could have accepted is good after it. A counter
 * of HOTP tells nothing of how far it has come: such a device is believed by two codes in a row.
 */
#include "internal.h"

#include <string.h>

/* One more than any step that the lost life could have taken, by a login or by two codes in a row:
 * that reaches further than window and drift together. */
static uint64_t step_floor(const ww_device *d, int64_t ended_ms)
{
    int64_t floor = ww_step_now(d, ended_ms) + WW_RESYNC_STEPS + 2;
    return floor > 0 ? (uint64_t)floor : 0;
}

static_assert(WW_RESYNC_STEPS + 2 > WW_WINDOW_STEPS_MAX + WW_DRIFT_STEPS_MAX,
              "a resynchronisation reaches further than any login");

static uint32_t raised(uint64_t count, uint32_t gap, uint32_t most)
{
    return count < most && gap < most - count ? (uint32_t)count + gap : most;
}

static void put_floor(const ww_tables *t, const ww_user *u, const ww_device *d,
                      const ww_lost *lost, ww_record *o)
{
    const uint32_t issued_most = UINT32_MAX - 2;
    memset(o, 0, sizeof *o);
    o->event = WW_EVENT_FLOOR;
    o->user = u->id;
    o->device = d->number;
    o->moving = d->moving;
    o->place = d->state;
    uint32_t most = d->kind == WW_KIND_CARD ? ww_card_answers(d->window) : 0;
    if (ww_keeps_issue(d))
        o->lock_ms = raised(ww_issue_of(t, d)->issued, lost->issues, issued_most);
    switch (d->kind) {
    case WW_KIND_TOTP:
        if (step_floor(d, lost->ended_ms) > o->moving)
            o->moving = step_floor(d, lost->ended_ms);
        break;
    case WW_KIND_HOTP:
        o->effects = WW_FLOOR_RESYNC;
        break;
    case WW_KIND_CARD:
        o->moving = raised(d->moving, lost->answers, most);
        break;
    case WW_KIND_PASSCODE:
        o->place = ww_is_sms(d) ? d->state : WW_ENDED;
        break;
    default:
        break;
    }
}

uint32_t ww_floors(const ww_tables *t, const ww_lost *lost, uint32_t *at, ww_record *out,
                   uint32_t room)
{
    uint32_t units = 0;
    for (; *at < t->users_used && room - units >= WW_HELD_PER_USER_MAX; ++*at) {
        ww_user *u = &t->users[*at];
        if (!u->name_len)
            continue;
        for (ww_device *d = ww_device_first(t, u); d; d = ww_device_next(t, u, d))
            if (d->kind != WW_KIND_PASSWORD)
                put_floor(t, u, d, lost, &out[units++]);
    }
    return units;
}

int ww_apply_floor(ww_tables *t, const ww_record *r)
{
    ww_user *u = ww_user_of(t, r);
    ww_device *d = u ? ww_device_find(t, u, r->device) : NULL;
    if (!d || r->place > WW_ENDED)
        return -1;
    ww_mark_dirty(t, (uint32_t)r->user, WW_DIRTY_STATE);
    if (r->moving > d->moving)
        d->moving = r->moving;
    d->state = r->place & 7u;
    if (r->effects & WW_FLOOR_RESYNC)
        d->resync = 1;
    if (!ww_keeps_issue(d))
        return 0;
    ww_issue *issue = ww_issue_of(t, d);
    if (issue->issued < r->lock_ms)
        issue->issued = r->lock_ms;
    for (uint32_t place = 0; place < WW_PLATFORMS; place++) {
        issue->open[place].stands = 0;
        if (ww_question_keep(t, d, place))
            return -1;
    }
    return 0;
}
