/* Questions that are posed to us: the caller's data, which the user's device signs (RFC 6287 7.3),
 * and a client's own question, which we answer first (7.2).
 *
 * What is posed is bound into the challenge's purpose and travels sealed in its id, so a device
 * keeps no more of it than of any other. Rule: an answer of ours is never the response to a
 * challenge. Where both sides sign under one suite, our question is chosen by us after the client's
 * and from many, it never makes the two messages alike, and answers are few until one is responded
 * to. A name that does not exist is asked, answered and limited alike.
 */
#include "internal.h"

#include <string.h>

enum { TRIES = 16, PLAUSIBLE_DIGITS = 8, QUESTION_BYTES = 128 };

/* ---- what is legal, and of whom ---- */

static int in_format(uint8_t format, const uint8_t *text, size_t len)
{
    for (size_t i = 0; i < len; i++) { /* questions are public */
        uint8_t c = text[i], low = c | 0x20u;
        int digit = c >= '0' && c <= '9', letter = low >= 'a' && low <= 'z';
        if (!digit && (format == 'N' || !letter || (format == 'H' && low > 'f')))
            return 0;
    }
    return 1;
}

int ww_posed_legal(const uint8_t *text, size_t len)
{
    return len >= WW_QUESTION_CHARS_MIN && len <= WW_QUESTION_CHARS_MAX &&
           in_format('A', text, len);
}

/* Our answer leaves out the PIN and the session (7.2); without them both sides sign alike. */
static int signs_alike(const ww_suite *s) { return !s->pin_bytes && !s->session_bytes; }

static int space_enough(const ww_suite *s)
{
    uint64_t base = s->format == 'N' ? 10 : s->format == 'H' ? 16 : 62, size = 1;
    for (uint32_t i = 0; i < s->chars && size < WW_ANSWER_SPACE_MIN; i++)
        size *= base;
    return size >= WW_ANSWER_SPACE_MIN;
}

int ww_posed_fits(const ww_tables *t, const ww_device *d, const ww_ask *a)
{
    if (!a->question_len && !a->client_len)
        return 1;
    if (d->kind != WW_KIND_OCRA)
        return 0;
    const ww_suite *s = &t->suites[((const ww_wide *)(const void *)d)->issue.suite];
    if (!in_format(s->format, a->question, a->question_len) ||
        !in_format(s->format, a->client, a->client_len))
        return 0;
    if (!a->client_len)
        return a->question_len <= s->chars;
    if (a->client_len != s->chars || (a->question_len && a->question_len != s->chars))
        return 0;
    return !signs_alike(s) || (!a->question_len && space_enough(s));
}

uint64_t ww_posed(const ww_tables *t, const uint8_t *purpose, size_t purpose_len,
                  const uint8_t *question, size_t question_len, const uint8_t *client,
                  size_t client_len)
{
    uint8_t text[WW_TOKEN_TEXT_MAX], *to = text + 3;
    ww_store_le16(text, (uint16_t)purpose_len);
    text[2] = (uint8_t)question_len;
    memcpy(to, purpose, purpose_len);
    memcpy(to += purpose_len, question, question_len);
    memcpy(to += question_len, client, client_len);
    return ww_token_digest(t, 4, text, (size_t)(to - text) + client_len);
}

/* ---- two questions, one message ---- */

static void join(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len,
                 uint8_t text[WW_POSED_CHARS_MAX])
{
    memcpy(text, a, a_len);
    memcpy(text + a_len, b, b_len);
}

static size_t packed_whole(const ww_suite *s, const uint8_t *text, size_t len,
                           uint8_t packed[QUESTION_BYTES])
{
    memset(packed, 0, QUESTION_BYTES);
    return ww_question_pack(s, text, len, packed);
}

/* Whether what we sign would be signed by the client too, for this challenge or for a plain one:
 * the same bytes, or so few that one question alone may have them. */
