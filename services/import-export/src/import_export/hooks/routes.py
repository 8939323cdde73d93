"""`/api/v1/hooks`: courses that follow a repository, and the pushes they hear of."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from common.database import WriteSession
from common.errors import Refusal
from common.identity import Caller, CallerDep, request_base, require_user
from common.resources import Resources
from import_export.courses.queries import require_author
from import_export.hooks import operations
from import_export.hooks.addresses import check_repository
from import_export.hooks.errors import (
    BadSignature,
    HookNotFound,
    OtherRepository,
    PayloadTooLarge,
)
from import_export.hooks.models import Hook, is_signed, same_repository
from import_export.hooks.queries import get_hook, get_push, list_hooks, list_pushes
from import_export.hooks.schemas import (
    Heard,
    HookChanges,
    HookOut,
    NewHook,
    PushOut,
    PushPage,
    Told,
    print_hook,
    print_push,
    push_url,
    read_payload,
    read_push,
)
from import_export.settings import Settings

router = APIRouter(prefix="/api/v1/hooks", tags=["hooks"])
_MOST = 5 * 1024 * 1024
_PUSH_BODY = {
    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
}


def _signed_in(caller: CallerDep) -> Caller:
    return require_user(caller)


SignedIn = Annotated[Caller, Depends(_signed_in)]


@router.post("", response_model=HookOut, status_code=201, summary="Let a course follow a repository")
async def create_hook(request: Request, body: NewHook, session: WriteSession, caller: SignedIn) -> HookOut:
    """The secret is in this answer only; `receive_url` and it go to the repository's host. For the course's authors."""
    resources: Resources = request.state.resources
    # a hook acts later, by rights that can be looked up then: those in an organization are known while one asks only
    caller = replace(caller, org_roles=())
    standing = await require_author(resources, caller, body.course_id, may_create=True)
    _check_repository(body.repository, resources.settings)
    hook, secret = await operations.create_hook(session, standing, body, caller=caller, now=datetime.now(UTC))
    return print_hook(hook, request_base(request), secret=secret)


@router.get("", response_model=list[HookOut], summary="The hooks of a course")
async def read_hooks(request: Request, caller: CallerDep, course_id: str = "") -> list[HookOut]:
    """For the course's authors."""
    resources: Resources = request.state.resources
    standing = await require_author(resources, caller, course_id, may_create=True)
    async with resources.sessions() as session:
        hooks = await list_hooks(session, standing.course_id)
    return [print_hook(hook, request_base(request)) for hook in hooks]


@router.get("/{hook_id}", response_model=HookOut, summary="A hook")
async def read_hook(request: Request, hook_id: str, caller: CallerDep) -> HookOut:
    """Without its secret. For the course's authors."""
    return print_hook(await _own(request, caller, hook_id), request_base(request))


@router.patch("/{hook_id}", response_model=HookOut, summary="Change a hook")
async def change_hook(
    request: Request, hook_id: str, body: HookChanges, session: WriteSession, caller: SignedIn
) -> HookOut:
    """Branch, path, options, or a new secret. For the course's authors."""
    await _own(request, caller, hook_id)
    hook = await get_hook(session, hook_id, lock=True)
    secret = operations.change_hook(hook, body, now=datetime.now(UTC))
    return print_hook(hook, request_base(request), secret=secret)


@router.delete("/{hook_id}", status_code=204, summary="Take a hook away")
async def delete_hook(request: Request, hook_id: str, session: WriteSession, caller: CallerDep) -> Response:
    """Its pushes go with it; imports that have begun go on. For the course's authors."""
    await _own(request, caller, hook_id)
    hook = await get_hook(session, hook_id, lock=True)
    await operations.remove_hook(session, hook, now=datetime.now(UTC))
    return Response(status_code=204)


