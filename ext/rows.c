/* A journal row as records: what it will need, and applying what is newer than its user's page.
 *
 * A row was sealed when it was written, so its bytes are ours; lengths are held against each other
 * all the same, for a row may be of another version.
 */
#include "internal.h"

#include <string.h>

#define ROW_TIME_MS_MAX (INT64_C(1) << 53) /* 285,000 years */

/* Which events there are, and which of them are told and kept by the door, not by the tables. */
static int is_known(uint32_t event)
{
    return (event >= WW_EVENT_ATTEMPT && event <= WW_EVENT_ANSWER) ||
           (event >= WW_EVENT_POLICY && event <= WW_EVENT_DATES) ||
           ww_is_entry(event) ||
           event == WW_EVENT_RESTORE || event == WW_EVENT_FLOOR;
}

static int is_told(uint32_t event)
{
    return event == WW_EVENT_TOMBSTONE || event == WW_EVENT_NOTE ||
           (event >= WW_EVENT_POLICY && event <= WW_EVENT_EXPORT) || event == WW_EVENT_RESTORE;
}

static const ww_record *row_records(const uint8_t *row, size_t len, ww_row *h)
{
    if (len < sizeof *h)
        return NULL;
    memcpy(h, row, sizeof *h);
    /* A time so late that a lock would pass the end of time is no time of ours. */
    if (h->magic != WW_ROW_MAGIC || h->version != WW_ROW_VERSION ||
        h->time_ms < -ROW_TIME_MS_MAX || h->time_ms > ROW_TIME_MS_MAX ||
        h->names_bytes % WW_RECORD_BYTES || h->names_bytes > len ||
        len != sizeof *h + h->names_bytes + (size_t)h->units * WW_RECORD_BYTES)
        return NULL;
    return (const ww_record *)(const void *)(row + sizeof *h + h->names_bytes);
}

int ww_row_needed(const ww_tables *t, const uint8_t *row, size_t len, ww_row_needs *needs)
{
    ww_row h;
    const ww_record *r = row_records(row, len, &h);
    if (!r)
        return -1;
    *needs = (ww_row_needs){.users = t->users_used, .turn = h.turn, .time_ms = h.time_ms};
    for (uint32_t n = 0; n < h.units; n += 1u + r[n].tail) {
        if (!is_known(r[n].event) || n + 1u + r[n].tail > h.units)
            return -1;
        needs->events |= UINT64_C(1) << r[n].event;
        if (r[n].event == WW_EVENT_USER_ADD && (uint32_t)r[n].user >= needs->users)
            needs->users = (uint32_t)r[n].user + 1;
        needs->wides += r[n].event == WW_EVENT_DEVICE_ADD || r[n].event == WW_EVENT_DATES ||
                        r[n].event == WW_EVENT_SHARE;
        needs->ids += (uint32_t)ww_has_id(&r[n]);
        if (ww_is_entry(r[n].event))
            needs->cold_bytes += WW_COLD_BYTES(sizeof(ww_extra), UINT8_MAX);
        needs->cold_bytes += r[n].event == WW_EVENT_DEVICE_ADD || r[n].event == WW_EVENT_USER_ADD
                                 ? (1u + r[n].tail) * (uint32_t)WW_RECORD_BYTES : 0;
    }
    return 0;
}

int ww_row_replay(ww_tables *t, const uint8_t *row, size_t len, const int64_t *identity_turns,
                  const int64_t *state_turns, uint32_t pages)
{
    ww_row h;
    const ww_record *r = row_records(row, len, &h);
    if (!r)
        return -1;
    for (uint32_t n = 0; n < h.units; n += 1u + r[n].tail) {
        if (n + 1u + r[n].tail > h.units)
            return -1;
        int attempt = r[n].event <= WW_EVENT_RESYNC || r[n].event == WW_EVENT_CHALLENGE ||
                      r[n].event == WW_EVENT_QUESTION || r[n].event == WW_EVENT_ANSWER ||
                      r[n].event == WW_EVENT_DUE || r[n].event == WW_EVENT_ACTIVATE ||
                      r[n].event == WW_EVENT_FLOOR;
        if (r[n].place & WW_PLACE_UNKNOWN || is_told(r[n].event))
            continue;
        uint32_t page = (uint32_t)r[n].user / WW_PAGE_USERS;
        const int64_t *covered = attempt ? state_turns : identity_turns;
        if (page < pages && covered[page] >= h.turn)
            continue;
        if (ww_apply(t, &r[n], h.time_ms, NULL, NULL))
            return -1;
    }
    return 0;
}
