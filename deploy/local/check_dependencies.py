"""Does each image get what its code imports? One environment for all hides a dependency that only a neighbour declares.

Each service's own modules and the libraries it names are read; what they import must be in that service's lock.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OURS = {"lectern-common": "libs/common", "lectern-olx": "libs/olx", "lectern-client": "libs/client"}
# loaded only where an operator asked for it, and said so in the module that loads it
OPTIONAL = {"opentelemetry"}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(folder: Path) -> set[str]:
    """The distributions that a manifest names."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return {canonical(re.split(r"[\[<>=!~; ]", line)[0]) for line in project["dependencies"]}


def imported(source: Path) -> Iterator[tuple[Path, str]]:
    """(file, top-level module) of each import outside test support."""
    for path in sorted(source.rglob("*.py")):
        if "testing" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from ((path, name.name.partition(".")[0]) for name in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield path, node.module.partition(".")[0]


def complaints(service: Path) -> Iterator[str]:
    named = declared(service)
    ours = {name: folder for name, folder in OURS.items() if name in named}
    if "lectern-olx" in ours:
        ours["lectern-common"] = OURS["lectern-common"]
    sources = [service / "src", *(ROOT / folder / "src" for folder in ours.values())]
    local = {path.name for source in sources for path in source.iterdir()}
    locked = {
        canonical(line.split("==")[0])
        for line in (service / "requirements.lock").read_text().splitlines()
        if "==" in line
    }
    distributions = packages_distributions()
    for source in sources:
        for path, module in imported(source):
            if module in sys.stdlib_module_names or module in local or module in OPTIONAL:
                continue
            if not {canonical(name) for name in distributions.get(module, [])} & locked:
                yield f"{path.relative_to(ROOT)} imports {module}, which is not in {service.name}'s image"


def main() -> int:
    found = sorted(
        {text for manifest in ROOT.glob("services/*/pyproject.toml") for text in complaints(manifest.parent)}
    )
    print("\n".join(found) or "dependencies: each image gets what its code imports")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