@router.post(
    "/{hook_id}/push",
    response_model=Heard,
    status_code=202,
    openapi_extra=_PUSH_BODY,
    summary="Tell a hook of a push",
)
async def receive_push(request: Request, hook_id: str, session: WriteSession) -> Response:
    """For the repository's host; signed with the hook's secret instead of credentials.

    GitHub's `push` (and `ping`), as JSON or as a form, with `X-Hub-Signature-256`; or
    `{"sha", "ref" | "branch", "repository"?, "message"?, "pusher"?}` with `X-Signature-256: sha256=<HMAC of the body>`.
    The same commit told again is the same push: nothing happens twice.
    """
    payload = await _payload(request)
    hook = await get_hook(session, hook_id)
    shown = request.headers.get("x-hub-signature-256") or request.headers.get("x-signature-256")
    if not is_signed(hook.secret, payload, shown):
        raise BadSignature
    event = request.headers.get("x-github-event")
    if event == "ping":
        return _heard(Heard(msg="pong", status="pong"))
    if event not in (None, "push"):
        return _heard(Heard(msg="We do not handle that event", status="ignored"))
    document = read_payload(payload, request.headers.get("content-type", ""))
    told = read_push(document, github=event == "push")
    if told.is_deletion:
        return _heard(Heard(msg="The branch was deleted, ignoring", status="ignored"))
    if told.branch != hook.branch:
        return _heard(Heard(msg="Branch pushed doesn't match local branch, ignoring", status="ignored"))
    _check_same(hook, told)
    push, is_new = await operations.hear_push(session, hook, told, now=datetime.now(UTC))
    return _heard(
        Heard(
            msg="Added course import task to queue" if is_new else "This push has been heard of before",
            status="queued" if is_new else "repeated",
            push_id=push.id,
            task_id=push.task_id,
            url=push_url(request_base(request), push),
        ),
        status=202 if is_new else 200,
    )


@router.get("/{hook_id}/pushes", response_model=PushPage, summary="The pushes a hook has heard of")
async def read_pushes(
    request: Request, hook_id: str, caller: CallerDep, page: int = 1, page_size: int = 20
) -> PushPage:
    """Newest first, each with its log. For the course's authors."""
    hook = await _own(request, caller, hook_id)
    size, number = max(1, min(page_size, 100)), max(1, min(page, 1_000_000))
    resources: Resources = request.state.resources
    async with resources.sessions() as session:
        pushes, count = await list_pushes(session, hook, offset=(number - 1) * size, limit=size)
    base = request_base(request)
    return PushPage(results=[print_push(push, base) for push in pushes], count=count)


@router.get("/{hook_id}/pushes/{push_id}", response_model=PushOut, summary="A push and its log")
async def read_push_of_hook(request: Request, hook_id: str, push_id: str, caller: CallerDep) -> PushOut:
    """For the course's authors."""
    hook = await _own(request, caller, hook_id)
    resources: Resources = request.state.resources
    async with resources.sessions() as session:
        push = await get_push(session, hook, push_id)
    return print_push(push, request_base(request))


@router.post(
    "/{hook_id}/pushes/{push_id}/retry", response_model=PushOut, status_code=202, summary="Import a push once more"
)
async def retry_push(request: Request, hook_id: str, push_id: str, session: WriteSession, caller: CallerDep) -> PushOut:
    """As a new task: after a failure, or to go back to an earlier commit. For the course's authors."""
    hook = await _own(request, caller, hook_id)
    push = await get_push(session, hook, push_id, lock=True)
    await operations.retry_push(session, hook, push, now=datetime.now(UTC))
    return print_push(push, request_base(request))


async def _own(request: Request, caller: Caller, hook_id: str) -> Hook:
    """A hook of a course that the caller authors. One of another course is as unknown as one that does not exist."""
    require_user(caller)
    resources: Resources = request.state.resources
    async with resources.sessions() as session:
        hook = await get_hook(session, hook_id)
    try:
        await require_author(resources, caller, hook.spelling, may_create=True)
    except Refusal as error:
        raise HookNotFound from error
    return hook


async def _payload(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST:
            raise PayloadTooLarge
    return bytes(body)


def _check_repository(address: str, settings: object) -> None:
    """Raises `BadRepository`, `InternalRepository`."""
    check_repository(address, allow_internal=isinstance(settings, Settings) and settings.hook_internal_urls)


def _check_same(hook: Hook, told: Told) -> None:
    if told.repositories and not any(same_repository(hook.repository, named) for named in told.repositories):
        raise OtherRepository


def _heard(answer: Heard, *, status: int = 200) -> Response:
    return JSONResponse(answer.model_dump(mode="json", exclude_none=True), status)
