# Memory of our own for tables and texts: mapped, advised, locked where it holds keys.

cdef class Region:
    """Zeroed memory of our own: private and not dumped; with keys in it locked too, where the
    system allows, and wiped at the end."""

    cdef void *at
    cdef size_t size
    cdef readonly bint locked
    cdef bint keys
    cdef int pid

    def __cinit__(self, size_t size, bint keys=False):
        self.keys = keys
        self.size = max(<size_t>4096, (size + 4095) & ~<size_t>4095)
        self.pid = getpid()
        self.at = mmap(NULL, self.size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        if self.at == MAP_FAILED:
            self.at = NULL
            raise MemoryError(f"no memory for a table of {size} bytes")
        self._advise()

    cdef void _advise(self):
        # Locked as pages are touched: a table is as large as its capacity, resident as it is used.
        self.locked = self.keys and mlock2(self.at, self.size, MLOCK_ONFAULT) == 0
        madvise(self.at, self.size, MADV_DONTDUMP)
        if self.size >= <size_t>(4 << 20):
            madvise(self.at, self.size, MADV_HUGEPAGE)

    cdef void *grow(self, size_t size) except NULL:
        cdef void *at
        size = (size + 4095) & ~<size_t>4095
        if size > self.size:
            at = mremap(self.at, self.size, size, MREMAP_MAYMOVE)
            if at == MAP_FAILED:
                raise MemoryError(f"no memory for a table of {size} bytes")
            self.at = at
            self.size = size
            self._advise()
        return self.at

    def __dealloc__(self):
        if self.at == NULL:
            return
        if self.keys and self.pid == getpid():  # wiping a fork's copy would only cost memory
            ww_wipe(self.at, self.size)
        munmap(self.at, self.size)
