/* Attempts that bring a request id are decided once: whoever sends one again, because the answer
 * was lost, is told what was told before, and nothing is used up or counted twice.
 *
 * A table a gateway: what was told, in a ring by time, and an index by open addressing, half empty
 * at most. It is a function of the journal's rows and of nothing else, so that recovery makes it
 * again: what was recorded enters it, and leaves it when a later record needs the room. Time is the
 * greatest of any row, or now if that is later: when the clock goes back nothing that had run out
 * comes alive again, and what is remembered stays so until the clock is past it.
 * A new id costs two cold lines, of the index and of the ring, and two more where an old one makes
 * room; one that comes again costs two. An attempt without an id looks at none of this.
 */
#include "internal.h"

#include <string.h>

enum { PLACE_BITS = 21, PLACES = (1 << PLACE_BITS) - 1, POPS = 4 };

/* The longest that an attempt can say, and a length before every text. */
enum { SAID_BYTES_MAX = WW_NAME_BYTES_MAX + WW_RESPONSE_BYTES_MAX + WW_SERIAL_BYTES_MAX +
                        WW_TOKEN_CHARS_MAX + WW_SESSION_BYTES_MAX + 64 };

/* ---- digests ---- */

void ww_sip128(const uint64_t key[2], const uint8_t *text, size_t len, uint64_t out[2])
{
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du ^ 0xee,
                     key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
    for (size_t i = 0; i <= len; i += 8) {
        size_t left = len - i < 8 ? len - i : 8;
        uint64_t word = left < 8 ? (uint64_t)len << 56 : 0;
        for (size_t k = 0; k < left; k++)
            word |= (uint64_t)text[i + k] << 8 * k;
        v[3] ^= word;
        ww_sip_round(v);
        ww_sip_round(v);
        v[0] ^= word;
    }
    v[2] ^= 0xee;
    for (int half = 0; half < 2; half++) {
        for (int i = 0; i < 4; i++)
            ww_sip_round(v);
        out[half] = v[0] ^ v[1] ^ v[2] ^ v[3];
        v[1] ^= 0xdd;
    }
}

void ww_ids_init(const ww_tables *t, ww_ids *ids, const uint8_t *gateway, size_t len)
{
    ww_sip128(t->id_key, gateway, len, ids->key);
}

void ww_given_id(ww_given *g, const uint8_t *text, size_t len, uint32_t number)
{
    uint8_t id[WW_ID_BYTES_MAX + 5] = {'i'};
    uint64_t digest[2];
    memcpy(id + 1, &number, 4);
    memcpy(id + 5, text, len);
    ww_sip128(g->ids->key, id, len + 5, digest);
    g->id.id = digest[0];
    g->id.id_more = (uint32_t)digest[1];
}

static size_t say(uint8_t *said, size_t at, const uint8_t *text, size_t len)
{
    said[at] = (uint8_t)len;
    said[at + 1] = (uint8_t)(len >> 8);
    memcpy(said + at + 2, text, len);
    return at + 2 + len;
}

static void said_is(ww_given *g, const uint8_t *text, size_t len)
{
    uint64_t digest[2];
    ww_sip128(g->ids->key, text, len, digest);
    WW_PUBLIC(digest, sizeof digest); /* whether it is another is what the answer says */
    g->id.said = digest[0];
    g->id.said_more = (uint32_t)digest[1];
}

void ww_given_said(ww_given *g, const ww_batch *b, uint64_t password)
{
    const ww_attempt *a = &b->attempts[g->at];
    uint8_t said[SAID_BYTES_MAX];
    uint8_t plain[] = {'s', a->event, a->platform, a->realm, a->has_address, a->has_serial,
                       a->bad_name, a->pin_len, a->first & WW_FIRST_VOUCHED};
    size_t n = sizeof plain;
    memcpy(said, plain, n);
    memcpy(said + n, a->address, sizeof a->address);
    n += sizeof a->address;
    memcpy(said + n, &password, sizeof password);
    n += sizeof password;
    n = say(said, n, b->bytes + a->name_at, a->name_len);
    n = say(said, n, b->bytes + a->response_at, a->response_len);
    n = say(said, n, b->bytes + a->serial_at, a->serial_len);
    n = say(said, n, b->bytes + a->second_at, a->challenge_len);
    n = say(said, n, b->bytes + a->second_at + a->challenge_len, a->second_len - a->challenge_len);
    said_is(g, said, n);
    ww_wipe(said, n);
}

