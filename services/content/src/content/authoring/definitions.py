"""Definitions: the content of a block, shared by all that use it, and who may read it."""

from dataclasses import dataclass

from common.keys import DefinitionKey
from content.versions.queries import Connection

_FIND = "select type, fields, created_at from definition where guid = $1"
# block_definition; only courses of one person's team are looked at
_USED_BY_TEAM = """
select exists (
  select from course_team t join course c using (course_key) join branch br using (course_key)
  join block b on b.branch_id = br.id and b.definition = $1
  where t.user_id = $2 and not t.removed and c.deleted_at is null)"""
_USED_BY_ORG = """
select exists (
  select from block b join branch br on br.id = b.branch_id join course c using (course_key)
  where b.definition = $1 and c.org = any($2::text[]) and c.deleted_at is null)"""


@dataclass(frozen=True, slots=True)
class FoundDefinition:
    """A definition as it is stored."""

    key: DefinitionKey
    type: str
    fields: dict[str, object]


async def find_definition(connection: Connection, key: DefinitionKey) -> FoundDefinition | None:
    """None for one that does not exist, or is of another type than the key says."""
    row = await connection.fetchrow(_FIND, _guid(key)) if len(key.guid) == 24 else None
    if row is None or key.type not in (None, row["type"]) or row["type"].startswith("$"):
        return None
    return FoundDefinition(DefinitionKey(key.guid, row["type"]), row["type"], row["fields"])


async def is_used_by_team(connection: Connection, key: DefinitionKey, user_id: int | None, orgs: list[str]) -> bool:
    """Is this person on the team of a course, or staff of an organization, that uses the definition or used it?"""
    if user_id is not None and await connection.fetchval(_USED_BY_TEAM, _guid(key), user_id):
        return True
    return bool(orgs) and bool(await connection.fetchval(_USED_BY_ORG, _guid(key), orgs))


def _guid(key: DefinitionKey) -> bytes:
    return bytes.fromhex(key.guid)
