"""Keeps `contracts/` true: schemas, samples, OpenAPI and AsyncAPI, against the code of producers and consumers.

`--write` renders the generated files; `--release` accepts today's schemas as the released ones; without either it only
compares, and fails on drift, on a sample that its schema or a consumer refuses, and on a change that would break a
reader of the last release.
"""

import argparse
import importlib
import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict, cast

import jsonschema
import yaml
from fastapi import FastAPI
from pydantic import BaseModel, ValidationError

from common.messaging import Command, Event
from common.process import Service
from common.resources import Resources

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = ROOT / "contracts"
RELEASED = CONTRACTS / "released.json"
SERVICES = {
    "gateway": "gateway",
    "course-catalog": "course_catalog",
    "content": "content",
    "enrollment": "enrollment",
    "import-export": "import_export",
}
Json = dict[str, object]
Message = type[Event] | type[Command]


class Topology(TypedDict):
    """What of `topology.yaml` is read here."""

    messages: dict[str, dict[str, str]]
    services: dict[str, dict[str, dict[str, list[str]]]]


def announced(package: str) -> Iterator[Message]:
    """Every event and command class of a service's `events.py`."""
    module = importlib.import_module(f"{package}.events")
    for value in vars(module).values():
        if (
            isinstance(value, type)
            and issubclass(value, Event | Command)
            and value.__module__ == module.__name__
            and "type" in vars(value)
        ):
            yield value


def heard(package: str) -> Mapping[str, type[BaseModel]]:
    """Type → the reader's own model, from the `HEARS` table of a service's `consumers.py`."""
    if importlib.util.find_spec(f"{package}.consumers") is None:
        return {}
    module = importlib.import_module(f"{package}.consumers")
    return cast("Mapping[str, type[BaseModel]]", module.HEARS)


@dataclass(frozen=True)
class Contract:
    """One message on the wire: the schema of an event is its announcer's, of a command its handler's."""

    name: str
    service: str
    model: type[BaseModel]
    is_command: bool

    @property
    def folder(self) -> str:
        return "commands" if self.is_command else "events"

    @property
    def path(self) -> Path:
        return CONTRACTS / self.folder / self.service / f"{self.name}.schema.json"

    def schema(self) -> Json:
        schema = self.model.model_json_schema(mode="validation" if self.is_command else "serialization")
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": self.name, **schema}


def contracts() -> Iterator[Contract]:
    handled = {
        name: package
        for package, queues in _topology()["services"].items()
        for queue in queues.values()
        for name in queue.get("handles", ())
    }
    for service, package in SERVICES.items():
        for message in announced(package):
            if issubclass(message, Event):
                yield Contract(message.type, service, message, is_command=False)
        for name, model in heard(package).items():
            if handled.get(name) == package:
                yield Contract(name, service, model, is_command=True)


def _topology() -> Topology:
    return cast("Topology", yaml.safe_load((CONTRACTS / "topology.yaml").read_text()))


