"""Reading thumbnails."""

from dataclasses import dataclass

from content.versions.queries import Connection

_FIND = "select made_at is not null as made, data from thumbnail where digest = $1"
# thumbnail_waiting, which is empty but for what is to be drawn
_WAITING = "select digest from thumbnail where made_at is null limit $1"
_COUNT = "select count(*) as waiting from thumbnail where made_at is null"


@dataclass(frozen=True, slots=True)
class Drawn:
    """What came of drawing: a picture, or the knowledge that there is none."""

    data: bytes | None


async def find_thumbnail(connection: Connection, digest: str) -> Drawn | None:
    """None when it is not drawn yet."""
    row = await connection.fetchrow(_FIND, bytes.fromhex(digest))
    return Drawn(row["data"]) if row and row["made"] else None


async def list_waiting(connection: Connection, *, limit: int) -> list[str]:
    """Digests of pictures still to be drawn."""
    return [row["digest"].hex() for row in await connection.fetch(_WAITING, limit)]


async def count_waiting(connection: Connection) -> int:
    """How many pictures are still to be drawn."""
    row = await connection.fetchrow(_COUNT)
    return row["waiting"] if row else 0
