/* How long the core takes, class by class: `clock TARGET COUNT SEED` writes a measurement after the
 * other to standard output, a uint32 of ticks and a uint32 of class, for welch.py to weigh; and the
 * nanoseconds of a tick to standard error.
 *
 * Classes come in random order. Whatever a measurement reads is laid out before the clock starts,
 * in the order in which it is read, so that no class has the warmer cache. Users are few and each
 * comes again and again; the time goes on slowly, so that whoever is locked stays locked and nobody
 * else ever has ten failures within the window: after warming up no state drifts. What is one
 * user's alone (its place, its key, a neighbour in the index) must not pass for its class: every
 * name is found where it is first looked for, and after each epoch all users are others. alone.c,
 * match.c and verify.c are included for the halves of a turn: `match` is what happens before
 * decide, `turn` is all of it.
 */
#include <time.h>

#include "alone.c"
#include "match.c"
#include "verify.c"
#include "world.h"

enum {
    STEP = 450000,
    CHUNK = 4096, /* measurements laid out together */
    PIECES = 8,   /* pieces in one measurement: one alone is shorter than reading the clock */
    TEXT = 32,
    PERIOD_S = 3600,
    PER_MS = 4 /* measurements in a millisecond of the users' time */
};

/* Of a turn. */
enum { WRONG, USED, UNKNOWN, LOCKED, LENGTH, CLASSES };
enum {
    USERS = 8,      /* of each class */
    PEOPLE = 4096,  /* with those who are never asked for */
    WINDOW_MS = 30, /* between one visit of a user, after some 10 ms, and ten */
    TURN_EPOCH = 1 << 15,
    TURN_WARM = 2 * CHUNK, /* 200 visits: until every streak is as long as can be */
    MATCH_EPOCH = 1 << 14,
    MATCH_WARM = CHUNK
};
static const uint8_t reasons[CLASSES] = {WW_REASON_WRONG, WW_REASON_REPLAYED,
                                         WW_REASON_UNKNOWN_USER, WW_REASON_LOCKED,
                                         WW_REASON_WRONG};

typedef struct {
    const char *name;
    void (*lay)(uint64_t at);
    void (*run)(size_t i);
    uint64_t epoch, warm; /* users are others after so many; of these the first are not written */
} target;

static const target *of; /* the one that is measured */

static uint64_t seed;