static int reflects(const ww_suite *s, const ww_ask *a, const uint8_t *ours)
{
    uint8_t text[WW_POSED_CHARS_MAX], mine[QUESTION_BYTES], theirs[QUESTION_BYTES];
    uint32_t most = s->format == 'H' ? s->chars : s->chars * 3322u / 4000u + 1; /* hex digits */
    join(ours, s->chars, a->client, a->client_len, text);
    packed_whole(s, text, s->chars + (size_t)a->client_len, theirs);
    join(a->client, a->client_len, ours, s->chars, text);
    size_t used = packed_whole(s, text, s->chars + (size_t)a->client_len, mine);
    if (!memcmp(mine, theirs, sizeof mine))
        return 1;
    while (used && !mine[used - 1])
        used--;
    return s->format != 'A' && 2 * used - (used && !(mine[used - 1] & 15)) <= most;
}

/* ---- the answer ---- */

static void answer_out(ww_ask *a, const uint8_t *mac, size_t mac_len, uint32_t digits)
{
    if (!digits) {
        ww_hex(mac, mac_len, a->answer);
        a->answer_len = (uint8_t)(2 * mac_len);
    } else {
        uint32_t code = ww_reduce(ww_truncate(mac, mac_len), digits);
        WW_PUBLIC(&code, sizeof code); /* it is given out */
        for (uint32_t i = digits; i-- > 0; code /= 10)
            a->answer[i] = (uint8_t)('0' + code % 10);
        a->answer_len = (uint8_t)digits;
    }
    WW_PUBLIC(a->answer, a->answer_len);
}

/* The suite's text without P and S. */
static size_t own_suite(const ww_suite *s, uint8_t *text)
{
    size_t at = 0;
    while (at < s->text_len && s->text[at] != 'Q')
        at++;
    at += 4; /* Q, its format, two digits */
    memcpy(text, s->text, at);
    for (size_t i = at; s->step_s && i < s->text_len; i++)
        if (s->text[i] == '-' && s->text[i + 1] == 'T') {
            memcpy(text + at, s->text + i, s->text_len - i);
            return at + s->text_len - i;
        }
    return at;
}

/* The step that now is for a device; there is none before 1970. */
static uint64_t step_of(const ww_suite *s, int64_t drift, int64_t now_ms)
{
    int64_t step = (now_ms >= 0 ? now_ms / (s->step_s * INT64_C(1000)) : 0) + drift;
    return step > 0 ? (uint64_t)step : 0;
}

/* RFC 6287 7.2: over the client's question and ours, under the counter expected and the step that
 * now is. */
static void answer(const ww_tables *t, ww_ask *a, const ww_device *d, const ww_suite *s,
                   const uint8_t *ours, int64_t now_ms)
{
    uint8_t text[WW_SUITE_BYTES_MAX + 1 + 8 + QUESTION_BYTES + 8] = {0}, both[WW_POSED_CHARS_MAX];
    uint8_t mac[64];
    size_t key_len, at = own_suite(s, text) + 1;
    const uint8_t *key = ww_device_key(t, d, &key_len);
    if (s->counter_at) {
        ww_store_be64(text + at, d->moving);
        at += 8;
    }
    join(a->client, a->client_len, ours, s->chars, both);
    packed_whole(s, both, a->client_len + (size_t)s->chars, text + at);
    at += QUESTION_BYTES;
    if (s->step_s) {
        ww_store_be64(text + at, step_of(s, d->drift, now_ms));
        at += 8;
    }
    ww_hmac((ww_hash)s->hash, key, key_len, text, at, mac);
    answer_out(a, mac, ww_hash_bytes((ww_hash)s->hash), s->digits);
    ww_wipe(mac, sizeof mac);
}

static void answer_plausibly(const ww_tables *t, ww_ask *a, const ww_open *open)
{
    uint8_t text[16], mac[32];
    ww_store_le64(text, open->purpose);
    ww_store_le32(text + 8, open->stands);
    ww_store_le32(text + 12, open->epoch);
    ww_token_mac(t, 5, text, sizeof text, mac);
    answer_out(a, mac, sizeof mac, PLAUSIBLE_DIGITS);
}

