/* A disk whose sync takes a known time: preloaded into a server whose files lie in memory, so that
 * what is compared is the servers and not the disk of the day. WATCHWORD_SYNC_US says how long. The
 * thread sleeps, as it would for a disk, and wakes some microseconds late.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

static int slept(void)
{
    const char *us = getenv("WATCHWORD_SYNC_US");
    struct timespec rest = {0, us ? strtol(us, NULL, 10) * 1000 : 0};
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    nanosleep(&rest, NULL);
    return 0;
}

int fdatasync(int fd)
{
    (void)fd;
    return slept();
}

int fsync(int fd)
{
    (void)fd;
    return slept();
}
