/* A client that asks for a living: many connections, one thread, RESP in either direction.
 *
 * Closed loop (rate 0): every connection sends `depth` commands in one write, waits for all of their
 * replies and sends the next; a latency is from that write to the reply. Open loop: command i is due
 * at i / rate whatever the server does; every ASK_NS what is due goes out, up to `depth` of it in one
 * write, connections taking turns. A latency is from the moment a command was due, so that waiting
 * for one slow answer hides no other's (no coordinated omission) and this loader's own waiting
 * counts. In between it sleeps: one that spun would keep the processor from the kernel's workers,
 * for some of which a server's sync waits. Commands are made beforehand and never looked at here.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { IN_BYTES = 1 << 16, ASKED_MAX = 1 << 16, CONNECTIONS_MAX = 4096, ASK_NS = 100000,
       SLACK_NS = 1000, LISTEN_NS = 100000000 };

/* What came back, by the first letter of a simple string; `other` counts whatever is not one. */
typedef struct {
    uint64_t commands, accepted, rejected, locked, busy, errors, other;
    uint64_t late;               /* of an open loop: due, and no room to ask them                 */
    double seconds;
} load_counts;

typedef struct {
    int fd;
    uint32_t asked, answered;    /* counts, as places in due                                      */
    uint32_t in_from, in_to;
    const uint8_t *out;          /* of a command half sent                                        */
    size_t out_len;
    int64_t *due;                /* ASKED_MAX of them, a ring                                     */
    uint8_t *in;
} connection;

