"""Bad input on the path: each a clear error in the API's own shape, nothing half-written, the system alive."""

import gzip
import io
import json
import tarfile
import uuid
import zlib

import aio_pika
import pytest
from api import Client, finished, grant, new_user, pack, push
from plain_publisher import publish

from common.testing.waiting import until


def tar_of(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def bomb() -> bytes:
    """10 MB of gzip that would become 10 GB."""
    member = tarfile.TarInfo("course/static/zeros.bin")
    member.size = 10 * 1024**3
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = packer.compress(member.tobuf()) + packer.flush(zlib.Z_FULL_FLUSH)
    # a block that refers to nothing before it may be repeated as it is
    block = packer.compress(bytes(16 * 1024**2)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + head + block * 640 + packer.flush() + bytes(8)


POINTER = b'<course url_name="R" org="BadX" course="C"/>'
COURSE = b'<course display_name="x"><chapter url_name="c"/></course>'
ARCHIVES = {
    "not a tar": (b"this is no archive at all", None),
    "a gzip of text": (gzip.compress(b"hello" * 100), None),
    "climbs out": (tar_of(("course/course.xml", POINTER), ("course/../../evil", b"x")), None),
    "broken XML": (
        tar_of(
            ("course/course.xml", b"<course"),
        ),
        None,
    ),
    "no course.xml": (
        tar_of(
            ("course/readme", b"hello"),
        ),
        None,
    ),
    "a doctype": (
        tar_of(
            ("course/course.xml", b'<!DOCTYPE x [<!ENTITY a "b">]>' + POINTER),
        ),
        None,
    ),
}


@pytest.fixture
async def robot(admin) -> Client:
    robot = await new_user(admin, f"bad_{uuid.uuid4().hex[:8]}")
    await grant(admin, robot.username, "BadX")
    return robot


async def refused(robot: Client, archive: bytes) -> dict:
    """The refusal of *archive*, at the door or by the task; the course must not exist afterwards."""
    course = f"course-v1:BadX+C+{uuid.uuid4().hex[:8]}"
    answer = await push(robot, course, archive)
    if answer.status_code == 202:
        task = await finished(robot, answer.json()["task_id"])
        assert task["state"] == "Failed", task
        error = task["error"]
    else:
        assert answer.status_code in {400, 413, 415, 422}, answer.text
        error = answer.json()
    gone = await robot.get(f"/api/courses/v1/courses/{course}")
    assert gone.status_code == 404
    assert (await robot.get("/health/ready")).status_code == 200
    return error


@pytest.mark.parametrize("name", sorted(ARCHIVES))
async def test_a_bad_archive_is_refused_whole(robot, name):
    error = await refused(robot, ARCHIVES[name][0])
    text = json.dumps(error)
    assert "code" in text, text
    assert "Traceback" not in text


async def test_a_bomb_is_refused_quickly(robot):
    error = await refused(robot, bomb())
    assert "too" in json.dumps(error) or "ratio" in json.dumps(error)


async def test_wrong_credentials_and_unknown_courses(robot, http):
    course = f"course-v1:BadX+C+{uuid.uuid4().hex[:8]}"
    for header in ("JWT abc.def.ghi", "Bearer nonsense", "Token lectern_nothing"):
        answer = await http.get("/api/enrollment/v1/enrollment", headers={"Authorization": header})
        assert answer.status_code == 401, header
    twice = [("Authorization", f"JWT {robot.token}"), ("Authorization", f"JWT {robot.token}")]
    assert (await http.get("/api/enrollment/v1/enrollment", headers=twice)).status_code == 400
    answer = await http.post("/oauth2/access_token", data={"grant_type": "client_credentials", "client_id": "x"})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    answer = await robot.get(f"/api/courses/v1/courses/{course}")
    assert (answer.status_code, answer.json()["developer_message"]) == (404, "Course not found.")
    answer = await robot.post("/api/enrollment/v1/enrollment", json={"course_details": {"course_id": course}})
    assert answer.status_code == 400
    assert answer.json()["message"]
    answer = await robot.post(
        "/api/enrollment/v1/enrollment", content=b"{", headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    other = f"course-v1:Elsewhere+C+{uuid.uuid4().hex[:8]}"
    answer = await push(robot, other, tar_of(("course/course.xml", POINTER)))
    assert answer.status_code in {403, 404}
    answer = await robot.get(f"/api/v0/export/{other}", headers={"Accept": "application/x-tgz"})
    assert answer.status_code in {403, 404}
    assert (await robot.get(f"/api/v0/tasks/{uuid.uuid4()}")).status_code == 404


async def test_malformed_and_oversized_commands_are_answered_whole(amqp):
    item = {"username": "nobody", "course_id": "course-v1:BadX+C+R"}
    too_many = {"command_id": str(uuid.uuid4()), "requested_by": "x", "items": [item] * 501}
    wrong = {"command_id": str(uuid.uuid4()), "requested_by": "x", "items": "all of them"}
    late = {
        "command_id": str(uuid.uuid4()),
        "requested_by": "x",
        "expires_at": "2020-01-01T00:00:00Z",
        "items": [item],
    }
    answers = {answer["command_id"]: answer for answer in await publish(amqp, [too_many, wrong, late])}
    for command, code in ((too_many, "too_many_items"), (wrong, "malformed"), (late, "expired")):
        answer = answers[command["command_id"]]
        assert (answer["outcome"], answer["code"], answer["results"]) == ("rejected", code, [])
        assert answer["message"]


async def test_a_command_id_used_again_for_something_else_is_rejected(admin, amqp):
    item = {"username": "lectern-admin", "course_id": "course-v1:BadX+No+Such"}
    command = {"command_id": str(uuid.uuid4()), "requested_by": "x", "items": [item]}
    other = {**command, "items": [{**item, "mode": "honor"}]}
    first = (await publish(amqp, [command]))[0]
    assert first["results"][0]["outcome"] == "rejected"
    assert first["results"][0]["code"]
    reused = (await publish(amqp, [other]))[0]
    assert (reused["outcome"], reused["code"]) == ("rejected", "command_id_reused")


async def test_a_message_without_a_readable_command_id_is_parked(admin, amqp):
    connection = await aio_pika.connect(amqp)
    marker = uuid.uuid4().hex
    async with connection:
        channel = await connection.channel(on_return_raises=True)
        exchange = await channel.get_exchange("lectern.commands")
        body = f'{{"no id": "{marker}"'.encode()
        await exchange.publish(aio_pika.Message(body), routing_key="enrollment.enroll.v1")

    async def parked() -> dict | None:
        listed = await admin.json("/api/operations/v1/enrollment/parked")
        for entry in listed["results"]:
            shown = await admin.json(f"/api/operations/v1/enrollment/parked/{entry['id']}")
            if marker in json.dumps(shown):
                return shown
        return None

    found = await until(parked, what="parked message")
    assert found["queue"] == "enrollment.commands"
    assert found["reason"] in {"malformed", "permanent"}


async def test_the_good_course_still_goes_in_afterwards(robot, sample_course):
    course = f"course-v1:BadX+C+{uuid.uuid4().hex[:8]}"
    answer = await push(robot, course, pack(sample_course))
    assert (await finished(robot, answer.json()["task_id"]))["state"] == "Succeeded"
