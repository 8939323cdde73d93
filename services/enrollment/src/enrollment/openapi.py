"""What the signatures of hand-written routes do not say: the key in the path, the query, the body."""

from collections.abc import Mapping

from pydantic import BaseModel

_TEXT = {"type": "string"}


def described_query(*, course: bool = False, **query: str) -> dict[str, object]:
    """Query parameters with their meanings; with `course`, the key in the path."""
    parameters: list[Mapping[str, object]] = [
        {"name": name, "in": "query", "description": meaning, "schema": _TEXT} for name, meaning in query.items()
    ]
    if course:
        meaning = "A course key in any spelling, `course-v1:Org+Course+Run` or `Org/Course/Run`."
        place = {"name": "course_id", "in": "path", "required": True}
        parameters.append({**place, "description": meaning, "schema": _TEXT})
    return {"parameters": parameters} if parameters else {}


def described_body(body: type[BaseModel], *, course: bool = False) -> dict[str, object]:
    """A JSON body that is read by hand."""
    content = {"application/json": {"schema": described(body)}}
    return {**described_query(course=course), "requestBody": {"required": True, "content": content}}


def described(model: type[BaseModel]) -> dict[str, object]:
    """The JSON Schema of a body, with the parts it refers to written out in place."""
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})

    def inline(value: object) -> object:
        if isinstance(value, list):
            return [inline(each) for each in value]
        if isinstance(value, dict):
            name = str(value.get("$ref", "")).removeprefix("#/$defs/")
            return inline(parts[name]) if name else {key: inline(each) for key, each in value.items()}
        return value

    return {key: inline(each) for key, each in schema.items()}
