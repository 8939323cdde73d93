"""What another team's service would write: plain aio-pika and CONTRACT, nothing of ours."""

import asyncio
import json
import sys
import uuid

import aio_pika


async def publish(url: str, commands: list[dict], *, seconds: float = 60) -> list[dict]:
    """Send *commands* and wait for each one's outcome; duplicates of an id are answered again."""
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel(on_return_raises=True)
        exchange = await channel.get_exchange("lectern.commands")
        replies = await channel.declare_queue(exclusive=True)
        for command in commands:
            body = json.dumps(command).encode()
            message = aio_pika.Message(body, content_type="application/json", reply_to=replies.name)
            await exchange.publish(message, routing_key="enrollment.enroll.v1")
        answers = []
        async with asyncio.timeout(seconds):
            async with replies.iterator() as arriving:
                async for reply in arriving:
                    async with reply.process():
                        answers.append(json.loads(reply.body))
                    if len(answers) == len(commands):
                        return answers
    return answers


def commands_for(usernames: list[str], course_id: str, *, size: int = 500) -> list[dict]:
    chunks = [usernames[start : start + size] for start in range(0, len(usernames), size)]
    return [
        {
            "command_id": str(uuid.uuid4()),
            "requested_by": "registrar",
            "items": [{"ref": name, "username": name, "course_id": course_id} for name in chunk],
        }
        for chunk in chunks
    ]


if __name__ == "__main__":
    url, course_id, *usernames = sys.argv[1:]
    print(json.dumps(asyncio.run(publish(url, commands_for(usernames, course_id))), indent=2))
