"""Reads what git tracks: files too long to be one thing, machine paths, addresses of registries."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LONG, TOO_LONG = 400, 700
# written so that this file does not match itself
_HOSTS = ("pypi[.]org", "pythonhosted[.]org", "npmjs[.](?:org|com)", "deb[.]debian[.]org", "archive[.]ubuntu[.]com")
_ADDRESS = re.compile("|".join((*_HOSTS, "--(?:extra-)?index[-]url", "--find[-]links")), re.IGNORECASE)
_PLACE = re.compile(r"(?<![\w.~/-])/(?:work|root|home/\w+)/")
_BINARY = {".png", ".jpg", ".gif", ".gz", ".zip", ".pdf", ".woff2", ".mp4"}


def tracked(root: Path) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True).stdout
    return [path for name in listed.split("\0") if name and (path := root / name).is_file()]


def complaints(root: Path, paths: list[Path]) -> Iterator[tuple[bool, str]]:
    """(whether it fails the check, what is wrong)."""
    for path in paths:
        if path.suffix in _BINARY:
            continue
        name = path.relative_to(root)
        lines = path.read_text(errors="replace").splitlines()
        if path.suffix == ".py" and len(lines) > LONG:
            yield len(lines) > TOO_LONG, f"{name}: {len(lines)} lines; does it hold two things?"
        if path.suffix == ".lock":
            continue  # its own check reads it
        for number, line in enumerate(lines, 1):
            if found := _ADDRESS.search(line):
                yield True, f"{name}:{number}: names where packages come from: {found[0]}"
            if found := _PLACE.search(line):
                yield True, f"{name}:{number}: names a place on somebody's machine: {found[0]}"


def main() -> int:
    failed = False
    for fails, text in complaints(ROOT, tracked(ROOT)):
        failed = failed or fails
        print(f"{'error' if fails else 'warning'}: {text}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
