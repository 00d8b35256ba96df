/* Request ids for the target of whole turns: some attempts bring one of four, so that ids come again
 * with the same words and with others. Each is decided once, and recovery remembers the same.
 */
#ifndef WATCHWORD_GIVEN_H
#define WATCHWORD_GIVEN_H

#include "fuzz.h"
#include "internal.h"

static ww_ids *given_ids[2]; /* of the machine that lives, and of the one that recovers */

/* Large tables: of an index no more is emptied than what the last input touched. */
static inline void given_begin(const ww_tables *t)
{
    for (int i = 0; i < 2; i++) {
        if (!given_ids[i])
            given_ids[i] = calloc(1, sizeof *given_ids[i]);
        HOLDS(given_ids[i]);
        ww_ids *ids = given_ids[i];
        for (uint32_t n = 0; n < ids->first + ids->count; n++)
            for (uint32_t at = (uint32_t)ids->told[n].id.id; ids->index[at % WW_IDS_INDEX]; at++)
                ids->index[at % WW_IDS_INDEX] = 0;
        ids->first = ids->count = 0;
        ww_ids_init(t, ids, (const uint8_t *)"gate", 4);
    }
}

static inline void given_add(ww_batch *b, uint32_t at, uint8_t which)
{
    ww_given *g = &b->given[b->given_count++];
    uint8_t id[8] = {'a', which & 3};
    memset(g, 0, sizeof *g);
    g->ids = given_ids[0];
    g->at = at;
    g->many = 1;
    ww_given_id(g, id, sizeof id, 0);
    ww_given_said(g, b, 0);
}

/* Ids of the turn that was taken, after its records were applied to the other machine. */
static inline void given_holds(const ww_batch *b)
{
    for (uint32_t i = 0; i < b->given_count; i++) {
        const ww_given *g = &b->given[i];
        const ww_attempt *a = &b->attempts[g->at];
        HOLDS(g->outcome <= WW_ID_FULL && g->outcome != WW_ID_FULL);
        HOLDS(g->outcome == WW_ID_NEW || !a->units);
        HOLDS(g->outcome != WW_ID_MISUSED || a->verdict == WW_BUSY);
        HOLDS(g->outcome != WW_ID_AGAIN || a->verdict != WW_BUSY);
    }
    const ww_ids *lives = given_ids[0], *again = given_ids[1];
    HOLDS(lives->count == again->count && lives->first == again->first);
    for (uint32_t n = lives->first; n < lives->first + lives->count; n++)
        HOLDS(!memcmp(&lives->told[n], &again->told[n], sizeof lives->told[n]));
}

#endif
