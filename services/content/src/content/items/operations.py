"""Changing what a course says about itself: names, dates, settings of its root, marketing texts, a branch's head."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from common.database import raw
from common.keys import CourseKey
from content.courses.announcing import typed_setting
from content.courses.fields import KNOWN
from content.history.operations import revert_in
from content.items.course_changes import CourseChanges
from content.versions.branches import Block
from content.versions.editing import Edit, Saved, open_edit
from content.versions.errors import VersionConflict
from content.versions.operations import Author
from content.versions.publishing import publish_itself, remove


async def change_course(
    session: AsyncSession,
    course: CourseKey,
    branch: str,
    changes: CourseChanges,
    author: Author,
    *,
    if_match: Sequence[str] | None,
    version: str | None,
) -> Saved:
    """All changes in one version, published at once: a course has no draft state of its own.

    Raises `CourseGone`, `StaleMatch`, `VersionConflict`, `VersionNotFound`.
    """
    edit = await open_edit(await raw(session), course, author, if_match=if_match, version=version, branch=branch)
    for held in edit.branches:
        if changes.expected.get(held.name, held.guid) != held.guid:
            raise VersionConflict(current_version=held.guid)
    if changes.head is not None:
        await revert_in(edit, branch, changes.head)
    await _set(edit, changes)
    for name, text in changes.about.items():
        await _describe(edit, name, text)
    return await edit.save(session)


async def _set(edit: Edit, changes: CourseChanges) -> None:
    root = await edit.draft.root()
    settings = dict(root.settings)
    for name, value in changes.settings.items():
        if value is None:
            settings.pop(name, None)
        elif name not in settings or not (name in KNOWN and typed_setting(name, settings[name]) == value):
            settings[name] = value
    if settings != root.settings:
        edit.draft.put(root.changed(settings=settings))
        await publish_itself(edit, root.block_id)


async def _describe(edit: Edit, name: str, text: str | None) -> None:
    block_id = f"about@{name}"
    found = await edit.draft.find(block_id)
    if text is None:
        if found is not None:
            await remove(edit, block_id)
        return
    block = found or Block(block_id, "about")
    fields = await edit.fields_of(block)
    if fields.get("data") != text:
        edit.draft.put(block.changed(definition=edit.define("about", {**fields, "data": text})))
        await publish_itself(edit, block_id)
