"""Making hooks, hearing pushes, and handing what was fetched to the importer."""

import secrets
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from common.identity import Caller
from import_export.courses.models import Standing
from import_export.events import Requester
from import_export.hooks.errors import HookStopped, PushUnderWay
from import_export.hooks.models import Hook, Push, PushState, without_credentials
from import_export.hooks.orders import Fetched
from import_export.hooks.queries import find_push_of, list_waiting, rights_now
from import_export.hooks.schemas import HookChanges, NewHook, Told
from import_export.tasks.models import Job, Kind, Phase, State
from import_export.tasks.operations import finish_job, make_job, new_job_id, requester
from import_export.tasks.queries import get_job
from import_export.tasks.wakeups import Topic, announce_change
from import_export.uploads.schemas import ImportOptions

# Between the tries of a fetch that the other side may yet answer.
_PAUSES = (timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2))


async def create_hook(
    session: AsyncSession, standing: Standing, new: NewHook, *, caller: Caller, now: datetime
) -> tuple[Hook, str]:
    """The hook, and the secret that is shown this once."""
    secret = new.secret or secrets.token_urlsafe(32)
    hook = Hook(
        id=uuid7(),
        course_id=standing.course_id,
        spelling=standing.spelling,
        repository=new.repository,
        branch=new.branch or "main",
        path=new.path or "",
        secret=secret,
        options=_options(new, ImportOptions()).model_dump(),
        requested_by=requester(caller).model_dump(mode="json"),
        requester_id=caller.user_id,
        is_active=new.is_active is not False,
        created_at=now,
        updated_at=now,
    )
    session.add(hook)
    await session.flush()
    return hook, secret


def change_hook(hook: Hook, changes: HookChanges, *, now: datetime) -> str | None:
    """The new secret, when there is one."""
    if changes.branch is not None:
        hook.branch = changes.branch
    if changes.path is not None:
        hook.path = changes.path
    if changes.is_active is not None:
        hook.is_active = changes.is_active
    hook.options = _options(changes, ImportOptions.model_validate(hook.options)).model_dump()
    secret = changes.secret or (secrets.token_urlsafe(32) if changes.rotate_secret else None)
    if secret is not None:
        hook.secret = secret
    hook.updated_at = now
    return secret


def _options(changes: NewHook | HookChanges, now: ImportOptions) -> ImportOptions:
    given = {name: getattr(changes, name) for name in ("links", "strict", "publish")}
    return now.model_copy(update={name: value for name, value in given.items() if value is not None})


async def remove_hook(session: AsyncSession, hook: Hook, *, now: datetime) -> None:
    """Tasks that still wait for their commit are canceled: nothing will fetch it any more."""
    for push in await list_waiting(session, hook):
        job = await get_job(session, push.task_id, lock=True)
        if job.phase == Phase.FETCHING:
            await finish_job(session, job, State.CANCELED, now=now)
    await session.delete(hook)


async def hear_push(session: AsyncSession, hook: Hook, told: Told, *, now: datetime) -> tuple[Push, bool]:
    """The push and its task, in one transaction; False when this commit had been told of before.

    Raises `HookStopped`.
    """
    acting = await _acting(session, hook)
    if acting is None or not hook.is_active:
        raise HookStopped
    values = {
        "id": uuid7(),
        "hook_id": hook.id,
        "sha": told.sha,
        "message": told.message,
        "pusher": told.pusher,
        "state": PushState.QUEUED.value,
        "log": [{"at": now.isoformat(timespec="milliseconds"), "text": f"Heard of {told.sha} on {hook.branch}."}],
        "task_id": new_job_id(),
        "attempts": 0,
        "received_at": now,
    }
    # two deliveries of one push at the same moment: the second waits for the first, and finds it
    made = await session.scalar(
        insert(Push).values(**values).on_conflict_do_nothing(constraint="hook_push_hook_id_sha_key").returning(Push.id)
    )
    push = await find_push_of(session, hook, told.sha)
    if push is None:
        raise HookStopped  # the hook was deleted meanwhile
    if made is None:
        return push, False
    session.add(_job(hook, push, acting, now=now))
    await announce_change(session, Topic.PUSH)
    return push, True


