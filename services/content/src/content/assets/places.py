"""Which course, and which of its files, an address below `/assets/` means."""

from common.keys import AssetKey, CourseKey, InvalidKey, clean_asset_name
from content.assets.errors import BadAssetKey
from content.assets.names import normal_name
from content.courses.errors import CourseNotFound
from content.courses.queries import get_course_key
from content.versions.queries import Connection

_MARKS = ("/asset-v1:", "//c4x/", "/c4x/")


async def find_course_and_name(connection: Connection, place: str) -> tuple[CourseKey, str | None]:
    """The course, and the file behind it if there is one, by name or by key.

    Raises `CourseNotFound`, `BadAssetKey`.
    """
    place = place.strip("/")
    for mark in _MARKS:
        course, found, rest = place.partition(mark)
        if found:
            try:
                name = AssetKey.parse(f"{mark[1:].removeprefix('/')}{rest}").name
            except InvalidKey as error:
                raise BadAssetKey(f"{error}.") from error
            return await get_course_key(connection, course), name
    try:
        return await get_course_key(connection, place), None
    except CourseNotFound:
        course, found, name = place.rpartition("/")
        if not found:
            raise
        key = await get_course_key(connection, course)
    # what a file was called when it was uploaded leads to it as well
    return key, clean_asset_name(normal_name(name))
