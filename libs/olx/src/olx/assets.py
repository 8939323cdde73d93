"""Static files: their flat names, and what `policies/assets.json` says about them."""

import hashlib
import mimetypes
from typing import Final

from common.keys import clean_asset_name
from olx.json_files import read_object
from olx.model import Asset
from olx.report import Report
from olx.tree import STATIC_FOLDERS, Tree
from olx.values import Json

POLICY_FILE: Final = "policies/assets.json"
_NOT_KEPT: Final = frozenset(
    {
        "_id",
        "chunkSize",
        "content_son",
        "contentType",
        "displayname",
        "filename",
        "import_path",
        "length",
        "locked",
        "md5",
        "thumbnail_location",
        "uploadDate",
    }
)
"""Said by the file itself, made anew at every export, or of no meaning in another place."""

# The tables of the standard library alone, so that every machine guesses alike.
_TYPES: Final = mimetypes.MimeTypes()
for _extension, _type in {
    ".eot": "application/vnd.ms-fontobject",
    ".m4a": "audio/mp4",
    ".ogg": "audio/ogg",
    ".otf": "font/otf",
    ".sjson": "application/octet-stream",
    ".srt": "application/octet-stream",
    ".ttf": "font/ttf",
    ".vtt": "text/vtt",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
}.items():
    _TYPES.add_type(_type, _extension)
_OTHER_TYPES: Final = frozenset(
    {
        "application/font-woff",
        "application/x-font-otf",
        "application/x-font-ttf",
        "application/x-font-woff",
        "application/x-javascript",
        "application/x-zip-compressed",
        "audio/mp3",
        "image/jpg",
        "text/javascript",
        "text/xml",
        "video/x-m4v",
    }
)
"""What browsers and course tools call types that have another name by now, or never had one."""
_KNOWN_TYPES: Final = _OTHER_TYPES.union(*(types.values() for types in _TYPES.types_map))


def read_assets(tree: Tree, report: Report, used: set[str]) -> dict[str, Asset]:
    policy = _read_policy(tree, report, used)
    assets: dict[str, Asset] = {}
    for path in sorted(tree.files):
        top, _, below = path.partition("/")
        if top not in STATIC_FOLDERS or not below:
            continue
        used.add(path)
        if path.endswith("~"):
            report.add("backup_ignored", f"{path} is an editor's backup", file=path, action="ignored")
            continue
        name = clean_asset_name(below)
        if name != below.replace("/", "_"):
            report.add("asset_name_cleaned", f"{path} has the key {name!r}", file=path, action="cleaned")
        if name in assets:
            taken, name = name, other_name(below)
            message = f"{path} and another file are both called {taken!r}; this one is called {name!r}"
            report.add("asset_renamed", message, file=path, action="renamed")
        file = tree.files[path]
        digest = file.digest or hashlib.sha256(file.data or b"").hexdigest()
        assets[name] = _describe(
            Asset(name, digest, file.size, guess_type(name), "", import_path=below), policy, report
        )
    for name in sorted(set(policy) - set(assets)):
        message = f"{POLICY_FILE} speaks of {name!r}, which is not in the archive"
        report.add("asset_policy_orphan", message, file=POLICY_FILE, action="ignored")
    return assets


def other_name(path: str) -> str:
    """The name of a file whose flat name is taken: made from its path alone, so that it is the same at every import."""
    stem, dot, extension = clean_asset_name(path).rpartition(".")
    mark = hashlib.sha1(path.encode(), usedforsecurity=False).hexdigest()[:8]
    return f"{stem}_{mark}.{extension}" if dot and stem else f"{extension}_{mark}"


def guess_type(name: str) -> str:
    return _TYPES.guess_type(f"/{name}", strict=False)[0] or "application/octet-stream"


def _read_policy(tree: Tree, report: Report, used: set[str]) -> dict[str, Json]:
    if POLICY_FILE not in tree.files:
        return {}
    used.add(POLICY_FILE)
    return read_object(tree, POLICY_FILE, report, "asset_policy_broken", "ignored") or {}


def _describe(asset: Asset, policy: dict[str, Json], report: Report) -> Asset:
    said = policy.get(asset.name)
    said = said if isinstance(said, dict) else {}
    displayname = said.get("displayname")
    asset.displayname = str(asset.import_path).rpartition("/")[2]
    if isinstance(displayname, str) and displayname:
        asset.displayname = displayname.replace("/", "_").replace("\\", "_")
    content_type = said.get("contentType")
    if isinstance(content_type, str) and content_type in _KNOWN_TYPES:
        asset.content_type = content_type
    elif content_type is not None:
        message = f"{asset.name!r} cannot be of type {str(content_type)[:80]!r}; it is served as {asset.content_type}"
        report.add("asset_type_unknown", message, file=POLICY_FILE, action="replaced")
    locked = said.get("locked", False)
    if isinstance(locked, bool):
        asset.locked = locked
    else:
        message = f"The lock of {asset.name!r} is {locked!r}; it is read as locked"
        report.add("asset_lock_unreadable", message, file=POLICY_FILE, action="replaced")
        asset.locked = True
    asset.extra = {name: value for name, value in said.items() if name not in _NOT_KEPT and value is not None}
    return asset