typedef struct {
    const uint8_t *bytes;
    const uint64_t *starts;      /* count + 1                                                     */
    uint64_t count, next;
    uint32_t *took_ns;
    uint64_t took_max;
    load_counts *n;
} load;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int dial(int port, const char *path)
{
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    struct sockaddr_in remote = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(path ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    remote.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (path)
        strncpy(local.sun_path, path, sizeof local.sun_path - 1);
    const struct sockaddr *to = path ? (const struct sockaddr *)&local
                                     : (const struct sockaddr *)&remote;
    if (connect(fd, to, path ? (socklen_t)sizeof local : (socklen_t)sizeof remote) < 0) {
        close(fd);
        return -1;
    }
    if (!path)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

/* The end of the reply at `at`, or NULL where it has not all come. */
static const uint8_t *reply_end(const uint8_t *at, const uint8_t *end)
{
    const uint8_t *line = memchr(at, '\n', (size_t)(end - at));
    if (!line)
        return NULL;
    long n = at[0] == '$' || at[0] == '*' || at[0] == '%' ? strtol((const char *)at + 1, NULL, 10)
                                                          : 0;
    const uint8_t *next = line + 1;
    if (at[0] == '$')
        return n < 0 ? next : next + n + 2 <= end ? next + n + 2 : NULL;
    for (long i = 0; next && i < (at[0] == '%' ? 2 * n : n); i++)
        next = next < end ? reply_end(next, end) : NULL;
    return next;
}

static void count_one(load_counts *n, const uint8_t *at)
{
    if (at[0] == '+')
        *(at[1] == 'A' ? &n->accepted : at[1] == 'R' ? &n->rejected : at[1] == 'L' ? &n->locked
          : at[1] == 'B' ? &n->busy : &n->other) += 1;
    else
        *(at[0] == '-' ? &n->errors : &n->other) += 1;
}

/* Of an array every element is a verdict; of anything else, itself. */
static void count_reply(load_counts *n, const uint8_t *at, const uint8_t *end)
{
    if (at[0] != '*') {
        count_one(n, at);
        return;
    }
    at = (const uint8_t *)memchr(at, '\n', (size_t)(end - at)) + 1;
    for (; at < end; at = reply_end(at, end))
        count_one(n, at);
}

/* Sends what is left, and n commands more where nothing is: due at `due` and every `apart` after.
 * 1: all went; 0: no room; -1: gone. */
static int send_more(load *l, connection *c, uint32_t n, double due, double apart)
{
    if (n && !c->out_len) { /* commands that follow each other in the pool are one write */
        if (l->next + n > l->count)
            l->next = 0;
        c->out = l->bytes + l->starts[l->next];
        c->out_len = (size_t)(l->starts[l->next + n] - l->starts[l->next]);
        l->next += n;
        for (uint32_t i = 0; i < n; i++)
            c->due[c->asked++ % ASKED_MAX] = (int64_t)(due + i * apart);
    }
    while (c->out_len) {
        ssize_t sent = send(c->fd, c->out, c->out_len, MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN ? 0 : -1;
        c->out += sent;
        c->out_len -= (size_t)sent;
    }
    return 1;
}

/* Takes the replies that have come. -1: the server has gone. */
static int take(load *l, connection *c)
{
    for (;;) {
        ssize_t got = recv(c->fd, c->in + c->in_to, IN_BYTES - c->in_to, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            return -1;
        if (got < 0)
            return 0;
        c->in_to += (uint32_t)got;
        int64_t now = now_ns();
        const uint8_t *at = c->in, *end = c->in + c->in_to, *next;
        for (; at < end && (next = reply_end(at, end)) != NULL; at = next) {
            int64_t took = now - c->due[c->answered++ % ASKED_MAX];
            count_reply(l->n, at, next);
            if (l->n->commands < l->took_max)
                l->took_ns[l->n->commands] = (uint32_t)(took > UINT32_MAX ? UINT32_MAX : took);
            l->n->commands++;
        }
        c->in_to = (uint32_t)(end - at);
        if (c->in_to == IN_BYTES)
            return -1; /* no reply of ours is as long */
        memmove(c->in, at, c->in_to);
    }
}

/* What an open loop has asked: how many commands, and in how many writes. */
typedef struct { uint64_t commands, writes; } asked;

/* Asks whatever is due by now. -1: the server has gone. */
static int ask_due(load *l, connection *all, uint32_t count, uint32_t depth, double rate,
                   int64_t began, int64_t now, asked *so_far)
{
    uint64_t due = (uint64_t)((double)(now - began) * rate / 1e9);
    while (so_far->commands < due) {
        connection *c = &all[so_far->writes++ % count];
        uint64_t n = due - so_far->commands < depth ? due - so_far->commands : depth;
        if (c->out_len && send_more(l, c, 0, 0, 0) < 0)
            return -1;
        if (c->out_len || c->asked - c->answered + n > ASKED_MAX)
            l->n->late += n;
        else if (send_more(l, c, (uint32_t)n,
                           (double)began + (double)so_far->commands * 1e9 / rate, 1e9 / rate) < 0)
            return -1;
        so_far->commands += n;
    }
    return 0;
}

static int run(load *l, connection *all, uint32_t count, uint32_t depth, double rate,
               double seconds, int poll_fd)
{
    struct epoll_event ready[256];
    int64_t began = now_ns(), end = began + (int64_t)(seconds * 1e9), now = began, ask = began;
    uint64_t left = 0;
    asked so_far = {0, 0};
    prctl(PR_SET_TIMERSLACK, SLACK_NS);
    for (uint32_t i = 0; rate == 0 && i < count; i++)
        if (send_more(l, &all[i], depth, (double)now_ns(), 0) < 0)
            return -1;
    while (now < end + 2000000000) { /* what was asked in time is heard, for two seconds more */
        int64_t rest = rate == 0 || now >= end ? LISTEN_NS : ask > now ? ask - now : 0;
        struct timespec until = {rest / 1000000000, rest % 1000000000};
        int got = epoll_pwait2(poll_fd, ready, 256, &until, NULL);
        for (int i = 0; i < got; i++) {
            connection *c = ready[i].data.ptr;
            if (take(l, c) < 0)
                return -1;
            now = now_ns();
            int more = rate == 0 && c->asked == c->answered && now < end;
            if (send_more(l, c, more ? depth : 0, (double)now, 0) < 0)
                return -1;
        }
        now = now_ns();
        if (rate > 0 && now >= ask && now < end) {
            if (ask_due(l, all, count, depth, rate, began, now, &so_far) < 0)
                return -1;
            ask = now + ASK_NS;
        }
        if (now < end)
            continue;
        left = 0;
        for (uint32_t i = 0; i < count; i++)
            left += all[i].asked - all[i].answered;
        if (!left)
            break;
    }
    l->n->seconds = (double)((now < end ? now : end) - began) / 1e9;
    l->n->late += left;
    return 0;
}

/* One run of a pool of commands. 0, or -1: no connection, or the server went away. */
int load_run(int port, const char *path, uint32_t connections, uint32_t depth, double rate,
             double seconds, const uint8_t *bytes, const uint64_t *starts, uint64_t count,
             uint32_t *took_ns, uint64_t took_max, load_counts *counts)
{
    load l = {bytes, starts, count, 0, took_ns, took_max, counts};
    connection *all = calloc(connections, sizeof *all);
    int failed = connections == 0 || connections > CONNECTIONS_MAX || depth > count;
    int poll_fd = epoll_create1(EPOLL_CLOEXEC);
    memset(counts, 0, sizeof *counts);
    for (uint32_t i = 0; all && !failed && i < connections; i++) {
        connection *c = &all[i];
        c->fd = dial(port, path);
        c->due = malloc(ASKED_MAX * sizeof *c->due);
        c->in = malloc(IN_BYTES);
        struct epoll_event on = {.events = EPOLLIN, .data.ptr = c};
        failed = c->fd < 0 || !c->due || !c->in || epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &on);
    }
    if (!all || failed || run(&l, all, connections, depth, rate, seconds, poll_fd) < 0)
        failed = 1;
    for (uint32_t i = 0; all && i < connections; i++) {
        if (all[i].fd > 0)
            close(all[i].fd);
        free(all[i].due);
        free(all[i].in);
    }
    free(all);
    close(poll_fd);
    return -failed;
}
