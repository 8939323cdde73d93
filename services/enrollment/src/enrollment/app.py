"""The enrollment service, as a list of what it is made of."""

from fastapi import FastAPI

from common.app import build_app
from common.errors import ErrorFamilies, detail_style, developer_message_style, message_style
from common.messaging.parking.routes import router as parking
from common.process import Service
from common.resources import Resources
from enrollment.allowed import routes as allowed
from enrollment.bulk_enroll import routes as bulk_enroll
from enrollment.cohorts import routes as cohorts
from enrollment.consumers import subscriptions
from enrollment.course_copies.reconcile import reconcile
from enrollment.enrollments import routes as enrollments
from enrollment.jobs import routes as jobs
from enrollment.program_enrollments import learner_routes as learner_programs
from enrollment.program_enrollments import operator_commands
from enrollment.program_enrollments import routes as program_enrollments
from enrollment.reports.routes import build_router as build_reports
from enrollment.retirement import routes as retirement
from enrollment.settings import Settings
from enrollment.sweeps import background

ERRORS = ErrorFamilies(
    [
        ("/api/enrollment/v1", message_style),
        ("/api/enrollment/v1/enrollments", developer_message_style),
        ("/api/program_enrollments/v1", developer_message_style),
        ("/api/program_enrollments/v1/integration-reset", detail_style),
        ("/api/bulk_enroll/v1", detail_style),
        ("/api/cohorts/v1", developer_message_style),
    ]
)


def create_app(resources: Resources) -> FastAPI:
    return build_app(
        resources,
        title="Lectern enrollment",
        routers=[
            allowed.router,
            retirement.router,
            build_reports(),
            enrollments.router,
            bulk_enroll.router,
            cohorts.router,
            learner_programs.router,
            program_enrollments.router,
            jobs.router,
            parking,
        ],
        errors=ERRORS,
    )


SERVICE = Service(
    name="enrollment",
    package="enrollment",
    settings=Settings,
    create_app=create_app,
    subscriptions=subscriptions,
    background=background,
    commands={
        "reconcile": reconcile,
        operator_commands.LINK: operator_commands.link_program_learners,
        operator_commands.RESET: operator_commands.reset_programs,
        operator_commands.EXPIRE: operator_commands.expire_waiting,
    },
)
