/* Code cards: the cells printed on one, the pair of them that is asked for, and answers held
 * against it.
 *
 * A cell is three characters out of an HMAC of its index, so a card is its key and nothing else. A
 * pair is a keyed permutation of the count of answered ones, so it stands until it is answered.
 * Rule: indices are shown and public; keys, cells and what matches steer nothing.
 */
#include "match.h"

#include <string.h>

enum { CELL_BITS = 15, ANSWER_CHARS = 6, TRIES_CHUNK = WW_LANES_CHUNK / 2 };

#define ONES UINT64_C(0x0101010101010101) /* a byte each */

/* "card", before an index of four bytes: no counter that a token would ever reach. */
#define CELL_MESSAGE ((uint64_t)0x63617264 << 32)

static_assert(1 << CELL_BITS == WW_CARD_LETTERS * WW_CARD_LETTERS * WW_CARD_LETTERS,
              "a cell is three letters of the alphabet");
static_assert(WW_CARD_CELLS % 2 == 0 && WW_CARD_CELLS <= UINT8_MAX, "an index is a byte");

/* ---- pairs ---- */

uint64_t ww_card_who(const uint8_t *key, size_t len)
{
    static const uint8_t message[8] = {'c', 'a', 'r', 'd'}; /* index 0, which no cell has */
    uint8_t mac[20];
    uint64_t who;
    ww_hmac(WW_SHA1, key, len, message, sizeof message, mac);
    memcpy(&who, mac, sizeof who);
    ww_wipe(mac, sizeof mac);
    return who;
}

uint32_t ww_card_answers(int once)
{
    return once ? WW_CARD_CELLS / 2 : 2 * WW_CARD_PAIRS;
}

/* Each two cells meet once: row i holds those above i, and two rows together fill one line. */
static void two_of(uint64_t x, uint32_t pair[2])
{
    uint32_t row = (uint32_t)(x / (WW_CARD_CELLS - 1)), at = (uint32_t)(x % (WW_CARD_CELLS - 1));
    uint32_t above = WW_CARD_CELLS - 1 - row;
    if (at >= above) {
        at -= above;
        row = above;
    }
    pair[0] = row + 1;
    pair[1] = row + at + 2;
}

void ww_card_pair(const uint64_t key[2], uint64_t who, int once, uint32_t n, uint32_t pair[2])
{
    if (once) {
        for (uint32_t i = 0; i < 2; i++)
            pair[i] = 1 + (uint32_t)ww_permute(key, who, 0, WW_CARD_CELLS, 2 * n + i);
        return;
    }
    uint64_t x = ww_permute(key, who, n / WW_CARD_PAIRS, WW_CARD_PAIRS, n % WW_CARD_PAIRS);
    uint64_t words[3] = {who, x, (uint64_t)1 << 62};
    uint32_t turned = (uint32_t)(ww_sip24(key, words, 3) & 1), swap[2];
    WW_PUBLIC(&turned, sizeof turned); /* it is shown */
    two_of(x, swap);
    turned ^= n / WW_CARD_PAIRS & 1u; /* the second time round it stands the other way */
    pair[0] = swap[turned];
    pair[1] = swap[turned ^ 1u];
}

static uint64_t who_of(const ww_tables *t, const ww_device *d)
{
    size_t len;
    const uint8_t *key = ww_device_key(t, d, &len);
    return ww_card_who(key, len);
}

int ww_card_keep(ww_tables *t, ww_device *d, uint32_t platform)
{
    ww_issue *issue = ww_issue_of(t, d);
    ww_own_card *own = d->wide ? NULL : &ww_user_around(d)->card;
    const ww_open *open = &issue->open[platform];
    uint8_t *to = own ? own->pair : issue->question[platform];
    uint32_t pair[2];
    if (own)
        ww_open_end(t, d, platform);
    else
        memset(to, 0, WW_QUESTION_INLINE_BYTES);
    if (!open->stands)
        return 0;
    if (open->stands - 1 != d->moving || ww_card_spent(d))
        return -1;
    ww_card_pair(t->ask_key, who_of(t, d), d->window, open->stands - 1, pair);
    to[0] = (uint8_t)pair[0];
    to[1] = (uint8_t)pair[1];
    if (own)
        own->stands |= (uint8_t)((1u | (open->purpose ? 0 : WW_CARD_FREE)) << platform);
    return 0;
}

