"""No body, field, parameter or header of any documented route makes the service fail, or store what it refuses."""

import pytest

from common.testing.hostile import Description, bear, open_sender
from common.testing.identity import a_caller
from common.testing.waiting import impatient
from content.app import create_app

COURSE, BLOCK = "course-v1:Org+Demo+1", "block-v1:Org+Demo+1+type@"
STAFF = a_caller("greta", staff=True)
# read by routes that do not document them
NAMES = ("from", "page", "sort", "asset_type", "text_search", "fields", "format", "branch")


@pytest.mark.parametrize("every", [37, pytest.param(1, marks=[pytest.mark.torture, pytest.mark.timeout(900)])])
@pytest.mark.parametrize("kind", ["bodies", "fields", "parameters"])
async def test_nothing_that_can_be_sent_makes_it_fail(resources, bus, demo, keys, kind, every):
    await bus.account(STAFF, a_caller("alice"))
    asking = impatient(resources)
    app = create_app(asking)
    document = app.openapi()
    fills = {
        "place": f"{BLOCK}problem+block@sum",
        "usage_key": f"{BLOCK}vertical+block@u1",
        "key": "Org+Demo+1+type@asset+block@pics_a_b.png",
        "digest": "0" * 32,
        "guid": await resources.pool.fetchval("select encode(guid, 'hex') from version order by number desc limit 1"),
        "service": "content",
    }
    # where a block's address is of no use, the course's is
    fills |= {
        template: template.replace("{place}", COURSE)
        for template in document["paths"]
        if "{place}" in template and "/xblock" not in template and "/item" not in template
    }
    fills |= {
        "/api/content/v1/checklists/{place}": f"/api/content/v1/checklists/{COURSE}/0",
        "/checklists/{place}": f"/checklists/{COURSE}/0",
        "/api/content/v1/course_team/{place}": f"/api/content/v1/course_team/{COURSE}/alice",
    }
    bodies = {"/xblock": {"parent_locator": f"{BLOCK}vertical+block@u1", "category": "html"}}
    described = Description(document, fills, bodies=bodies, names=NAMES)
    identity = keys.headers(STAFF, audience="content")
    async with open_sender(app, asking, lambda _: identity) as send:
        sent = await bear(getattr(described, kind)(), send, resources.pool, every=every)
    assert sent > 1000 / every
