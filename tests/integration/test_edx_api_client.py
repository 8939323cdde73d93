"""A stranger's client, the package `edx-api-client`, enrolls, lists and deactivates through the gateway."""

import asyncio
import uuid

import httpx
import pytest
from api import Client, new_user

edx_api = pytest.importorskip("edx_api.client")


@pytest.fixture
async def course(admin: Client) -> str:
    body = {"org": "EdxX", "number": "C", "run": uuid.uuid4().hex[:8], "display_name": "A course"}
    answer = await admin.post("/course", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["course_key"]


async def test_edx_api_client_enrolls_lists_and_deactivates(
    system, admin: Client, http: httpx.AsyncClient, course: str
):
    learner = await new_user(admin, f"edx_{uuid.uuid4().hex[:8]}")

    def work() -> dict:
        mine = edx_api.EdxApi({"access_token": learner.token}, system.base_url).enrollments
        staff = edx_api.EdxApi({"access_token": admin.token}, system.base_url).enrollments
        info = edx_api.EdxApi({"access_token": learner.token}, system.base_url).user_info.get_user_info()
        seen: dict = {"who": (info.username, info.email)}
        seen |= {"made": mine.create_student_enrollment(course, mode="audit")}
        seen["mine"] = list(mine.get_student_enrollments().get_enrolled_course_ids())
        seen["listed"] = [
            (one.user, one.mode, one.is_active) for one in staff.get_enrollments(course, [learner.username])
        ]
        seen["ended"] = staff.deactivate_enrollment(course, learner.username)
        seen["after"] = [(one.user, one.is_active) for one in staff.get_enrollments(course, [learner.username])]
        return seen

    seen = await asyncio.to_thread(work)
    assert seen["who"] == (learner.username, f"{learner.username}@example.com")
    assert (seen["made"].course_id, seen["made"].is_active, seen["made"].mode) == (course, True, "audit")
    assert seen["mine"] == [course]
    assert seen["listed"] == [(learner.username, "audit", True)]
    assert seen["ended"].is_active is False
    assert seen["after"] == [(learner.username, False)]
