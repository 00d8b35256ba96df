/* RFC 4226 5.3 over one vector: four bytes at the offset in the digest's last nibble, 31 bits.
 *
 * Rule: the offset is a secret, so it never is an index. Each of its four bits moves everything or
 * nothing, by eight, four, two bytes and one. Included once for each V_BITS.
 */
#if V_BITS == 32
/* w: the digest's first five words. last: its last. */
V_INLINE v_t truncate_words32(const v_t w[5], v_t last)
{
    v_t by8 = v_bit(last, 3), by4 = v_bit(last, 2), by2 = v_bit(last, 1), by1 = v_bit(last, 0);
    v_t p = v_choose(by8, w[2], w[0]), q = v_choose(by8, w[3], w[1]);
    v_t r = v_choose(by8, w[4], w[2]);
    p = v_choose(by4, q, p);
    q = v_choose(by4, r, q);
    p = v_choose(by2, v_or(v_shl(p, 16), v_shr(q, 16)), p);
    q = v_choose(by2, v_shl(q, 16), q);
    p = v_choose(by1, v_or(v_shl(p, 8), v_shr(q, 24)), p);
    return v_and(p, v_set1(0x7fffffffu));
}
#else
/* w: the digest's first three words. last: its last. */
V_INLINE v_t truncate_words64(const v_t w[3], v_t last)
{
    v_t by8 = v_bit(last, 3), by4 = v_bit(last, 2), by2 = v_bit(last, 1), by1 = v_bit(last, 0);
    v_t p = v_choose(by8, w[1], w[0]), q = v_choose(by8, w[2], w[1]);
    p = v_choose(by4, v_or(v_shl(p, 32), v_shr(q, 32)), p);
    p = v_choose(by2, v_shl(p, 16), p);
    p = v_choose(by1, v_shl(p, 8), p);
    return v_and(v_shr(p, 32), v_set1(0x7fffffffu));
}
#endif
