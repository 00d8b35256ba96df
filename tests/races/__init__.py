"""Many at once with one code: exactly one of them may be let in.

`python -m tests.races --rounds N` holds N rounds of each contest (`contests.py`): threads of one
engine, coroutines of one loop, connections to a daemon, processes that are its clients. `threads`
runs the core under ThreadSanitizer, with the locks an engine holds (`threads.c`). What is planted
in `plants.py` and threads.c has to be seen.
"""
