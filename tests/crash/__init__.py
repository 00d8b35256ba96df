"""Crashes of the real store: what was answered is there afterwards, and the store opens.

Four rigs, one oracle (witness.py) and one load (workload.py). `python -m tests.crash` runs them:

    replay    recorded writes, cut anywhere, torn by several policies          replay.py, disk.py
    loop      a real ext4 that is shut down without flushing                   loop.py
    kill      kill -9 of the daemon while clients ask                          kill.py
    faults    the n-th call on the disk fails, for every n                     sweep.py

plants.py holds bugs put into the store on purpose: a rig that cannot fail proves nothing.
"""
