"""Needs the optional extra, which every checkout of this repository has."""

import gzip
import io
import json
import sys
import tarfile

import pytest
from typer.testing import CliRunner

from lectern_client import cli

COURSE = {
    "course/course.xml": '<course url_name="R" org="O" course="C"><chapter url_name="c"/></course>',
    "course/chapter/c.xml": '<chapter display_name="One"/>',
    "course/policies/R/policy.json": "{}",
}
LIBRARY = {"library/library.xml": '<library xblock-family="xblock.v1" display_name="L" org="O" library="L"/>'}


@pytest.fixture
def validate(tmp_path):
    def run(files, *options):
        path = tmp_path / "course.tar.gz"
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for name, text in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(text)
                tar.addfile(member, io.BytesIO(text.encode()))
        path.write_bytes(gzip.compress(out.getvalue()))
        return CliRunner().invoke(cli.app, ["validate", str(path), *options])

    return run


@pytest.mark.parametrize("files", [COURSE, LIBRARY])
def test_a_good_course_or_library_is_zero(validate, files):
    result = validate(files)
    assert result.exit_code == 0, result.output
    assert "blocks" in result.stderr


def test_a_lost_block_is_one_and_is_named_like_a_compilers_error(validate):
    result = validate(COURSE | {"course/chapter/c.xml": "<chapter"})
    assert result.exit_code == 1
    assert "chapter/c.xml:1: error:" in result.stdout


def test_an_archive_that_no_server_takes_is_one(validate):
    result = validate(COURSE | {"../evil": "x"}, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["refused"]["code"] == "path_climbs"


def test_without_the_reader_its_name_is_told(validate, monkeypatch):
    monkeypatch.setitem(sys.modules, "olx.limits", None)
    result = validate(COURSE)
    assert result.exit_code == 2
    assert "lectern-client[validate]" in result.stderr