uint32_t ww_answers_lately(const ww_open open[WW_PLATFORMS], uint32_t answers, uint32_t epoch)
{
    uint32_t newest = open[0].epoch > open[1].epoch ? open[0].epoch : open[1].epoch;
    return epoch > newest ? 0 : answers;
}

/* ---- an ask ---- */

/* Of whom a client would think that it was asked. */
static void seem(ww_ask *a)
{
    int six = in_format('N', a->question, a->question_len) && a->question_len <= 6 &&
              in_format('N', a->client, a->client_len);
    int none = a->client_len && (a->client_len != 6 || a->label != WW_IB_KEY);
    a->kind = WW_KIND_OCRA;
    if (!six || none || a->label > WW_IB_KEY)
        a->label = WW_LABEL_NONE;
}

static int ask_plausibly(ww_tables *t, ww_ask *a, uint64_t hash, uint32_t epoch, ww_open *open)
{
    ww_open *kept = ww_decoy_open(t, hash), *slot = &kept[a->platform];
    ww_sent *sent = ww_decoy_sent(t, hash);
    uint32_t next = kept[0].stands > kept[1].stands ? kept[0].stands : kept[1].stands;
    uint32_t lately = ww_answers_lately(kept, sent->answers, epoch);
    *open = ww_open_or_next(slot, a->purpose, epoch, next);
    int fresh = open->stands != slot->stands;
    if (a->client_len && fresh && lately >= WW_ANSWERS_MAX)
        return -1;
    seem(a);
    sent->answers = lately + (a->client_len && fresh);
    *slot = *open;
    if (a->client_len)
        answer_plausibly(t, a, open);
    if (a->question_len)
        return 0;
    ww_suite like = {.format = in_format('N', a->client, a->client_len)   ? 'N'
                               : in_format('H', a->client, a->client_len) ? 'H'
                                                                          : 'A',
                     .chars = a->client_len};
    uint64_t words[3] = {hash, open->epoch, (uint64_t)1 << 63};
    ww_question(t->ask_key, &like, ww_sip24(t->ask_key, words, 3), open->stands - 1, a->prompt);
    a->prompt_len = a->client_len;
    return 0;
}

static int ask_device(const ww_tables *t, ww_ask *a, ww_device *d, uint32_t epoch, int64_t now_ms,
                      ww_open *open)
{
    const ww_issue *issue = ww_device_issue(d);
    const ww_suite *s = &t->suites[issue->suite];
    const ww_open *slot = &issue->open[a->platform];
    *open = ww_open_or_next(slot, a->purpose, epoch, issue->issued);
    a->kind = d->kind;
    a->label = d->label;
    if (!a->client_len)
        return 0;
    if (open->stands != slot->stands &&
        ww_answers_lately(issue->open, issue->answers, epoch) >= WW_ANSWERS_MAX)
        return -1;
    const uint8_t *ours = a->question_len ? a->question : a->prompt;
    for (uint32_t tries = 0; !a->question_len; open->stands++) {
        ww_question(t->ask_key, s, d->number, open->stands - 1, a->prompt);
        if (!signs_alike(s) || !reflects(s, a, a->prompt))
            break;
        if (++tries == TRIES || open->stands >= UINT32_MAX - 1)
            return -1;
    }
    answer(t, a, d, s, ours, now_ms);
    a->prompt_len = s->chars;
    return 0;
}

int ww_ask_posed(ww_tables *t, ww_ask *a, ww_device *d, uint64_t hash, uint32_t epoch,
                 int64_t now_ms, ww_open *open, uint8_t *posed, uint16_t *posed_len)
{
    if (d ? ask_device(t, a, d, epoch, now_ms, open) : ask_plausibly(t, a, hash, epoch, open))
        return -1;
    if (a->question_len) {
        memcpy(a->prompt, a->question, a->question_len);
        a->prompt_len = a->question_len;
    }
    join(a->prompt, a->prompt_len, a->client, a->client_len, posed);
    *posed_len = (uint16_t)(a->prompt_len + a->client_len);
    return 0;
}
