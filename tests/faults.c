/* A disk that fails, and one that remembers: preloaded, it sees the calls on files below one
 * directory.
 *
 * Armed and read through its functions by the process under test itself (ctypes). faults_arm lets
 * the n-th call go wrong, so that one process can try every n; a failing write first writes half
 * of its bytes, as a full disk does, but never a part of a sector that is there. record_start keeps what the calls did, in the order in which
 * they did it, and record_mark puts a number between them: what a crash at any moment leaves can
 * be made from that (tests/crash/disk.py). Seen are open, read (faults alone), write, sync,
 * truncate, unlink, rename, link and mkdir; one call at a time while recording.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static char directory[4096];
static long fail_at, seen;
static int fail_with, fail_on;

void faults_arm(const char *path, long n, int code, int persistent);
long faults_disarm(void);
void record_start(const char *path);
void record_mark(int64_t number);
size_t record_stop(const char **bytes);

/* The n-th call from now fails with that code, and every later one when persistent. */
void faults_arm(const char *path, long n, int code, int persistent)
{
    snprintf(directory, sizeof directory, "%s", path);
    seen = 0;
    fail_at = n;
    fail_with = code;
    fail_on = persistent;
}

/* Calls seen since faults_arm. */
long faults_disarm(void)
{
    directory[0] = 0;
    return seen;
}

static int fails(const char *path)
{
    if (!directory[0] || !path || !strstr(path, directory))
        return 0;
    long now = __sync_add_and_fetch(&seen, 1);
    return now == fail_at || (fail_on && now > fail_at);
}

static const char *path_of(int fd, char *path, size_t size)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, size - 1);
    path[len < 0 ? 0 : len] = 0;
    return path;
}

static int fails_fd(int fd)
{
    char path[4096];
    return directory[0] && fails(path_of(fd, path, sizeof path));
}

/* ---- the recording: events one after the other, each a head, a path, and what was written ---- */

enum { WRITE = 1, TRUNCATE, SYNC, CREATE, MKDIR, RENAME, UNLINK, MARK };

struct event {
    uint32_t kind, path_len;
    uint64_t inode;
    int64_t offset; /* of a write; a truncated file's size; a mark's number */
    uint64_t len;   /* bytes after the path: what was written, a new name */
};

static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
static char recorded[4096], *log_bytes;
static size_t log_len, log_room;

static void keep(const void *from, size_t n)
{
    if (log_len + n > log_room) {
        log_room = 2 * log_room + n + (1 << 20);
        log_bytes = realloc(log_bytes, log_room);
        if (!log_bytes)
            abort(); /* a recording with a hole would prove anything */
    }
    if (n)
        memcpy(log_bytes + log_len, from, n);
    log_len += n;
}

static void note(uint32_t kind, const char *path, uint64_t inode, int64_t offset, const void *from,
                 size_t len)
{
    struct event e = {kind, (uint32_t)strlen(path), inode, offset, len};
    keep(&e, sizeof e);
    keep(path, e.path_len);
    keep(from, len);
}

static int records(const char *path)
{
    return recorded[0] && path && strstr(path, recorded);
}

/* What happened to an open file, if it is one of those watched. */
static void note_fd(uint32_t kind, int fd, int64_t offset, const void *from, size_t len)
{
    char path[4096];
    struct stat st;
    if (records(path_of(fd, path, sizeof path)) && !fstat(fd, &st))
        note(kind, S_ISDIR(st.st_mode) ? path : "", st.st_ino, offset, from, len);
}

/* Forgets what was recorded before and records what happens below that path. */
void record_start(const char *path)
{
    log_len = 0;
    snprintf(recorded, sizeof recorded, "%s", path);
}

void record_mark(int64_t number)
{
    pthread_mutex_lock(&one);
    if (recorded[0])
        note(MARK, "", 0, number, NULL, 0);
    pthread_mutex_unlock(&one);
}

