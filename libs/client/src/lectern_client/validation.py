"""Read an archive on this machine, in a process with limits, as the server would."""

import asyncio
import tempfile
from pathlib import Path
from typing import Literal

from lectern_client.models import Report

SECONDS = 600.0
COURSE, LIBRARY = "course-v1:Local+Course+Run", "library-v1:Local+Library"


class NotInstalled(Exception):
    """Validating needs the archive reader: pip install 'lectern-client[validate]'."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


def validate_archive(
    archive: Path, links: Literal["refuse", "skip"], course_id: str | None = None
) -> tuple[dict[str, str] | None, Report]:
    """The refusal (code, message, member), if the archive cannot be imported at all, and the report.

    Without a key it may hold a course or a library. Raises `NotInstalled`.
    """
    refusal, report = _read_as(archive, links, course_id or COURSE)
    if course_id is None and refusal and refusal["code"] == "no_course_xml":
        as_library, library = _read_as(archive, links, LIBRARY)
        if as_library is None:
            return None, library
    return refusal, report


def _read_as(archive: Path, links: Literal["refuse", "skip"], course_id: str) -> tuple[dict[str, str] | None, Report]:
    try:
        from olx.limits import Limits  # noqa: PLC0415 - an optional extra
        from olx.parser_process import ParseAnswer, ParserProcess  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise NotInstalled from error

    async def read() -> ParseAnswer:
        reader = ParserProcess()
        try:
            with tempfile.TemporaryDirectory(prefix="lectern-validate-") as spool:
                return await reader.parse(
                    archive,
                    Path(spool),
                    course_id=course_id,
                    filename=archive.name,
                    links=links,
                    limits=Limits(seconds=SECONDS),
                    timeout=SECONDS + 15,
                )
        finally:
            await reader.stop()

    answer = asyncio.run(read())
    report = Report.model_validate(answer.report)
    if answer.ok:
        return None, report
    refusal = {"code": answer.code or "unreadable", "message": answer.message or "The archive cannot be read."}
    return refusal | ({"member": answer.member} if answer.member else {}), report
