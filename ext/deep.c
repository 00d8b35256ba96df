/* Streaks of more failures than a user's own line holds: what becomes of those that are there when
 * a policy asks for more than 12.
 *
 * Times that were not kept are not known. They count as far apart, so that nobody is locked for
 * failures whose times nobody knows.
 */
#include "internal.h"

void ww_streak_deepen(const ww_streak *s, uint32_t *deep, uint32_t kept)
{
    for (uint32_t gap = kept < WW_RING_INLINE ? WW_RING_INLINE : kept; gap + 1u < s->count; gap++)
        deep[gap - WW_RING_INLINE] = UINT32_MAX;
}

void ww_streaks_deepen(ww_tables *t, const int64_t *state_turns, uint32_t pages, int64_t turn)
{
    for (uint32_t slot = 0; slot < t->users_used; slot++) {
        uint32_t page = slot / WW_PAGE_USERS;
        if (!state_turns || page >= pages || state_turns[page] < turn)
            ww_streak_deepen(&t->users[slot].streak, t->deep[slot], WW_RING_INLINE);
    }
    for (uint32_t set = 0; set < WW_DECOYS / WW_DECOY_WAYS; set++)
        for (uint32_t way = 0; way < WW_DECOY_WAYS; way++)
            ww_streak_deepen(&t->decoy_streaks[set * WW_DECOY_WAYS + way],
                             t->decoys[set].gap_deep[way], WW_RING_INLINE);
}
