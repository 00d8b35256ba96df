"""Security questions: set, asked one at random, answered (RULES section 6).

Rule: an ask is a turn of its own and its record is durable before it is shown; what stands is asked
again until it is answered. A name without questions is asked as plausibly, and its answers count
and cost the same. An answer is kept as a salted keyed hash and compared exactly.
"""

from collections.abc import Sequence

from watchword import lifecycle
from watchword._engine import Verdict, ask_question, secrets_kept
from watchword.acts import said_by, utf8
from watchword.confining import said_within
from watchword.devices import pins
from watchword.errors import Busy, InvalidArgument
from watchword.logins import expect_text
from watchword.parts import Parts
from watchword.policy import QUESTIONS
from watchword.views import Question

__all__ = ["Questions"]

POOL_BYTES_MAX, TEXT_BYTES_MAX, ANSWER_BYTES_MAX = 32, 64, 128


class Questions(Parts):
    """set_questions, clear_questions, question, answer."""

    def set_questions(
        self, name: str, questions: Sequence[tuple[str, str, str]], *, by: str | None = None
    ) -> None:
        """Gives a user three security questions: (pool, question, answer) of each, no pool twice.

        What was set before goes. pool: 1 to 32 bytes; question: 1 to 64; answer: 1 to 128, which
        is right exactly as it is. Errors: InvalidArgument, also where the policy has no security
        questions; NotFound, StoreFailed.
        """
        self._expect_questions()
        who = said_by(by)
        kept = [
            (pool, pins.kept(self._kept_key_of_pins, salt, answer) + bytes(16) + text)
            for (pool, text, answer), salt in zip(
                read(questions), (self._entropy(pins.SALT_BYTES) for _ in range(QUESTIONS)),
                strict=True,
            )
        ]  # fmt: skip
        with self._deciding():
            number, _ = self._user(name)
            first = self._core.next_device()
            acts = self._questions_gone(number, who) + b"".join(
                lifecycle.secret_add(number, first + at, "question", what, pool, who)
                for at, (pool, what) in enumerate(kept)
            )
            turn = self._act(acts)
        self._wait(turn)

    def clear_questions(self, name: str, *, by: str | None = None) -> None:
        """Takes a user's security questions away; without any no error. Errors: NotFound."""
        who = said_by(by)
        with self._deciding():
            number, _ = self._user(name)
            acts, turn = self._questions_gone(number, who), self._turn
            if acts:
                turn = self._act(acts)
        self._wait(turn)

    def _questions_gone(self, number: int, by: str) -> bytes:
        _, found, _ = secrets_kept(self._core, number & 0xFFFFFFFF)
        return b"".join(lifecycle.device_remove(number, device, by) for device, *_ in found)

    def question(self, user: str, *, gateway: str | None = None) -> Question:
        """One of this user's security questions, at random; durable when it is returned.

        It stands until it is answered: asked again it is the same. A name without any is asked as
        plausibly. Errors: InvalidArgument, also where the policy has none; Busy, StoreFailed.
        """
        asked, turn = self._question(user, gateway)
        self._wait(turn)
        return asked

    async def aquestion(self, user: str, *, gateway: str | None = None) -> Question:
        """question for asyncio."""
        asked, turn = self._question(user, gateway)
        await self._wait_soon(turn)
        return asked

    def _question(self, user: str, gateway: str | None) -> tuple[Question, int]:
        self._expect_questions()
        names, within = self._asker(gateway)
        name = utf8("user", user)
        dice = int.from_bytes(self._entropy(8), "little")
        with self._lock:
            self._alive()
            if not self._core.name_legal(name):
                raise InvalidArgument("user holds what no name may hold, or is too long or empty")
            now = self._now()
            if self._shed():
                raise Busy("the engine sheds load: nothing was asked", hint="ask again later")
            self._lock.open_turn = True
            row, token, text, plausible, whose = ask_question(
                self._core, name, dice, self._turn + 1, now, names, 1, within
            )
            self._turn += 1
            turn = self._submit(row)
            self._lock.open_turn = False
        if text is None:
            texts = self._policy.question_texts
            text = texts[(whose + plausible % QUESTIONS * (len(texts) // QUESTIONS)) % len(texts)]
        return Question(token, text), turn

    def answer(
        self,
        user: str,
        id: str,
        answer: str,
        *,
        address: str | None = None,
        gateway: str | None = None,
    ) -> Verdict:
        """Is this the answer to the question that `id` names? An attempt like any other: a wrong
        one is a failure, three in a row lock the user, and the next ask picks anew.

        Errors: InvalidArgument, also where the policy has none; StoreFailed.
        """
        self._expect_questions()
        names, within = self._asker(gateway)
        expect_text("user", user)
        expect_text("answer", answer)
        expect_text("id", id, optional=True)
        token = "" if id is None else id
        realm, first = said_within(within)
        with self._lock:
            self._alive()
            batch = self._one
            batch.reset()
            now = self._now()
            batch.put(
                user, answer, 0, realm, None, address, None, self._shed(), token, first=first,
                answer=True,
            )
            turn = self._take(batch, now, names, 1)
            verdict = self._core.verdict(batch, 0)
        self._wait(turn)
        return verdict

    async def aanswer(
        self, user: str, id: str, answer: str, *, address: str | None = None
    ) -> Verdict:
        """answer for asyncio: the attempts of one loop pass share a turn and a sync."""
        self._expect_questions()
        self._alive()
        verdict: Verdict = await self._gather().ask(
            user, answer, 0, 0, None, address, id, answer=True
        )
        return verdict

    def _expect_questions(self) -> None:
        if not self._policy.security_questions:
            raise InvalidArgument(
                "security questions are off",
                hint="security_questions = true in the policy turns them on",
            )


def several(given: object, count: int) -> bool:
    return isinstance(given, Sequence) and not isinstance(given, str) and len(given) == count


def read(questions: Sequence[tuple[str, str, str]]) -> list[tuple[bytes, bytes, str]]:
    """Three, each of another pool. Errors: InvalidArgument."""
    found = []
    if not several(questions, QUESTIONS) or not all(several(given, 3) for given in questions):
        raise InvalidArgument(f"questions are {QUESTIONS} of (pool, question, answer)")
    for given in questions:
        pool, text, answer = (
            utf8(name, word)
            for name, word in zip(("pool", "question", "answer"), given, strict=True)
        )
        for name, word, most in (
            ("pool", pool, POOL_BYTES_MAX), ("question", text, TEXT_BYTES_MAX),
            ("answer", answer, ANSWER_BYTES_MAX),
        ):
            if not 1 <= len(word) <= most:
                raise InvalidArgument(f"{name} is text of 1 to {most} bytes")
        found.append((pool, text, answer.decode()))
    if len({pool for pool, _, _ in found}) != QUESTIONS:
        raise InvalidArgument("questions are each of another pool")
    return found
