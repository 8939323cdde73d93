"""Are the Kubernetes base and the compose file true? Offline: schemas from a wheel, references checked by hand.

What a cluster or an engine would have to say (admission, image pulls) is not checked here.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import kubernetes_validate
import yaml

ROOT = Path(__file__).resolve().parents[1]
BASE = ROOT / "deploy/k8s/base"
COMPOSE = ROOT / "deploy/compose/compose.yaml"
VERSION = "1.36"
Document: TypeAlias = dict[str, "Document | list[Document] | list[str] | str | int | bool | None"]


def _dig(value: object, *path: str) -> object:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def kubernetes() -> Iterator[str]:
    """Complaints about the kustomize base."""
    kustomization = yaml.safe_load((BASE / "kustomization.yaml").read_text())
    listed = set(kustomization["resources"])
    present = {path.name for path in BASE.glob("*.yaml")} - {"kustomization.yaml"}
    for name in sorted(listed ^ present):
        yield f"{name}: listed in kustomization.yaml and present must be the same"
    documents: list[Document] = []
    for name in sorted(listed & present):
        for document in yaml.safe_load_all((BASE / name).read_text()):
            documents.append(document)
            try:
                kubernetes_validate.validate(document, VERSION, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{name}: {_dig(document, 'metadata', 'name')}: {error.message}"
    names = {(document["kind"], _dig(document, "metadata", "name")) for document in documents}
    if len(names) != len(documents):
        yield "two documents of one kind share a name"
    pods = [
        (_dig(document, "metadata", "name"), _dig(document, "spec", "template"))
        for document in documents
        if document["kind"] in {"Deployment", "Job"}
    ]
    labels = [set((_dig(template, "metadata", "labels") or {}).items()) for _, template in pods]  # type: ignore[attr-defined]
    images = {image["name"] for image in kustomization["images"]}
    for document in documents:
        kind, name = document["kind"], _dig(document, "metadata", "name")
        selector = {
            "Service": _dig(document, "spec", "selector"),
            "Deployment": _dig(document, "spec", "selector", "matchLabels"),
            "PodDisruptionBudget": _dig(document, "spec", "selector", "matchLabels"),
            "NetworkPolicy": _dig(document, "spec", "podSelector", "matchLabels"),
        }.get(str(kind))
        if isinstance(selector, dict) and not any(set(selector.items()) <= pod for pod in labels):
            yield f"{kind} {name}: its selector finds no pod"
    for name, template in pods:
        for container in _dig(template, "spec", "containers") or []:  # type: ignore[attr-defined]
            if container["image"].split(":")[0] not in images:
                yield f"{name}: image {container['image']} is not managed by the kustomization"
            if "limits" not in container.get("resources", {}):
                yield f"{name}: no resource limits"


def compose() -> Iterator[str]:
    """Complaints about the compose file."""
    document = yaml.safe_load(COMPOSE.read_text())
    services = document["services"]
    for name, service in services.items():
        image = str(service.get("image", ""))
        if "build" in service:
            dockerfile = ROOT / service["build"]["dockerfile"]
            if not dockerfile.exists():
                yield f"{name}: {service['build']['dockerfile']} does not exist"
        elif not re.search(r":\d+\.\d+", image):
            yield f"{name}: image {image!r} is not pinned to a version"
        elif "healthcheck" not in service:
            yield f"{name}: no health check"
        for needed in service.get("depends_on", {}):
            if needed not in services:
                yield f"{name}: depends on {needed}, which is no service"
        for port in service.get("ports", []):
            if not str(port).startswith("127.0.0.1:"):
                yield f"{name}: port {port} is open to every network"
        for volume in service.get("volumes", []):
            source = str(volume).split(":")[0]
            if not source.startswith(".") and source not in document["volumes"]:
                yield f"{name}: volume {source} is not declared"


def main() -> int:
    complaints = [*kubernetes(), *compose()]
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    if not complaints:
        print("manifests: valid")
    return 1 if complaints else 0


if __name__ == "__main__":
    raise SystemExit(main())
