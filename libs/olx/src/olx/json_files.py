"""JSON files of an archive: what they hold, and if they do not, why and in which line."""

import json

import orjson

from olx.codes import Action
from olx.report import Report
from olx.tree import Tree
from olx.values import Json, load_json

_BOM = b"\xef\xbb\xbf"


def read_object(tree: Tree, path: str, report: Report, code: str, action: Action) -> dict[str, Json] | None:
    """The object in a file; what is wrong with it is reported under `code`."""
    data = tree.read(path).removeprefix(_BOM)
    value = load_json(data)
    if not isinstance(value, dict):
        reason, line = _reason(data, value)
        report.add(code, f"{path} {reason}", file=path, line=line, action=action)
        return None
    for name in _repeated(data):
        message = f"{path} has {name!r} twice in one object; the last one counts"
        report.add("json_key_twice", message, file=path, action="replaced")
    return value


def _reason(data: bytes, value: Json) -> tuple[str, int | None]:
    if value is not None:
        return "is not a JSON object", None
    try:
        data.decode("utf-8")
        orjson.loads(data)
    except UnicodeDecodeError as error:
        return f"is not UTF-8: {error.reason} at byte {error.start}", data.count(b"\n", 0, error.start) + 1
    except orjson.JSONDecodeError as error:
        return f"is not JSON: {error.msg} (line {error.lineno}, column {error.colno})", error.lineno
    return "is not a JSON object, or one that cannot be stored", None


def _repeated(data: bytes) -> list[str]:
    """Names that one object has more than once: all but the last value of each are lost."""
    found: dict[str, None] = {}

    def look(pairs: list[tuple[str, object]]) -> dict[str, object]:
        built = dict(pairs)
        if len(built) != len(pairs):
            seen: set[str] = set()
            for name, _ in pairs:
                if name in seen:
                    found[name] = None
                seen.add(name)
        return built

    json.loads(data, object_pairs_hook=look)
    return list(found)
