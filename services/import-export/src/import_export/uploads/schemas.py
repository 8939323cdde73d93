"""What an importer may ask for, in the query or in fields of the form."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from import_export.uploads.errors import BadOptions

Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000, pattern=r"^[^\x00]*$")]


class ImportOptions(BaseModel):
    """How to import."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    dry_run: bool = False
    links: Literal["refuse", "skip"] = "refuse"
    strict: bool = False
    publish: bool = True
    round_trip: bool = False
    """Only try what would differ after import, export and import again; nothing is imported."""


class Provenance(BaseModel):
    """Where the archive comes from, kept with the version it makes."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    source_repo: Words | None = None
    source_sha: Words | None = None
    message: Words | None = None


class ImportRequest(ImportOptions, Provenance):
    """All of it, and what to do while another import of the course is under way; an empty text is as none given."""

    busy: Literal["wait", "refuse"] = "wait"


OPTION_NAMES = tuple(ImportRequest.model_fields)
FORM_NAMES = (*OPTION_NAMES, "sha256")


def read_import_request(*places: Mapping[str, str]) -> ImportRequest:
    """Later places stand over earlier ones. Raises `BadOptions`, naming each bad field."""
    given = {name: place[name] for place in places for name in OPTION_NAMES if place.get(name, "") != ""}
    try:
        return ImportRequest.model_validate(given)
    except ValidationError as error:
        fields = {str(item["loc"][0]): {"developer_message": item["msg"]} for item in error.errors()}
        raise BadOptions(field_errors=fields) from error


def files_answer(filename: str, received: int, url: str) -> dict[str, list[dict[str, object]]]:
    """What upstream's uploader expects after a part that is not the last."""
    file = {"name": filename, "size": received, "deleteUrl": "", "deleteType": "", "url": url, "thumbnailUrl": ""}
    return {"files": [dict(file)]}
