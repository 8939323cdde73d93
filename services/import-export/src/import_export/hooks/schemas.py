"""Bodies of the hook routes, and what is read of a push."""

import re
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import parse_qs
from uuid import UUID

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from common.values import without_nul
from import_export.hooks.errors import BadPayload
from import_export.hooks.models import NO_COMMIT, Hook, Push, PushState, without_credentials
from import_export.tasks.models import Json
from import_export.tasks.schemas import task_url
from import_export.uploads.schemas import ImportOptions

_SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def _inside(path: str) -> str:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ValueError("The path leads out of the repository.")
    return "/".join(parts)


_Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), AfterValidator(without_nul)]
_Branch = Annotated[str, StringConstraints(pattern=r"^[^\s~^:?*\[\\\x00-\x1f]{1,200}$")]
_Path = Annotated[str, StringConstraints(max_length=500), AfterValidator(without_nul), AfterValidator(_inside)]
_Secret = Annotated[str, StringConstraints(min_length=16, max_length=200), AfterValidator(without_nul)]


class _Changes(BaseModel):
    model_config = ConfigDict(extra="forbid")

    branch: _Branch | None = None
    path: _Path | None = Field(None, description="The folder in the repository that holds course.xml.")
    secret: _Secret | None = Field(None, description="At least 16 characters; made for you where none is given.")
    links: Literal["refuse", "skip"] | None = None
    strict: bool | None = None
    publish: bool | None = None
    is_active: bool | None = None


class NewHook(_Changes):
    """A course is to follow a branch of a repository."""

    course_id: _Text
    repository: _Text


class HookChanges(_Changes):
    """What to change; `rotate_secret` makes a new secret, which the answer shows."""

    rotate_secret: bool = False


class HookOut(BaseModel):
    """A hook; `secret` is only in the answer that made or changed it."""

    id: UUID
    course_id: str
    repository: str
    branch: str
    path: str
    links: str
    strict: bool
    publish: bool
    is_active: bool
    created_by: str | None
    created_at: datetime
    updated_at: datetime
    receive_url: str
    pushes_url: str
    secret: str | None = None


class Line(BaseModel):
    """One line of a push's log."""

    at: datetime
    text: str


class PushOut(BaseModel):
    """A push and what became of it; once fetched, its task tells the rest."""

    id: UUID
    hook_id: UUID
    sha: str
    message: str | None
    pusher: str | None
    state: PushState
    attempts: int
    received_at: datetime
    finished_at: datetime | None
    task_id: UUID
    task_url: str
    url: str
    log: list[Line]


class PushPage(BaseModel):
    """A hook's pushes, newest first."""

    results: list[PushOut]
    count: int


class Heard(BaseModel):
    """The answer to a push; `msg` in the words that older tools of this kind use."""

    msg: str
    status: Literal["pong", "ignored", "queued", "repeated"]
    push_id: UUID | None = None
    task_id: UUID | None = None
    url: str | None = None


class Told(BaseModel):
    """What a push says, whoever sent it."""

    ref: str
    sha: str
    message: str | None = None
    pusher: str | None = None
    repositories: list[str] = Field(default_factory=list)

    @property
    def branch(self) -> str | None:
        return self.ref.removeprefix("refs/heads/") if self.ref.startswith("refs/heads/") else None

    @property
    def is_deletion(self) -> bool:
        return self.sha == NO_COMMIT


class _Commit(BaseModel):
    message: str | None = None


class _Person(BaseModel):
    name: str | None = None


class _Repository(BaseModel):
    clone_url: str | None = None
    git_url: str | None = None
    ssh_url: str | None = None
    html_url: str | None = None


class _GithubPush(BaseModel):
    ref: str
    after: str
    head_commit: _Commit | None = None
    pusher: _Person | None = None
    repository: _Repository | None = None


class _PlainPush(BaseModel):
    sha: str
    ref: str | None = None
    branch: str | None = None
    repository: str | None = None
    message: str | None = None
    pusher: str | None = None


def read_payload(body: bytes, content_type: str) -> Json:
    """A JSON object, or one in the form field `payload`, as GitHub sends it by choice. Raises `BadPayload`."""
    if content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        try:
            fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=10)
        except ValueError as error:
            raise BadPayload("The form has more than 10 fields.") from error
        body = fields.get("payload", [""])[0].encode()
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadPayload("The body is not JSON.") from error
    if not isinstance(document, dict):
        raise BadPayload("The body is not a JSON object.")
    return document


def read_push(document: Json, *, github: bool) -> Told:
    """Raises `BadPayload`."""
    try:
        told = _of_github(document) if github else _plain(document)
    except ValidationError as error:
        wrong = {".".join(map(str, item["loc"])): {"developer_message": item["msg"]} for item in error.errors()}
        raise BadPayload(field_errors=wrong) from error
    if not _SHA.fullmatch(told.sha):
        raise BadPayload("A commit is named by its 40 or 64 hexadecimal digits.")
    return told


def _of_github(document: Json) -> Told:
    push = _GithubPush.model_validate(document)
    named = push.repository.model_dump(exclude_none=True).values() if push.repository else ()
    return Told(
        ref=push.ref,
        sha=push.after,
        message=_short(push.head_commit.message if push.head_commit else None),
        pusher=_short(push.pusher.name if push.pusher else None),
        repositories=list(named),
    )


def _plain(document: Json) -> Told:
    push = _PlainPush.model_validate(document)
    ref = push.ref or (f"refs/heads/{push.branch}" if push.branch else "")
    if not ref:
        raise BadPayload("The push names no ref and no branch.")
    return Told(
        ref=ref,
        sha=push.sha,
        message=_short(push.message),
        pusher=_short(push.pusher),
        repositories=[push.repository] if push.repository else [],
    )


def _short(text: str | None) -> str | None:
    return text.replace("\x00", "")[:2000] if text else None


def print_hook(hook: Hook, base: str, *, secret: str | None = None) -> HookOut:
    options = ImportOptions.model_validate(hook.options)
    username = hook.requested_by.get("username")
    return HookOut(
        id=hook.id,
        course_id=hook.spelling,
        repository=without_credentials(hook.repository),
        branch=hook.branch,
        path=hook.path,
        links=options.links,
        strict=options.strict,
        publish=options.publish,
        is_active=hook.is_active,
        created_by=username if isinstance(username, str) else None,
        created_at=hook.created_at,
        updated_at=hook.updated_at,
        receive_url=f"{base}/api/v1/hooks/{hook.id}/push",
        pushes_url=f"{base}/api/v1/hooks/{hook.id}/pushes",
        secret=secret,
    )


def push_url(base: str, push: Push) -> str:
    return f"{base}/api/v1/hooks/{push.hook_id}/pushes/{push.id}"


def print_push(push: Push, base: str) -> PushOut:
    return PushOut(
        id=push.id,
        hook_id=push.hook_id,
        sha=push.sha,
        message=push.message,
        pusher=push.pusher,
        state=PushState(push.state),
        attempts=push.attempts,
        received_at=push.received_at,
        finished_at=push.finished_at,
        task_id=push.task_id,
        task_url=task_url(base, push.task_id),
        url=push_url(base, push),
        log=[Line.model_validate(line) for line in push.log],
    )
