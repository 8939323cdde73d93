"""The course-catalog service: what it is made of."""

from collections.abc import Sequence

from fastapi import FastAPI

from common.app import build_app
from common.errors import ErrorFamilies, detail_style, developer_message_style
from common.messaging.parking.routes import router as parked
from common.messaging.rebuilding.routes import rebuild_router
from common.process import Service
from common.resources import Resources
from course_catalog.consumers import subscriptions
from course_catalog.courses.listing import Listing
from course_catalog.courses.routes import router as courses
from course_catalog.discovery.facets import FacetCounts
from course_catalog.discovery.front import router as front
from course_catalog.discovery.routes import router as discovery
from course_catalog.listings.routes import router as listings
from course_catalog.modes.routes import router as modes
from course_catalog.programs.routes import router as programs
from course_catalog.projections.operations import projections, reproject
from course_catalog.settings import Settings, settings_of


def create_app(resources: Resources) -> FastAPI:
    """The HTTP side."""
    settings = settings_of(resources)
    rebuilds = rebuild_router(projections(settings.course_mode))
    app = build_app(
        resources,
        title="Lectern course catalogue",
        routers=[courses, front, modes, programs, discovery, listings, rebuilds, parked],
        errors=ErrorFamilies([("/api/courses/", developer_message_style), ("/api/course_modes/", detail_style)]),
    )
    listing = app.state.listing = Listing(resources.pool, cache_bytes=settings.listing_cache_bytes)
    app.state.facets = FacetCounts(resources.pool, listing, default_mode=settings.default_mode)
    return app


async def _reproject(resources: Resources, owners: Sequence[str]) -> int:
    return await reproject(resources, owners, default_mode=settings_of(resources).course_mode)


SERVICE = Service(
    name="course-catalog",
    package="course_catalog",
    settings=Settings,
    create_app=create_app,
    subscriptions=subscriptions,
    commands={"reproject": _reproject},
)
