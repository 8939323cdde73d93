"""Refusals about inspections."""

from common.errors import Unavailable


class NoAnswerYet(Unavailable):
    """The course is still being looked at; ask again."""

    code = "no_answer_yet"
