/* One client that asks, waits for the answer, and asks again: `loader PORT ANSWERS USERS SEED`.
 *
 * Half of the names exist, half do not, in random order; the code is always wrong. Frames are made
 * before the clock starts. Each round trip goes to standard output as clock.c writes it: a uint32
 * of nanoseconds and a uint32 that is 1 for a name that does not exist. An answer that is no
 * refusal (a code that happened to be right) is left out.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 4096, FRAME = 96, WARM = 4 };

static uint64_t seed;

static uint64_t draw(void) /* splitmix64 */
{
    uint64_t z = seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int connected(uint16_t port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    int to_daemon = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (to_daemon < 0 || connect(to_daemon, (struct sockaddr *)&to, sizeof to) ||
        setsockopt(to_daemon, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on))
        return -1;
    return to_daemon;
}

/* Whether the answer was a refusal; -1: no answer at all. */
static int asked(int to_daemon, const char *frame, size_t len)
{
    char answer[64];
    size_t got = 0;
    if (write(to_daemon, frame, len) != (ssize_t)len)
        return -1;
    while (got < 2 || answer[got - 1] != '\n') {
        ssize_t more = read(to_daemon, answer + got, sizeof answer - got);
        if (more <= 0)
            return -1;
        got += (size_t)more;
    }
    return !strncmp(answer, "+REJECTED", 9);
}

int main(int argc, char **argv)
{
    static char frames[CHUNK][FRAME];
    static uint32_t out[CHUNK][2];
    if (argc != 5)
        return 2;
    uint64_t answers = strtoull(argv[2], NULL, 10), users = strtoull(argv[3], NULL, 10);
    seed = strtoull(argv[4], NULL, 10);
    int to_daemon = connected((uint16_t)strtoul(argv[1], NULL, 10));
    if (to_daemon < 0) {
        fputs("no connection to the daemon\n", stderr);
        return 3;
    }
    uint64_t written = 0;
    for (uint64_t chunk = 0; written < answers; chunk++) {
        size_t kept = 0, len = 0;
        for (size_t i = 0; i < CHUNK; i++) {
            uint64_t any = draw();
            out[i][1] = any & 1;
            len = (size_t)snprintf(
                frames[i], FRAME, "*3\r\n$6\r\nVERIFY\r\n$11\r\n%c%010u\r\n$8\r\n%08u\r\n",
                any & 1 ? 'x' : 'k', (unsigned)((any >> 8) % users),
                (unsigned)(draw() % 100000000));
        }
        for (size_t i = 0; i < CHUNK; i++) {
            uint64_t before = now_ns();
            int refused = asked(to_daemon, frames[i], len);
            uint64_t spent = now_ns() - before;
            if (refused < 0) {
                fputs("the daemon hung up\n", stderr);
                return 3;
            }
            if (!refused)
                continue;
            out[kept][0] = (uint32_t)spent;
            out[kept++][1] = out[i][1];
        }
        if (chunk < WARM)
            continue;
        written += kept;
        if (fwrite(out, sizeof out[0], kept, stdout) != kept)
            return 4;
    }
    return 0;
}