void ww_given_together(ww_given *first, uint32_t many)
{
    uint8_t said[1 + 2 * 12] = {'m'};
    for (uint32_t i = 0; i < many; i++) {
        memcpy(said + 13, &first[i].id.said, 8);
        memcpy(said + 21, &first[i].id.said_more, 4);
        said_is(first, said, sizeof said);
        memcpy(said + 1, &first->id.said, 8);
        memcpy(said + 9, &first->id.said_more, 4);
    }
    for (uint32_t i = 0; i < many; i++) {
        first[i].id.said = first->id.said;
        first[i].id.said_more = first->id.said_more;
        first[i].many = i ? 0 : many;
    }
}

/* ---- the table ---- */

static uint32_t home(const ww_id *id) { return (uint32_t)id->id & (WW_IDS_INDEX - 1); }
static uint32_t tag(const ww_id *id) { return (uint32_t)(id->id >> 32) & ~(uint32_t)PLACES; }
static uint32_t place_of(uint32_t number) { return number & (WW_IDS_MAX - 1); }

static int is_live(const ww_id_told *told, int64_t at_ms)
{
    return at_ms - told->asked_ms < WW_ID_MS;
}

static const ww_id_told *find(const ww_ids *ids, const ww_id *id, int64_t at_ms)
{
    for (uint32_t i = home(id); ids->index[i]; i = (i + 1) & (WW_IDS_INDEX - 1)) {
        if ((ids->index[i] ^ tag(id)) & ~(uint32_t)PLACES)
            continue;
        const ww_id_told *told = &ids->told[(ids->index[i] & PLACES) - 1];
        if (told->id.id == id->id && told->id.id_more == id->id_more && is_live(told, at_ms))
            return told;
    }
    return NULL;
}

/* The oldest goes. What stood behind its index entry moves up, so that no gap cuts a search off. */
static void pop(ww_ids *ids)
{
    uint32_t place = place_of(ids->first), gap = home(&ids->told[place].id);
    while ((ids->index[gap] & PLACES) != place + 1)
        gap = (gap + 1) & (WW_IDS_INDEX - 1);
    for (uint32_t i = (gap + 1) & (WW_IDS_INDEX - 1); ids->index[i];
         i = (i + 1) & (WW_IDS_INDEX - 1)) {
        uint32_t from = home(&ids->told[(ids->index[i] & PLACES) - 1].id);
        if (((i - from) & (WW_IDS_INDEX - 1)) < ((i - gap) & (WW_IDS_INDEX - 1)))
            continue;
        ids->index[gap] = ids->index[i];
        gap = i;
    }
    ids->index[gap] = 0;
    ids->first++;
    ids->count--;
}

/* Room for the next, which is the youngest. A few that have run out go, so that after a pause none
 * pays for all. */
static ww_id_told *push(ww_ids *ids, const ww_id *id, int64_t at_ms)
{
    for (int i = 0; i < POPS && ids->count; i++) {
        if (ids->count < WW_IDS_MAX && is_live(&ids->told[place_of(ids->first)], at_ms))
            break;
        pop(ids);
    }
    uint32_t place = place_of(ids->first + ids->count++), i = home(id);
    while (ids->index[i])
        i = (i + 1) & (WW_IDS_INDEX - 1);
    ids->index[i] = tag(id) | (place + 1);
    ids->told[place].id = *id;
    ids->told[place].asked_ms = at_ms;
    return &ids->told[place];
}

/* Whether so many more have room: those that have run out are the oldest. */
static int has_room(const ww_ids *ids, uint32_t more, int64_t at_ms)
{
    uint32_t all = ids->count + more;
    if (all <= WW_IDS_MAX)
        return 1;
    return !is_live(&ids->told[place_of(ids->first + all - WW_IDS_MAX - 1)], at_ms);
}

/* ---- a turn ---- */

static int64_t moment(const ww_tables *t, int64_t now_ms)
{
    return now_ms > t->latest_ms ? now_ms : t->latest_ms;
}

/* A command is taken whole or not at all: all its ids are looked up before anything is decided. */
static uint8_t admitted(const ww_given *first, int64_t at_ms)
{
    uint32_t fresh = 0;
    for (uint32_t i = 0; i < first->many; i++) {
        const ww_id_told *told = find(first->ids, &first[i].id, at_ms);
        if (told && (told->id.said != first->id.said || told->id.said_more != first->id.said_more))
            return WW_ID_MISUSED;
        fresh += !told;
    }
    return has_room(first->ids, fresh, at_ms) ? WW_ID_NEW : WW_ID_FULL;
}

