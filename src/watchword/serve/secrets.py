"""What users know, on the administration socket.

    USER PASSWORD name SET text | CLEAR, [BY who]
    USER QUESTIONS name SET pool question answer, three times | CLEAR, [BY who]

The rule: as in admin.py. A password and an answer come in and never go out.
"""

from watchword.engine import Engine
from watchword.serve.resp import Refusal, Reply, Simple, capitals
from watchword.serve.speaking import by_at_end

__all__ = ["user_password", "user_questions"]

OK = Simple("OK")


def user_password(engine: Engine, words: list[str]) -> Reply:
    words, who = by_at_end(words, 2)
    verb = capitals(words[1])
    if (verb, len(words)) == ("SET", 3):
        engine.set_password(words[0], words[2], by=who)
    elif (verb, len(words)) == ("CLEAR", 2):
        engine.clear_password(words[0], by=who)
    else:
        return Refusal("ERR syntax error, SET text or CLEAR")
    return OK


def user_questions(engine: Engine, words: list[str]) -> Reply:
    words, who = by_at_end(words, 2)
    verb, rest = capitals(words[1]), words[2:]
    if (verb, len(rest)) == ("SET", 9):
        found = [(rest[at], rest[at + 1], rest[at + 2]) for at in (0, 3, 6)]
        engine.set_questions(words[0], found, by=who)
    elif (verb, len(rest)) == ("CLEAR", 0):
        engine.clear_questions(words[0], by=who)
    else:
        return Refusal("ERR syntax error, SET and three of pool question answer, or CLEAR")
    return OK
