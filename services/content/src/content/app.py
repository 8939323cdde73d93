"""The content service: what it is made of."""

import asyncio
from collections.abc import Sequence

from fastapi import FastAPI

from common.app import build_app
from common.errors import ErrorFamilies, developer_message_style, error_style
from common.messaging.parking.routes import router as parking
from common.process import Background, Service
from common.resources import Resources
from content.assets.routes import router as assets
from content.authoring.publication_routes import router as publications
from content.authoring.reading_routes import router as authors_reading
from content.authoring.rest_routes import authoring_style
from content.authoring.rest_routes import router as authoring_rest
from content.authoring.routes import router as authoring
from content.blocks.routes import router as blocks
from content.checklists.routes import router as checklists
from content.commands.retention import keep_forgetting
from content.consumers import subscriptions
from content.courses.routes import router as courses
from content.history.routes import router as history
from content.items.course_writes import router as course_writes
from content.items.routes import router as items
from content.lifecycle.routes import router as lifecycle
from content.policies.routes import router as policies
from content.settings import Settings
from content.sweeping.operations import keep_sweeping
from content.teams.routes import router as teams
from content.thumbnails.operations import keep_drawing
from content.versions.cache import TreeCache

STUDIO = ("/course", "/xblock", "/item", "/definition", "/assets", "/checklists", "/orphan", "/asset-v1:", "/c4x/")

ROUTERS = (
    authors_reading,
    authoring,
    authoring_rest,
    publications,
    courses,
    items,
    blocks,
    assets,
    teams,
    history,
    lifecycle,
    course_writes,
    checklists,
    policies,
    parking,
)


def create_app(resources: Resources) -> FastAPI:
    errors = ErrorFamilies(
        [
            ("/api/courses/", developer_message_style),
            ("/api/contentstore/v0", authoring_style),
            *((prefix, error_style) for prefix in STUDIO),
        ]
    )
    app = build_app(resources, title="content", routers=ROUTERS, errors=errors)
    settings = resources.settings
    app.state.trees = TreeCache(blocks=settings.tree_cache_blocks if isinstance(settings, Settings) else 200_000)
    app.state.drawing = asyncio.Semaphore(1)
    return app


def background(resources: Resources) -> Sequence[Background]:
    return (lambda: keep_forgetting(resources), lambda: keep_drawing(resources), lambda: keep_sweeping(resources))


SERVICE = Service(
    name="content",
    package="content",
    settings=Settings,
    create_app=create_app,
    subscriptions=subscriptions,
    background=background,
)
