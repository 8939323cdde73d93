"""One OpenAPI document of all services, and a page that shows it without any script or foreign host."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from html import escape
from typing import cast

import orjson

from gateway.proxy.errors import Failure
from gateway.proxy.forward import fetch
from gateway.proxy.table import SERVICES, Table
from gateway.proxy.upstream import Upstream

Json = dict[str, object]
METHODS = ("get", "post", "put", "patch", "delete")
WHOLE_SECONDS, PART_SECONDS = 300.0, 5.0


class Documents:
    """Fetched when first asked for, kept five minutes; five seconds while a service is missing from it."""

    def __init__(self, own: Json, upstreams: Mapping[str, Upstream], table: Table) -> None:
        self._own, self._upstreams, self._table = own, upstreams, table
        self._merged: Json = {}
        self._until = 0.0
        self._turn = asyncio.Lock()

    async def merged(self) -> Json:
        async with self._turn:
            if time.monotonic() >= self._until:
                parts = await asyncio.gather(*(self._part(name) for name in SERVICES))
                found = {name: part for name, part in zip(SERVICES, parts, strict=True) if part is not None}
                self._merged = merge({"gateway": self._own, **found}, self._table)
                whole = len(found) == len(SERVICES)
                self._until = time.monotonic() + (WHOLE_SECONDS if whole else PART_SECONDS)
            return self._merged

    async def _part(self, name: str) -> Json | None:
        upstream = self._upstreams.get(name)
        if upstream is None:
            return None
        try:
            status, body = await fetch(upstream, "/openapi.json", timeout=5)
            document = orjson.loads(body) if status == 200 else None
        except (Failure, orjson.JSONDecodeError):
            return None
        return document if isinstance(document, dict) else None


def merge(parts: Mapping[str, Json], table: Table) -> Json:
    """Every path that the gateway routes to the service that documents it; schemas keep their service's name."""
    paths: Json = {}
    schemas: Json = {}
    for service, document in parts.items():
        renamed = _renamed(document, service)
        for path, item in _items(renamed.get("paths")):
            target = table.find(path)
            if target is not None and target.service == service and isinstance(item, dict):
                paths[path] = {name: _tagged(entry, service, name) for name, entry in item.items()}
        components = renamed.get("components")
        for name, schema in _items(components.get("schemas") if isinstance(components, dict) else None):
            schemas[f"{_prefix(service)}{name}"] = schema
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Lectern",
            "version": "1",
            "description": "A headless course platform: courses, content, enrollment, import and export.",
        },
        "security": [{"bearer": []}, {"jwt": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "jwt": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "JWT <token>"},
                "oauth2": {
                    "type": "oauth2",
                    "flows": {"clientCredentials": {"tokenUrl": "/oauth2/access_token", "scopes": {}}},
                },
            },
        },
    }


def _prefix(service: str) -> str:
    return "".join(part.capitalize() for part in service.split("-")) + "_"


def _items(value: object) -> list[tuple[str, object]]:
    return list(value.items()) if isinstance(value, dict) else []


def _renamed(document: Json, service: str) -> Json:
    """The document with its references pointing at the merged schemas."""
    text = orjson.dumps(document).replace(
        b'"#/components/schemas/', b'"#/components/schemas/' + _prefix(service).encode()
    )
    return cast("Json", orjson.loads(text))


def _tagged(entry: object, service: str, name: str) -> object:
    if name not in METHODS or not isinstance(entry, dict):
        return entry
    operation = entry.get("operationId")
    unique = {"operationId": f"{service}_{operation}"} if isinstance(operation, str) else {}
    return {**entry, "tags": [service], **unique}


def page(document: Json) -> str:
    """The document as HTML, one section a service."""
    by_service: dict[str, list[str]] = {}
    for path, method, operation in _operations(document):
        tags = operation.get("tags")
        service = str(tags[0]) if isinstance(tags, list) and tags else "gateway"
        by_service.setdefault(service, []).append(_operation(path, method, operation))
    sections = "".join(
        f'<section id="{escape(service)}"><h2>{escape(service)}</h2>{"".join(rows)}</section>'
        for service, rows in by_service.items()
    )
    contents = "".join(f'<li><a href="#{escape(name)}">{escape(name)}</a></li>' for name in by_service)
    return (
        "<h1>API</h1><p>Send <code>Authorization: Bearer …</code> or <code>JWT …</code>; tokens come from "
        '<code>POST /oauth2/access_token</code>. The machine-readable document is at <a href="/openapi.json">'
        f"/openapi.json</a>.</p><ul>{contents}</ul>{sections}"
    )


def _operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in _items(document.get("paths")):
        for method, operation in _items(item):
            if method in METHODS and isinstance(operation, dict):
                yield path, method, operation


def _operation(path: str, method: str, operation: Json) -> str:
    summary = str(operation.get("description") or operation.get("summary") or "")
    parameters = operation.get("parameters")
    rows = (
        "".join(_parameter(item) for item in parameters if isinstance(item, dict))
        if isinstance(parameters, list)
        else ""
    )
    table = (
        f'<div class="scroll"><table><tr><th>Parameter</th><th>In</th><th>Type</th></tr>{rows}</table></div>'
        if rows
        else ""
    )
    body = operation.get("requestBody")
    content = body.get("content") if isinstance(body, dict) else None
    takes = "".join(f"<p>Takes <code>{escape(name)}</code> {_schema(media)}</p>" for name, media in _items(content))
    answers = "".join(
        f"<li><code>{escape(status)}</code> {_described(answer)}</li>"
        for status, answer in _items(operation.get("responses"))
    )
    title = summary.partition("\n")[0]
    return (
        f'<details class="card" style="margin:.5rem 0"><summary><strong>{method.upper()}</strong> '
        f'<code>{escape(path)}</code> <span class="muted">{escape(title)}</span></summary>'
        f"<p>{escape(summary)}</p>{table}{takes}<ul>{answers}</ul></details>"
    )


def _described(answer: object) -> str:
    return escape(str(answer.get("description", ""))) if isinstance(answer, dict) else ""


def _parameter(item: Json) -> str:
    schema = item.get("schema")
    kind = schema.get("type", "") if isinstance(schema, dict) else ""
    return (
        f"<tr><td><code>{escape(str(item.get('name', '')))}</code>{' *' if item.get('required') else ''}</td>"
        f"<td>{escape(str(item.get('in', '')))}</td><td>{escape(str(kind))}</td></tr>"
    )


def _schema(media: object) -> str:
    schema = media.get("schema") if isinstance(media, dict) else None
    reference = schema.get("$ref") if isinstance(schema, dict) else None
    return f"<code>{escape(str(reference).rpartition('/')[2])}</code>" if reference else ""
