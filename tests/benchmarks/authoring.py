"""Reading and editing single blocks at the content service, beside bare applications that run the same statements.

Flatness: an edit, and a block of an old version after many later ones, in a course of 100 and of 10,000 blocks.
"""

import itertools
import json
import os
import statistics
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg
from bare import bare_app
from joserfc.jwk import OKPKey
from load import run
from measure import ROUNDS, Row, cpu_seconds, interleaved

from common.identity import HEADER, Caller, sign
from common.keys import CourseKey
from common.testing.system import System
from content.versions.models import DRAFT, PUBLISHED, define, difference, make_row
from content.versions.operations import Author, create_branches, lock_branches, store_definitions, write_version
from content.versions.tree import INHERITED

# Counts may be made tiny for trying: LECTERN_BENCH_SHARE=0.01
SHARE = float(os.environ.get("LECTERN_BENCH_SHARE", "1"))
READS, EDITS, HISTORY, GROWTH = (max(10, round(count * SHARE)) for count in (3000, 600, 10_000, 1000))
SMALL, MIDDLE, LARGE = 100, 1000, max(200, round(10_000 * min(1, SHARE * 10)))


# The least that answers for one block at the head: its row, and what its ancestors hand down.
_OWN_ROW = """
with recursive chain as (
  select 0 d, b.* from block b where branch_id = $1 and block_id = $2 and to_version is null
  union all
  select d + 1, b.* from chain c join block b on b.branch_id = $1 and b.block_id = c.parent_id and b.to_version is null)
select json_build_object('block_id', s.block_id, 'type', s.type, 'definition', encode(s.definition, 'hex'),
  'settings', s.settings, 'children', s.children, 'data', (select fields from definition f where f.guid = s.definition),
  'inherited', (select json_object_agg(key, value order by d desc) from chain, jsonb_each(settings)
                where d > 0 and key = any ($3::text[])))::text
from chain s where d = 0"""

_OLD = "select array_agg(guid) from (select guid from version where branch_id = $1 order by number limit $2) v"


@dataclass(frozen=True, slots=True)
class Made:
    """A course made straight in the service's database, and what a client needs to call the service itself."""

    course: CourseKey
    leaf: str
    branch_id: int
    first: str

    @property
    def key(self) -> str:
        block_type, _, name = self.leaf.partition("@")
        return str(self.course.usage(block_type, name))


@dataclass(frozen=True, slots=True)
class Service:
    """The content service behind no gateway: internal token, keep-alive."""

    host: str
    port: int
    pid: int
    token: str

    def get(self, path: str) -> bytes:
        return self._request("GET", path)

    def put(self, path: str, body: object) -> bytes:
        return self._request("PUT", path, json.dumps(body).encode())

    def _request(self, method: str, path: str, body: bytes = b"") -> bytes:
        head = (
            f"{method} {path} HTTP/1.1\r\nhost: {self.host}\r\n{HEADER}: {self.token}\r\naccept: application/json\r\n"
        )
        if body:
            head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        return head.encode() + b"\r\n" + body

    def fresh(self, system: System) -> "Service":
        """With a new token: the internal ones live for a minute."""
        key = OKPKey.import_key(json.loads(system.internal_private_key))
        caller = Caller(username="bench", user_id=1, is_staff=True)
        return Service(self.host, self.port, self.pid, sign(caller, audience="content", key=key))


async def authoring_rows(system: System) -> list[Row]:
    where = urlsplit(system.service_url("content"))
    service = Service(where.hostname or "", where.port or 0, system.child("content").pid, "")
    database = await asyncpg.connect(system.databases["content"])
    try:
        made = {size: await _course(database, size) for size in (SMALL, MIDDLE, LARGE)}
        await database.execute("analyze block, version, branch, course, definition")
        rows = [
            await _read_row(system, service, database, made[MIDDLE]),
            await _edit_row(system, service, database, made[MIDDLE]),
            await _flat_edit_row(system, service, made),
            await _growth_row(system, service, database, made[MIDDLE]),
        ]
        for size in (SMALL, LARGE):
            await _age(system, service, made[size])
        return [*rows, await _old_version_row(system, service, database, made)]
    finally:
        await database.close()


