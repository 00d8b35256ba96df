# What the connections of one loop share: states, limits, their count, the sweep that ages them.
#
# The rule: one timer for all, none for each; a connection beyond the limit is told so and closed.

cdef enum:
    FLUSH_BYTES = 65536   # immediate replies are handed on in such pieces
    KEEP_BYTES_MAX = 1 << 20  # a larger range of reply bytes is given back after use

ctypedef enum State:
    OPENED = 0            # commands are parsed
    DRAINING = 1          # nothing more is parsed; closes when all is answered
    LINGERING = 2         # our side is closed; what still arrives is dropped, so the error is read
    CLOSED = 3

cdef enum:                # why an opened connection is not parsed on; any of them pauses reading
    STALL_BATCH = 1       # the open batch is full
    STALL_ANSWERS = 2     # too many unanswered attempts, or too much that waits behind them
    STALL_WRITE = 4       # the client does not read its replies
    STALL_ACT = 8         # an administrative act is under way, or waits for attempts before it
    STALL_PUSH = 16       # its VERIFY waits for a push to be decided


@cython.final
cdef class Clients:
    """Every connection of one loop: their count, their limits, and the one sweep that ages them.

    limits has the attributes of watchword.serve.limits; a door is what a listening socket gives its
    connections: .admits(transport) -> bool; .answer(connection, args) -> bytes or an asyncio.Future
    of bytes; .gateway, an index into the gather's names; .reasons, whether it may see why; .acts,
    whether it has acts, which take time and wait for the answers before them; .curbed, whether a
    connection is a stranger until it is admitted, and then .arrived(connection), which may do so.
    """
    cdef readonly Gather gather
    cdef readonly object loop
    cdef readonly uint64_t accepted, refused, commands
    cdef set all
    cdef Bytes out                # replies of the callback under way; empty between callbacks
    cdef double now_s             # of the last sweep
    cdef size_t connections_max, unread_bytes_max
    cdef uint32_t answers_max, stranger_commands_max
    cdef double partial_s_max, idle_s_max, undrained_s_max, linger_s_max, stranger_s_max
    cdef bint open                # new connections are served
    cdef object drained

    def __cinit__(self):
        memset(&self.out, 0, sizeof(self.out))

    def __init__(self, Gather gather, loop, limits, size_t connections_max):
        self.gather = gather
        self.loop = loop
        self.all = set()
        self.open = True
        self.connections_max = connections_max
        self.unread_bytes_max = limits.UNREAD_BYTES_MAX
        self.answers_max = limits.ANSWERS_MAX
        self.partial_s_max = limits.PARTIAL_SECONDS_MAX
        self.idle_s_max = limits.IDLE_SECONDS_MAX
        self.undrained_s_max = limits.UNDRAINED_SECONDS_MAX
        self.linger_s_max = limits.LINGER_SECONDS_MAX
        self.stranger_s_max = limits.STRANGER_SECONDS_MAX
        self.stranger_commands_max = limits.STRANGER_COMMANDS_MAX
        self.now_s = loop.time()

    def __dealloc__(self):
        bytes_free(&self.out)

    def __len__(self):
        return len(self.all)

    def held_bytes(self):
        """Bytes of buffers that connections hold for what they said and are owed."""
        cdef Connection connection
        cdef size_t held = 0
        for connection in self.all:
            held += (connection.inbox.cap + connection.inbox.wire.args_cap * sizeof(ww_span)
                     + connection.replies.cap * sizeof(Slot) + connection.replies.later.cap)
        return held

    def stalled(self):
        """How many connections are not parsed on, by the reason; one may have several."""
        cdef Connection connection
        cdef dict found = {"batch": 0, "answers": 0, "unread": 0, "act": 0, "push": 0}
        for connection in self.all:
            if connection.stalls == 0:
                continue
            found["batch"] += (connection.stalls & STALL_BATCH) != 0
            found["answers"] += (connection.stalls & STALL_ANSWERS) != 0
            found["unread"] += (connection.stalls & STALL_WRITE) != 0
            found["act"] += (connection.stalls & STALL_ACT) != 0
            found["push"] += (connection.stalls & STALL_PUSH) != 0
        return found

    def connect(self, door, visit=None):
        """A protocol for a connection that was just accepted. visit: as Connection has it."""
        cdef Connection connection = Connection(self, door)
        connection.visit = visit
        return connection

    def of_gateways(self):
        """The connections of doors that curb."""
        cdef Connection connection
        return [connection for connection in self.all if connection.door.curbed]

    def sweep(self, double now_s):
        """Closes what is too old; to be called about once a second with the loop's time."""
        cdef Connection connection
        self.now_s = now_s
        for connection in list(self.all):
            connection.age(now_s)

    def drain(self, drained):
        """Stops parsing everywhere; drained() is called when the last connection has closed."""
        cdef Connection connection
        self.open = False
        self.drained = drained
        for connection in list(self.all):
            connection.stop()
        self.emptied()

    def abort(self):
        """Closes every connection at once, answered or not."""
        cdef Connection connection
        self.open = False
        for connection in list(self.all):
            connection.abort()

    cdef int emptied(self) except -1:
        if self.drained is not None and not self.all:
            drained, self.drained = self.drained, None
            drained()
        return 0
