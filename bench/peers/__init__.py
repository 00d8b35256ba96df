"""One adapter a peer, all with the same few functions, so that none is measured kindly.

    describe() -> str            library, version and the way it is called
    open_peer(keys) -> peer      whatever it likes to prepare for these 20-byte keys, untimed
    peer.prepare(users, codes)   the attempts of a pass in the form the library takes, untimed;
                                 users are indices into keys
    peer.decide(prepared, time_s) -> bytes
                                 one byte an attempt, 1 for accepted
    peer.close()

TOTP with SHA-1, 6 digits, 30 seconds, one step either side, for every peer. A peer without memory
of what was used accepts a replay; the table says so. A peer is run in a process of its own.
"""
