"""Pages beside the tree that every course has once somebody looks at them."""

from common.database import raw
from common.identity import Caller
from common.resources import Resources
from content.courses.queries import Place
from content.versions.branches import Block
from content.versions.editing import open_edit
from content.versions.models import DRAFT
from content.versions.operations import Author
from content.versions.publishing import publish_itself

_PAGE = "course_info"


async def make_course_info(resources: Resources, caller: Caller, place: Place) -> bool:
    """Make the missing page that a member of the team asked for; False when it is none of those."""
    if (
        place.block_type != _PAGE
        or place.block is None
        or place.version is not None
        or place.branch not in (None, DRAFT)
    ):
        return False
    if place.course.is_library:
        return False
    block_id = f"{_PAGE}@{place.block}"
    async with resources.sessions.begin() as session:
        edit = await open_edit(await raw(session), place.course, Author(caller.user_id, caller.username, "create"))
        if await edit.draft.find(block_id) is None:
            edit.draft.put(Block(block_id, _PAGE))
            await publish_itself(edit, block_id)
        await edit.save(session)
    return True
