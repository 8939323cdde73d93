"""Links inside a course, made to work outside it."""

from datetime import UTC, datetime

import pytest

from common.keys import CourseKey
from content.rendering.links import Links, close_static, open_static
from content.versions.tree import Node, Tree

COURSE = CourseKey.parse("course-v1:O+C+R")
ASSET = "/asset-v1:O+C+R+type@asset+block@"
BLOCK = "/xblock/block-v1:O+C+R+type@"


@pytest.fixture(scope="module")
def links() -> Links:
    nodes = {
        "course@c": Node("course@c", "course", "c", None, ("html@h",), {}, None, None, 1),
        "html@h": Node("html@h", "html", "h", "course@c", (), {}, None, None, 1),
    }
    return Links(Tree(COURSE, str(COURSE), "published", "0" * 24, 1, datetime.now(UTC), nodes))


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ('<img src="/static/a.png">', f'<img src="{ASSET}a.png">'),
        ("<img src='/static/sub/a b.png'>", f"<img src='{ASSET}sub_a_b.png'>"),
        ('<img src="/static/a%20b.png">', f'<img src="{ASSET}a_b.png">'),
        ('<a href="/static/a.pdf#page=2">', f'<a href="{ASSET}a.pdf#page=2">'),
        ('<a href="/static/a.pdf?x=1&amp;y=2">', f'<a href="{ASSET}a.pdf?x=1&amp;y=2">'),
        ('<p style="background:url(/static/a.png)">', f'<p style="background:url({ASSET}a.png)">'),
        ('<a href="/jump_to_id/h">', f'<a href="{BLOCK}html+block@h">'),
        ('<a href="/jump_to_id/h#part">', f'<a href="{BLOCK}html+block@h#part">'),
        ('<a href="/jump_to_id/none">', '<a href="/jump_to_id/none">'),
        ('<a href="/courses/course-v1:O+C+R/jump_to/block-v1:O+C+R+type@html+block@h">',
         f'<a href="{BLOCK}html+block@h">'),
        ('<a href="/courses/O/C/R/jump_to/i4x://O/C/html/h">', f'<a href="{BLOCK}html+block@h">'),
        ('<a href="/c4x/O/C/asset/a.png">', f'<a href="{ASSET}a.png">'),
        ('<a href="/c4x/Other/C/asset/a.png">', '<a href="/c4x/Other/C/asset/a.png">'),
        ('<a href="https://x.example/static/a.png">', '<a href="https://x.example/static/a.png">'),
        ("see /static/a.png", "see /static/a.png"),
        ('<a href="/about">', '<a href="/about">'),
    ],
)  # fmt: skip
def test_links(links, text, rewritten):
    assert links.rewrite(text) == rewritten


@pytest.mark.parametrize(
    "stored",
    [
        '<img src="/static/a.png"> <a href="/static/sub/a b.pdf#page=2">x</a>',
        """<img src='/static/a%20b.png'> <p style="background:url(/static/a.png)">""",
        '<a href="/static/a.pdf?x=1&amp;y=2"> <a href="/jump_to_id/h"> see /static/a.png',
        f'<img src="{ASSET}a.png"> <a href="/c4x/O/C/asset/a.png">',
        '<img src="/asset-v1:O+C+Other+type@asset+block@a.png">',
    ],
)
def test_what_an_editor_was_shown_is_stored_as_it_was_when_it_comes_back(stored):
    shown = open_static(stored, COURSE)
    assert '"/static/' not in shown
    assert close_static(shown, COURSE, stored) == stored


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        (f'<img src="{ASSET}new.png">', '<img src="/static/new.png">'),
        (f"<p style='background:url({ASSET}new.png)'>", "<p style='background:url(/static/new.png)'>"),
        (f'<a href="{ASSET}a.pdf#page=2">', '<a href="/static/a.pdf#page=2">'),
        (
            '<img src="/asset-v1:O+C+Other+type@asset+block@a.png">',
            '<img src="/asset-v1:O+C+Other+type@asset+block@a.png">',
        ),
        (f"see {ASSET}a.png", f"see {ASSET}a.png"),
    ],
)
def test_an_address_of_a_file_of_the_course_is_stored_as_a_link_that_other_runs_understand(written, stored):
    assert close_static(written, COURSE, "") == stored