int ww_card_spent(const ww_device *d)
{
    return d->moving >= ww_card_answers(d->window);
}

uint32_t ww_card_left(const ww_tables *t, const ww_policy *p, const ww_device *d)
{
    uint8_t seen[WW_CARD_CELLS + 1] = {0};
    uint32_t pair[2], n = 0, shown = 0, most = ww_card_answers(d->window);
    uint64_t who = who_of(t, d);
    for (; n < most && shown * 100 < p->card_shown_percent * (uint32_t)WW_CARD_CELLS; n++) {
        ww_card_pair(t->ask_key, who, d->window, n, pair);
        for (uint32_t i = 0; i < 2; i++) {
            shown += !seen[pair[i]];
            seen[pair[i]] = 1;
        }
    }
    return d->moving < n ? n - (uint32_t)d->moving : 0;
}

static size_t put_index(uint32_t index, uint8_t *text)
{
    size_t len = 0;
    if (index >= 100)
        text[len++] = (uint8_t)('0' + index / 100);
    if (index >= 10)
        text[len++] = (uint8_t)('0' + index / 10 % 10);
    text[len++] = (uint8_t)('0' + index % 10);
    return len;
}

static size_t prompt(const uint32_t pair[2], uint8_t *text)
{
    size_t len = put_index(pair[0], text);
    text[len++] = ' ';
    return len + put_index(pair[1], text + len);
}

ww_open ww_card_ask(const ww_tables *t, const ww_device *d, ww_ask *a, uint64_t hash)
{
    uint64_t who = d ? who_of(t, d) : ww_card_who(t->token_key, sizeof t->token_key) ^ hash;
    uint32_t n = d ? (uint32_t)d->moving : 0, pair[2];
    ww_card_pair(t->ask_key, who, d ? d->window : 0, n, pair);
    a->prompt_len = (uint8_t)prompt(pair, a->prompt);
    a->kind = WW_KIND_CARD;
    return (ww_open){.purpose = a->purpose, .stands = n + 1};
}

/* ---- cells ---- */

/* The alphabet is 2 to 9 and A to Z without I and O; by arithmetic alone. */
static uint32_t letter(uint32_t number)
{
    uint32_t from_a = (7 - number) >> 31, from_j = (15 - number) >> 31;
    uint32_t from_p = (20 - number) >> 31;
    return '2' + number + from_a * ('A' - '2' - 8) + from_j + from_p;
}

void ww_card_cells(const uint8_t *key, size_t len, uint8_t text[WW_CARD_CELLS][WW_CELL_CHARS])
{
    uint32_t mid[10], out[WW_CARD_CELLS];
    const void *mids[WW_CARD_CELLS];
    uint64_t messages[WW_CARD_CELLS];
    ww_hmac_mid(WW_SHA1, key, len, mid);
    for (uint32_t i = 0; i < WW_CARD_CELLS; i++) {
        mids[i] = mid;
        messages[i] = CELL_MESSAGE + i + 1;
    }
    ww_kernel_in_use()->hotp[WW_SHA1](mids, messages, out, WW_CARD_CELLS);
    for (uint32_t i = 0; i < WW_CARD_CELLS; i++)
        for (uint32_t j = 0; j < WW_CELL_CHARS; j++)
            text[i][j] = (uint8_t)letter(out[i] >> (CELL_BITS - 5 - 5 * j) & (WW_CARD_LETTERS - 1));
    ww_wipe(mid, sizeof mid);
    ww_wipe(out, sizeof out);
}

/* ---- answers ---- */

int ww_card_open(const ww_device *d, uint32_t platform)
{
    if (!d->wide)
        return ww_user_around(d)->card.stands & WW_CARD_FREE << platform;
    const ww_open *open = &((const ww_wide *)(const void *)d)->issue.open[platform];
    return open->stands && !open->purpose;
}

const uint8_t *ww_card_asked(const ww_device *d, uint32_t platform)
{
    return d->wide ? ((const ww_wide *)(const void *)d)->issue.question[platform]
                   : ww_user_around(d)->card.pair;
}

