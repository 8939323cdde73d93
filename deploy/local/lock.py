"""Compiles `requirements.lock` and each image's subset of it; `--check` proves that they are what the manifests say.

Newer releases do not make a lock stale: it is compiled with itself as preference, so only manifests move it.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "requirements.lock"
OURS = ("lectern-common", "lectern-olx", "lectern-client")
_FLAGS = (
    *("--universal", "--python-version", "3.11", "--generate-hashes", "--no-header", "--no-annotate", "--quiet"),
    *(flag for name in OURS for flag in ("--no-emit-package", name)),
)


def compile_lock(target: Path, *sources: str) -> None:
    """One `uv pip compile`; what the target holds already is kept where it still fits."""
    environment = {name: value for name, value in os.environ.items() if name not in {"PIP_FIND_LINKS", "UV_FIND_LINKS"}}
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    subprocess.run([uv, "pip", "compile", *_FLAGS, *sources, "-o", str(target)], cwd=ROOT, env=environment, check=True)


def manifests() -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("*/*/pyproject.toml"))


def compile_all(whole: Path, subsets: dict[str, Path]) -> None:
    groups = ("--group", "pyproject.toml:dev", "--group", "pyproject.toml:build")
    compile_lock(whole, "--all-extras", *groups, *manifests())
    for service, target in subsets.items():
        build = ("--group", "pyproject.toml:image")
        compile_lock(target, "--constraint", str(whole), *build, f"services/{service}/pyproject.toml")


def services() -> list[str]:
    return sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))


def subset(service: str) -> Path:
    return ROOT / "services" / service / "requirements.lock"


def complaints() -> list[str]:
    found = []
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "requirements.lock"
        shutil.copy(LOCK, whole)
        subsets = {service: Path(folder) / f"{service}.lock" for service in services()}
        for service, path in subsets.items():
            if subset(service).exists():
                shutil.copy(subset(service), path)
        compile_all(whole, subsets)
        pairs = [(LOCK, whole), *((subset(service), path) for service, path in subsets.items())]
        for kept, made in pairs:
            name = kept.relative_to(ROOT)
            if not kept.exists() or kept.read_text() != made.read_text():
                found.append(f"{name} is not what the manifests say; run `make lock`")
            elif re.search(r"://|^-e |^/|^\./", kept.read_text(), re.MULTILINE):
                found.append(f"{name} names an address or a path")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        compile_all(LOCK, {service: subset(service) for service in services()})
        return 0
    found = complaints()
    for complaint in found:
        print(complaint, file=sys.stderr)
    if not found:
        print("locks: fresh, hashed, without addresses")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
