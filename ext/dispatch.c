/* What this CPU can run: the kernel table, the row in use, and forcing a row by name.
 *
 * The table is filled once, when the library is loaded, portable first; nothing is timed. Its last
 * row, "best", is made of the others: for every hash and number of lanes the one that measured
 * fastest. Below it stand the scalar pieces for one message at a time: enrolment and the plain
 * functions. Rule: the hash, a length and the number of digits are public and may steer a branch;
 * nothing else may.
 */
#include "internal.h"

/* ---- the machine ---- */

#if defined(__x86_64__)
#include <cpuid.h>

/* Instruction sets that the processor has and the system keeps the registers of. */
typedef struct { int avx2, avx512, avx512vl, shani; } machine;

/* Which registers the system saves (XCR0). A processor may have AVX-512 while its system does not
 * know: then the upper halves are lost at the next switch of threads. */
static uint64_t registers_saved(void)
{
    uint32_t low, high;
    __asm__ __volatile__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static machine machine_look(void)
{
    enum { YMM = 0x06, ZMM = 0xe6 };   /* SSE, AVX; and masks, upper halves, upper sixteen       */
    machine m = {0};
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d))
        return m;
    uint64_t saved = c & bit_OSXSAVE ? registers_saved() : 0;
    int sse41 = (c & bit_SSSE3) != 0 && (c & bit_SSE4_1) != 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return m;
    m.shani = sse41 && (b & bit_SHA) != 0;
    m.avx2 = (saved & YMM) == YMM && (b & bit_AVX2) != 0;
    m.avx512 = m.avx2 && (saved & ZMM) == ZMM && (b & bit_AVX512F) != 0;
    m.avx512vl = m.avx512 && (b & bit_AVX512VL) != 0;
    return m;
}
#endif

/* ---- the table ---- */

enum { KERNELS_MAX = 8, LANES_MAX = 16 };

static ww_kernel kernels[KERNELS_MAX];
static size_t kernels_count;
static const ww_kernel *_Atomic kernel_now;

/* What one vector of a row costs, by ww_hash: nanoseconds on a Xeon of 2023 (Sapphire Rapids at
 * 3.5 GHz, GCC 12 -O3, counters and midstates in L1). Only their relations matter. */
typedef uint16_t costs[WW_HASHES];

/* "best": vectors of the row that is cheapest a lane, and for what remains, by its number of
 * lanes, the row that is cheapest in all. Rows are indices into kernels. */
typedef struct {
    size_t lanes;
    uint32_t most, most_cost, rest[LANES_MAX], rest_cost[LANES_MAX];
} choice;

static choice best[WW_HASHES], best_text[WW_HASHES];

static void choice_weigh(choice *c, uint32_t row, size_t lanes, uint32_t cost)
{
    if (!c->lanes || cost * c->lanes < c->most_cost * lanes) {
        c->most = row;
        c->lanes = lanes;
        c->most_cost = cost;
    }
    for (size_t n = 1; n < LANES_MAX; n++) {
        uint32_t whole = cost * (uint32_t)((n + lanes - 1) / lanes);
        if (!c->rest_cost[n] || whole < c->rest_cost[n]) {
            c->rest[n] = row;
            c->rest_cost[n] = whole;
        }
    }
}

/* The number of lanes is a power of two. */
static void best_hotp(ww_hash hash, const void *const *mids, const uint64_t *moving, uint32_t *out,
                      size_t n)
{
    size_t rest = n & (best[hash].lanes - 1), whole = n - rest;
    if (whole > 0)
        kernels[best[hash].most].hotp[hash](mids, moving, out, whole);
    if (rest > 0)
        kernels[best[hash].rest[rest]].hotp[hash](mids + whole, moving + whole, out + whole, rest);
}

static void best_texts(ww_hash hash, const void *const *mids, const void *const *texts,
                       size_t blocks, uint32_t *out, size_t n)
{
    const choice *c = &best_text[hash];
    size_t rest = n & (c->lanes - 1), whole = n - rest;
    if (whole > 0)
        kernels[c->most].text[hash](mids, texts, blocks, out, whole);
    if (rest > 0)
        kernels[c->rest[rest]].text[hash](mids + whole, texts + whole, blocks, out + whole, rest);
}

