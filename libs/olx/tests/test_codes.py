"""The catalogue of codes is complete, and the README prints it."""

import re
from pathlib import Path

from olx.codes import REFUSAL_CODES, REPORT_CODES

HERE = Path(__file__).parents[1]


def test_the_readme_prints_every_code() -> None:
    readme = (HERE / "README.md").read_text()
    for code, (severity, meaning) in REPORT_CODES.items():
        assert f"| `{code}` | {severity} | {meaning} |" in readme
    for code, meaning in REFUSAL_CODES.items():
        assert f"| `{code}` | {meaning} |" in readme
    listed = re.findall(r"^\| `(\w+)` \|", readme, re.MULTILINE)
    assert sorted(listed) == sorted([*REPORT_CODES, *REFUSAL_CODES])


def test_every_code_is_given_somewhere() -> None:
    source = "".join(path.read_text() for path in (HERE / "src").rglob("*.py") if path.name != "codes.py")
    unused = [code for code in [*REPORT_CODES, *REFUSAL_CODES] if f'"{code}"' not in source]
    assert unused == []
