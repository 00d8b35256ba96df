/* Challenges: what is asked, the id that stands for it, and what becomes of an ask.
 *
 * A question is a keyed permutation of the device's issue count, so a few bytes of state are all
 * there is to keep. Rule: a name that does not exist walks the same road, is asked as plausibly and
 * leaves a record of the same size.
 */
#include "internal.h"

#include <string.h>

/* ---- a keyed function of words: SipHash-2-4 ---- */

uint64_t ww_sip24(const uint64_t key[2], const uint64_t *words, size_t count)
{
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du,
                     key[0] ^ 0x6c7967656e657261u, key[1] ^ 0x7465646279746573u};
    for (size_t i = 0; i <= count; i++) {
        uint64_t word = i < count ? words[i] : (uint64_t)(8 * count) << 56;
        v[3] ^= word;
        ww_sip_round(v);
        ww_sip_round(v);
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    for (int i = 0; i < 4; i++)
        ww_sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- questions ---- */

enum { FEISTEL_ROUNDS = 8, FILL_CHARS = 8, FILL_TAG = 256 };

/* By format: how many characters there are, and how many of them a permutation takes in at most,
 * so that its domain stays below 2^60. */
typedef struct { const char *characters; uint32_t base, permuted; } alphabet;

static alphabet alphabet_of(uint8_t format)
{
    static const char all[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    return format == 'N' ? (alphabet){all, 10, 18}
         : format == 'H' ? (alphabet){all, 16, 15} : (alphabet){all, 62, 10};
}

uint64_t ww_permute(const uint64_t key[2], uint64_t who, uint64_t pass, uint64_t size, uint64_t x)
{
    uint32_t bits = 64u - (uint32_t)__builtin_clzll(size - 1), half = (bits + 1) / 2;
    uint64_t mask = ((uint64_t)1 << half) - 1;
    do { /* cycle walking: what falls outside goes round again */
        uint64_t left = x >> half, right = x & mask;
        for (uint64_t round = 0; round < FEISTEL_ROUNDS; round++) {
            uint64_t words[3] = {who, pass | round << 32, right}, old = left;
            left = right;
            right = old ^ (ww_sip24(key, words, 3) & mask);
        }
        x = left << half | right;
        WW_PUBLIC(&x, sizeof x); /* it is shown; or, outside, tells of no number that is */
    } while (x >= size);
    return x;
}

void ww_question(const uint64_t key[2], const ww_suite *s, uint64_t who, uint32_t n, uint8_t *text)
{
    alphabet a = alphabet_of(s->format);
    uint32_t permuted = s->chars < a.permuted ? s->chars : a.permuted;
    uint64_t size = 1;
    for (uint32_t i = 0; i < permuted; i++)
        size *= a.base;
    uint64_t x = ww_permute(key, who, n / size, size, n % size);
    for (uint32_t i = permuted; i-- > 0; x /= a.base)
        text[i] = (uint8_t)a.characters[x % a.base];
    for (uint32_t at = permuted, block = 0; at < s->chars; at += FILL_CHARS, block++) {
        uint64_t words[3] = {who, n | (uint64_t)(FILL_TAG + block) << 32, 0};
        uint64_t fill = ww_sip24(key, words, 3);
        WW_PUBLIC(&fill, sizeof fill); /* shown as well */
        for (uint32_t i = at; i < at + FILL_CHARS && i < s->chars; i++, fill /= a.base)
            text[i] = (uint8_t)a.characters[fill % a.base];
    }
}

int ww_question_keep(ww_tables *t, ww_device *d, uint32_t platform)
{
    ww_issue *issue = ww_issue_of(t, d);
    if (issue->open[platform].stands > issue->issued)
        return -1;
    if (d->kind == WW_KIND_CARD)
        return ww_card_keep(t, d, platform);
    if (d->kind != WW_KIND_OCRA)
        return 0;
    const ww_suite *s = &t->suites[issue->suite];
    uint8_t text[WW_QUESTION_CHARS_MAX], packed[WW_QUESTION_CHARS_MAX];
    memset(issue->question[platform], 0, WW_QUESTION_INLINE_BYTES);
    if (!issue->open[platform].stands)
        return 0;
    ww_question(t->ask_key, s, d->number, issue->open[platform].stands - 1, text);
    size_t len = ww_question_pack(s, text, s->chars, packed);
    if (len <= WW_QUESTION_INLINE_BYTES)
        memcpy(issue->question[platform], packed, len);
    return 0;
}

/* ---- time ---- */

uint32_t ww_epoch(const ww_tables *t, int64_t now_ms)
{
    int64_t at = now_ms > t->latest_ms ? now_ms : t->latest_ms;
    int64_t epoch = at > 0 ? at / WW_EPOCH_MS : 0;
    return epoch < UINT32_MAX ? (uint32_t)epoch : UINT32_MAX;
}

int ww_open_current(const ww_open *o, uint32_t epoch)
{
    return o->stands && o->epoch <= epoch && epoch - o->epoch <= 1;
}

/* ---- purposes and ids ---- */

void ww_token_mac(const ww_tables *t, uint8_t what, const uint8_t *bytes, size_t len,
                  uint8_t mac[32])
{
    uint8_t text[1 + WW_TOKEN_TEXT_MAX];
    text[0] = what;
    memcpy(text + 1, bytes, len);
    ww_hmac(WW_SHA256, t->token_key, sizeof t->token_key, text, 1 + len, mac);
}

uint64_t ww_token_digest(const ww_tables *t, uint8_t what, const uint8_t *bytes, size_t len)
{
    uint8_t mac[32];
    uint64_t digest;
    ww_token_mac(t, what, bytes, len, mac);
    memcpy(&digest, mac, sizeof digest);
    WW_PUBLIC(&digest, sizeof digest); /* records name the purpose by it */
    return digest ? digest : 1;
}

uint64_t ww_purpose(const ww_tables *t, const uint8_t *text, size_t len)
{
    return ww_token_digest(t, 3, text, len);
}

enum { SEALED = sizeof(ww_token) + WW_POSED_CHARS_MAX };

/* Hides, or shows again, what follows a MAC: a stream of HMACs, the first of the MAC alone. */
static void token_mask(const ww_tables *t, const uint8_t mac[16], uint8_t *bytes, size_t len)
{
    uint8_t from[17], stream[32];
    memcpy(from, mac, 16);
    for (size_t at = 0; at < len; at += sizeof stream) {
        from[16] = (uint8_t)(at / sizeof stream);
        ww_token_mac(t, 2, from, at ? 17 : 16, stream);
        for (size_t i = 0; i < sizeof stream && at + i < len; i++)
            bytes[at + i] ^= stream[i];
    }
    ww_wipe(stream, sizeof stream);
}

void ww_token_seal(const ww_tables *t, const ww_token *token, const uint8_t *posed, uint8_t *text)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t bytes[16 + SEALED], mac[32];
    size_t len = sizeof *token + token->posed_len;
    memcpy(bytes + 16, token, sizeof *token);
    memcpy(bytes + 16 + sizeof *token, posed, token->posed_len);
    ww_token_mac(t, 1, bytes + 16, len, mac);
    memcpy(bytes, mac, 16);
    token_mask(t, bytes, bytes + 16, len);
    WW_PUBLIC(bytes, 16 + len); /* it is given out */
    for (size_t i = 0; i < 16 + len; i++) {
        text[2 * i] = (uint8_t)hex[bytes[i] >> 4];
        text[2 * i + 1] = (uint8_t)hex[bytes[i] & 15];
    }
}

int ww_token_open(const ww_tables *t, const uint8_t *text, size_t len, ww_token *token,
                  uint8_t posed[WW_POSED_CHARS_MAX])
{
    uint8_t bytes[16 + SEALED], mac[32];
    if (len < WW_TOKEN_CHARS || len > WW_TOKEN_CHARS_MAX || len % 2)
        return -1;
    for (size_t i = 0; i < len / 2; i++) {
        uint32_t byte = 0;
        for (size_t k = 0; k < 2; k++) { /* an id is no secret to whoever sent it */
            uint8_t c = text[2 * i + k];
            if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
                return -1;
            byte = byte << 4 | (c <= '9' ? c - (uint32_t)'0' : c - (uint32_t)'a' + 10);
        }
        bytes[i] = (uint8_t)byte;
    }
    len = len / 2 - 16;
    token_mask(t, bytes, bytes + 16, len);
    ww_token_mac(t, 1, bytes + 16, len, mac);
    uint32_t ours = ww_equal(mac, bytes, 16);
    ww_wipe(mac, sizeof mac); /* what a forged id lacks */
    WW_PUBLIC(&ours, sizeof ours);
    if (!ours)
        return -1;
    WW_PUBLIC(bytes, 16 + len); /* whom it was given to may know what it says */
    memcpy(token, bytes + 16, sizeof *token);
    memcpy(posed, bytes + 16 + sizeof *token, len - sizeof *token);
    return token->version == 1 && token->posed_len == len - sizeof *token ? 0 : -1;
}

/* ---- an ask ---- */

static ww_device_state stands(const ww_tables *t, ww_user *u, const ww_device *d, int64_t now_ms)
{
    return ww_device_stands(t, u, d, now_ms > t->latest_ms ? now_ms : t->latest_ms);
}

/* The device that is asked, active or to be activated: the one named, or the best. */
static ww_device *device_asked(const ww_tables *t, const ww_policy *p, ww_user *u, const ww_ask *a,
                               int64_t now_ms)
{
    ww_device *best = NULL;
    for (ww_device *d = u ? ww_device_first(t, u) : NULL; d; d = ww_device_next(t, u, d)) {
        size_t len;
        const uint8_t *serial = ww_cold_second(t, d->cold, &len);
        int sms = ww_is_sms(d);
        if (!ww_posed_fits(t, d, a))
            continue;
        if ((sms ? !a->sends : !ww_is_asked(d->kind) || a->sms) ||
            stands(t, u, d, now_ms) != (a->activates ? WW_SHIPPED : WW_ACTIVE) ||
            ww_issue_of(t, d)->issued >= UINT32_MAX - 1)
            continue;
        if ((d->kind == WW_KIND_CARD && ww_card_spent(d)) || (a->phone && !ww_has_phone(d)))
            continue;
        if (a->has_serial && (len != a->serial_len || memcmp(serial, a->serial, len)))
            continue;
        if (!best || ww_device_before(t, p, d, best))
            best = d;
    }
    return best;
}

ww_open ww_open_or_next(const ww_open *now, uint64_t purpose, uint32_t epoch, uint32_t next)
{
    if (ww_open_current(now, epoch) && now->purpose == purpose)
        return *now;
    return (ww_open){purpose, next + 1, epoch};
}

static const ww_suite *suite_of_all_presets(void)
{
    static const ww_suite six = {.format = 'N', .chars = 6};
    return &six;
}

/* What a name without a device for it seems to have, by its hash. */
static uint8_t label_of_nobody(const ww_policy *p, const ww_ask *a, uint64_t hash)
{
    if (a->sms)
        return WW_SMS;
    if (a->phone)
        return WW_IB_KEY;
    return p->mix_count ? p->mix[(hash >> 32) * p->mix_count >> 32] : WW_DSC_PLUS;
}

/* Nobody's: what is asked is a keyed function of the name, the epoch and how often. */
static ww_open ask_plausibly(ww_tables *t, ww_ask *a, uint64_t hash, uint32_t epoch)
{
    ww_open *kept = ww_decoy_open(t, hash);
    uint32_t next = kept[0].stands > kept[1].stands ? kept[0].stands : kept[1].stands;
    ww_open *open = &kept[a->platform];
    ww_sent *sent = ww_decoy_sent(t, hash);
    sent->answers = ww_answers_lately(kept, sent->answers, epoch);
    *open = ww_open_or_next(open, a->purpose, epoch, next);
    uint64_t words[3] = {hash, open->epoch, (uint64_t)1 << 63};
    const ww_suite *s = suite_of_all_presets();
    ww_question(t->ask_key, s, ww_sip24(t->ask_key, words, 3), open->stands - 1, a->prompt);
    a->prompt_len = s->chars;
    a->kind = WW_KIND_OCRA;
    return *open;
}

int ww_challenge(ww_tables *t, const ww_policy *p, ww_ask *a, int64_t now_ms)
{
    uint64_t hash = ww_name_hash(t, a->name, a->name_len);
    uint32_t slot = ww_slot_within(t, hash, a->name, a->name_len, a->within);
    uint32_t epoch = ww_epoch(t, now_ms);
    ww_user *u = slot == WW_SLOT_NONE ? NULL : &t->users[slot];
    ww_device *d = device_asked(t, p, u, a, now_ms);
    ww_open open;
    uint8_t posed[WW_POSED_CHARS_MAX];
    uint16_t posed_len = 0;
    a->label = d ? d->label : label_of_nobody(p, a, hash);
    if (a->question_len || a->client_len) {
        if (ww_ask_posed(t, a, d, hash, epoch, now_ms, &open, posed, &posed_len))
            return -1;
    } else if (a->label == WW_SMS) {
        if (ww_ask_code(t, p, a, u, d, hash, now_ms, &open))
            return -1;
    } else if (a->label == WW_CODE_CARD || a->label == WW_ONLINE_CODE_CARD) {
        open = ww_card_ask(t, d, a, hash);
    } else if (d) {
        const ww_issue *issue = ww_device_issue(d);
        const ww_suite *s = &t->suites[issue->suite];
        open = ww_open_or_next(&issue->open[a->platform], a->purpose, epoch, issue->issued);
        ww_question(t->ask_key, s, d->number, open.stands - 1, a->prompt);
        a->prompt_len = s->chars;
        a->kind = d->kind;
    } else {
        open = ask_plausibly(t, a, hash, epoch);
    }
    ww_token token = {.name_hash = hash, .purpose = open.purpose, .device = d ? d->number : 0,
                      .count = open.stands - 1, .epoch = open.epoch, .platform = a->platform,
                      .version = 1, .posed_len = posed_len};
    ww_token_seal(t, &token, posed, a->id);
    a->id_len = (uint16_t)(WW_TOKEN_CHARS + 2 * posed_len);
    /* A pair of cells stands until it is answered. */
    a->expires_ms = a->kind == WW_KIND_CARD ? 0
                    : a->label == WW_SMS    ? (int64_t)open.epoch * 1000
                                            : ((int64_t)open.epoch + 2) * WW_EPOCH_MS;
    memset(a->records, 0, sizeof a->records);
    a->records[0].event = WW_EVENT_CHALLENGE;
    a->records[0].tail = 1;
    a->records[0].place = (uint8_t)(a->platform | (u ? 0 : WW_PLACE_UNKNOWN));
    a->records[0].user = u ? u->id : hash;
    a->records[0].device = token.device;
    a->records[0].moving = token.count;
    ww_asked_for tail = {.purpose = open.purpose, .epoch = open.epoch,
                         .sent_s = a->label == WW_SMS ? ww_second_over(t, now_ms) : 0,
                         .answered = a->client_len != 0};
    memcpy(&a->records[1], &tail, sizeof tail);
    (void)ww_apply_challenge(t, a->records);
    return 0;
}
