/* Any number of lanes through a routine that takes exactly one vector of them.
 *
 * Rule: a ragged tail goes the same road. Idle lanes borrow the tail's first input and write
 * nowhere, so there is no second code path to prove equal and no bounds test inside.
 */
typedef void one_vector_of_texts(const void *const *mids, const void *const *texts, size_t blocks,
                                 uint32_t *out);
typedef void one_vector(const void *const *mids, const uint64_t *moving, uint32_t *out);

enum { LANES_MOST = 16 };

V_INLINE void hotp_many(one_vector *one, size_t lanes, const void *const *mids,
                        const uint64_t *moving, uint32_t *out, size_t n)
{
    size_t i = 0;
    for (; n - i >= lanes; i += lanes)
        one(mids + i, moving + i, out + i);
    if (i == n)
        return;
    const void *tail_mids[LANES_MOST];
    uint64_t tail_moving[LANES_MOST];
    uint32_t tail_out[LANES_MOST];
    for (size_t lane = 0; lane < lanes; lane++) {
        size_t from = i + lane < n ? i + lane : i;
        tail_mids[lane] = mids[from];
        tail_moving[lane] = moving[from];
    }
    one(tail_mids, tail_moving, tail_out);
    memcpy(out + i, tail_out, (n - i) * sizeof *out);
    ww_wipe(tail_out, sizeof tail_out);
}

/* The same for texts of several blocks, all of one length. */
V_INLINE void text_many(one_vector_of_texts *one, size_t lanes, const void *const *mids,
                        const void *const *texts, size_t blocks, uint32_t *out, size_t n)
{
    size_t i = 0;
    for (; n - i >= lanes; i += lanes)
        one(mids + i, texts + i, blocks, out + i);
    if (i == n)
        return;
    const void *tail_mids[LANES_MOST], *tail_texts[LANES_MOST];
    uint32_t tail_out[LANES_MOST];
    for (size_t lane = 0; lane < lanes; lane++) {
        size_t from = i + lane < n ? i + lane : i;
        tail_mids[lane] = mids[from];
        tail_texts[lane] = texts[from];
    }
    one(tail_mids, tail_texts, blocks, tail_out);
    memcpy(&out[i], tail_out, sizeof *out * (n - i));
    ww_wipe(tail_out, sizeof tail_out);
}
