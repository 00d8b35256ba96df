/* OpenSSL as a peer: HMAC from copied midstates, in a plain loop; and its one-shot HMAC().
 *
 * The low-level calls are deprecated and still the fastest way OpenSSL has for short messages: the
 * peer is measured at its best. A midstate is a whole context, copied before each use.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <string.h>

enum { SHA1_ROW, SHA256_ROW, SHA512_ROW, KEY_BYTES = 20, CODE_BYTES = 6 };

static uint32_t truncate(const uint8_t *mac, size_t n)
{
    const uint8_t *p = mac + (mac[n - 1] & 15);
    return ((uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]) & 0x7fffffff;
}

static void counter_bytes(uint8_t out[8], uint64_t counter)
{
    counter = __builtin_bswap64(counter);
    memcpy(out, &counter, 8);
}

/* The three hashes differ in names alone. */
#define HASH(name, CTX, Init, Update, Final, BLOCK, SIZE)                                         \
    typedef struct { CTX inner, outer; } name##_mid;                                              \
    static void name##_prepare(name##_mid *mid, const uint8_t *key, size_t key_len)               \
    {                                                                                             \
        uint8_t pad[BLOCK];                                                                       \
        memset(pad, 0x36, BLOCK);                                                                 \
        for (size_t i = 0; i < key_len; i++)                                                      \
            pad[i] ^= key[i];                                                                     \
        Init(&mid->inner);                                                                        \
        Update(&mid->inner, pad, BLOCK);                                                          \
        for (size_t i = 0; i < BLOCK; i++)                                                        \
            pad[i] ^= 0x36 ^ 0x5c;                                                                \
        Init(&mid->outer);                                                                        \
        Update(&mid->outer, pad, BLOCK);                                                          \
    }                                                                                             \
    static uint32_t name##_hotp(const name##_mid *mid, uint64_t counter)                          \
    {                                                                                             \
        uint8_t text[8], mac[SIZE];                                                               \
        CTX now = mid->inner;                                                                     \
        counter_bytes(text, counter);                                                             \
        Update(&now, text, 8);                                                                    \
        Final(mac, &now);                                                                         \
        now = mid->outer;                                                                         \
        Update(&now, mac, SIZE);                                                                  \
        Final(mac, &now);                                                                         \
        return truncate(mac, SIZE);                                                               \
    }
HASH(sha1, SHA_CTX, SHA1_Init, SHA1_Update, SHA1_Final, 64, 20)
HASH(sha256, SHA256_CTX, SHA256_Init, SHA256_Update, SHA256_Final, 64, 32)
HASH(sha512, SHA512_CTX, SHA512_Init, SHA512_Update, SHA512_Final, 128, 64)

size_t mid_bytes(int hash)
{
    return hash == SHA1_ROW ? sizeof(sha1_mid)
         : hash == SHA256_ROW ? sizeof(sha256_mid) : sizeof(sha512_mid);
}

void mids_of(int hash, const uint8_t *keys, size_t key_len, size_t n, void *mids)
{
    for (size_t i = 0; i < n; i++, keys += key_len) {
        if (hash == SHA1_ROW)
            sha1_prepare((sha1_mid *)mids + i, keys, key_len);
        else if (hash == SHA256_ROW)
            sha256_prepare((sha256_mid *)mids + i, keys, key_len);
        else
            sha512_prepare((sha512_mid *)mids + i, keys, key_len);
    }
}

/* Lane i: midstate i and counter moving[i]; the whole of it `repeat` times. */
void hotp_lanes(int hash, const void *mids, const uint64_t *moving, uint32_t *out, size_t n,
                size_t repeat)
{
    for (; repeat; repeat--)
        for (size_t i = 0; i < n; i++)
            out[i] = hash == SHA1_ROW ? sha1_hotp((const sha1_mid *)mids + i, moving[i])
                   : hash == SHA256_ROW ? sha256_hotp((const sha256_mid *)mids + i, moving[i])
                   : sha512_hotp((const sha512_mid *)mids + i, moving[i]);
}

/* ---- a TOTP check of a gateway's own making: middle step first, stops at a match ---- */

static int differs(uint32_t truncated, const char *code)
{
    char text[CODE_BYTES];
    truncated %= 1000000;
    for (int i = CODE_BYTES - 1; i >= 0; i--, truncated /= 10)
        text[i] = (char)('0' + truncated % 10);
    return CRYPTO_memcmp(text, code, CODE_BYTES);
}

static const int offsets[3] = {0, -1, 1};

void decide_from_mids(const void *mids, const uint32_t *users, const char *codes, size_t n,
                      int64_t time_s, uint8_t *answers)
{
    for (size_t i = 0; i < n; i++) {
        answers[i] = 0;
        for (int k = 0; k < 3 && !answers[i]; k++) {
            uint64_t step = (uint64_t)(time_s / 30 + offsets[k]);
            uint32_t code = sha1_hotp((const sha1_mid *)mids + users[i], step);
            answers[i] = !differs(code, codes + CODE_BYTES * i);
        }
    }
}

void decide_oneshot(const uint8_t *keys, const uint32_t *users, const char *codes, size_t n,
                    int64_t time_s, uint8_t *answers)
{
    for (size_t i = 0; i < n; i++) {
        const uint8_t *key = keys + (size_t)KEY_BYTES * users[i];
        answers[i] = 0;
        for (int k = 0; k < 3 && !answers[i]; k++) {
            uint8_t text[8], mac[20];
            unsigned len = sizeof mac;
            counter_bytes(text, (uint64_t)(time_s / 30 + offsets[k]));
            HMAC(EVP_sha1(), key, KEY_BYTES, text, sizeof text, mac, &len);
            answers[i] = !differs(truncate(mac, sizeof mac), codes + CODE_BYTES * i);
        }
    }
}
