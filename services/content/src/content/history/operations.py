"""Going back: a branch holds again what it held in some version, as a new version after all the others."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from common.database import raw
from common.keys import CourseKey
from content.versions.editing import Edit, Saved, open_edit
from content.versions.models import PUBLISHED
from content.versions.operations import Author
from content.versions.reverting import revert, revert_published


async def revert_branch(
    session: AsyncSession,
    course: CourseKey,
    branch: str,
    guid: str,
    author: Author,
    *,
    if_match: Sequence[str] | None,
) -> Saved:
    """Make a branch what a version of the course was, of whichever branch that is. Nothing is lost by it.

    Going back in the draft takes what has no draft state (files, sections) back for learners too; going back in what is
    published leaves the draft alone. Raises `CourseGone`, `VersionNotFound`, `StaleMatch`.
    """
    edit = await open_edit(await raw(session), course, author, if_match=if_match, branch=branch)
    await revert_in(edit, branch, guid)
    return await edit.save(session)


async def revert_in(edit: Edit, branch: str, guid: str) -> None:
    """The same as a part of an edit. Raises `VersionNotFound`."""
    if branch == PUBLISHED:
        await revert_published(edit, guid)
    else:
        await revert(edit, guid)
