/* A disk that fails: preloaded, it lets the n-th call on files below one directory go wrong.
 *
 * Armed and read through two functions by the process under test itself (ctypes), so that one
 * process can try every n. Counts what touches the disk: open, read, write, sync, truncate,
 * unlink, rename, link, mkdir. A failing write first writes half of its bytes, as a full disk does.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static char directory[4096];
static long fail_at, seen;
static int fail_with, fail_on;

void faults_arm(const char *path, long n, int code, int persistent);
long faults_disarm(void);

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

static int fails_fd(int fd)
{
    char link[64], path[4096];
    if (!directory[0])
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, path, sizeof path - 1);
    if (len < 0)
        return 0;
    path[len] = 0;
    return fails(path);
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)
#define FAIL \
    do { \
        errno = fail_with; \
        return -1; \
    } while (0)

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
        return real(path, flags, mode); \
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

#define WRITE(name, offset_t) \
    ssize_t name(int fd, const void *from, size_t size, offset_t at) \
    { \
        REAL(name); \
        if (fails_fd(fd)) { \
            if (real(fd, from, size / 2, at) < 0) \
                return -1; \
            FAIL; \
        } \
        return real(fd, from, size, at); \
    }
WRITE(pwrite, off_t)
WRITE(pwrite64, off64_t)

ssize_t write(int fd, const void *from, size_t size)
{
    REAL(write);
    if (fails_fd(fd)) {
        if (real(fd, from, size / 2) < 0)
            return -1;
        FAIL;
    }
    return real(fd, from, size);
}

#define ON_FD(name, parameters, arguments) \
    int name parameters \
    { \
        REAL(name); \
        if (fails_fd(fd)) \
            FAIL; \
        return real arguments; \
    }
ON_FD(fsync, (int fd), (fd))
ON_FD(fdatasync, (int fd), (fd))
ON_FD(ftruncate, (int fd, off_t size), (fd, size))
ON_FD(ftruncate64, (int fd, off64_t size), (fd, size))

#define ON_PATH(name, parameters, arguments) \
    int name parameters \
    { \
        REAL(name); \
        if (fails(path)) \
            FAIL; \
        return real arguments; \
    }
ON_PATH(unlink, (const char *path), (path))
ON_PATH(mkdir, (const char *path, mode_t mode), (path, mode))
ON_PATH(rename, (const char *path, const char *to), (path, to))
ON_PATH(link, (const char *path, const char *to), (path, to))
