"""What a robot can do without a server."""

import io
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import olx
from olx.errors import ArchiveRefused
from olx.offline import pack_folder
from olx.testing import COURSE, tar_gz


def test_a_folder_and_its_archive_have_the_same_report(sample_course: Path, tmp_path: Path) -> None:
    archive = tmp_path / "course.tar.gz"
    with archive.open("wb") as out:
        pack_folder(sample_course, out)
    report = olx.validate(sample_course)
    assert report.to_json() == olx.validate(archive).to_json()
    assert not report.has_errors
    assert report.counts["warnings"] == 0
    assert [entry.code for entry in report.entries] == ["policy_override", "file_ignored"]


def test_a_broken_course_is_reported_with_file_and_line(sample_course: Path, tmp_path: Path) -> None:
    folder = tmp_path / "course"
    shutil.copytree(sample_course, folder)
    (folder / "problem" / "steepest_path.xml").write_text("<problem>\n<p></problem>")
    report = olx.validate(folder)
    assert report.has_errors
    assert [(e.code, e.file, e.line) for e in report.entries if e.severity == "error"] == [
        ("xml_broken", "problem/steepest_path.xml", 2),
    ]


def test_what_an_import_would_refuse_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArchiveRefused) as refused:
        olx.validate(tmp_path)
    assert refused.value.code == "no_course_xml"
    (tmp_path / "a").write_bytes(tar_gz({**COURSE, "course.xml": "<course"}))
    with pytest.raises(ArchiveRefused) as refused:
        olx.validate(tmp_path / "a")
    assert refused.value.code == "root_broken"


def test_equal_folders_pack_to_equal_bytes(sample_course: Path, tmp_path: Path) -> None:
    shutil.copytree(sample_course, tmp_path / "copy")
    (tmp_path / "copy" / ".git").mkdir()
    (tmp_path / "copy" / ".git" / "HEAD").write_text("ref: refs/heads/main")
    packed = []
    for folder in (sample_course, tmp_path / "copy"):
        out = io.BytesIO()
        pack_folder(folder, out)
        packed.append(out.getvalue())
    assert packed[0] == packed[1]


def test_the_package_loads_no_parser_until_it_is_used() -> None:
    code = "import sys, olx, olx.codes, olx.report; sys.exit('lxml' in sys.modules or 'isal' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
