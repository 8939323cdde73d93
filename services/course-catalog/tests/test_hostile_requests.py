"""No body, field, parameter or header of any documented route makes the service fail, or store what it refuses."""

import pytest

from common.testing.hostile import Description, bear, open_sender
from common.testing.identity import a_caller
from common.testing.waiting import impatient
from course_catalog.app import create_app

KEY = "course-v1:Org+Demo+1"
STAFF = a_caller("greta", staff=True)


@pytest.mark.parametrize("every", [11, pytest.param(1, marks=[pytest.mark.torture, pytest.mark.timeout(600)])])
@pytest.mark.parametrize("kind", ["bodies", "fields", "parameters"])
async def test_nothing_that_can_be_sent_makes_it_fail(resources, client, bus, a_course, keys, kind, every):
    await bus.hear(a_course())
    body = {"title": "A Program", "type": "Masters"}
    made = await client.send("POST", "/api/programs/v1/programs/", body, STAFF)
    assert made.status_code == 201, made.text
    asking = impatient(resources)
    app = create_app(asking)
    described = Description(
        app.openapi(),
        {"course_key": KEY, "course": KEY, "place": KEY, "uuid": made.json()["uuid"], "service": "course-catalog"},
        bodies={"/api/programs/v1/programs/": body},
    )
    identity = keys.headers(STAFF, audience="course-catalog")
    async with open_sender(app, asking, lambda _: identity) as send:
        sent = await bear(getattr(described, kind)(), send, resources.pool, every=every)
    assert sent > 400 / every
