"""Where the courses are."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def sample_course() -> Path:
    """The repository's own course, as a source tree."""
    return ROOT / "deploy" / "local" / "sample-course"


@pytest.fixture(scope="session")
def real_courses() -> Path:
    """Archives made by other people; they are not part of the repository."""
    folder = ROOT.parent / "shared" / "courses"
    if not folder.is_dir():
        pytest.skip(f"the real archives are not there: {folder}")
    return folder
