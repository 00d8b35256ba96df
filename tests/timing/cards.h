/* Code cards asked and answered with every secret marked: their keys, what is typed, and the engine's
 * own keys of questions and of ids. For secrets.c.
 *
 * Public are the two indices, for they are shown, and how many pairs were answered. Each row below
 * must also get its verdict, by the pair that stands or by its id, one by one and as one batch, in
 * its user's own line and out of it.
 */
#ifndef CARDS_H
#define CARDS_H

#include "world.h"

enum { CARD_KEY = 20, CARD_USERS = 40 };

static const struct { uint8_t named, off, verdict, reason; } card_rows[] = {
    {0, 1, WW_REJECTED, WW_REASON_WRONG},
    {1, 2, WW_REJECTED, WW_REASON_WRONG},
    {0, 0, WW_ACCEPTED, WW_REASON_NONE},
    {1, 0, WW_REJECTED, WW_REASON_NO_CHALLENGE},
};
enum { CARD_ROWS = sizeof card_rows / sizeof card_rows[0] };

static uint8_t card_key[CARD_KEY], card_text[WW_CARD_CELLS][WW_CELL_CHARS];

/* "12 201": the indices that are shown. */
static void card_indices(const ww_ask *ask, uint32_t pair[2])
{
    uint32_t which = 0;
    pair[0] = pair[1] = 0;
    for (uint32_t i = 0; i < ask->prompt_len; i++) {
        if (ask->prompt[i] == ' ')
            which = 1;
        else
            pair[which] = pair[which] * 10 + ask->prompt[i] - '0';
    }
}

static int cards_judged_wrongly(world *w, size_t row)
{
    for (uint32_t i = 0; i < w->b.count; i++) {
        const ww_attempt *a = &w->b.attempts[i];
        if (a->verdict == card_rows[row].verdict && a->reason == card_rows[row].reason)
            continue;
        printf("card row %zu: verdict %d, reason %d\n", row, a->verdict, a->reason);
        return 1;
    }
    return 0;
}

/* So many users with a card each, all asked, then all rows in turn. */
static int cards_of(world *w, uint32_t users, int64_t now_ms)
{
    static ww_ask asks[CARD_USERS];
    int wrong = 0;
    world_open(w, 64);
    WW_SECRET(w->t.ask_key, sizeof w->t.ask_key);
    WW_SECRET(w->t.token_key, sizeof w->t.token_key);
    static char names[CARD_USERS][8];
    for (uint32_t i = 0; i < users; i++) {
        snprintf(names[i], sizeof names[i], "card%u", i);
        ww_spec spec = {.kind = WW_KIND_CARD, .digits = 6, .label = WW_CODE_CARD,
                        .look_ahead = i % 2};
        uint32_t slot = world_user(w, names[i], WW_OPEN);
        world_device(w, slot, spec, card_key, CARD_KEY);
        if (i % 3 == 2) /* and where a further device stands */
            (void)ww_device_widen(&w->t, &w->t.users[slot]);
        asks[i] = (ww_ask){.name = (const uint8_t *)names[i], .name_len = strlen(names[i])};
        ww_challenge(&w->t, &w->p, &asks[i], now_ms);
    }
    for (size_t row = 0; row < CARD_ROWS; row++) {
        world_clear(w);
        for (uint32_t i = 0; i < users; i++) {
            uint32_t pair[2];
            uint8_t typed[2][WW_CELL_CHARS];
            card_indices(&asks[i], pair);
            memcpy(typed[0], card_text[pair[0] - 1], WW_CELL_CHARS);
            memcpy(typed[1], card_text[pair[1] - 1], WW_CELL_CHARS);
            typed[1][2] ^= card_rows[row].off; /* another letter, or none at all */
            ww_attempt *a = world_attempt(w, names[i], typed, sizeof typed);
            a->challenge_len = card_rows[row].named ? WW_TOKEN_CHARS : 0;
            a->second_at = world_keep(w, asks[i].id, a->challenge_len);
            a->second_len = a->challenge_len;
        }
        ww_turn(&w->t, &w->p, &w->b, now_ms);
#ifdef WATCHWORD_CHECK_SECRETS
        (void)VALGRIND_CHECK_MEM_IS_DEFINED(w->b.attempts, w->b.count * sizeof *w->b.attempts);
        (void)VALGRIND_CHECK_MEM_IS_DEFINED(w->b.records, w->b.units * sizeof *w->b.records);
        for (uint32_t i = 0; i < w->t.wides_used; i++)
            expect_public(&w->t.wides[i]);
        for (uint32_t i = 0; i < w->t.users_used; i++)
            (void)VALGRIND_CHECK_MEM_IS_DEFINED(&w->t.users[i].card, sizeof(ww_own_card));
        WW_PUBLIC(w->b.attempts, w->b.count * sizeof *w->b.attempts);
#endif
        wrong |= cards_judged_wrongly(w, row);
    }
    return wrong;
}

static int cards_are_right(int64_t now_ms)
{
    static world one, many;
    for (size_t i = 0; i < CARD_KEY; i++)
        card_key[i] = (uint8_t)(13 * i + 1);
    WW_SECRET(card_key, CARD_KEY);
    ww_card_cells(card_key, CARD_KEY, card_text);
    return cards_of(&one, 1, now_ms) | cards_of(&many, CARD_USERS, now_ms);
}

#endif