def render(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


class _Absent:
    """Stands for a resource that building the routes must not touch."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"an application read {name} while it was being built")


def openapi_of(package: str, service: str) -> Json:
    module = importlib.import_module(f"{package}.app")
    declared = next(value for value in vars(module).values() if isinstance(value, Service))
    absent = cast("object", _Absent())
    settings = declared.settings.model_construct(http_port=0, public_url="http://127.0.0.1:8000")
    fields = dict.fromkeys(Resources.__dataclass_fields__, absent)
    resources = Resources(**{**fields, "service": service, "settings": settings})  # type: ignore[arg-type]
    app = declared.create_app(resources)
    # the gateway's own features are an application behind its front
    features = app if isinstance(app, FastAPI) else getattr(app, "features", None)
    if not isinstance(features, FastAPI):
        raise TypeError(f"{package}.app makes no FastAPI application")
    return features.openapi()


def asyncapi(messages: Sequence[Contract]) -> Json:
    """AsyncAPI 3.0 of the whole bus, with the AMQP 0-9-1 binding."""
    channels: Json = {}
    operations: Json = {}
    components: Json = {}
    for message in sorted(messages, key=lambda each: each.name):
        name, key = message.name, message.name.replace(".", "_")
        exchange = "lectern.commands" if message.is_command else "lectern.events"
        components[key] = {
            "name": name,
            "title": (message.model.__doc__ or name).strip().splitlines()[0],
            "contentType": "application/json",
            "payload": {"$ref": f"./{message.folder}/{message.service}/{name}.schema.json"},
        }
        channels[key] = {
            "address": name,
            "messages": {key: {"$ref": f"#/components/messages/{key}"}},
            "bindings": {
                "amqp": {
                    "is": "routingKey",
                    "exchange": {
                        "name": exchange,
                        "type": "direct" if message.is_command else "topic",
                        "durable": True,
                        "autoDelete": False,
                    },
                    "bindingVersion": "0.3.0",
                }
            },
        }
        for package in SERVICES.values():
            if any(sent.type == name for sent in announced(package)):
                operations[f"{package}_sends_{key}"] = {"action": "send", "channel": {"$ref": f"#/channels/{key}"}}
            if name in heard(package):
                reader = f"{package}_receives_{key}"
                operations[reader] = {"action": "receive", "channel": {"$ref": f"#/channels/{key}"}}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Lectern's bus", "version": "1", "license": {"name": "Apache-2.0"}},
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": components},
    }


def generated() -> dict[Path, str]:
    """Every file this tool writes, with what it must hold."""
    messages = list(contracts())
    files = {message.path: render(message.schema()) for message in messages}
    for service, package in SERVICES.items():
        files[CONTRACTS / "openapi" / f"{service}.json"] = render(openapi_of(package, service))
    files[CONTRACTS / "asyncapi.yaml"] = yaml.safe_dump(asyncapi(messages), sort_keys=False, allow_unicode=True)
    return files


def drift(files: Mapping[Path, str]) -> Iterator[str]:
    for path, text in files.items():
        if not path.exists() or path.read_text() != text:
            yield f"{path.relative_to(ROOT)} is not what the code says; run `make contracts` and read the difference"
    for path in CONTRACTS.glob("*/*/*.schema.json"):
        if path not in files:
            yield f"{path.relative_to(ROOT)} describes a message that nobody sends"


def samples() -> Iterator[tuple[str, Json]]:
    for path in sorted(CONTRACTS.glob("*/*/*.sample*.json")):
        yield path.name.split(".sample")[0], json.loads(path.read_text())


def refused_samples() -> Iterator[str]:
    """Producers' schemas and consumers' models must both take every sample; every message must have one."""
    schemas = {path.name.removesuffix(".schema.json"): path for path in CONTRACTS.glob("*/*/*.schema.json")}
    seen = set()
    for name, sample in samples():
        seen.add(name)
        if name not in schemas:
            yield f"{name}: a sample without a schema"
            continue
        try:
            jsonschema.Draft202012Validator(json.loads(schemas[name].read_text())).validate(sample)
        except jsonschema.ValidationError as error:
            yield f"{name}: the sample breaks the schema: {error.message}"
        for package in SERVICES.values():
            model = heard(package).get(name)
            if model is None:
                continue
            try:
                model.model_validate(sample)
            except ValidationError as error:
                yield f"{name}: {package} cannot read the sample: {error}"
    yield from (f"{name}: no sample" for name in sorted(set(schemas) - seen))
    for package in SERVICES.values():
        yield from (f"{name}: {package} hears it, nobody sends it" for name in heard(package) if name not in schemas)


def misaddressed() -> Iterator[str]:
    """A command's sender must give what its handler needs, and nothing its handler has never heard of."""
    handlers = {message.name: message.model for message in contracts() if message.is_command}
    for package in SERVICES.values():
        for message in announced(package):
            if not issubclass(message, Command):
                continue
            model = handlers.get(message.type)
            if model is None:
                yield f"{package} sends {message.type}, which nobody handles"
                continue
            needed = {name for name, field in model.model_fields.items() if field.is_required()}
            for name in sorted(needed - set(message.model_fields)):
                yield f"{package} sends {message.type} without {name}"
            for name in sorted(set(message.model_fields) - set(model.model_fields)):
                yield f"{package} sends {message.type} with {name}, which its handler does not know"


def unbound() -> Iterator[str]:
    """Every message must stand in the topology, every command must lead to a queue, and nothing else may be bound."""
    topology = _topology()
    queues = [queue for queues in topology["services"].values() for queue in queues.values()]
    bound = {key for queue in queues for key in (*queue.get("hears", ()), *queue.get("handles", ()))}
    types = {key.removesuffix(".bulk") for key in bound}
    sent = {path.name.removesuffix(".schema.json") for path in CONTRACTS.glob("*/*/*.schema.json")}
    commands = {path.name.removesuffix(".schema.json") for path in CONTRACTS.glob("commands/*/*.schema.json")}
    yield from (f"topology: {name} has no schema" for name in sorted(set(topology["messages"]) - sent))
    yield from (f"topology: {name} is not listed under messages" for name in sorted(sent - set(topology["messages"])))
    yield from (f"topology: {name} is bound and unknown" for name in sorted(types - set(topology["messages"])))
    yield from (f"topology: the command {name} leads to no queue" for name in sorted(commands - types))
    for package, named in topology["services"].items():
        keys = {
            key.removesuffix(".bulk")
            for queue in named.values()
            for key in (*queue.get("hears", ()), *queue.get("receives", ()))
        }
        for name in sorted(keys ^ {name for name in heard(package) if name not in commands}):
            yield f"topology and {package}.consumers.HEARS disagree about {name}"


def breaking(old: Json, new: Json, place: str = "") -> Iterator[str]:
    """What of *new* a reader of *old* could trip over: removed or retyped fields, new required ones, narrowed enums."""
    before, after = cast("Json", old.get("properties", {})), cast("Json", new.get("properties", {}))
    for name, shape in before.items():
        path = f"{place}.{name}" if place else name
        if name not in after:
            yield f"{path} was removed"
            continue
        yield from _retyped(cast("Json", shape), cast("Json", after[name]), path)
    added = set(cast("list[str]", new.get("required", []))) - set(cast("list[str]", old.get("required", [])))
    yield from (f"{place}.{name} became required".lstrip(".") for name in sorted(added))
    old_parts, new_parts = cast("Json", old.get("$defs", {})), cast("Json", new.get("$defs", {}))
    for name, shape in old_parts.items():
        if name in new_parts:
            yield from breaking(cast("Json", shape), cast("Json", new_parts[name]), name)


def _retyped(old: Json, new: Json, path: str) -> Iterator[str]:
    kinds = ("type", "$ref", "anyOf", "items", "format")
    if any(old.get(kind) != new.get(kind) for kind in kinds):
        yield f"{path} changed its type"
    lost = set(cast("list[str]", old.get("enum", []))) - set(cast("list[str]", new.get("enum", old.get("enum", []))))
    yield from (f"{path} no longer knows {value}" for value in sorted(map(str, lost)))


def broken_promises() -> Iterator[str]:
    released = cast("dict[str, Json]", json.loads(RELEASED.read_text())) if RELEASED.exists() else {}
    current = current_schemas()
    for name, old in released.items():
        if name not in current:
            yield f"{name} was released and is gone; a new major stands beside the old one"
            continue
        yield from (f"{name}: {reason}; that needs a new version" for reason in breaking(old, current[name]))


def current_schemas() -> dict[str, Json]:
    paths = sorted(CONTRACTS.glob("*/*/*.schema.json"))
    return {path.name.removesuffix(".schema.json"): json.loads(path.read_text()) for path in paths}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="render the generated files")
    parser.add_argument("--release", action="store_true", help="accept today's schemas as released")
    options = parser.parse_args()
    files = generated()
    if options.write:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        for path in CONTRACTS.glob("*/*/*.schema.json"):
            if path not in files:
                path.unlink()
    if options.release:
        RELEASED.write_text(render(current_schemas()))
    complaints = [*drift(files), *refused_samples(), *misaddressed(), *unbound(), *broken_promises()]
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    if not complaints:
        print(f"contracts: {len(current_schemas())} messages, in order")
    return 1 if complaints else 0


if __name__ == "__main__":
    raise SystemExit(main())
