# How long a thread may keep its processor from another that is ready.

cdef extern from "sys/syscall.h" nogil:
    enum:
        SYS_sched_getattr
        SYS_sched_setattr

cdef extern from "unistd.h" nogil:
    long syscall(long number, ...)

cdef enum:
    SLICE_NS = 100_000   # the least there is; by itself Linux gives some milliseconds

cdef struct thread_attr: # as Linux has it
    uint32_t size, policy
    uint64_t flags
    int32_t nice
    uint32_t priority
    uint64_t runtime, deadline, period


def take_short_slices():
    """This thread runs often and briefly: another that is ready with it on its processor waits for
    it, and it for a longer slice's, not for milliseconds. It gets no more time than before; whether
    it was granted. Linux 6.12 is the first that does; others leave things as they are."""
    cdef thread_attr a
    memset(&a, 0, sizeof(a))
    if syscall(SYS_sched_getattr, 0, &a, <unsigned int>sizeof(a), 0) != 0 or a.policy != 0:
        return False
    a.size, a.runtime = sizeof(a), SLICE_NS
    return syscall(SYS_sched_setattr, 0, &a, 0) == 0