int ww_given_again(const ww_tables *t, ww_batch *b, ww_given *g, int64_t now_ms)
{
    ww_attempt *a = &b->attempts[g->at];
    int64_t at_ms = moment(t, now_ms);
    if (a->shed)
        return 0;
    uint8_t outcome = g->many ? admitted(g, at_ms) : WW_ID_NEW;
    for (uint32_t i = 0; outcome && i < g->many; i++)
        g[i].outcome = outcome;
    if (g->outcome) {
        a->verdict = WW_BUSY;
        a->reason = WW_REASON_LOAD;
        return 1;
    }
    const ww_id_told *told = find(g->ids, &g->id, at_ms);
    if (!told)
        return 0;
    g->outcome = WW_ID_AGAIN;
    a->verdict = told->verdict;
    a->reason = told->reason;
    a->kind = told->kind;
    a->label = told->label;
    a->rank = told->rank;
    a->card_only = told->card_only;
    a->asks = told->card_only; /* of one verdict or the other */
    a->biometric = told->biometric;
    a->device = told->device;
    a->device_cold = told->device_cold;
    a->offset = told->offset;
    a->retry_after_ms = told->retry_after_ms;
    return 1;
}

static int fails(uint32_t verdict) { return verdict == WW_REJECTED || verdict == WW_LOCKED; }

/* The tail goes behind the address, before the records that follow the attempt's own. */
static void put_tail(ww_batch *b, ww_attempt *a, const ww_id *id)
{
    uint32_t units = (uint32_t)a->units - a->came_due;
    ww_record *r = b->records + (b->units - units);
    int64_t left = a->retry_after_ms > (int64_t)UINT32_MAX ? (int64_t)UINT32_MAX
                                                           : a->retry_after_ms;
    ww_id_tail tail = {
        .id = *id, .carried = fails(a->verdict) ? (uint32_t)left : a->device,
        .offset = (int16_t)a->offset, .what = (uint8_t)(a->kind | a->label << 4),
        .flags = (uint8_t)(a->rank | (a->card_only | a->asks) << 6 | a->biometric << 7),
    };
    uint32_t own = 1u + r->tail;
    memmove(r + own + 1, r + own, (units - own) * sizeof *r);
    memcpy(r + own, &tail, sizeof tail);
    r->place |= WW_PLACE_ID;
    r->tail++;
    a->units++;
    b->units++;
}

void ww_given_keep(const ww_tables *t, ww_batch *b, const ww_given *g, int64_t now_ms)
{
    ww_attempt *a = &b->attempts[g->at];
    if (a->units == a->came_due)
        return; /* BUSY, or a poll: nothing happened, and nothing is remembered */
    put_tail(b, a, &g->id);
    ww_id_told *told = push(g->ids, &g->id, moment(t, now_ms));
    told->verdict = a->verdict;
    told->reason = a->reason;
    told->kind = a->kind;
    told->label = a->label;
    told->rank = a->rank;
    told->card_only = a->card_only | a->asks;
    told->biometric = a->biometric;
    told->device = a->device;
    told->device_cold = a->device_cold;
    told->offset = a->offset;
    told->retry_after_ms = a->retry_after_ms;
}

/* ---- recovery ---- */

void ww_ids_replay(const ww_tables *t, ww_ids *ids, const ww_record *r, int64_t at_ms)
{
    ww_id_tail tail;
    memcpy(&tail, r + r->tail, sizeof tail);
    ww_user *u = r->place & WW_PLACE_UNKNOWN ? NULL : ww_user_of(t, r);
    ww_id_told *told = push(ids, &tail.id, at_ms);
    uint32_t device = fails(r->verdict) ? 0 : tail.carried;
    const ww_device *d = u && device ? ww_device_find(t, u, device) : NULL;
    told->verdict = r->verdict;
    told->reason = r->reason;
    told->kind = tail.what & 15;
    told->label = tail.what >> 4;
    told->rank = tail.flags & 63;
    told->card_only = tail.flags >> 6 & 1;
    told->biometric = tail.flags >> 7;
    told->device = device;
    told->device_cold = d ? d->cold : 0;
    told->offset = tail.offset;
    told->retry_after_ms = fails(r->verdict) ? tail.carried : 0;
}
