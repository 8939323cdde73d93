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