/* Ends the recording; its bytes are good until the next one starts. */
size_t record_stop(const char **bytes)
{
    recorded[0] = 0;
    *bytes = log_bytes;
    return log_len;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define FAIL \
    do { \
        errno = fail_with; \
        return -1; \
    } while (0)

/* The call, and what is noted when it succeeds, as one step. */
#define DO(type, call, noted) \
    do { \
        if (!recorded[0]) \
            return call; \
        pthread_mutex_lock(&one); \
        type done = call; \
        int error = errno; \
        if (done >= 0) \
            noted; \
        pthread_mutex_unlock(&one); \
        errno = error; \
        return done; \
    } while (0)

static void note_open(const char *path, int fd, int flags, int was_there)
{
    struct stat st;
    if (!records(path) || fstat(fd, &st))
        return;
    if (!was_there)
        note(CREATE, path, st.st_ino, 0, NULL, 0);
    else if (flags & O_TRUNC)
        note(TRUNCATE, "", st.st_ino, 0, NULL, 0);
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        REAL(name); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; \
        va_end(rest); \
        if (fails(path)) \
            FAIL; \
        if (!recorded[0] || !(flags & (O_CREAT | O_TRUNC))) \
            return real(path, flags, mode); \
        pthread_mutex_lock(&one); \
        int was_there = !access(path, F_OK); \
        int fd = real(path, flags, mode); \
        int error = errno; \
        if (fd >= 0) \
            note_open(path, fd, flags, was_there); \
        pthread_mutex_unlock(&one); \
        errno = error; \
        return fd; \
    }
OPEN(open)
OPEN(open64)

#define READ(name, offset_t) \
    ssize_t name(int fd, void *to, size_t size, offset_t at) \
    { \
        REAL(name); \
        if (fail_with == EIO && fails_fd(fd)) \
            FAIL; \
        return real(fd, to, size, at); \
    }
READ(pread, off_t)
READ(pread64, off64_t)

/* What a failing write gets done. The head of a -wal is written over in its place, 32 bytes at
 * once: half of them would be neither the old nor the new, and no disk leaves that. */
static size_t half_of(int fd, size_t size, int64_t at)
{
    enum { SECTOR = 512 };
    struct stat s;
    int64_t end = at + (int64_t)size;
    int is_there = !fstat(fd, &s) && end <= s.st_size && at / SECTOR == (end - 1) / SECTOR;
    return is_there ? 0 : size / 2;
}

#define PWRITE(name, offset_t) \
    ssize_t name(int fd, const void *from, size_t size, offset_t at) \
    { \
        REAL(name); \
        if (fails_fd(fd)) { \
            if (real(fd, from, half_of(fd, size, at), at) < 0) \
                return -1; \
            FAIL; \
        } \
        DO(ssize_t, real(fd, from, size, at), note_fd(WRITE, fd, at, from, (size_t)done)); \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

ssize_t write(int fd, const void *from, size_t size)
{
    REAL(write);
    if (fails_fd(fd)) {
        if (real(fd, from, size / 2) < 0)
            return -1;
        FAIL;
    }
    DO(ssize_t, real(fd, from, size),
       note_fd(WRITE, fd, lseek(fd, 0, SEEK_CUR) - done, from, (size_t)done));
}

#define ON_FD(name, parameters, arguments, kind, offset) \
    int name parameters \
    { \
        REAL(name); \
        if (fails_fd(fd)) \
            FAIL; \
        DO(int, real arguments, note_fd(kind, fd, offset, NULL, 0)); \
    }
ON_FD(fsync, (int fd), (fd), SYNC, 0)
ON_FD(fdatasync, (int fd), (fd), SYNC, 0)
ON_FD(ftruncate, (int fd, off_t size), (fd, size), TRUNCATE, size)
ON_FD(ftruncate64, (int fd, off64_t size), (fd, size), TRUNCATE, size)

#define ON_PATH(name, parameters, arguments, noted) \
    int name parameters \
    { \
        REAL(name); \
        if (fails(path)) \
            FAIL; \
        DO(int, real arguments, if (records(path)) noted); \
    }
ON_PATH(unlink, (const char *path), (path), note(UNLINK, path, 0, 0, NULL, 0))
ON_PATH(mkdir, (const char *path, mode_t mode), (path, mode), note(MKDIR, path, 0, 0, NULL, 0))
ON_PATH(rename, (const char *path, const char *to), (path, to),
        note(RENAME, path, 0, 0, to, strlen(to)))
ON_PATH(link, (const char *path, const char *to), (path, to), abort())

/* What the recording cannot replay must not pass it by unseen. */
#define UNKNOWN(type, name, parameters, arguments) \
    type name parameters \
    { \
        REAL(name); \
        char path[4096]; \
        if (recorded[0] && records(path_of(fd, path, sizeof path))) \
            abort(); \
        return real arguments; \
    }
UNKNOWN(int, fallocate, (int fd, int mode, off_t at, off_t len), (fd, mode, at, len))
UNKNOWN(int, fallocate64, (int fd, int mode, off64_t at, off64_t len), (fd, mode, at, len))
UNKNOWN(int, posix_fallocate, (int fd, off_t at, off_t len), (fd, at, len))
UNKNOWN(int, posix_fallocate64, (int fd, off64_t at, off64_t len), (fd, at, len))
