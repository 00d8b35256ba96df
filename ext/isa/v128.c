/* Four lanes of 32 bits, two of 64, on what every x86-64 (SSE2) or AArch64 (NEON) has. The
 * compiler's vector types carry the rounds; only the zips are named per machine.
 */
#if defined(__x86_64__) || defined(__aarch64__)
#include "../internal.h"

typedef uint32_t u32x4 __attribute__((vector_size(16)));
typedef uint64_t u64x2 __attribute__((vector_size(16)));

#if defined(__x86_64__)
#include <emmintrin.h>
#define ROW(name) name##_sse2
#define V128(a) ((__m128i)(a))
#define v_zip_low32(a, b) ((v_t)_mm_unpacklo_epi32(V128(a), V128(b)))
#define v_zip_high32(a, b) ((v_t)_mm_unpackhi_epi32(V128(a), V128(b)))
#define v_zip_low64(a, b) ((v_t)_mm_unpacklo_epi64(V128(a), V128(b)))
#define v_zip_high64(a, b) ((v_t)_mm_unpackhi_epi64(V128(a), V128(b)))
#else
#include <arm_neon.h>
#define ROW(name) name##_neon
#define v_zip_low32(a, b) ((v_t)vzip1q_u32((uint32x4_t)(a), (uint32x4_t)(b)))
#define v_zip_high32(a, b) ((v_t)vzip2q_u32((uint32x4_t)(a), (uint32x4_t)(b)))
#define v_zip_low64(a, b) ((v_t)vzip1q_u64((uint64x2_t)(a), (uint64x2_t)(b)))
#define v_zip_high64(a, b) ((v_t)vzip2q_u64((uint64x2_t)(a), (uint64x2_t)(b)))
#endif

#define LANES 4
#define V_BITS 32
#define v_t u32x4
#define v_set1(k) ((v_t){(k), (k), (k), (k)})
#define v_blocks(rows, first, step, byte) ((v_t)one_block((rows)[first], byte))
#include "../lanes/ops.h"

V_INLINE u32x4 one_block(const void *row, size_t byte)
{
    u32x4 v;
    memcpy(&v, (const uint8_t *)row + byte, sizeof v);
    return v;
}

#include "../lanes/columns.h"
#include "../lanes/many.h"
#include "../lanes/truncate.h"

/* a holds the counters 0 and 1 as low, high, low, high; b 2 and 3. Two zips sort them. */
V_INLINE void v_counters(v_t *high, v_t *low, const uint64_t *moving)
{
    v_t a = one_block(moving, 0), b = one_block(moving, 16);
    v_t c = v_zip_low32(a, b), d = v_zip_high32(a, b);
    *low = v_zip_low32(c, d);
    *high = v_zip_high32(c, d);
}

#define v_columns v_columns32
#define v_store_low32(out, v) store_low32(out, v)
V_INLINE void store_low32(uint32_t *out, v_t v)
{
    memcpy(out, &v, sizeof v);
}
#include "../lanes/sha1.h"
#include "../lanes/sha256.h"

#undef LANES
#undef V_BITS
#undef v_t
#undef v_set1
#undef v_columns
#undef v_store_low32
#define LANES 2
#define V_BITS 64
#define v_t u64x2
#define v_set1(k) ((v_t){(k), (k)})
#include "../lanes/columns.h"
#include "../lanes/truncate.h"

#define v_columns v_columns64
#define v_counter(word, moving) (*(word) = (v_t)one_block(moving, 0))
#define v_store_low32(out, v) ((out)[0] = (uint32_t)(v)[0], (out)[1] = (uint32_t)(v)[1])
#include "../lanes/sha512.h"
#else
typedef int ww_no_v128;
#endif
