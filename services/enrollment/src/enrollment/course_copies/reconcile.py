"""`python -m enrollment reconcile`: every limited course's seats are held against the rows, and put right."""

import sys
from collections.abc import Sequence
from typing import Final

from common.database import raw
from common.resources import Resources
from enrollment.course_copies.operations import count_seats

_LIMITED: Final = "select course_n from seat order by course_n"
_MISSING: Final = """
select c.n from course c where c.capacity is not null and not exists (select from seat s where s.course_n = c.n)
order by c.n
"""
_TAKEN: Final = """
select s.taken, c.key from seat s join course c on c.n = s.course_n where s.course_n = $1 for update of s
"""
_NEW: Final = "insert into seat (course_n) values ($1) on conflict (course_n) do nothing"


async def reconcile(resources: Resources, words: Sequence[str] = ()) -> int:
    """Each course in a transaction of its own, so that nobody waits long; 1 when something was wrong."""
    if words:
        sys.stderr.write("reconcile takes no words\n")
        return 2
    wrong = 0
    async with resources.sessions.begin() as session:
        connection = await raw(session)
        for row in await connection.fetch(_MISSING):
            wrong += 1
            await connection.execute(_NEW, row["n"])
    numbers = [row["course_n"] for row in await resources.pool.fetch(_LIMITED)]
    for number in numbers:
        async with resources.sessions.begin() as session:
            connection = await raw(session)
            before = await connection.fetchrow(_TAKEN, number)
            if before is None:
                continue
            await count_seats(connection, [number], again_at=None)
            after = await connection.fetchrow(_TAKEN, number)
        if after and after["taken"] != before["taken"]:
            wrong += 1
            sys.stdout.write(f"{before['key']}: {before['taken']} seats noted, {after['taken']} taken; put right\n")
    sys.stdout.write(f"{len(numbers)} courses with a limit, {wrong} put right\n")
    return 1 if wrong else 0
