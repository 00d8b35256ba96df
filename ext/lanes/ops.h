/* The operations the rounds are written in, as C operators: right for a plain word and for the
 * compilers' vector types alike. A row with a better instruction defines its own before this.
 *
 * Besides these a row names: v_t (the vector), V_BITS (32 or 64), LANES, v_set1(word),
 * v_columns(column, rows, words) (words of LANES records, turned so that column[w] holds word w of
 * every record), v_counters and v_store_low32. Arguments are used more than once: no side effects.
 */
#ifndef v_add
#define v_add(a, b) ((a) + (b))
#endif
#ifndef v_xor
#define v_xor(a, b) ((a) ^ (b))
#endif
#ifndef v_and
#define v_and(a, b) ((a) & (b))
#endif
#ifndef v_or
#define v_or(a, b) ((a) | (b))
#endif
#ifndef v_andnot /* not a, and b */
#define v_andnot(a, b) (~(a) & (b))
#endif
#ifndef v_shl
#define v_shl(a, n) ((a) << (n))
#endif
#ifndef v_shr
#define v_shr(a, n) ((a) >> (n))
#endif
#ifndef v_rol
#define v_rol(a, n) (((a) << (n)) | ((a) >> (V_BITS - (n))))
#endif
#ifndef v_ror
#define v_ror(a, n) (((a) >> (n)) | ((a) << (V_BITS - (n))))
#endif

/* Three inputs at once: AVX-512 has one instruction for each of these. */
#ifndef v_xor3
#define v_xor3(a, b, c) v_xor(v_xor(a, b), c)
#endif
#ifndef v_choose /* b where a is set, else c */
#define v_choose(a, b, c) v_xor(c, v_and(a, v_xor(b, c)))
#endif
#ifndef v_major /* what two of three say */
#define v_major(a, b, c) v_xor(v_and(a, b), v_and(c, v_xor(a, b)))
#endif

/* All ones where bit n of a is set: a mask for v_choose, no index and no branch. */
#ifndef v_bit
#define v_bit(a, n) (v_set1(0) - v_and(v_shr(a, n), v_set1(1)))
#endif

#define V_INLINE static inline __attribute__((always_inline))
