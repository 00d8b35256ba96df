# Memory of our own for tables and texts: mapped, advised, locked where it holds keys.

cdef size_t PAGE = 4096
cdef size_t HUGE_PAGE = <size_t>2 << 20
cdef size_t TABLE_BYTES_MAX = <size_t>64 << 30  # addresses a table may grow into


cdef class Region:
    """Zeroed memory of our own: private and not dumped; with keys in it locked too, where the
    system allows, and wiped at the end.

    A table takes its addresses at birth, aligned to huge pages, and its memory as it grows: it
    never moves, so the huge pages it was given are kept (a random user costs half as much).
    """

    cdef char *at
    cdef size_t size
    cdef void *mapped
    cdef size_t mapped_size
    cdef readonly bint locked
    cdef bint keys, table
    cdef int pid

    def __cinit__(self, size_t size, bint keys=False, bint table=False):
        cdef size_t most
        size = max(PAGE, (size + PAGE - 1) & ~(PAGE - 1))
        most = TABLE_BYTES_MAX if table else size
        self.keys = keys
        self.table = table
        self.pid = getpid()
        self.mapped_size = most + (HUGE_PAGE if most >= HUGE_PAGE else 0)
        self.mapped = mmap(NULL, self.mapped_size, PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        if self.mapped == MAP_FAILED:
            self.mapped = NULL
            raise MemoryError(f"no addresses for a table of up to {most} bytes")
        self.at = <char *>self.mapped
        if most >= HUGE_PAGE:
            self.at = <char *>((<uintptr_t>self.mapped + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1))
        self.grow(size)

    cdef void *grow(self, size_t size) except NULL:
        cdef size_t unit = HUGE_PAGE if self.table and size >= HUGE_PAGE else PAGE
        size = (size + unit - 1) & ~(unit - 1)  # huge pages are given where all of one is ours
        if size > self.size:
            if self.at + size > <char *>self.mapped + self.mapped_size:
                raise MemoryError(f"a table takes at most {TABLE_BYTES_MAX} bytes")
            if mprotect(self.at, size, PROT_READ | PROT_WRITE):
                raise MemoryError(f"no memory for a table of {size} bytes")
            # Locked as pages are touched: a table is as large as its room, resident as it is used.
            self.locked = self.keys and mlock2(self.at, size, MLOCK_ONFAULT) == 0
            madvise(self.at, size, MADV_DONTDUMP)
            if self.table and size >= HUGE_PAGE:  # what never grows is touched here and there
                madvise(self.at, size, MADV_HUGEPAGE)
            self.size = size
        return self.at

    def __dealloc__(self):
        if self.mapped == NULL:
            return
        if self.keys and self.pid == getpid():  # wiping a fork's copy would only cost memory
            ww_wipe(self.at, self.size)
        munmap(self.mapped, self.mapped_size)
