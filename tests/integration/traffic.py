"""Load for the fault tests: commands until each is answered, and HTTP enrollments until each is confirmed."""

import asyncio
import contextlib
import json
import random
import uuid

import aio_pika
import httpx
from aio_pika.exceptions import AMQPError
from ledger import Ledger

TRANSPORT = (AMQPError, OSError, TimeoutError, RuntimeError, asyncio.CancelledError)


class Commands:
    """A stranger's publisher: sends a command again until an answer comes. Survives the broker's death."""

    def __init__(self, amqp_url: str, ledger: Ledger) -> None:
        self._url, self._ledger = amqp_url, ledger
        self._open: dict[str, dict] = {}
        self.confirmed: set[str] = set()
        self.sent = 0

    def add(self, usernames: list[str]) -> None:
        items = [{"ref": name, "username": name, "course_id": self._ledger.course_id} for name in usernames]
        command = {"command_id": str(uuid.uuid4()), "requested_by": "traffic", "items": items}
        self._open[command["command_id"]] = command

    @property
    def unanswered(self) -> set[str]:
        return set(self._open)

    async def run(self, *, resend_after: float = 3.0) -> None:
        """Until all that was added is answered."""
        while self._open:
            with contextlib.suppress(AMQPError, OSError, TimeoutError, RuntimeError, StopAsyncIteration):
                await self._session(resend_after)
            await asyncio.sleep(0.2)

    async def _session(self, resend_after: float) -> None:
        async with asyncio.timeout(15):
            connection = await aio_pika.connect(self._url, timeout=5)
        async with connection:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            exchange = await channel.get_exchange("lectern.commands")
            replies = await channel.declare_queue(exclusive=True)
            await replies.consume(self._take, no_ack=True)
            while self._open and not connection.is_closed:
                for command_id, command in list(self._open.items()):
                    body = json.dumps(command).encode()
                    message = aio_pika.Message(
                        body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT, reply_to=replies.name
                    )
                    await exchange.publish(message, routing_key="enrollment.enroll.v1", timeout=5)
                    self.sent += 1
                    self.confirmed.add(command_id)
                for _ in range(int(resend_after / 0.05)):
                    if not self._open or connection.is_closed:
                        break
                    await asyncio.sleep(0.05)

    async def _take(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        answer = json.loads(message.body)
        self._ledger.answered(answer)
        self._open.pop(answer["command_id"], None)


async def enroll_by_http(
    http: httpx.AsyncClient, token: str, usernames: list[str], ledger: Ledger, *, pause: float = 0.0
) -> None:
    """Each learner by one POST, repeated until it is confirmed."""
    for name in usernames:
        while True:
            try:
                answer = await http.post(
                    "/api/enrollment/v1/enrollment",
                    json={"user": name, "course_details": {"course_id": ledger.course_id}},
                    headers={"Authorization": f"JWT {token}"},
                )
            except httpx.TransportError:
                await asyncio.sleep(0.1)
                continue
            if answer.status_code == 200:
                ledger.confirmed(name)
                break
            # 406: the learner is not known yet to a service that was dead when the account was announced
            assert answer.status_code in {401, 406, 500, 502, 503, 504}, answer.text
            await asyncio.sleep(0.1)
        await asyncio.sleep(pause)


def shuffled(names: list[str], seed: int) -> list[str]:
    mixed = list(names)
    random.Random(seed).shuffle(mixed)
    return mixed
