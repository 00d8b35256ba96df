# The one lock of an engine: a turn at a time, and no turn from within a turn.
#
# A signal handler, a clock or a sequence that calls the engine while it is in a turn would see half
# of one and put its row before the other's: that is misuse and raises. An exception that leaves a
# turn between its effects and its row ends the engine, for memory then knows what no record does.

cdef class Gate:
    """A context manager; `open_turn` is true between a turn's effects and its row.

    Compiled, so that no signal is handled between taking the lock and knowing it, or between
    knowing and letting go: whoever is interrupted there would leave it locked for ever.
    """

    cdef object lock, ended
    cdef bint inside
    cdef public bint open_turn

    def __init__(self, ended):
        self.lock = RLock()
        self.ended = ended

    def __enter__(self):
        self.lock.acquire()
        if self.inside:
            self.lock.release()
            raise Error(
                "the engine was called from within one of its own turns",
                hint="a signal handler, a clock or a sequence may not use the engine it serves",
            )
        self.inside = True

    def __exit__(self, kind, error, trace):
        try:
            if error is not None and self.open_turn:
                self.ended(error)
        finally:
            self.open_turn = False
            self.inside = False
            self.lock.release()
