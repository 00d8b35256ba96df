/* OCRA's suites (RFC 6287): their grammar, and the message each of them makes.
 *
 * A suite is read once, when the first device with it is enrolled; what it signs is laid out then,
 * padding included, so that an attempt only puts in what is its own. Rule: a message is kept as the
 * words that the hash counts in, so bytes are put at their place within a word.
 */
#include "internal.h"

#include <string.h>

enum { QUESTION_BYTES = 128 };

/* ---- the grammar, section 6 ---- */

typedef struct { const uint8_t *at, *end; } cursor;

static int eat(cursor *c, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(c->end - c->at) < len || memcmp(c->at, word, len))
        return 0;
    c->at += len;
    return 1;
}

/* A number of so many digits at least and at most; UINT32_MAX when there is none. */
static uint32_t eat_number(cursor *c, uint32_t least, uint32_t most)
{
    uint32_t n = 0, digits = 0;
    for (; digits < most && c->at < c->end && *c->at >= '0' && *c->at <= '9'; digits++)
        n = 10 * n + (uint32_t)(*c->at++ - '0');
    return digits < least ? UINT32_MAX : n;
}

static int eat_hash(cursor *c)
{
    /* SHA1 is no beginning of the others. */
    return eat(c, "SHA1") ? WW_SHA1 : eat(c, "SHA256") ? WW_SHA256
         : eat(c, "SHA512") ? WW_SHA512 : -1;
}

static int read_grammar(cursor *c, ww_suite *s, int *counted)
{
    int hash = eat(c, "OCRA-1:HOTP-") ? eat_hash(c) : -1;
    if (hash < 0 || !eat(c, "-"))
        return -1;
    int zero = c->at < c->end && *c->at == '0';
    uint32_t digits = eat_number(c, 1, zero ? 1 : 2);
    if ((digits && digits < WW_SUITE_DIGITS_MIN) || digits > WW_SUITE_DIGITS_MAX || !eat(c, ":"))
        return -1;
    s->hash = (uint8_t)hash;
    s->digits = (uint8_t)digits;
    *counted = eat(c, "C-");
    s->format = eat(c, "QN") ? 'N' : eat(c, "QH") ? 'H' : eat(c, "QA") ? 'A' : 0;
    uint32_t chars = eat_number(c, 2, 2);
    if (!s->format || chars < 4 || chars > WW_QUESTION_CHARS_MAX)
        return -1;
    s->chars = (uint8_t)chars;
    if (eat(c, "-P")) {
        int pin = eat_hash(c);
        if (pin < 0)
            return -1;
        s->pin_hash = (uint8_t)pin;
        s->pin_bytes = (uint8_t)ww_hash_bytes((ww_hash)pin);
    }
    if (eat(c, "-S")) {
        uint32_t bytes = eat_number(c, 3, 3);
        if (!bytes || bytes > WW_SESSION_BYTES_MAX)
            return -1;
        s->session_bytes = (uint16_t)bytes;
    }
    if (eat(c, "-T")) {
        int lead = c->at < c->end && *c->at == '0';
        uint32_t n = eat_number(c, 1, 2);
        uint32_t unit = eat(c, "S") ? 1 : eat(c, "M") ? 60 : eat(c, "H") ? 3600 : 0;
        if (lead || !unit || !n || n > (unit == 3600 ? 48u : 59u))
            return -1;
        s->step_s = n * unit;
    }
    return c->at == c->end ? 0 : -1;
}

/* ---- the message, section 5.1 ---- */

void ww_text_put(const ww_suite *s, uint64_t *words, size_t at, const uint8_t *bytes, size_t n)
{
    uint8_t *to = (uint8_t *)words;
    size_t flip = s->hash == WW_SHA512 ? 7 : 3; /* hashes count big-endian, the machine does not */
    for (size_t i = 0; i < n; i++)
        to[(at + i) ^ flip] = bytes[i];
}

/* Of a question that is kept: bytes that may be other than zero. A number is no longer in hex than
 * in decimals. */
static size_t question_bytes(const ww_suite *s)
{
    size_t most = s->format == 'A' ? s->chars : (s->chars + 1u) / 2;
    return most < WW_QUESTION_INLINE_BYTES ? most : WW_QUESTION_INLINE_BYTES;
}

/* Which words of its message an attempt alone knows, where all of them are in the first block and
 * nothing but a counter and a question that is kept makes them. */
static void own_words(ww_suite *s)
{
    size_t from = s->counter_at ? s->counter_at : s->question_at;
    size_t end = s->question_at + question_bytes(s);
    if (s->hash != WW_SHA1 || !s->digits || s->pin_at || s->session_at || s->time_at ||
        s->blocks != 1 + WW_SHARED_BLOCKS || end > 64 || !ww_question_kept(s))
        return;
    size_t at = from / 4 < 16 - WW_OWN_WORDS ? from / 4 : 16 - WW_OWN_WORDS;
    s->own_at = (uint8_t)at;
    s->own_words = (uint8_t)((end + 3) / 4 - at);
}

void ww_suite_common(const ww_suite *s, ww_common *common, uint32_t *own, size_t stride)
{
    const uint8_t *words = (const uint8_t *)s->words;
    memcpy(common->words, words, sizeof common->words);
    uint32_t behind = s->counter_at % 4u * 8; /* bits of the counter in its third word */
    common->counter = s->counter_at ? s->counter_at / 4u - s->own_at : 0;
    common->one[0] = behind ? 0 : 1;
    common->one[1] = behind ? 1u << (32 - behind) : 0;
    for (size_t b = 0; b < WW_SHARED_BLOCKS; b++) {
        uint32_t block[16];
        memcpy(block, words + (b + 1) * sizeof block, sizeof block);
        ww_sha1_schedule(block, common->shared[b]);
    }
    for (size_t k = s->own_words; k < WW_OWN_WORDS; k++)
        for (size_t i = 0; i < stride; i++)
            own[k * stride + i] = common->words[s->own_at + k];
}

