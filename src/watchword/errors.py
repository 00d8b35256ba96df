"""The exception tree, whole. Misuse and failures raise; a refused login never does.

    Error
    |-- InvalidArgument   an argument's name, and what is legal (also a ValueError and TypeError)
    |-- NotFound          no such user, device or file (also a LookupError)
    |-- Exists            the name or serial is taken
    |-- Busy              the engine sheds load, or its clock is in doubt: nothing happened
    |-- Refused           a daemon refused a command: a right, a token, or a word it does not know
    |-- Unanswered        a daemon gave no answer in time: whether it decided is not known
    |-- WrongKey          the key given does not open this store
    |-- StoreOwned        another process owns the store; the message names it
    |-- StoreDamaged      a page or journal row cannot be believed; the message says which
    `-- StoreFailed       the disk refused a commit: the engine has ended, open the store anew

A message is a sentence; `hint` says what to do next. Neither ever holds a secret or a code.
"""

__all__ = [
    "Busy",
    "Error",
    "Exists",
    "InvalidArgument",
    "NotFound",
    "Refused",
    "StoreDamaged",
    "StoreFailed",
    "StoreOwned",
    "Unanswered",
    "WrongKey",
]


class Error(Exception):
    """The base of everything Watchword raises."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        text = str(self.args[0])
        return f"{text}\nHINT: {self.hint}" if self.hint else text


class InvalidArgument(Error, ValueError, TypeError):
    """An argument is not what it may be: the message has its name and its legal range."""


class NotFound(Error, LookupError):
    """There is no such user, device or file."""


class Exists(Error):
    """The user name or serial number is already taken."""


class Busy(Error):
    """The engine sheds load or does not trust its clock. Nothing happened."""


class Refused(Error):
    """A daemon refused a command. Nothing happened."""


class Unanswered(Error):
    """A daemon gave no answer in time. Whether it decided is not known."""


class WrongKey(Error):
    """The key given is not the key of this store."""


class StoreOwned(Error):
    """Another process owns the store."""


class StoreDamaged(Error):
    """A page or a journal row is missing, altered or out of order."""


class StoreFailed(Error):
    """A commit failed. Nothing of that batch was promised; the engine has ended."""
