"""Does time tell a secret? Four instruments, each with a fault of its own that it must catch.

`python -m tests.timing` measures: Welch's t between classes of attempts, in C and through the
engine's own door for each kind of device (`clock.c`, `verify.py`, `kinds.py`, `welch.py`), and
`daemon` the size of the effect over a socket (`daemon.py`, `loader.c`). `secrets` runs whole turns
under valgrind with every key and code marked (`secrets.c`), and `code` reads what the compiler made
of them (`code.py`).
"""
