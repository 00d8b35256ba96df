"""Conversations with a daemon that has an access list, held against a model of the list.

`python -m tests.talks` is the long form; model.py says what a gateway may have, stage.py has the
daemon's doors without sockets, plants.py the bugs that must be found.
"""
