"""An author at work on the small demo course."""

from dataclasses import dataclass

import httpx
import pytest

from common.database import raw
from common.keys import CourseKey
from common.testing.identity import a_caller
from content.courses.operations import Creator, claim_course
from content.teams.operations import set_role
from content.versions.models import DRAFT, PUBLISHED, difference, make_row
from content.versions.operations import Author, create_branches, live_rows, lock_branches, write_version
from content.versions.queries import find_head_tree, find_heads

COURSE = "course-v1:Org+Demo+1"
AUTHOR = a_caller("robot")


def key(block_id, course=COURSE):
    block_type, _, name = block_id.partition("@")
    return f"block-v1:{course.partition(':')[2]}+type@{block_type}+block@{name}"


def local(usage):
    """`block-v1:…+type@html+block@x` → `html@x`"""
    block_type, _, name = usage.partition("+type@")[2].partition("+block@")
    return f"{block_type}@{name}"


@dataclass
class Studio:
    """Requests of an author, and what they did."""

    client: object
    resources: object
    author: object = AUTHOR
    key = staticmethod(key)
    local = staticmethod(local)

    async def send(self, method, block_id=None, body=None, *, caller=AUTHOR, prefix="/xblock", **options):
        url = (
            f"{prefix}/"
            if block_id is None
            else f"{prefix}/{block_id if ':' in block_id or '/' in block_id or '@' not in block_id else key(block_id)}"
        )
        if body is not None:
            options["json"] = body
        return await self.client.request(method, url, caller, **options)

    async def ok(self, method, block_id=None, body=None, **options) -> httpx.Response:
        answer = await self.send(method, block_id, body, **options)
        assert answer.status_code in (200, 201, 204), answer.text
        return answer

    async def put(self, block_id, **body):
        return await self.ok("PUT", block_id, body)

    async def create(self, parent, category, **body) -> str:
        answer = await self.ok("POST", None, {"parent_locator": key(parent), "category": category, **body})
        return local(answer.json()["locator"])

    async def refused(self, status, method, block_id=None, body=None, **options) -> dict:
        """The refusal; nothing may have been written."""
        before = await self.state()
        answer = await self.send(method, block_id, body, **options)
        assert answer.status_code == status, answer.text
        assert await self.state() == before
        return answer

    async def state(self):
        tables = ("version", "block", "definition", "outbox", "idempotency_key")
        counts = ", ".join(f"(select count(*) from {table}) as {table}" for table in tables)
        return dict(await self.resources.pool.fetchrow(f"select {counts}"))

    async def heads(self):
        return await find_heads(self.resources.pool, COURSE)

    async def tree(self, branch=DRAFT):
        return await find_head_tree(self.resources.pool, COURSE, branch)

    async def both(self):
        return await self.tree(), await self.tree(PUBLISHED)

    async def versions(self):
        return await self.resources.pool.fetchval("select count(*) from version")


@pytest.fixture
def studio(client, resources, demo):
    return Studio(client, resources)


@pytest.fixture
def a_library(resources, demo):
    """Make a library of so many html blocks; the key of its root. Calling it again makes it anew."""

    async def make(children=0):
        library = CourseKey.parse("library-v1:Org+Lib")
        names = tuple(f"html@h{number}" for number in range(children))
        rows = {"library@library": make_row("library@library", "library", children=names)}
        rows |= {name: make_row(name, "html", parent="library@library") for name in names}
        async with resources.sessions.begin() as session:
            connection = await raw(session)
            creator = Creator(AUTHOR.user_id, AUTHOR.username)
            if await claim_course(connection, library, spelling=library.canonical, creator=creator):
                await set_role(
                    session, connection, library, user_id=AUTHOR.user_id, username=AUTHOR.username, role="instructor"
                )
                heads = await create_branches(connection, library.canonical, ("library",))
            else:
                heads = await lock_branches(connection, library.canonical, ("library",))
            change = difference(rows, await live_rows(connection, heads["library"]))
            if change:
                await write_version(connection, heads["library"], change, Author(None, None, "create"))
        return "lib-block-v1:Org+Lib+type@library+block@library"

    return make
