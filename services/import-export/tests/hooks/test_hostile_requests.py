"""No body, field, parameter or header of any documented route makes the service fail, or store what it refuses."""

import pytest

from common.testing.hostile import Description, bear, open_sender
from common.testing.identity import a_caller
from common.testing.waiting import impatient
from import_export.app import create_app
from import_export.hooks.models import sign

COURSE, SECRET = "course-v1:Org+Sample+2030", "a secret of our own making"
STAFF = a_caller("staff", staff=True)
# read by routes that do not document them
NAMES = ("kind", "state", "course_id", "archive_digest", "created_after", "created_before", "page", "page_size",
         "_accept", "accept", "filename")  # fmt: skip
# answered by workers, which this test has none of: they say 503 when their time is over
INSPECTIONS = ("/api/courses/v1/validation/{course}/", "/api/courses/v1/quality/{course}/")


@pytest.fixture
async def described(http, make_hook, add_course, archive, github, resources):
    await add_course()
    hook = await make_hook("https://git.example.com/org/course.git")
    push = (await http("POST", f"/api/v1/hooks/{hook['id']}/push", None, **github("5f" * 20))).json()
    task = (await http.push(archive)).json()
    document = create_app(resources).openapi()
    paths = {template: one for template, one in document["paths"].items() if template not in INSPECTIONS}
    fills = {
        "course": COURSE,
        "place": f"{COURSE}/course.tar.gz",
        "task_id": task["task_id"],
        "hook_id": hook["id"],
        "push_id": push["push_id"],
        "service": "import-export",
    }
    bodies = {
        "/api/v1/hooks": {"course_id": COURSE, "repository": "https://git.example.com/other.git"},
        # what is read of a push of GitHub's and of a plain one
        "/api/v1/hooks/{hook_id}/push": {
            "sha": "6f" * 20,
            "after": "6f" * 20,
            "ref": "refs/heads/main",
            "branch": "main",
            "message": "A change",
            "pusher": {"name": "ann"},
            "head_commit": {"message": "A change"},
            "repository": {"clone_url": "https://git.example.com/org/course.git"},
        },
    }
    return Description({**document, "paths": paths}, fills, bodies=bodies, names=NAMES)


@pytest.mark.parametrize("every", [13, pytest.param(1, marks=[pytest.mark.torture, pytest.mark.timeout(600)])])
@pytest.mark.parametrize("kind", ["bodies", "fields", "parameters"])
async def test_nothing_that_can_be_sent_makes_it_fail(resources, described, keys, kind, every):
    identity = keys.headers(STAFF, audience="import-export") | {"x-forwarded-host": "lectern.test"}

    def headers(ask):
        """A push is believed, so that its body is read; every other one is GitHub's."""
        event = {"x-github-event": "push"} if len(ask.content) % 2 else {}
        return identity | event | {"x-hub-signature-256": sign(SECRET, ask.content)}

    asking = impatient(resources)
    async with open_sender(create_app(asking), asking, headers) as send:
        sent = await bear(getattr(described, kind)(), send, resources.pool, every=every)
    assert sent > 400 / every
