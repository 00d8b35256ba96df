# Zeros into a file that is written ahead, on a thread that needs the interpreter for none of it.
#
# The rule: whoever logs in meanwhile may be waiting for this very processor, so it is a small piece
# at a time, and between two of them it sleeps.

from libc.errno cimport EINTR, errno
from posix.time cimport nanosleep

cdef extern from "fcntl.h" nogil:
    enum:
        SYNC_FILE_RANGE_WRITE
    int sync_file_range(int fd, int64_t offset, int64_t nbytes, unsigned int flags)

cdef extern from "unistd.h" nogil:
    ssize_t pwrite(int fd, const void *buf, size_t count, int64_t offset)

cdef enum:
    ZEROS = 16384        # a piece: a few dozen microseconds where a page has to be found for it
    ZEROS_SENT = 131072  # so much goes to the disk together, from a multiple of it on: what is
                         # under way may not be written to again, or is left for the last sync
    REST_NS_MAX = 1_000_000  # whoever wants it to end waits so long at most

cdef const uint8_t zeros[ZEROS]


def write_zeros(int file, uint64_t at, uint64_t size, uint64_t bytes_per_s, double seconds,
                uint8_t[::1] stop not None):
    """Writes up to size zeros from at on, evenly and for so long at most; how many it wrote, most
    of which are on their way to the disk and none known to be there. stop[0]: not 0 when another
    thread wants it to end.

    Errors: OSError.
    """
    cdef uint64_t done = 0, sent = at // ZEROS_SENT, whole, began = monotonic_ns(), now = began, due
    cdef uint64_t end = began + <uint64_t>(seconds * 1e9)
    cdef const volatile uint8_t *told = &stop[0]
    cdef timespec rest
    cdef ssize_t wrote = 0
    cdef int failed = 0
    with nogil:
        while done < size and told[0] == 0:
            wrote = pwrite(file, zeros, min(size - done, ZEROS - (at + done) % ZEROS),
                           <int64_t>(at + done))
            if wrote < 0:
                if errno == EINTR:
                    continue
                failed = errno
                break
            done += <uint64_t>wrote
            whole = (at + done) // ZEROS_SENT
            if whole > sent:
                sync_file_range(file, <int64_t>(sent * ZEROS_SENT),
                                <int64_t>((whole - sent) * ZEROS_SENT), SYNC_FILE_RANGE_WRITE)
                sent = whole
            due = began + <uint64_t>(<double>done * 1e9 / <double>bytes_per_s)
            now = monotonic_ns()
            while now < min(due, end) and told[0] == 0:
                rest.tv_sec, rest.tv_nsec = 0, <long>min(min(due, end) - now, <uint64_t>REST_NS_MAX)
                nanosleep(&rest, NULL)
                now = monotonic_ns()
            if now >= end:
                break
    if failed:
        raise OSError(failed, os.strerror(failed))
    return done
