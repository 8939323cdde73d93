"""The ledger: every committed change has its effect exactly once, and no effect stands without a change."""

from dataclasses import dataclass, field

import asyncpg

_CHANGES = """
select a.username, c.key as course_id, e.version, e.is_active,
  (select count(*) from enrollment_history h where h.user_id = e.user_id and h.course_n = e.course_n) as history
from enrollment e join account a using (user_id) join course c on c.n = e.course_n where c.key = $1"""
_EFFECTS = """
select a.username, e.course_key as course_id, e.version, e.is_active
from enrollment e join account a using (user_id) where e.course_key = $1"""
_WAITING = "select count(*) from outbox where sent_at is null and parked_at is null"


@dataclass
class Ledger:
    """What was asked for and confirmed, against what two databases say came of it."""

    course_id: str
    learners: set[str] = field(default_factory=set)
    """Learners whose enrollment was confirmed: an HTTP 200, or an outcome of a command."""
    answers: dict[str, list[dict]] = field(default_factory=dict)

    def confirmed(self, username: str) -> None:
        self.learners.add(username)

    def answered(self, answer: dict) -> None:
        self.answers.setdefault(answer["command_id"], []).append(answer)
        for result in answer["results"]:
            if result["outcome"] in {"enrolled", "unchanged"}:
                self.learners.add(result["ref"])

    async def complaints(self, enrollment: asyncpg.Connection, content: asyncpg.Connection) -> list[str]:
        """Everything that is not as it must be once the bus is quiet."""
        found: list[str] = []
        changes = {row["username"]: row for row in await enrollment.fetch(_CHANGES, self.course_id)}
        effects = {row["username"]: row for row in await content.fetch(_EFFECTS, self.course_id)}
        found += [f"{name}: confirmed, and not enrolled" for name in sorted(self.learners - set(changes))]
        for name, change in sorted(changes.items()):
            if change["history"] != change["version"]:
                found.append(f"{name}: version {change['version']} after {change['history']} changes")
            effect = effects.get(name)
            if effect is None:
                found.append(f"{name}: enrolled, and content has not heard")
            elif (effect["version"], effect["is_active"]) != (change["version"], change["is_active"]):
                found.append(f"{name}: content believes version {effect['version']}, it is {change['version']}")
        unfounded = sorted(set(effects) - set(changes))
        found += [f"{name}: content believes in an enrollment that never was" for name in unfounded]
        for command_id, answers in self.answers.items():
            if any(answer != answers[0] for answer in answers):
                found.append(f"command {command_id}: answered differently: {answers}")
        for service, connection in (("enrollment", enrollment), ("content", content)):
            if waiting := await connection.fetchval(_WAITING):
                found.append(f"{service}: {waiting} messages were never sent")
        return found
