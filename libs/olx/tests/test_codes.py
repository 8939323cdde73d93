"""The catalogue of codes is the one that is printed, and the one that is used."""

import re
from pathlib import Path

from olx.codes import ACTIONS, REFUSAL_CODES, REPORT_CODES, tables

HERE = Path(__file__).parents[1]


def sources() -> str:
    return "\n".join(path.read_text() for path in (HERE / "src/olx").rglob("*.py") if path.name != "codes.py")


def test_the_readme_prints_the_catalogue() -> None:
    assert tables() in (HERE / "README.md").read_text(), "write the output of `python -m olx.codes` into the README"


def test_every_code_has_a_use() -> None:
    source = sources()
    unused = [code for code in (*REPORT_CODES, *REFUSAL_CODES) if f'"{code}"' not in source]
    assert unused == []


def test_every_action_has_a_use() -> None:
    used = set(re.findall(r'action="(\w+)"', sources())) | {"reported"}
    assert used == set(ACTIONS)


def test_a_severity_says_what_it_means_for_the_course() -> None:
    """Content that is lost is an error; what an author should look at a warning; the rest an info."""
    for code, (severity, meaning) in REPORT_CODES.items():
        lost = "block is left out" in meaning or code in ("policy_broken", "grading_broken", "draft_broken")
        assert not lost or severity == "error", code