async def retry_push(session: AsyncSession, hook: Hook, push: Push, *, now: datetime) -> None:
    """Fetch and import the commit once more, as a new task. Raises `HookStopped`, `PushUnderWay`."""
    if push.state in (PushState.QUEUED, PushState.FETCHING):
        raise PushUnderWay
    acting = await _acting(session, hook)
    if acting is None or not hook.is_active:
        raise HookStopped
    push.task_id, push.state, push.attempts = new_job_id(), PushState.QUEUED.value, 0
    push.received_at, push.finished_at = now, None
    push.note("To be imported once more.", now=now)
    session.add(_job(hook, push, acting, now=now))
    await announce_change(session, Topic.PUSH)


async def _acting(session: AsyncSession, hook: Hook) -> Requester | None:
    """Whoever made the hook, with the rights they have now; None when they may do nothing any more."""
    is_staff, is_active = await rights_now(session, hook.requester_id)
    if not is_active:
        return None
    made_by = Requester.model_validate(hook.requested_by)
    return made_by if is_staff is None else made_by.model_copy(update={"is_staff": is_staff})


def _job(hook: Hook, push: Push, acting: Requester, *, now: datetime) -> Job:
    job = make_job(
        Kind.IMPORT,
        push.task_id,
        caller=Caller(username=acting.username, user_id=acting.user_id),
        course_id=hook.course_id,
        spelling=hook.spelling,
        options=dict(hook.options),
        now=now,
    )
    job.requested_by = acting.model_dump(mode="json")
    job.phase, job.stage = Phase.FETCHING.value, "Fetching the commit"
    job.source = {"repo": without_credentials(hook.repository), "sha": push.sha, "message": push.message}
    return job


async def hand_over(
    session: AsyncSession, push: Push, fetched: Fetched, *, digest: str, filename: str, now: datetime
) -> bool:
    """The archive is in the blob store: the importer's turn. False when the task was canceled meanwhile."""
    job = await get_job(session, push.task_id, lock=True)
    for note in fetched.notes:
        push.note(note, now=now)
    if job.phase != Phase.FETCHING:
        push.note("The task was canceled.", now=now)
        push.finish(PushState.CANCELED, now=now)
        return False
    push.note(f"Fetched {fetched.files} files, {fetched.size} bytes.", now=now)
    push.message = push.message or fetched.message
    push.finish(PushState.IMPORTED, now=now)
    job.phase, job.state, job.stage = Phase.QUEUED.value, State.PENDING.value, ""
    job.archive_digest, job.filename = digest, filename
    job.source = {**(job.source or {}), "message": push.message}
    job.updated_at = now
    await announce_change(session, Topic.IMPORT)
    return True


async def give_up(session: AsyncSession, push: Push, *, code: str, message: str, now: datetime) -> None:
    """The push and its task have failed."""
    push.note(message, now=now)
    push.finish(PushState.FAILED, now=now)
    job = await get_job(session, push.task_id, lock=True)
    if job.phase == Phase.FETCHING:
        await finish_job(session, job, State.FAILED, now=now, error={"code": code, "message": message})


def try_again(push: Push, *, message: str, now: datetime) -> None:
    """Back into the queue, for a later moment."""
    pause = _PAUSES[min(push.attempts, len(_PAUSES)) - 1]
    push.note(f"{message} Tried again in {pause.total_seconds():.0f} s.", now=now)
    push.state, push.retry_at = PushState.QUEUED.value, now + pause
    push.lease_owner = push.lease_until = None


def hand_back(push: Push) -> None:
    """A worker that has to stop lets the next one begin at once, at no cost to the push."""
    push.state = PushState.QUEUED.value
    push.attempts -= 1
    push.lease_owner = push.lease_until = None


def archive_name(hook: Hook, push: Push) -> str:
    return f"{hook.id.hex[-8:]}-{push.sha[:12]}.tar.gz"


def upload_key(task_id: UUID) -> str:
    return f"uploads/{task_id}"
