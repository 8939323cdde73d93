"""Files over HTTP: their bytes, the lists of them, and changing them."""

from fastapi import APIRouter

from content.assets.routes import listing, serving, writing

router = APIRouter(tags=["assets"])
# addresses that name a digest look like those of lists, and go first
router.include_router(serving.router)
router.include_router(listing.router)
router.include_router(writing.router)