void ww_lay_card(ww_scratch *s, uint32_t i, uint32_t *n, ww_device *d, const ww_device *source,
                 const ww_attempt *a)
{
    ww_try *y = &s->tries[*n];
    memset(y, 0, sizeof *y);
    s->answers[*n] = (ww_answer){.steps = 1, .platform = a->platform};
    y->device = d;
    y->base = source->moving;
    y->count = 1;
    memcpy(s->pairs[*n], ww_card_asked(source, a->platform & 1u), sizeof s->pairs[*n]);
    s->source[*n] = source;
    s->owner[*n] = (uint8_t)i;
    ww_is_laid(s, source);
    ++*n;
}

/* Bytes below 128 that are no less than c: a top bit each. */
static inline uint64_t no_less(uint64_t bytes, uint64_t c)
{
    return (bytes + ONES * (0x80 - c)) & (ONES << 7);
}

/* Six letters as a number of thirty bits, all at once and without branches on them; above those
 * when they are none. Nothing of it is a multiplication, so that compilers take several side by
 * side. */
static inline uint64_t read_answer(uint64_t typed)
{
    const uint64_t places = UINT64_MAX >> 16, fives = 0x00ff00ff00ff00ff;
    uint64_t low = typed & ~(ONES << 7);
    uint64_t a_on = no_less(low, 'A'), j_on = no_less(low, 'J'), p_on = no_less(low, 'P');
    uint64_t known = (no_less(low, '2') & ~no_less(low, '9' + 1)) |
                     (a_on & ~no_less(low, 'H' + 1)) | (j_on & ~no_less(low, 'N' + 1)) |
                     (p_on & ~no_less(low, 'Z' + 1));
    uint64_t bad = (~(known & ~typed) & (ONES << 7)) & places, above = UINT64_MAX << 32;
    uint64_t after_h = a_on >> 7; /* 7 of 8 */
    uint64_t numbers = low - ONES * '2' - ((after_h << 3) - after_h) - (j_on >> 7) - (p_on >> 7);
    numbers = ((numbers & fives) << 5) + ((numbers >> 8) & fives); /* by twos, ten bits each */
    return ((numbers & 1023) << 20 | (numbers >> 16 & 1023) << 10 | (numbers >> 32 & 1023)) +
           ((bad | bad << 32) & above);
}

static void run_cells(const ww_kernel *k, ww_scratch *s, uint64_t *typed, uint32_t cards)
{
    const uint32_t cell = (1u << CELL_BITS) - 1;
    k->hotp[WW_SHA1](s->mids, s->moving, s->out, 2 * (size_t)cards);
    ww_lanes_ran(s, k->lanes[WW_SHA1], 2 * cards, 1);
    if (s->lanes_used < 2 * cards)
        s->lanes_used = 2 * cards;
    for (uint32_t i = 0; i < cards; i++)
        typed[i] = read_answer(typed[i]);
    for (uint32_t i = 0; i < cards; i++) {
        uint32_t both = (s->out[2 * i] & cell) << CELL_BITS | (s->out[2 * i + 1] & cell);
        s->tries[s->cards[i]].mask.lo = ww_eq_u32((uint32_t)typed[i], both) &
                                        ww_eq_u32((uint32_t)(typed[i] >> 32), 0);
    }
}

void ww_match_cards(const ww_kernel *k, const ww_batch *b, uint32_t group, ww_scratch *s,
                    uint32_t tries)
{
    uint64_t typed[TRIES_CHUNK];
    uint32_t cards = 0, most = 0;
    for (uint32_t n = 0; n < tries; n++) {
        const ww_device *source = s->source[n];
        if (source->kind != WW_KIND_CARD)
            continue;
        if (cards == TRIES_CHUNK) {
            run_cells(k, s, typed, cards);
            cards = 0;
        }
        const ww_attempt *a = &b->attempts[group + s->owner[n]];
        size_t len = a->response_len == ANSWER_CHARS ? ANSWER_CHARS : 0; /* no secret */
        typed[cards] = ww_load_few(b->bytes + a->response_at, len);
        for (uint32_t i = 0; i < 2; i++) {
            s->mids[2 * cards + i] = source->u.sha1;
            s->moving[2 * cards + i] = CELL_MESSAGE + s->pairs[n][i];
        }
        s->laid[n] = 1;
        s->cards[cards++] = (uint16_t)n;
        most = most < cards ? cards : most;
    }
    if (cards)
        run_cells(k, s, typed, cards);
    ww_wipe(typed, most * sizeof typed[0]);
}
