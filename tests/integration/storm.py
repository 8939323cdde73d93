"""A storm of commands: duplicates, any order, late retries; sent again until each is answered. Survives the broker."""

import asyncio
import contextlib
import json
import random
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import aio_pika
from aio_pika.exceptions import AMQPError

ENROLL, UNENROLL = "enrollment.enroll.v1", "enrollment.unenroll.v1"
_TRANSPORT = (AMQPError, OSError, TimeoutError, RuntimeError)


@dataclass
class Storm:
    """What was sent, what was answered, and what each learner must be in the end: what the latest command says."""

    chance: random.Random
    commands: dict[str, tuple[str, dict]] = field(default_factory=dict)
    answers: dict[str, list[dict]] = field(default_factory=dict)
    wanted: dict[tuple[str, str], bool] = field(default_factory=dict)
    sent: int = 0

    def add(self, usernames: list[str], course_id: str) -> None:
        """Two to four commands for these learners, one issued after the other, of either kind."""
        start = datetime.now(UTC) - timedelta(minutes=10)
        for number in range(self.chance.randint(2, 4)):
            enrolls = self.chance.random() < 0.6
            body = {
                "command_id": str(uuid.uuid4()),
                "requested_by": "storm",
                "issued_at": (start + timedelta(seconds=number)).isoformat(),
                "items": [{"ref": name, "username": name, "course_id": course_id} for name in usernames],
            }
            self.commands[body["command_id"]] = (ENROLL if enrolls else UNENROLL, body)
            self.wanted |= {(name, course_id): enrolls for name in usernames}

    @property
    def unanswered(self) -> list[str]:
        return [command_id for command_id in self.commands if command_id not in self.answers]

    async def run(self, url: str) -> None:
        """Every command once or twice in any order, then what is not answered again, and some that are as well."""
        order = [command_id for command_id in self.commands for _ in range(self.chance.randint(1, 2))]
        self.chance.shuffle(order)
        while order:
            with contextlib.suppress(*_TRANSPORT, StopAsyncIteration):
                await self._session(url, order)
            await asyncio.sleep(0.2)
            order = self.unanswered
        late = self.chance.sample(list(self.commands), max(1, len(self.commands) // 10))
        before = {command_id: len(self.answers[command_id]) for command_id in late}
        with contextlib.suppress(*_TRANSPORT, StopAsyncIteration):
            await self._session(url, late, until=lambda: all(len(self.answers[each]) > before[each] for each in late))

    async def _session(self, url: str, order: list[str], until=None) -> None:
        done = until or (lambda: not self.unanswered)
        async with asyncio.timeout(15):
            connection = await aio_pika.connect(url, timeout=5)
        async with connection:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            exchange = await channel.get_exchange("lectern.commands")
            replies = await channel.declare_queue(exclusive=True)
            await replies.consume(self._take, no_ack=True)
            for command_id in order:
                kind, body = self.commands[command_id]
                message = aio_pika.Message(
                    json.dumps(body).encode(), delivery_mode=aio_pika.DeliveryMode.PERSISTENT, reply_to=replies.name
                )
                await exchange.publish(message, routing_key=kind, timeout=5)
                self.sent += 1
            for _ in range(100):
                if done() or connection.is_closed:
                    return
                await asyncio.sleep(0.05)

    async def _take(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        answer = json.loads(message.body)
        self.answers.setdefault(answer["command_id"], []).append(answer)

    def complaints(self, states: dict[tuple[str, str], bool]) -> list[str]:
        """What is not as it must be: a final state, or an answer that differs from itself or fails an item."""
        found = [
            f"{name} in {course_id}: {states.get((name, course_id), False)} instead of {wanted}"
            for (name, course_id), wanted in self.wanted.items()
            if states.get((name, course_id), False) is not wanted
        ]
        for command_id, (_, body) in self.commands.items():
            answers = self.answers.get(command_id, [])
            if not answers:
                found.append(f"{command_id}: never answered")
            elif any(answer != answers[0] for answer in answers):
                found.append(f"{command_id}: answered differently")
            elif [result.get("ref") for result in answers[0]["results"]] != [item["ref"] for item in body["items"]]:
                found.append(f"{command_id}: not every item has its outcome")
            elif any(result["outcome"] == "rejected" for result in answers[0]["results"]):
                found.append(f"{command_id}: an item was rejected: {answers[0]['results'][:3]}")
        return found
