"""The composition of the import-export service."""

from collections.abc import Awaitable, Callable, Sequence

from fastapi import FastAPI

from common.app import build_app
from common.errors import ErrorFamilies, developer_message_style, problem_style
from common.messaging.parking.routes import router as parked
from common.process import Service
from common.resources import Resources
from import_export.consumers import subscriptions
from import_export.exports.routes import router as exports
from import_export.imports.routes import router as imports
from import_export.reports.routes import router as reports
from import_export.settings import Settings
from import_export.tasks.routes import router as tasks
from import_export.workers import run_workers

ERRORS = ErrorFamilies([("/api/operations", problem_style)], default=developer_message_style)


def create_app(resources: Resources) -> FastAPI:
    return build_app(
        resources,
        title="Lectern import and export",
        routers=[imports, exports, tasks, reports, parked],
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
