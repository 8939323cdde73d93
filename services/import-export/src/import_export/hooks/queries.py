"""Find hooks and pushes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from import_export.hooks.errors import HookNotFound, PushNotFound
from import_export.hooks.models import Hook, Push

# Pushes of one hook are fetched in the order in which they came; index hook_push_backlog.
_CLAIM = text(
    """update hook_push set state = 'fetching', lease_owner = :worker, attempts = attempts + 1, retry_at = null,
              lease_until = now() + make_interval(secs => :seconds)
       where id = (
         select p.id from hook_push p
         where p.state in ('queued', 'fetching') and (p.state = 'queued' or p.lease_until < now())
           and (p.retry_at is null or p.retry_at <= now())
           and not exists (
             select from hook_push o
             where o.hook_id = p.hook_id and o.state in ('queued', 'fetching')
               and (o.received_at, o.id) < (p.received_at, p.id))
         order by p.received_at, p.id limit 1 for update of p skip locked)
       returning id"""
)
_RENEW = text(
    """update hook_push set lease_until = now() + make_interval(secs => :seconds)
       where id = :id and lease_owner = :worker and state = 'fetching' returning true"""
)
_NEXT = text(
    """select extract(epoch from min(coalesce(lease_until, retry_at)) - clock_timestamp())::float from hook_push
       where state in ('queued', 'fetching') and coalesce(lease_until, retry_at) is not null"""
)
_STAFF = text("select is_staff, is_active from account where user_id = :user_id")


def parse_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


async def get_hook(session: AsyncSession, written: str, *, lock: bool = False) -> Hook:
    """Raises `HookNotFound`, also for what is no id."""
    number = parse_id(written)
    query = select(Hook).where(Hook.id == number)
    hook = await session.scalar(query.with_for_update() if lock else query) if number else None
    if hook is None:
        raise HookNotFound
    return hook


async def list_hooks(session: AsyncSession, course_id: str) -> Sequence[Hook]:
    return (await session.scalars(select(Hook).where(Hook.course_id == course_id).order_by(Hook.created_at))).all()


async def get_push(session: AsyncSession, hook: Hook, written: str, *, lock: bool = False) -> Push:
    """Raises `PushNotFound`."""
    number = parse_id(written)
    query = select(Push).where(Push.id == number, Push.hook_id == hook.id)
    push = await session.scalar(query.with_for_update() if lock else query) if number else None
    if push is None:
        raise PushNotFound
    return push


async def find_push_of(session: AsyncSession, hook: Hook, sha: str) -> Push | None:
    return await session.scalar(select(Push).where(Push.hook_id == hook.id, Push.sha == sha))


async def list_pushes(session: AsyncSession, hook: Hook, *, offset: int, limit: int) -> tuple[Sequence[Push], int]:
    """One page, newest first, and the count of all."""
    wanted = Push.hook_id == hook.id
    count = await session.scalar(select(func.count()).select_from(Push).where(wanted))
    page = select(Push).where(wanted).order_by(Push.received_at.desc(), Push.id.desc()).offset(offset).limit(limit)
    return (await session.scalars(page)).all(), count or 0


async def list_waiting(session: AsyncSession, hook: Hook) -> Sequence[Push]:
    """Pushes whose commit has yet to be fetched, locked."""
    query = select(Push).where(Push.hook_id == hook.id, Push.state.in_(("queued", "fetching"))).order_by(Push.id)
    return (await session.scalars(query.with_for_update())).all()


async def claim_push(session: AsyncSession, *, worker: UUID, seconds: float) -> Push | None:
    """Lease the next push to *worker*; None when there is nothing to do."""
    found = await session.scalar(_CLAIM, {"worker": worker, "seconds": seconds})
    return await session.get(Push, found) if found else None


async def renew_push(session: AsyncSession, push_id: UUID, *, worker: UUID, seconds: float) -> bool:
    return bool(await session.scalar(_RENEW, {"id": push_id, "worker": worker, "seconds": seconds}))


async def find_held_push(session: AsyncSession, push_id: UUID, *, worker: UUID) -> Push | None:
    """The push, locked, if *worker* still holds it."""
    query = select(Push).where(Push.id == push_id, Push.lease_owner == worker, Push.state == "fetching")
    return await session.scalar(query.with_for_update())


async def seconds_to_next_push(session: AsyncSession) -> float | None:
    seconds: float | None = await session.scalar(_NEXT)
    return seconds


async def rights_now(session: AsyncSession, user_id: int | None) -> tuple[bool | None, bool]:
    """(Is the maker of a hook global staff, as far as was heard since; may they act at all)."""
    row = (await session.execute(_STAFF, {"user_id": user_id})).first()
    return (row.is_staff, row.is_active) if row else (None, True)


async def forget_pushes(session: AsyncSession, *, now: datetime, keep: timedelta) -> None:
    """Pushes that ended long ago; index hook_push_finished."""
    await session.execute(delete(Push).where(Push.finished_at < now - keep))
