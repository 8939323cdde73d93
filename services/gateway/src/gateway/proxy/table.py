"""The route table: which service answers which prefix, in which error family, with which limits. First match wins."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from common.errors import (
    ErrorStyle,
    detail_style,
    developer_message_style,
    error_style,
    message_style,
    problem_style,
)

KB, MB, GB = 1_000, 1_000_000, 1_000_000_000
GATEWAY = "gateway"
SERVICES = ("course-catalog", "content", "enrollment", "import-export")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a path leads.

    `prefix` ends at a segment (`/course` is `/course` and `/course/…`, never `/courses`), unless it is written with a
    final `*`, or with a final `$` for exactly this path.
    """

    prefix: str
    service: str
    style: ErrorStyle = problem_style
    body: int = MB
    timeout: float = 30.0
    credentials: str = "checked"
    """`checked`; `lenient`: a broken Authorization header counts as none; `own`: the feature reads them itself."""


def _targets() -> Sequence[Target]:
    catalog, content, enrollment, transfer = SERVICES
    return (
        Target("/$", catalog),
        # the gateway's own
        Target("/oauth2", GATEWAY, error_style, credentials="own"),
        Target("/.well-known/jwks.json", GATEWAY, credentials="own"),
        Target("/login", GATEWAY, credentials="lenient"),
        Target("/logout", GATEWAY, credentials="lenient"),
        Target("/api/accounts/v1/users", GATEWAY, body=16 * MB),
        Target("/api/accounts/v1", GATEWAY),
        Target("/api/user/v1/me", GATEWAY, detail_style),
        Target("/api/mobile/v0.5/my_user_info", GATEWAY, detail_style),
        Target("/api/operations/v1/gateway", GATEWAY),
        Target("/health", GATEWAY, credentials="own"),
        Target("/openapi.json", GATEWAY, credentials="own"),
        Target("/docs", GATEWAY, credentials="lenient"),
        Target("/status", GATEWAY, credentials="lenient"),
        Target("/metrics", GATEWAY, credentials="own"),
        # course-catalog
        Target("/api/courses/v1/courses", catalog, developer_message_style),
        Target("/api/courses/v1/course_ids", catalog, developer_message_style),
        Target("/api/course_modes/v1", catalog, detail_style),
        Target("/api/programs/v1", catalog),
        Target("/api/catalog/v1", catalog),
        # content
        Target("/api/courses/v1/blocks", content, developer_message_style),
        Target("/api/courses/v2/blocks", content, developer_message_style),
        Target("/api/courses/v1/block_metadata", content, developer_message_style),
        Target("/assets", content, error_style, body=200 * MB, timeout=120),
        Target("/course", content, error_style, body=10 * MB),
        Target("/xblock", content, error_style, body=10 * MB),
        Target("/item", content, error_style, body=10 * MB),
        Target("/definition", content, error_style, body=10 * MB),
        Target("/checklists", content, error_style),
        Target("/orphan", content, error_style),
        Target("/asset-v1:*", content, error_style, body=200 * MB, timeout=120),
        Target("/c4x", content, error_style, body=200 * MB, timeout=120),
        Target("/api/content/v1/assets", content, body=200 * MB, timeout=120),
        Target("/api/content/v1", content, body=10 * MB),
        Target("/api/contentstore/v0/file_assets", content, developer_message_style, body=200 * MB, timeout=120),
        Target("/api/contentstore/v0", content, developer_message_style, body=10 * MB),
        # enrollment
        Target("/api/enrollment/v1/course", enrollment, message_style, credentials="lenient"),
        Target("/api/enrollment/v1/enrollments", enrollment, developer_message_style),
        Target("/api/enrollment/v1", enrollment, message_style),
        Target("/api/bulk_enroll/v1", enrollment, detail_style, body=16 * MB, timeout=60),
        Target("/api/cohorts/v1", enrollment, developer_message_style),
        Target("/api/program_enrollments/v1", enrollment, developer_message_style),
        Target("/api/enrollment_jobs/v1", enrollment, body=200 * MB, timeout=120),
        # import-export
        Target("/api/v0", transfer, body=2 * GB, timeout=120),
        Target("/api/v1/imports*", transfer, body=2 * GB, timeout=120),
        Target("/api/v1/exports*", transfer, body=MB, timeout=120),
        Target("/api/v1/hooks*", transfer, body=25 * MB),
        Target("/api/courses/v0/import", transfer, developer_message_style, body=2 * GB, timeout=120),
        Target("/api/courses/v1/validation", transfer, developer_message_style, timeout=60),
        Target("/api/courses/v1/quality", transfer, developer_message_style, timeout=60),
        Target("/import*", transfer, error_style, body=2 * GB, timeout=120),
        Target("/export*", transfer, error_style, timeout=120),
        Target("/api/tasks/v0", transfer, detail_style),
        # parked messages, at each service; both spellings of a name
        *(
            Target(f"/api/operations/v1/{name}", service)
            for service in SERVICES
            for name in dict.fromkeys((service, service.replace("-", "_")))
        ),
    )


TARGETS = _targets()


class Table:
    """Finds the target of a path.

    Matching is on the decoded path, as the services' own routers match: an escaped letter cannot reach a service on a
    way that its limits do not see. What is sent on is the raw path.
    """

    def __init__(self, targets: Sequence[Target] = TARGETS) -> None:
        self._targets = {f"t{number}": target for number, target in enumerate(targets)}
        self._pattern = re.compile("|".join(f"(?P<{name}>{_pattern(t.prefix)})" for name, t in self._targets.items()))

    def find(self, path: str) -> Target | None:
        match = self._pattern.match(path)
        return self._targets[match.lastgroup] if match and match.lastgroup else None


def _pattern(prefix: str) -> str:
    if prefix.endswith("*"):
        return re.escape(prefix[:-1])
    if prefix.endswith("$"):
        return re.escape(prefix[:-1]) + r"\Z"
    return re.escape(prefix) + r"(?=/|\Z)"


def check_table(targets: Sequence[Target], upstreams: Mapping[str, str]) -> list[str]:
    """What is wrong with the table or the addresses; empty when all is well."""
    services = {target.service for target in targets} - {GATEWAY}
    return [
        *(f"no address for {name}, which the route table names" for name in sorted(services - set(upstreams))),
        *(f"an address for {name}, which no route names" for name in sorted(set(upstreams) - services)),
        *(f"{target.prefix} does not begin with /" for target in targets if not target.prefix.startswith("/")),
    ]
