"""The checks are checked: each finds what it is for and lets the rest be."""

import re
import subprocess

import check_sources
import pytest
import suite


@pytest.fixture
def found(tmp_path):
    """`found(name, text)` → (fails, complaint) pairs for one tracked file."""

    def look(name, text):
        subprocess.run(["git", "init", "-q", tmp_path], check=True)
        (tmp_path / name).write_text(text)
        subprocess.run(["git", "add", "-f", name], cwd=tmp_path, check=True)
        return list(check_sources.complaints(tmp_path, check_sources.tracked(tmp_path)))

    return look


# the dashes keep this file from being what it tests for
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("see https://py-pi.org/simple", "where packages come from"),
        ("pip install --in-dex-url x", "where packages come from"),
        ("open('/wo-rk/main/x')", "somebody's machine"),
        ("cd /ro-ot/x", "somebody's machine"),
        ("in /ho-me/you/x", "somebody's machine"),
    ],
)
def test_addresses_and_machine_paths_fail(found, text, said):
    ((fails, complaint),) = found("a.py", re.sub(r"(?<=\w)-(?=\w)(?!url)", "", text))
    assert fails
    assert said in complaint


@pytest.mark.parametrize("text", ["framework/x", "https://example.com/home/you/", "a/root/b", "pip install x"])
def test_ordinary_text_does_not(found, text):
    assert found("a.md", text) == []


@pytest.mark.parametrize(("lines", "expected"), [(400, []), (401, [False]), (701, [True])])
def test_long_files_warn_and_then_fail(found, lines, expected):
    assert [fails for fails, _ in found("a.py", "x = 1\n" * lines)] == expected


def test_the_last_line_says_what_was_missing_and_what_that_cost():
    reasons = ["no redis-server on the PATH", "needs Chromium", "no Docker engine answers"]
    assert suite.closing_line(reasons, ["Redis", "Chromium"]) == (
        "Optional servers missing: Redis (1 tests skipped), Chromium (1 tests skipped)."
    )
    assert "all found" in suite.closing_line([], [])


def test_results_become_rows(tmp_path):
    (tmp_path / "x.xml").write_text(
        '<testsuites><testsuite><testcase classname="a" name="b" time="1.5"/>'
        '<testcase classname="a" name="c" time="0"><failure message="no"/></testcase></testsuite></testsuites>'
    )
    suite.write_json(tmp_path / "x.xml", tmp_path / "x.json")
    text = (tmp_path / "x.json").read_text()
    assert '"name": "a::b"' in text
    assert '"outcome": "failure"' in text
