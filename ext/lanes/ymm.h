/* Vectors of 256 bits: eight lanes of 32, four of 64. What avx2.c and avx512vl.c share; they differ
 * in the instructions they name for rotations and functions of three words.
 */
typedef uint32_t u32x8 __attribute__((vector_size(32)));
typedef uint64_t u64x4 __attribute__((vector_size(32)));

#define V256(a) ((__m256i)(a))
#define v_zip_low32(a, b) ((v_t)_mm256_unpacklo_epi32(V256(a), V256(b)))
#define v_zip_high32(a, b) ((v_t)_mm256_unpackhi_epi32(V256(a), V256(b)))
#define v_zip_low64(a, b) ((v_t)_mm256_unpacklo_epi64(V256(a), V256(b)))
#define v_zip_high64(a, b) ((v_t)_mm256_unpackhi_epi64(V256(a), V256(b)))
#define v_blocks(rows, first, step, byte)                                                         \
    ((v_t)two_blocks((const uint8_t *)(rows)[first] + (byte),                                     \
                     (const uint8_t *)(rows)[(first) + (step)] + (byte)))

#include "ops.h"

V_INLINE __m256i two_blocks(const uint8_t *low, const uint8_t *high)
{
    __m256i v = _mm256_castsi128_si256(_mm_loadu_si128((const void *)low));
    return _mm256_inserti128_si256(v, _mm_loadu_si128((const void *)high), 1);
}

/* Zips and shuffles stay inside 128-bit blocks; the permutation brings the halves back in order. */
V_INLINE __m256i evens(__m256i a, __m256i b)
{
    __m256 v = _mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0x88);
    return _mm256_permute4x64_epi64(_mm256_castps_si256(v), 0xd8);
}

/* Eight bits to the right in words of 64. */
V_INLINE __m256i rotate_byte(__m256i v)
{
    return _mm256_shuffle_epi8(v, _mm256_set_epi64x(0x080f0e0d0c0b0a09, 0x0007060504030201,
                                                    0x080f0e0d0c0b0a09, 0x0007060504030201));
}

#define LANES 8
#define V_BITS 32
#define v_t u32x8
#define v_set1(k) ((v_t)_mm256_set1_epi32((int)(k)))
#include "columns.h"
#include "many.h"
#include "truncate.h"

V_INLINE void v_counters(v_t *high, v_t *low, const uint64_t *moving)
{
    __m256i a = _mm256_loadu_si256((const void *)moving);
    __m256i b = _mm256_loadu_si256((const void *)(moving + 4));
    *low = (v_t)evens(a, b);
    *high = (v_t)evens(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32));
}

#define v_columns v_columns32
#define v_store_low32(out, v) _mm256_storeu_si256((void *)(out), V256(v))
#include "sha1.h"
#include "sha256.h"

#undef LANES
#undef V_BITS
#undef v_t
#undef v_set1
#undef v_columns
#undef v_store_low32
#define LANES 4
#define V_BITS 64
#define v_t u64x4
#define v_set1(k) ((v_t)_mm256_set1_epi64x((long long)(k)))
#ifdef v_ror64
#undef v_ror
#define v_ror v_ror64
#endif
#include "columns.h"
#include "truncate.h"

#define v_columns v_columns64
#define v_counter(word, moving) (*(word) = (v_t)_mm256_loadu_si256((const void *)(moving)))
#define v_store_low32(out, v)                                                                     \
    _mm_storeu_si128((void *)(out), _mm256_castsi256_si128(evens(V256(v), V256(v))))
#include "sha512.h"
