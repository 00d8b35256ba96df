/* The portable row: a vector is one plain word, so this is scalar C for any compiler and machine.
 *
 * Every other row is held against this one, and the blocks of HMACs that are no counters (keys at
 * enrolment, OCRA's texts) are hashed here too. Rule: no intrinsics, no builtins of one machine.
 */
#include "../internal.h"

#define ROW(name) name##_portable

#define LANES 1
#define V_BITS 32
#define v_t uint32_t
#define v_set1(k) ((v_t)(k))
#define v_columns(column, rows, words) memcpy(column, (rows)[0], (words) * sizeof(v_t))
#define v_counters(high, low, moving)                                                             \
    (*(high) = (v_t)((moving)[0] >> 32), *(low) = (v_t)(moving)[0])
#define v_store_low32(out, v) ((out)[0] = (uint32_t)(v))
#include "../lanes/ops.h"

#include "../lanes/many.h"
#include "../lanes/truncate.h"

#include "../lanes/sha1.h"
#include "../lanes/sha256.h"

void ww_sha1_block(uint32_t state[5], const uint8_t block[64])
{
    uint32_t w[16];
    for (int i = 0; i < 16; i++)
        w[i] = ww_load_be32(block + 4 * i);
    sha1_compress(state, w);
    ww_wipe(w, sizeof w);
}

void ww_sha1_shared(uint64_t moving, uint32_t shared[80])
{
    uint32_t w[16] = {(uint32_t)(moving >> 32), (uint32_t)moving, 0x80000000u};
    w[15] = (64 + 8) * 8;
    ww_sha1_schedule(w, shared);
}

/* FIPS 180-4 6.1.2: the message schedule of a block, the rounds' constants added. */
void ww_sha1_schedule(const uint32_t words[16], uint32_t shared[80])
{
    static const uint32_t k[4] = {0x5a827999u, 0x6ed9eba1u, 0x8f1bbcdcu, 0xca62c1d6u};
    uint32_t w[80];
    memcpy(w, words, 16 * sizeof *w);
    for (int t = 16; t < 80; t++)
        w[t] = v_rol(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    for (int t = 0; t < 80; t++)
        shared[t] = w[t] + k[t / 20];
}

void ww_sha256_block(uint32_t state[8], const uint8_t block[64])
{
    uint32_t w[16];
    for (int i = 0; i < 16; i++)
        w[i] = ww_load_be32(block + 4 * i);
    sha256_compress(state, w);
    ww_wipe(w, sizeof w);
}

#undef V_BITS
#undef v_t
#define V_BITS 64
#define v_t uint64_t
#define v_counter(word, moving) (*(word) = (moving)[0])

#include "../lanes/truncate.h"

#include "../lanes/sha512.h"

void ww_sha512_block(uint64_t state[8], const uint8_t block[128])
{
    uint64_t w[16];
    for (int i = 0; i < 16; i++)
        w[i] = ww_load_be64(block + 8 * i);
    sha512_compress(state, w);
    ww_wipe(w, sizeof w);
}
