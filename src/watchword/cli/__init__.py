"""The command line: thin verbs over one engine, and the words they print.

The voice, kept by words.py: lower case, no final full stop, the program's name first; errors and
hints on standard error, data on standard output; exit 1 for a refusal or a failure, 2 for misuse.
Help is written by hand and ends in a session that can be pasted. Codes and keys come by prompt or
standard input, never as arguments, since arguments stand in process lists and shell histories.
"""

from watchword.cli.main import main

__all__ = ["main"]
