"""Changing the files of a course. Each change is one version of every branch: files have no draft state."""

import asyncio
from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from common.blobs import asset_key, put_file
from common.database import raw
from common.identity import Caller
from common.keys import CourseKey
from common.resources import Resources
from content.assets.errors import AssetNotFound
from content.assets.uploads import Upload
from content.thumbnails.models import is_drawn
from content.thumbnails.operations import draw_thumbnail, want_thumbnails
from content.versions.branches import Block
from content.versions.editing import Edit, Saved, open_edit
from content.versions.models import ASSET
from content.versions.operations import Author

_CLAIM: Final = """
insert into asset_claim (digest) values ($1) on conflict (digest) do update set claimed_at = now()"""


async def keep_bytes(resources: Resources, upload: Upload, drawing: asyncio.Semaphore) -> None:
    """The bytes are in the store before anything names them, and claimed, by a commit of its own, before that: the
    sweep, which deletes under the claim's lock, leaves them alone for as long as the change may take.
    """
    await resources.pool.execute(_CLAIM, bytes.fromhex(upload.digest))
    key = asset_key(upload.digest)
    if await resources.blobs.size(key) is None:
        await put_file(resources.blobs, key, upload.path)
    if is_drawn(upload.content_type):
        await want_thumbnails(resources.pool, [upload.digest])
        await draw_thumbnail(resources.pool, resources.blobs, upload.digest, drawing)


async def put_asset(
    session: AsyncSession, caller: Caller, course: CourseKey, upload: Upload, *, if_match: Sequence[str] | None
) -> tuple[Saved, bool]:
    """The course has this file from now on; and was it new? Of one that was there before, lock and place stay.

    Raises `CourseGone`, `StaleMatch`.
    """
    edit = await _open(session, caller, course, "upload", if_match)
    before = await _find(edit, upload.name)
    block = before or Block(f"{ASSET}@{upload.name}", ASSET, settings={"locked": False})
    settings = {
        **block.settings,
        "digest": upload.digest,
        "size": upload.size,
        "content_type": upload.content_type,
        "displayname": upload.display_name,
    }
    edit.put_everywhere(block.changed(settings=settings))
    return await edit.save(session), before is None


async def lock_asset(
    session: AsyncSession,
    caller: Caller,
    course: CourseKey,
    name: str,
    *,
    locked: bool,
    if_match: Sequence[str] | None,
) -> Saved:
    """Only learners and the team can read the file, or (unlocked) anybody. Raises `AssetNotFound` and as above."""
    edit = await _open(session, caller, course, "lock" if locked else "unlock", if_match)
    block = await _find(edit, name)
    if block is None:
        raise AssetNotFound
    if (block.settings.get("locked") is True) != locked:
        edit.put_everywhere(block.changed(settings={**block.settings, "locked": locked}))
    return await edit.save(session)


async def delete_asset(
    session: AsyncSession, caller: Caller, course: CourseKey, name: str, *, if_match: Sequence[str] | None
) -> Saved:
    """Older versions keep the file. Raises `AssetNotFound` and as above."""
    edit = await _open(session, caller, course, "delete", if_match)
    if await _find(edit, name) is None:
        raise AssetNotFound
    edit.drop_everywhere(f"{ASSET}@{name}")
    return await edit.save(session)


async def _open(
    session: AsyncSession, caller: Caller, course: CourseKey, reason: str, if_match: Sequence[str] | None
) -> Edit:
    author = Author(caller.user_id, caller.username, reason)
    return await open_edit(await raw(session), course, author, if_match=if_match)


async def _find(edit: Edit, name: str) -> Block | None:
    """As the draft has it; a file that an import of drafts alone took from the draft stands on the other branch."""
    for branch in edit.branches:
        if block := await branch.find(f"{ASSET}@{name}"):
            return block
    return None