static uint64_t draw(void) /* splitmix64 */
{
    uint64_t z = seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline uint64_t ticks(void)
{
#if defined(__x86_64__)
    uint32_t low, high;
    __asm__ __volatile__("lfence\n\trdtsc\n\tlfence" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
#endif
}

static uint32_t class_of[CHUNK];
static volatile uint32_t sink;

/* ---- pieces ---- */

static uint8_t left[CHUNK][PIECES][TEXT], right[CHUNK][PIECES][TEXT];

/* 0: the first byte differs; 1: equal; 2: the last byte differs. */
static void compare_lay(uint64_t at)
{
    (void)at;
    for (size_t i = 0; i < CHUNK; i++) {
        class_of[i] = (uint32_t)(draw() % 3);
        for (size_t n = 0; n < PIECES; n++) {
            for (size_t k = 0; k < TEXT; k += 8)
                ww_store_le64(left[i][n] + k, draw());
            memcpy(right[i][n], left[i][n], TEXT);
            right[i][n][0] ^= class_of[i] == 0;
            right[i][n][TEXT - 1] ^= class_of[i] == 2;
        }
    }
}

static void compare_run(size_t i)
{
    uint32_t same = 0;
    for (size_t n = 0; n < PIECES; n++)
        same += ww_equal(left[i][n], right[i][n], TEXT);
    sink = same;
}

static __attribute__((noinline)) uint32_t equal_exits_early(const uint8_t *a, const uint8_t *b)
{
    for (size_t i = 0; i < TEXT; i++)
        if (a[i] != b[i])
            return 0;
    return 1;
}

static void control_run(size_t i)
{
    uint32_t same = 0;
    for (size_t n = 0; n < PIECES; n++)
        same += equal_exits_early(left[i][n], right[i][n]);
    sink = same;
}

/* 0: any digest; 1: always the same; 2: all ones, the largest code at the last place. */
static void truncate_lay(uint64_t at)
{
    (void)at;
    for (size_t i = 0; i < CHUNK; i++) {
        class_of[i] = (uint32_t)(draw() % 3);
        for (size_t n = 0; n < PIECES; n++)
            for (size_t k = 0; k < TEXT; k += 8) {
                uint64_t any = draw();
                uint64_t fixed = class_of[i] == 1 ? 0x0123456789abcdefu : UINT64_MAX;
                ww_store_le64(left[i][n] + k, class_of[i] ? fixed : any);
            }
    }
}

static void truncate_run(size_t i)
{
    uint32_t code = 0;
    for (size_t n = 0; n < PIECES; n++)
        code ^= ww_reduce(ww_truncate(left[i][n], 20), 6);
    sink = code;
}

/* ---- attempts ---- */

static world w;
static ww_attempt attempts[CHUNK];
static ww_record records[WW_RECORD_UNITS_PER_ATTEMPT_MAX];
static uint8_t texts[CHUNK][32];
typedef struct { char name[16]; uint8_t right[8], wrong[8]; } person;
static person people[PEOPLE];
static int64_t now_ms[CHUNK];
static int with_decide;

/* Everybody is asked for once in a round, in any order: who comes again, comes again as soon
 * whatever his class is. */
static uint32_t next_person(void)
{
    static uint32_t round[USERS * CLASSES], left;
    if (!round[0] && !round[1])
        for (uint32_t who = 0; who < USERS * CLASSES; who++)
            round[who] = who;
    left = left ? left - 1 : USERS * CLASSES - 1;
    uint32_t other = (uint32_t)(draw() % (left + 1)), who = round[other];
    round[other] = round[left];
    round[left] = who;
    return who;
}

static int is_in(uint32_t who, uint32_t class)
{
    return who / USERS == (class == UNKNOWN ? 4 : 3);
}

/* Classes that differ in what is typed share their people, who then differ in nothing else. */
static uint32_t class_for(uint32_t who)
{
    static const uint8_t typed[] = {WRONG, USED, LENGTH, LOCKED};
    if (is_in(who, UNKNOWN))
        return UNKNOWN;
    if (is_in(who, LOCKED) && with_decide)
        return LOCKED;
    return typed[draw() % (with_decide ? 3 : 4)];
}

/* Of eleven letters, and at home in the index: nothing stands where it is looked for, nor next. */
static void name_make(char *name)
{
    uint64_t entry;
    do {
        snprintf(name, 16, "u%010u", (uint32_t)draw());
        uint64_t hash = ww_name_hash(&w.t, (const uint8_t *)name, 11);
        uint32_t at = (uint32_t)(hash >> 32) & w.t.index_mask;
        entry = w.t.index[at] | w.t.index[(at + 1) & w.t.index_mask];
    } while (entry);
}

static void world_empty(void)
{
    memset(w.t.users, 0, w.t.users_cap * sizeof *w.t.users);
    memset(w.t.index, 0, (w.t.index_mask + 1) * sizeof *w.t.index);
    w.t.users_used = w.t.users_live = 0;
    w.t.cold_used = 8;
    w.t.device_next = 1;
    w.t.name_key[0] = draw();
    w.ids = 0;
}

/* Whoever is asked for stands among many others, as in life: the names that do not exist borrow the
 * devices of those, and no line is read for two of them. */
static void world_fill(void)
{
    static const ww_spec spec = {.kind = WW_KIND_TOTP, .hash = WW_SHA1, .digits = 6, .back = 1,
                                 .forward = 1, .period_s = PERIOD_S};
    static uint32_t order[PEOPLE];
    world_empty();
    for (uint32_t nth = 0; nth < PEOPLE; nth++) {
        uint32_t other = (uint32_t)(draw() % (nth + 1));
        order[nth] = order[other];
        order[other] = nth;
    }
    for (uint32_t nth = 0; nth < PEOPLE; nth++) {
        person *who = &people[order[nth]];
        uint8_t key[20];
        for (size_t k = 0; k < sizeof key; k++)
            key[k] = (uint8_t)draw();
        uint32_t code = code_of(WW_SHA1, key, sizeof key, STEP, 6);
        code_text(code, 6, who->right);
        code_text((code + 1) % 1000000, 6, who->wrong);
        if (is_in(order[nth], UNKNOWN))
            continue;
        name_make(who->name);
        uint32_t slot = world_user(&w, who->name, WW_OPEN);
        world_device(&w, slot, spec, key, sizeof key);
        w.t.users[slot].device.moving = STEP + 1;
        if (is_in(order[nth], LOCKED) && with_decide)
            w.t.users[slot].streak.lock_until_ms = INT64_MAX / 2;
    }
    for (uint32_t who = 0; who < PEOPLE; who++)
        if (is_in(who, UNKNOWN)) /* last, so that nobody comes to stand where they would */
            name_make(people[who].name);
}

static void attempts_lay(uint64_t at)
{
    at %= of->epoch;
    if (at == 0)
        world_fill();
    for (size_t i = 0; i < CHUNK; i++) {
        uint32_t who = next_person(), class = class_of[i] = class_for(who);
        ww_attempt *a = &attempts[i];
        memset(a, 0, sizeof *a);
        a->event = WW_EVENT_ATTEMPT;
        a->name_at = (uint32_t)(i * sizeof texts[0]);
        a->name_len = 11;
        a->response_at = a->name_at + 16;
        a->response_len = class == LENGTH ? 5 : 6;
        memcpy(texts[i], people[who].name, 11);
        memcpy(texts[i] + 16, class == WRONG ? people[who].wrong : people[who].right, 6);
        now_ms[i] = (int64_t)STEP * PERIOD_S * 1000 + 1 + (int64_t)((at + i) / PER_MS);
    }
}

static void attempts_run(size_t i)
{
    ww_batch b = {.attempts = &attempts[i], .count = 1, .bytes = texts[0], .records = records};
    if (with_decide) {
        ww_turn(&w.t, &w.p, &b, now_ms[i]);
        return;
    }
    ww_scratch s;
    ww_alone who;
    scratch_begin(&s);
    if (!ww_alone_meet(&w.t, &w.p, &b, &who)) {
        fputs("an attempt took the other road\n", stderr);
        exit(3);
    }
    ww_alone_match(&w.t, &b, &who, &s, now_ms[i]);
    sink = (uint32_t)s.tries[0].mask.lo;
}

static void attempts_expect(uint64_t at)
{
    for (size_t i = 0; with_decide && at % of->epoch >= of->warm && i < CHUNK; i++)
        if (attempts[i].reason != reasons[class_of[i]]) {
            fprintf(stderr, "class %u was refused for reason %d\n", class_of[i],
                    attempts[i].reason);
            exit(3);
        }
}

/* ---- */

static const target targets[] = {
    {"compare", compare_lay, compare_run, UINT64_MAX, CHUNK},
    {"control", compare_lay, control_run, UINT64_MAX, CHUNK},
    {"truncate", truncate_lay, truncate_run, UINT64_MAX, CHUNK},
    {"match", attempts_lay, attempts_run, MATCH_EPOCH, MATCH_WARM},
    {"turn", attempts_lay, attempts_run, TURN_EPOCH, TURN_WARM},
};

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int main(int argc, char **argv)
{
    for (size_t n = 0; argc == 4 && n < sizeof targets / sizeof targets[0]; n++)
        if (!strcmp(targets[n].name, argv[1]))
            of = &targets[n];
    if (!of)
        return 2;
    uint64_t count = strtoull(argv[2], NULL, 10), written = 0;
    seed = strtoull(argv[3], NULL, 10);
    with_decide = !strcmp(of->name, "turn");
    world_open(&w, PEOPLE);
    w.p.lockout_window_ms = WINDOW_MS;
    double began_s = seconds();
    uint64_t began = ticks();
    for (uint64_t at = 0; written < count; at += CHUNK) {
        uint32_t out[CHUNK][2];
        of->lay(at);
        for (size_t i = 0; i < CHUNK; i++) {
            uint64_t before = ticks();
            of->run(i);
            out[i][0] = (uint32_t)(ticks() - before);
            out[i][1] = class_of[i];
        }
        if (of->lay == attempts_lay)
            attempts_expect(at);
        if (at % of->epoch < of->warm)
            continue;
        written += CHUNK;
        if (fwrite(out, sizeof out, 1, stdout) != 1)
            return 4;
    }
    fprintf(stderr, "%.6f\n", (seconds() - began_s) * 1e9 / (double)(ticks() - began));
    return 0;
}
