"""The blocks API over a whole course, beside a bare application in which PostgreSQL prints the same blocks."""

import json
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
from api import Client, import_course
from bare import bare_app
from joserfc.jwk import OKPKey
from load import run
from measure import Row, interleaved

from common.identity import HEADER, Caller, sign
from common.testing.system import System

COURSE = "course-v1:BenchX+Blocks+R"
CONNECTIONS, TOTAL = 8, 400
# Every block of the published head with the six fields each block has; what is visible, and to whom, is not asked.
_PRINTED = """
select json_object_agg(k.usage, json_build_object('id', k.usage, 'block_id', k.name, 'lms_web_url', $2 || k.usage,
  'student_view_url', $2 || k.usage, 'type', k.type, 'display_name', coalesce(k.title, '')))::text as blocks
from (
  select b.type, split_part(b.block_id, '@', 2) as name, b.settings ->> 'display_name' as title,
    'block-v1:BenchX+Blocks+R+type@' || b.type || '+block@' || split_part(b.block_id, '@', 2) as usage
  from branch br join block b on b.branch_id = br.id and b.to_version is null and b.type not like '$%'
  where br.course_key = $1 and br.name = 'published') k"""


async def block_rows(system: System, admin: Client, shared: Path) -> list[Row]:
    archive = shared / "courses/openedx-demo-course.tar.gz"
    if not archive.exists():
        return []
    await import_course(admin, COURSE, archive.read_bytes())
    path = f"/api/courses/v2/blocks/?course_id={quote(COURSE, safe='')}&depth=all&all_blocks=true"
    place = urlsplit(system.service_url("content"))
    assert place.hostname
    assert place.port
    key = OKPKey.import_key(json.loads(system.internal_private_key))

    def token() -> str:
        return sign(Caller(username="bench", user_id=1, is_staff=True), audience="content", key=key)

    async with httpx.AsyncClient(base_url=system.service_url("content")) as http:
        answer = await http.get(path, headers={HEADER: token()})
        count = len(answer.json()["blocks"])

    async def ours() -> float:
        request = f"GET {path} HTTP/1.1\r\nhost: bench\r\n{HEADER}: {token()}\r\n\r\n".encode()
        return await _rate(place.hostname or "", place.port or 0, request)

    options = {"statement": _PRINTED, "column": "blocks", "head": '{"root": "", "blocks": ', "tail": "}",
               "database": system.databases["content"], "arguments": [COURSE, "http://127.0.0.1/xblock/"]}  # fmt: skip
    async with bare_app("statement", **options) as bare:
        where = urlsplit(bare)

        async def theirs() -> float:
            return await _rate(where.hostname or "", where.port or 0, b"GET / HTTP/1.1\r\nhost: bench\r\n\r\n")

        value, baseline, ratio = await interleaved(ours, theirs)
    return [Row(f"blocks API depth=all, {count} blocks, c={CONNECTIONS}", value, "/s", baseline, ratio, 0.5, ">=",
                "at the service, by the team; the baseline prints the course's rows in SQL")]  # fmt: skip


async def _rate(host: str, port: int, request: bytes) -> float:
    result = await run(host, port, [request], connections=CONNECTIONS, total=TOTAL)
    assert result.statuses == {200: TOTAL}, result.statuses
    return TOTAL / result.seconds
