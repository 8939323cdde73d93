"""The composition of the import-export service."""

from collections.abc import Awaitable, Callable, Sequence

from fastapi import FastAPI

from common.app import build_app
from common.errors import ErrorFamilies, detail_style, developer_message_style, error_style, problem_style
from common.messaging.parking.routes import router as parked
from common.process import Service
from common.resources import Resources
from import_export.consumers import subscriptions
from import_export.exports.routes import router as exports
from import_export.hooks.routes import router as hooks
from import_export.imports.routes import router as imports
from import_export.inspections.routes import router as inspections
from import_export.reports.routes import router as reports
from import_export.settings import Settings
from import_export.studio.errors import upload_style
from import_export.studio.routes import router as studio
from import_export.tasks.routes import router as tasks
from import_export.tasks.upstream import router as task_records
from import_export.workers import run_workers

ERRORS = ErrorFamilies(
    [
        ("/api/operations", problem_style),
        ("/api/v1", problem_style),
        ("/api/tasks/v0", detail_style),
        ("/import", upload_style),
        ("/import_status", error_style),
        ("/export", error_style),
    ],
    default=developer_message_style,
)


def create_app(resources: Resources) -> FastAPI:
    return build_app(
        resources,
        title="Lectern import and export",
        routers=[tasks, reports, imports, exports, hooks, inspections, studio, task_records, parked],
        errors=ERRORS,
    )


def background(resources: Resources) -> Sequence[Callable[[], Awaitable[None]]]:
    return [lambda: run_workers(resources)]


SERVICE = Service(
    name="import-export",
    package="import_export",
    settings=Settings,
    create_app=create_app,
    subscriptions=subscriptions,
    background=background,
)
