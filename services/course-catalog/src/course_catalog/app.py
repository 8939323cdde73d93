"""The course-catalog service: what it is made of."""

from fastapi import FastAPI

from common.app import build_app
from common.errors import ErrorFamilies, developer_message_style
from common.messaging.parking.routes import router as parked
from common.process import Service
from common.resources import Resources
from course_catalog.consumers import subscriptions
from course_catalog.courses.listing import Listing
from course_catalog.courses.routes import router as courses
from course_catalog.settings import Settings, settings_of


def create_app(resources: Resources) -> FastAPI:
    """The HTTP side."""
    app = build_app(
        resources,
        title="Lectern course catalogue",
        routers=[courses, parked],
        errors=ErrorFamilies([("/api/courses/", developer_message_style)]),
    )
    app.state.listing = Listing(resources.pool, cache_bytes=settings_of(resources).listing_cache_bytes)
    return app


SERVICE = Service(
    name="course-catalog",
    package="course_catalog",
    settings=Settings,
    create_app=create_app,
    subscriptions=subscriptions,
)
