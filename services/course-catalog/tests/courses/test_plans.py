"""The plans of statements that carry load, where tables are large enough for a choice."""

import re

from common.resources import Resources
from course_catalog.accounts import operations as accounts
from course_catalog.courses import statements
from course_catalog.courses.statements import Shape, Special

_FILL = (
    """insert into course (course_key, pos, content_version, start_at, org)
       select 'course-v1:O' || n % 50 || '+C' || n || '+1', n, 1, '2020-01-01', 'o' || n % 50
       from generate_series(1, 10000) n""",
    """insert into course_own (course_key, audience, domains, invitees, changed_by)
       select course_key, case when pos % 4 = 0 then 2 else 0 end, array['d' || pos % 500 || '.org'],
         array['u' || pos, 'u' || pos || '@example.com'], 'author' || pos % 1000 from course""",
    """insert into course_allowed (email, course_key, version)
       select 'u' || pos || '@example.com', course_key, 1 from course""",
    """insert into course_role (user_id, course_key, role, version)
       select pos % 2000, course_key, 'staff', 1 from course""",
    *(f"vacuum analyze {table}" for table in ("course", "course_own", "course_allowed", "course_role")),
)


def _positional(statement: str) -> str:
    """The parameters numbered in the order in which they are first named."""
    names = list(dict.fromkeys(re.findall(r"(?<!:):(\w+)", statement)))
    return re.sub(r"(?<!:):(\w+)", lambda found: f"${names.index(found[1]) + 1}", statement)


async def _plan(resources: Resources, statement: str, types: str, values: str, *, pooled: bool = True) -> str:
    """The pool of constant statements plans them once for all values, and scans a table only where no index serves."""
    async with resources.pool.acquire() as connection, connection.transaction():
        kind = "generic" if pooled else "custom"
        await connection.execute(f"set local plan_cache_mode = force_{kind}_plan")
        if not pooled:
            await connection.execute("set local enable_seqscan = on")
        await connection.execute(f"prepare asked({types}) as {statement}")
        try:
            return "\n".join(row[0] for row in await connection.fetch(f"explain execute asked({values})"))
        finally:
            await connection.execute("deallocate asked")


async def test_what_one_person_is_listed_or_named_in_is_found_by_indexes(resources: Resources) -> None:
    for statement in _FILL:
        await resources.pool.execute(statement)
    listed = await _plan(
        resources,
        statements.extras(Shape(signed_in=True), Special(by_orgs=False, by_invitation=True)),
        "bigint, text[], text[]",
        "5, '{example.com,com}', '{u8,u8@example.com}'",
    )
    for index in (
        "course_role_pkey",
        "course_own_domains",
        "course_own_invitees",
        "course_allowed_pkey",
        "course_pkey",
    ):
        assert index in listed, listed
    detail = await _plan(
        resources,
        statements.DETAIL_FOR_USER,
        "text, text, bigint, text[], text[], text[]",
        "'course-v1:O1+C1+1', '', 5, '{}', '{example.com,com}', '{u8,u8@example.com}'",
    )
    invitations, changes, allowances = accounts._FORGET
    forgotten = [
        await _plan(resources, _positional(str(invitations)), "text[]", "'{u8,u8@example.com}'", pooled=False),
        await _plan(resources, _positional(str(changes)), "text, text", "'retired', 'author7'", pooled=False),
        await _plan(resources, _positional(str(allowances)), "text[]", "'{u8,u8@example.com}'", pooled=False),
    ]
    for plan in (listed, detail, *forgotten):
        assert plan.count("Seq Scan") == plan.count("Seq Scan on catalogue_state"), plan