#define BEST_OF(name, hash)                                                                       \
    static void best_##name(const void *const *mids, const uint64_t *moving, uint32_t *out,       \
                            size_t n)                                                             \
    {                                                                                             \
        best_hotp(hash, mids, moving, out, n);                                                    \
    }                                                                                             \
    static void best_text_##name(const void *const *mids, const void *const *texts,               \
                                 size_t blocks, uint32_t *out, size_t n)                          \
    {                                                                                             \
        best_texts(hash, mids, texts, blocks, out, n);                                            \
    }
BEST_OF(sha1, WW_SHA1)
BEST_OF(sha256, WW_SHA256)
BEST_OF(sha512, WW_SHA512)

static void kernel_offer(ww_kernel row, const costs cost)
{
    kernels[kernels_count] = row;
    for (int hash = 0; hash < WW_HASHES; hash++) {
        choice_weigh(&best[hash], (uint32_t)kernels_count, row.lanes[hash], cost[hash]);
        if (kernels_count == 0 || row.text[hash] != kernels[0].text[hash])
            choice_weigh(&best_text[hash], (uint32_t)kernels_count, row.lanes[hash], cost[hash]);
    }
    kernels_count++;
}

#define ROW_OF(isa)                                                                               \
    {ww_hotp_sha1_many_##isa, ww_hotp_sha256_many_##isa, ww_hotp_sha512_many_##isa},              \
        ww_totp_sha1_many_##isa, TEXTS_OF(isa)
#define TEXTS_OF(isa)                                                                             \
    {ww_text_sha1_many_##isa, ww_text_sha256_many_##isa, ww_text_sha512_many_##isa},              \
        ww_ocra_sha1_many_##isa

__attribute__((constructor)) static void kernels_fill(void)
{
    kernel_offer((ww_kernel){"portable", {1, 1, 1}, ROW_OF(portable)}, (costs){142, 345, 475});
#if defined(__x86_64__)
    machine m = machine_look();
    kernel_offer((ww_kernel){"sse2", {4, 4, 2}, ROW_OF(sse2)}, (costs){295, 640, 820});
    if (m.shani) /* SHA-512 has no such instructions: portable entries stand, and for texts */
        kernel_offer((ww_kernel){"shani", {1, 1, 1}, {ww_hotp_sha1_many_shani,
                                 ww_hotp_sha256_many_shani, ww_hotp_sha512_many_portable}, NULL,
                                 TEXTS_OF(portable)},
                     (costs){76, 66, 475});
    if (m.avx2)
        kernel_offer((ww_kernel){"avx2", {8, 8, 4}, ROW_OF(avx2)}, (costs){295, 660, 800});
    if (m.avx512vl)
        kernel_offer((ww_kernel){"avx512vl", {8, 8, 4}, ROW_OF(avx512vl)}, (costs){195, 350, 440});
    if (m.avx512)
        kernel_offer((ww_kernel){"avx512", {16, 16, 8}, ROW_OF(avx512)}, (costs){245, 500, 630});
#elif defined(__aarch64__)
    /* Not measured: reckoned from four ALUs that rotate for nothing against two vector pipes. */
    kernel_offer((ww_kernel){"neon", {4, 4, 2}, ROW_OF(neon)}, (costs){300, 700, 1000});
#endif
    ww_kernel *row = &kernels[kernels_count++];
    *row = (ww_kernel){"best", {0, 0, 0}, {best_sha1, best_sha256, best_sha512},
                        kernels[best[WW_SHA1].most].totp,
                        {best_text_sha1, best_text_sha256, best_text_sha512},
                        kernels[best_text[WW_SHA1].most].ocra};
    for (int hash = 0; hash < WW_HASHES; hash++)
        row->lanes[hash] = (uint32_t)best[hash].lanes;
    kernel_now = row;
}

size_t ww_kernels(const ww_kernel **rows)
{
    *rows = kernels;
    return kernels_count;
}

const ww_kernel *ww_kernel_in_use(void) { return kernel_now; }

int ww_kernel_force(const char *name)
{
    if (name == NULL)
        name = "best";
    for (size_t i = 0; i < kernels_count; i++) {
        if (strcmp(kernels[i].name, name) == 0) {
            kernel_now = &kernels[i];
            return 0;
        }
    }
    return -1;
}

/* ---- one message at a time ---- */

/* A hash under way. The two 32-bit hashes use w32, SHA-512 w64. */
typedef struct {
    union { uint32_t w32[8]; uint64_t w64[8]; } state;
    uint8_t block[128];
    size_t block_bytes;          /* 64 or 128                                                    */
    size_t held;                 /* bytes waiting in block                                       */
    uint64_t total;              /* bytes taken in                                               */
    ww_hash hash;
} digest;

static const uint32_t sha1_start[5] = {0x67452301u, 0xefcdab89u, 0x98badcfeu, 0x10325476u,
                                       0xc3d2e1f0u};
static const uint32_t sha256_start[8] = {0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
                                         0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u};
static const uint64_t sha512_start[8] = {
    0x6a09e667f3bcc908u, 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu, 0xa54ff53a5f1d36f1u,
    0x510e527fade682d1u, 0x9b05688c2b3e6c1fu, 0x1f83d9abfb41bd6bu, 0x5be0cd19137e2179u};

/* By ww_hash. start is what an empty state holds; its size is also half of a pair of midstates,
 * and the digest's size but for byte order. */
static const struct {
    const void *start;
    size_t state_bytes, block_bytes;
} shapes[WW_HASHES] = {
    {sha1_start, sizeof sha1_start, 64},
    {sha256_start, sizeof sha256_start, 64},
    {sha512_start, sizeof sha512_start, 128},
};

size_t ww_hash_bytes(ww_hash hash)
{
    return shapes[hash].state_bytes;
}

size_t ww_mid_bytes(ww_hash hash)
{
    return 2 * shapes[hash].state_bytes;
}

static void digest_open(digest *d, ww_hash hash)
{
    memset(d, 0, sizeof *d);
    d->hash = hash;
    d->block_bytes = shapes[hash].block_bytes;
    memcpy(&d->state, shapes[hash].start, shapes[hash].state_bytes);
}

static void digest_block(digest *d, const uint8_t *block)
{
    if (d->hash == WW_SHA1)
        ww_sha1_block(d->state.w32, block);
    else if (d->hash == WW_SHA256)
        ww_sha256_block(d->state.w32, block);
    else
        ww_sha512_block(d->state.w64, block);
}

static void digest_take(digest *d, const uint8_t *text, size_t len)
{
    d->total += len;
    while (len > 0) {
        size_t room = d->block_bytes - d->held;
        size_t step = len < room ? len : room;
        memcpy(d->block + d->held, text, step);
        d->held += step;
        text += step;
        len -= step;
        if (d->held == d->block_bytes) {
            digest_block(d, d->block);
            d->held = 0;
        }
    }
}

/* Pads (FIPS 180-4 5.1), writes and wipes. No text fills the upper half of SHA-512's length. */
static void digest_close(digest *d, uint8_t *out)
{
    uint64_t bits = d->total * 8;
    size_t length_at = d->block_bytes - 8, length_bytes = d->block_bytes / 8;
    d->block[d->held++] = 0x80;
    if (d->held > d->block_bytes - length_bytes) {
        memset(d->block + d->held, 0, d->block_bytes - d->held);
        digest_block(d, d->block);
        d->held = 0;
    }
    memset(d->block + d->held, 0, d->block_bytes - d->held);
    ww_store_be64(d->block + length_at, bits);
    digest_block(d, d->block);
    if (d->hash == WW_SHA512) {
        for (size_t i = 0; i < 8; i++)
            ww_store_be64(out + 8 * i, d->state.w64[i]);
    } else {
        for (size_t i = 0; i < shapes[d->hash].state_bytes / 4; i++)
            ww_store_be32(out + 4 * i, d->state.w32[i]);
    }
    ww_wipe(d, sizeof *d);
}

/* RFC 2104: the key, hashed first when longer than a block, under both pads. */
void ww_hmac_mid(ww_hash hash, const uint8_t *key, size_t key_len, void *mid)
{
    uint8_t block[128] = {0};
    digest d;
    if (key_len > shapes[hash].block_bytes) {
        ww_hash_of(hash, key, key_len, block);
    } else if (key_len > 0) {
        memcpy(block, key, key_len);
    }
    for (size_t i = 0; i < sizeof block; i++)
        block[i] ^= 0x36;
    digest_open(&d, hash);
    digest_block(&d, block);
    memcpy(mid, &d.state, shapes[hash].state_bytes);
    for (size_t i = 0; i < sizeof block; i++)
        block[i] ^= 0x36 ^ 0x5c;
    digest_open(&d, hash);
    digest_block(&d, block);
    memcpy((uint8_t *)mid + shapes[hash].state_bytes, &d.state, shapes[hash].state_bytes);
    ww_wipe(&d, sizeof d);
    ww_wipe(block, sizeof block);
}

/* A hash that goes on from a midstate, one block in. */
static void digest_after(ww_hash hash, const void *mid, const uint8_t *text, size_t len,
                         uint8_t *out)
{
    digest d;
    digest_open(&d, hash);
    memcpy(&d.state, mid, shapes[hash].state_bytes);
    d.total = d.block_bytes;
    digest_take(&d, text, len);
    digest_close(&d, out);
}

void ww_hmac_from(ww_hash hash, const void *mid, const uint8_t *text, size_t len, uint8_t *mac)
{
    size_t size = shapes[hash].state_bytes;
    uint8_t inner[64];
    digest_after(hash, mid, text, len, inner);
    digest_after(hash, (const uint8_t *)mid + size, inner, size, mac);
    ww_wipe(inner, sizeof inner);
}

void ww_hash_of(ww_hash hash, const uint8_t *text, size_t len, uint8_t *out)
{
    digest d;
    digest_open(&d, hash);
    digest_take(&d, text, len);
    digest_close(&d, out);
}

void ww_hmac(ww_hash hash, const uint8_t *key, size_t key_len, const uint8_t *text, size_t text_len,
             uint8_t *mac)
{
    uint8_t mid[128];
    ww_hmac_mid(hash, key, key_len, mid);
    ww_hmac_from(hash, mid, text, text_len, mac);
    ww_wipe(mid, sizeof mid);
}

/* ---- codes ---- */

/* All sixteen places are read and one is kept: the offset is a secret like the rest. */
uint32_t ww_truncate(const uint8_t *mac, size_t mac_len)
{
    uint32_t offset = mac[mac_len - 1] & 15u;
    uint32_t word = 0;
    for (uint32_t at = 0; at < 16; at++)
        word |= ww_load_be32(mac + at) & (0u - ww_eq_u32(at, offset));
    return word & 0x7fffffffu;
}

/* x % 10^digits for x < 2^31: the quotient is x * ceil(2^shift / 10^digits) >> shift, exact when
 * 2^31 * 10^digits <= 2^shift. Ten digits and more keep x whole. Division's time may depend on x;
 * a multiplication's does not. */
static const struct {
    uint32_t reciprocal, power, shift;
} tens[11] = {
    {0x80000000u, 1, 31},          {0xcccccccdu, 10, 35},
    {0xa3d70a3eu, 100, 38},        {0x83126e98u, 1000, 41},
    {0xd1b71759u, 10000, 45},      {0xa7c5ac48u, 100000, 48},
    {0x8637bd06u, 1000000, 51},    {0xd6bf94d6u, 10000000, 55},
    {0xabcc7712u, 100000000, 58},  {0x89705f42u, 1000000000, 61},
    {0, 0, 0},
};

uint32_t ww_reduce(uint32_t truncated, uint32_t digits)
{
    if (digits > 10)
        digits = 10;
    uint64_t quotient = (uint64_t)truncated * tens[digits].reciprocal >> tens[digits].shift;
    return truncated - (uint32_t)quotient * tens[digits].power;
}

/* The same for many codes of so many digits, each held against a number; the compiler makes vectors
 * of it. Nothing here is a branch, and the sums leave no room to make one of. */
void ww_match_many(const uint32_t *truncated, const uint32_t *want, const uint32_t *misfit,
                   uint32_t digits, uint32_t *hit, size_t n)
{
    uint64_t reciprocal = tens[digits].reciprocal;
    uint32_t power = tens[digits].power, shift = tens[digits].shift;
    for (size_t i = 0; i < n; i++) {
        uint32_t quotient = (uint32_t)(truncated[i] * reciprocal >> shift);
        uint32_t differ = ((truncated[i] - quotient * power) ^ want[i]) | misfit[i];
        hit[i] = ((differ | (0u - differ)) >> 31) ^ 1u;
    }
}
