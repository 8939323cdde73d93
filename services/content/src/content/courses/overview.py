"""What a new course says about itself until its team does, and the tabs that its pages hang on."""

from collections.abc import Sequence
from typing import Final

from pydantic import JsonValue

DEFAULT_OVERVIEW: Final = """<section class="about">
<h2>About this course</h2>
<p>Say here what a learner can do after this course.</p>
</section>
<section class="prerequisites">
<h2>Before you start</h2>
<p>Say here what a learner should know already.</p>
</section>
"""

# Open edX refuses a course whose list of tabs does not begin with the first two of these.
DEFAULT_TABS: Final[Sequence[dict[str, JsonValue]]] = [
    {"type": kind, "name": name, "course_staff_only": False}
    for kind, name in (
        ("course_info", "Home"),
        ("courseware", "Course"),
        ("textbooks", "Textbooks"),
        ("discussion", "Discussion"),
        ("wiki", "Wiki"),
        ("progress", "Progress"),
    )
]
