/* The core under ThreadSanitizer, used as an engine uses it: `threads ROUNDS`.
 *
 * Turns, acts of administration and copies of pages happen under the engine's one lock, each from a
 * thread of its own; a turn takes two threads, each a part of the batch. Without the lock, while a
 * turn may be running elsewhere: the serial that a verdict names is read, the next batch is filled,
 * a row of the kernel is forced, and another engine has turns of its own. Two races are planted, one
 * at a time, and the sanitizer has to say so: with PLANT_PAGE pages are copied without the lock, with
 * PLANT_PARTS two parts share users.
 */
#include <pthread.h>

#include "world.h"

enum { USERS = 64, BATCH = 32, NOW_S = 1700000010 };

static world shared;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int rounds;
static _Atomic int let_in; /* by any thread: one that lags behind finds every code used up */
static uint8_t key[20] = "12345678901234567890";
static const ww_spec totp = {.kind = WW_KIND_TOTP, .hash = WW_SHA1, .digits = 6, .back = 1,
                             .forward = 1, .period_s = 30};
static const ww_spec hotp = {.kind = WW_KIND_HOTP, .hash = WW_SHA256, .digits = 6,
                             .look_ahead = 10};

static void name_make(char name[16], int user) { snprintf(name, 16, "user%d", user); }

static void fill(world *w)
{
    world_open(w, 4 * USERS);
    for (int user = 0; user < USERS; user++) {
        char name[16];
        name_make(name, user);
        uint32_t slot = world_user(w, name, WW_OPEN);
        world_device(w, slot, totp, key, sizeof key);
        world_device(w, slot, hotp, key, sizeof key);
    }
}

/* A batch laid into two parts by its names' hashes, as a Split is: they share no user. */
typedef struct {
    world *w;
    int64_t now_ms;
    ww_batch b;
    ww_attempt attempts[BATCH];
    uint8_t bytes[64 * BATCH];
} part;

static part *part_make(world *w)
{
    part *p = room(1, sizeof *p);
    p->w = w;
    p->b.attempts = p->attempts;
    p->b.bytes = p->bytes;
    p->b.records = room(BATCH * WW_RECORD_UNITS_PER_ATTEMPT_MAX, WW_RECORD_BYTES);
    return p;
}

static void part_add(part *p, const char *name, uint32_t code)
{
    uint32_t at = 64 * p->b.count;
    ww_attempt *a = &p->attempts[p->b.count++];
    memset(a, 0, sizeof *a);
    a->event = WW_EVENT_ATTEMPT;
    a->name_at = at;
    a->name_len = (uint16_t)strlen(name);
    a->response_at = at + 32;
    a->response_len = 6;
    memcpy(p->bytes + at, name, a->name_len);
    code_text(code, 6, p->bytes + at + 32);
}

static void *part_turn(void *given)
{
    part *p = given;
    ww_turn(&p->w->t, &p->w->p, &p->b, p->now_ms);
    return NULL;
}

/* What one gateway or one loop does: fills a batch of its own, takes it through a turn under the
 * lock, in two threads, and reads the serials of who was let in when the lock is another's. */
static void turns_take(world *w, pthread_mutex_t *held, int seed)
{
    part *parts[2] = {part_make(w), part_make(w)};
    for (int at = 0; at < rounds; at++) {
        int64_t now_s = NOW_S + 30 * (int64_t)at;
        uint32_t code = code_of(WW_SHA1, key, sizeof key, (uint64_t)now_s / 30, 6);
        pthread_t other;
        for (int n = 0; n < 2; n++) {
            parts[n]->b.count = 0;
            parts[n]->now_ms = now_s * 1000;
        }
        for (uint32_t i = 0; i < BATCH; i++) {
            char name[16]; /* some exist, and some come twice */
            name_make(name, (int)((uint32_t)(seed + 7 * at) + i / 2 * 5u) % (USERS + 8));
            uint32_t which = (uint32_t)ww_name_hash(&w->t, (uint8_t *)name, strlen(name)) & 1;
#ifdef PLANT_PARTS
            which = i & 1;
#endif
            part_add(parts[which], name, (code + i / 2 % 2) % 1000000);
        }
        if (held)
            pthread_mutex_lock(held);
        pthread_create(&other, NULL, part_turn, parts[1]);
        part_turn(parts[0]);
        pthread_join(other, NULL);
        if (held)
            pthread_mutex_unlock(held);
        for (int n = 0; n < 2; n++) {
            for (uint32_t i = 0; i < parts[n]->b.count; i++) {
                const ww_attempt *a = &parts[n]->attempts[i];
                size_t len;
                if (a->verdict == WW_ACCEPTED)
                    let_in += ww_cold_second(&w->t, a->device_cold, &len)[0] == 'S';
            }
        }
    }
}

static void *gateway(void *seed)
{
    turns_take(&shared, &lock, *(int *)seed);
    return NULL;
}

static void *elsewhere(void *given)
{
    (void)given;
    static world other;
    fill(&other);
    turns_take(&other, NULL, 3);
    return NULL;
}

static void *keeper(void *given)
{
    (void)given;
    uint8_t *page = room(1 << 20, 1);
    for (int at = 0; at < rounds; at++) {
#ifndef PLANT_PAGE
        pthread_mutex_lock(&lock);
#endif
        shared.t.dirty[0] = 0;
        size_t len = ww_page_state_encode(&shared.t, 0, page);
        len += ww_page_identity_encode(&shared.t, 0, page);
#ifndef PLANT_PAGE
        pthread_mutex_unlock(&lock);
#endif
        if (!len)
            exit(3);
    }
    free(page);
    return NULL;
}

/* Users come and go, devices are enrolled, suspended and removed, locks are opened. */
static void *operator(void *given)
{
    (void)given;
    for (int at = 0; at < rounds; at++) {
        pthread_mutex_lock(&lock);
        uint32_t slot = (uint32_t)at % USERS;
        ww_user *u = &shared.t.users[slot];
        world_apply(&shared, &(ww_record){.event = WW_EVENT_UNLOCK, .user = u->id});
        world_apply(&shared, &(ww_record){.event = WW_EVENT_DEVICE_SET, .user = u->id,
                                          .place = at & 64 ? WW_ACTIVE : WW_SUSPENDED,
                                          .device = u->device.number});
        if (at < USERS) {
            uint32_t number = world_device(&shared, slot, hotp, key, sizeof key);
            world_apply(&shared, &(ww_record){.event = WW_EVENT_DEVICE_REMOVE, .user = u->id,
                                              .device = number});
        }
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void *chooser(void *given)
{
    (void)given;
    const ww_kernel *rows;
    size_t count = ww_kernels(&rows);
    for (int at = 0; at < rounds; at++)
        if (ww_kernel_force(rows[(size_t)at % count].name) || !ww_kernel_in_use()->name)
            exit(3);
    return NULL;
}

int main(int argc, char **argv)
{
    int seeds[2] = {1, 2};
    pthread_t threads[6];
    rounds = argc > 1 ? atoi(argv[1]) : 100;
    fill(&shared);
    pthread_create(&threads[0], NULL, gateway, &seeds[0]);
    pthread_create(&threads[1], NULL, gateway, &seeds[1]);
    pthread_create(&threads[2], NULL, keeper, NULL);
    pthread_create(&threads[3], NULL, operator, NULL);
    pthread_create(&threads[4], NULL, chooser, NULL);
    pthread_create(&threads[5], NULL, elsewhere, NULL);
    for (int n = 0; n < 6; n++)
        pthread_join(threads[n], NULL);
    if (let_in)
        return 0;
    fputs("nobody was let in\n", stderr);
    return 3;
}
