"""Read an archive on this machine, in a process with limits, as the server would."""

import asyncio
import tempfile
from pathlib import Path
from typing import Literal

from lectern_client.models import Report

SECONDS = 600.0


class NotInstalled(Exception):
    """Validating needs the archive reader: pip install 'lectern-client[validate]'."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


def validate_archive(
    archive: Path, course_id: str, links: Literal["refuse", "skip"]
) -> tuple[dict[str, str] | None, Report]:
    """The refusal (code, message, member), if the archive cannot be imported at all, and the report.

    Raises `NotInstalled`.
    """
    try:
        from olx.parser_process import ParserProcess  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        raise NotInstalled from error

    place = str(archive.resolve())

    async def read() -> dict[str, object]:
        reader = ParserProcess()
        await reader.start()
        try:
            with tempfile.TemporaryDirectory(prefix="lectern-validate-") as spool:
                request = {
                    "archive": place,
                    "filename": archive.name,
                    "spool": spool,
                    "course_id": course_id,
                    "links": links,
                    "limits": {},
                }
                return dict(await reader.parse(request, SECONDS))
        finally:
            await reader.stop()

    answer = asyncio.run(read())
    report = Report.model_validate(answer.get("report") or {})
    if answer.get("ok") is True:
        return None, report
    known = {name: str(answer[name]) for name in ("code", "message", "member") if answer.get(name)}
    return {"code": "unreadable", "message": "The archive cannot be read."} | known, report
