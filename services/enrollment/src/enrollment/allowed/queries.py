"""The allowed list as its API shows it."""

from typing import Final

import asyncpg

# index enrollment_allowed_entry (lower(email), course_key)
_OF: Final = """
select w.email, coalesce(c.spelling, w.course_key) as course_id, w.auto_enroll, iso(w.created) as created,
  w.user_id as "user"
from enrollment_allowed w left join course c on c.key = w.course_key
where lower(w.email) = lower($1) and not w.removed order by w.created, w.id
"""


async def list_allowed(pool: asyncpg.Pool, email: str) -> list[dict[str, object]]:
    """An address's entries, oldest first."""
    return [dict(row) for row in await pool.fetch(_OF, email)]