void ww_suite_own(const ww_suite *s, uint64_t counter,
                  const uint8_t question[WW_QUESTION_INLINE_BYTES], uint32_t *own, size_t stride)
{
    uint8_t bytes[4 * WW_OWN_WORDS + WW_QUESTION_INLINE_BYTES] = {0};
    size_t at = (s->counter_at ? s->counter_at : s->question_at) - 4u * s->own_at;
    if (s->counter_at) {
        ww_store_be64(bytes + at, counter);
        at += 8;
    }
    if (question)
        memcpy(bytes + at, question, WW_QUESTION_INLINE_BYTES);
    const uint8_t *alike = (const uint8_t *)s->words + 4u * s->own_at;
    for (size_t k = 0; k < s->own_words; k++)
        own[k * stride] = ww_load_be32(bytes + 4 * k) | ww_load_le32(alike + 4 * k);
}

int ww_suite_read(const uint8_t *text, size_t len, ww_suite *s)
{
    cursor c = {text, text + len};
    int counted = 0;
    memset(s, 0, sizeof *s);
    if (len > WW_SUITE_BYTES_MAX || read_grammar(&c, s, &counted))
        return -1;
    memcpy(s->text, text, len);
    s->text_len = (uint8_t)len;
    size_t at = len + 1;
    s->counter_at = counted ? (uint16_t)at : 0;
    at += counted ? 8 : 0;
    s->question_at = (uint16_t)at;
    at += QUESTION_BYTES;
    s->pin_at = s->pin_bytes ? (uint16_t)at : 0;
    at += s->pin_bytes;
    s->session_at = s->session_bytes ? (uint16_t)at : 0;
    at += s->session_bytes;
    s->time_at = s->step_s ? (uint16_t)at : 0;
    at += s->step_s ? 8 : 0;
    /* FIPS 180-4 5.1: a one, zeros, and the length in bits, with the block of the key before. */
    size_t block = s->hash == WW_SHA512 ? 128 : 64;
    size_t bytes = (at + 1 + block / 8 + block - 1) & ~(block - 1);
    uint8_t one = 0x80, bits[8];
    ww_store_be64(bits, (uint64_t)(at + block) * 8);
    s->blocks = (uint8_t)(bytes >> (s->hash == WW_SHA512 ? 7 : 6));
    ww_text_put(s, s->words, 0, text, len);
    ww_text_put(s, s->words, at, &one, 1);
    ww_text_put(s, s->words, bytes - sizeof bits, bits, sizeof bits);
    own_words(s);
    return 0;
}

/* A decimal number as hex without zeros in front, which is how the RFC's own code writes it. */
static size_t pack_number(const uint8_t *text, size_t len, uint8_t *packed)
{
    uint8_t number[WW_POSED_CHARS_MAX / 2] = {0}; /* lowest byte first: 10^128 < 2^512 */
    size_t used = 1;
    for (size_t i = 0; i < len; i++) {
        uint32_t carry = text[i] - (uint32_t)'0';
        for (size_t j = 0; j < used; j++) {
            carry += number[j] * 10u;
            number[j] = (uint8_t)carry;
            carry >>= 8;
        }
        if (carry)
            number[used++] = (uint8_t)carry;
    }
    size_t nibbles = 2 * used - (number[used - 1] < 16);
    for (size_t i = 0; i < (nibbles + 1) / 2; i++)
        packed[i] = 0;
    for (size_t i = 0; i < nibbles; i++) {
        size_t from = nibbles - 1 - i;
        uint32_t nibble = (uint32_t)number[from / 2] >> (from % 2 ? 4 : 0) & 15u;
        packed[i / 2] |= (uint8_t)(nibble << (i % 2 ? 0 : 4));
    }
    return (nibbles + 1) / 2;
}

static uint32_t nibble_of(uint8_t c)
{
    return c <= '9' ? c - (uint32_t)'0' : (c | 0x20u) - (uint32_t)'a' + 10;
}

size_t ww_question_pack(const ww_suite *s, const uint8_t *text, size_t len, uint8_t *packed)
{
    if (s->format == 'N')
        return pack_number(text, len, packed);
    if (s->format == 'A') {
        memcpy(packed, text, len);
        return len;
    }
    for (size_t i = 0; i < len; i += 2)
        packed[i / 2] = (uint8_t)(nibble_of(text[i]) << 4 | (i + 1 < len ? nibble_of(text[i + 1])
                                                                         : 0));
    return (len + 1) / 2;
}

/* ---- the table ---- */

int ww_suite_find(const ww_tables *t, const uint8_t *text, size_t len)
{
    for (uint32_t i = 0; i < t->suites_used; i++)
        if (t->suites[i].text_len == len && !memcmp(t->suites[i].text, text, len))
            return (int)i;
    return -1;
}

int ww_suite_add(ww_tables *t, const uint8_t *text, size_t len)
{
    int known = ww_suite_find(t, text, len);
    if (known >= 0)
        return known;
    if (t->suites_used >= t->suites_cap || ww_suite_read(text, len, &t->suites[t->suites_used]))
        return -1;
    return (int)t->suites_used++;
}
