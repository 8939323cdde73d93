"""Keys written through the API, and whose they are by now."""

import pytest

from common.testing.identity import a_caller

CURRICULUM = "00000000-1111-2222-3333-444444444444"
STAFF = a_caller("registrar", staff=True)
BASE = "/api/program_enrollments/v1"
OPEN = "course-v1:Org+Open+1"


@pytest.fixture
def put_keys(client):
    """Enroll keys in a program, and (with a status) in the open course."""

    async def put(program, *keys, status=None):
        records = [{"student_key": key, "status": "enrolled", "curriculum_uuid": CURRICULUM} for key in keys]
        answer = await client.send("PUT", f"{BASE}/programs/{program}/enrollments/", STAFF, json=records)
        assert answer.status_code == 200, answer.text
        if status:
            courses = [{"student_key": key, "status": status} for key in keys]
            url = f"{BASE}/programs/{program}/courses/{OPEN}/enrollments/"
            answer = await client.send("PUT", url, STAFF, json=courses)
            assert answer.status_code == 200, answer.text

    return put


@pytest.fixture
def holders(db):
    """Every key with its account's name, in the order of their making."""

    async def read():
        found = await db.fetch(
            "select e.external_user_key as key, a.username from program_enrollment e"
            " left join account a using (user_id) order by e.id"
        )
        return [tuple(row) for row in found]

    return read