async def _course(database: asyncpg.Connection, size: int) -> Made:
    """A chapter, its sequentials, verticals of eight html blocks with 200 bytes of settings each."""
    course = CourseKey("BenchX", "Content", f"B{size}-{time.time_ns()}")
    rows, definitions, units = {}, [], []
    for unit in range(max(1, size // 9)):
        name, children = f"vertical@u{unit}", tuple(f"html@h{unit}_{n}" for n in range(8))
        rows[name] = make_row(name, "vertical", parent=f"sequential@s{unit // 20}", children=children)
        units.append(name)
        for child in children:
            definition = define("html", {"data": f"<p>{child}</p>" * 10})
            definitions.append(definition)
            settings = {"display_name": child, "note": "x" * 150, "weight": 1}
            rows[child] = make_row(child, "html", parent=name, definition=definition, settings=settings)
    sequentials = tuple(f"sequential@s{n}" for n in range((len(units) + 19) // 20))
    for n, name in enumerate(sequentials):
        rows[name] = make_row(name, "sequential", parent="chapter@c", children=tuple(units[n * 20 : n * 20 + 20]))
    rows["chapter@c"] = make_row("chapter@c", "chapter", parent="course@course", children=sequentials)
    start = {"display_name": "Bench", "start": "2020-01-01T00:00:00Z"}
    rows["course@course"] = make_row("course@course", "course", settings=start, children=("chapter@c",))
    async with database.transaction():
        await database.execute(
            "insert into course (course_key, spelling, org, number, run, dotted) values ($1, $1, $2, $3, $4, $5)",
            course.canonical, course.org, course.course, course.run, course.dotted.casefold(),
        )  # fmt: skip
        heads = await create_branches(database, course.canonical, (DRAFT, PUBLISHED))
        await store_definitions(database, definitions)
        for name, head in heads.items():
            heads[name] = await write_version(database, head, difference(rows, {}), Author(1, "bench", "create"))
    leaf = f"html@h{len(units) // 2}_3"
    return Made(course, leaf, heads[DRAFT].branch_id, heads[DRAFT].guid.hex())


async def _rate(service: Service, requests: list[bytes], *, total: int, connections: int = 8) -> float:
    result = await run(service.host, service.port, requests, connections=connections, total=total)
    assert set(result.statuses) == {200}, result.statuses
    return result.requests / result.seconds


async def _read_row(system: System, service: Service, database: asyncpg.Connection, made: Made) -> Row:
    """Single block read, by the team, against the own row with inherited settings as one JSON statement."""
    arguments = [made.branch_id, made.leaf, sorted(INHERITED)]
    options = {"statement": _OWN_ROW, "arguments": arguments, "column": 0, "head": "", "tail": ""}
    async with bare_app("statement", database=system.databases["content"], **options) as url:
        where = urlsplit(url)
        bare = Service(where.hostname or "", where.port or 0, 0, "none")

        async def ours() -> float:
            return await _rate(service, [service.fresh(system).get(f"/xblock/{made.key}")], total=READS)

        async def theirs() -> float:
            return await _rate(bare, [bare.get("/")], total=READS)

        await ours()
        await theirs()
        value, base, ratio = await interleaved(ours, theirs)
    note = "c=8; the baseline sends the stored row, ours Studio's forty fields of it"
    return Row("single block read, at the service", value, "req/s", base, ratio, 0.15, ">=", note)


async def _edit_row(system: System, service: Service, database: asyncpg.Connection, made: Made) -> Row:
    """One field edited, every time to another value, against lock, read and write of the same rows."""
    options = {"course": made.course.canonical, "block": made.leaf, "branch_id": made.branch_id}
    async with bare_app("edit", database=system.databases["content"], **options) as url:
        where = urlsplit(url)
        bare = Service(where.hostname or "", where.port or 0, 0, "none")

        async def ours() -> float:
            return await _rate(service, _edits(service.fresh(system), made, EDITS), total=EDITS)

        async def theirs() -> float:
            return await _rate(bare, [bare.put("/", {})], total=EDITS)

        await ours()
        await theirs()
        value, base, ratio = await interleaved(ours, theirs)
    note = "c=8 on one course: the writers wait for each other's commits, ours and the baseline's alike"
    return Row(f"one-field edit in a course of {MIDDLE:,} blocks", value, "req/s", base, ratio, 0.25, ">=", note)


def _edits(service: Service, made: Made, count: int) -> list[bytes]:
    mark = time.time_ns()
    path = f"/xblock/{made.key}"
    return [service.put(path, {"metadata": {"note": f"{mark} {number}"}}) for number in range(count)]


async def _flat_edit_row(system: System, service: Service, made: dict[int, Made]) -> Row:
    """CPU of the service process per edit, large course against small."""

    async def cost(size: int) -> float:
        requests = _edits(service.fresh(system), made[size], EDITS)
        before = cpu_seconds(service.pid)
        await _rate(service, requests, total=EDITS, connections=1)
        return (cpu_seconds(service.pid) - before) / EDITS * 1e6

    value, base, ratio = await interleaved(lambda: cost(LARGE), lambda: cost(SMALL))
    name = f"cost of an edit, {LARGE:,} blocks against {SMALL}"
    note = "the service's process; its database's work is in the row above"
    return Row(name, value, "us CPU", base, ratio, 1.3, "<=", note)


async def _growth_row(system: System, service: Service, database: asyncpg.Connection, made: Made) -> Row:
    """Bytes in the database per edit, indexes included, over many edits of random size-equal values."""
    tables = "block", "version", "branch", "definition"

    async def size() -> int:
        await database.execute("vacuum block, version, branch")
        return sum([await database.fetchval("select pg_total_relation_size($1::regclass)", name) for name in tables])

    before = await size()
    await _rate(service, _edits(service.fresh(system), made, GROWTH), total=GROWTH, connections=1)
    per_edit = (await size() - before) / GROWTH
    whole = await database.fetchval(
        "select sum(pg_column_size(b.*)) from block b where branch_id = $1 and to_version is null", made.branch_id
    )
    name = f"storage of an edit, {GROWTH:,} edits of {MIDDLE:,} blocks"
    note = "the baseline is one copy of the course's rows, which a structure copied per edit would cost"
    return Row(name, per_edit / 1000, "kB", float(whole) / 1000, per_edit / float(whole), 0.02, "<=", note)


async def _age(system: System, service: Service, made: Made) -> None:
    """Ten thousand later versions, made as the service makes them but in one transaction a hundred."""
    database = await asyncpg.connect(system.databases["content"])
    try:
        for start in range(0, HISTORY, 100):
            async with database.transaction():
                head = (await lock_branches(database, made.course.canonical, [DRAFT]))[DRAFT]
                for number in range(start, min(start + 100, HISTORY)):
                    settings = {"display_name": "aged", "note": f"{number:0150d}", "weight": 1}
                    unit, leaf = divmod(number % 64, 8)
                    name = f"html@h{unit}_{leaf}"
                    row = make_row(name, "html", parent=f"vertical@u{unit}", settings=settings)
                    change = difference({name: row}, {})
                    head = await write_version(database, head, change, Author(1, "bench", "edit"))
        await database.execute("analyze block, version")
    finally:
        await database.close()


async def _old_version_row(
    system: System, service: Service, database: asyncpg.Connection, made: dict[int, Made]
) -> Row:
    """One block of old versions, each read for the first time: median of single requests."""
    reads = max(10, READS // 100)
    olds = {
        size: iter(await database.fetchval(_OLD, course.branch_id, reads * (ROUNDS + 1)))
        for size, course in made.items()
        if size != MIDDLE
    }

    async def cost(size: int) -> float:
        course, fresh = made[size], service.fresh(system)
        times = []
        for guid in itertools.islice(olds[size], reads):
            typed = f"block-v1:version@{guid.hex()}+type@html+block@{course.leaf.partition('@')[2]}"
            started = time.perf_counter()
            await _rate(fresh, [fresh.get(f"/xblock/{typed}")], total=1, connections=1)
            times.append(time.perf_counter() - started)
        return statistics.median(times) * 1000

    await cost(SMALL)
    await cost(LARGE)
    value, base, ratio = await interleaved(lambda: cost(LARGE), lambda: cost(SMALL))
    name = f"a block of an old version, {HISTORY:,} versions, {LARGE:,} blocks against {SMALL}"
    return Row(name, value, "ms", base, ratio, 1.3, "<=", "the oldest versions, none of them read before")
