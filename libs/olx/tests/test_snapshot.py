"""A course under another name: which references follow it, and which stay."""

import pytest

from common.keys import CourseKey
from olx.snapshot import NotASnapshot, from_snapshot, to_snapshot
from olx.testing import COURSE, read_body, read_files
from olx.values import Json

TARGET = CourseKey("T", "Tx", "T1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('<a href="/c4x/O/C/asset/x.png">', '<a href="/static/x.png">'),
        ("<a href='/asset-v1:O+C+R+type@asset+block@x_y.png'>", "<a href='/static/x_y.png'>"),
        ('<a href="asset-v1:O+C+R+type@asset+block@x.png">', '<a href="/static/x.png">'),
        ('<a href="/courses/O/C/R/jump_to/i4x://O/C/vertical/v">', '<a href="/jump_to_id/v">'),
        (
            '<a href="/courses/course-v1:O+C+R/jump_to/block-v1:O+C+R+type@vertical+block@v">',
            '<a href="/jump_to_id/v">',
        ),
        ('<a href="/c4x/Else/C/asset/x.png">', None),
        ('<a href="/asset-v1:O+C+R2+type@asset+block@x.png">', None),
        ('<a href="/courses/Else/C/R/jump_to/i4x://Else/C/vertical/v">', None),
        ('<a href="/static/x.png">', None),
        ("see /c4x/O/C/asset/x.png there", None),
        ('<a href="/c4x/O/C/asset/x.pdf#page=2">', '<a href="/static/x.pdf#page=2">'),
        ('<a href="/asset-v1:O+C+R+type@asset+block@x.js?v=1&amp;w=2">', '<a href="/static/x.js?v=1&amp;w=2">'),
        ('<a href="/c4x/O/C/asset/a b.png">', '<a href="/static/a b.png">'),
        ("<b style='background: url(/c4x/O/C/asset/x.png)'>", "<b style='background: url(/static/x.png)'>"),
        ('{"src": \\"/c4x/O/C/asset/x.png\\"}', '{"src": \\"/static/x.png\\"}'),
        ("src=&quot;/c4x/O/C/asset/x.png&quot;", "src=&quot;/static/x.png&quot;"),
        ('<a href="/courses/O/C/R/jump_to/i4x://O/C/vertical/v/">', '<a href="/jump_to_id/v">'),
        ('<a href="/courses/O/C/R/courseware/x/">', None),
        ('<a href="/c4x/O/C/asset/x.png and then <b> "', None),
        ("", None),
    ],
)
def test_links_in_texts_follow_the_course(text: str, expected: str | None) -> None:
    course, _ = read_body('<html url_name="h"/>', {"html/h.xml": '<html filename="h"/>', "html/h.html": text})
    assert data_of(to_snapshot(course, TARGET), "html@h") == (text if expected is None else expected)
    assert data_of(to_snapshot(course, CourseKey("O", "C", "R")), "html@h") == text


def data_of(snapshot: dict[str, Json], key: str) -> Json:
    return from_snapshot(snapshot).blocks[key].fields["data"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("i4x://O/C/html/h", "block-v1:T+Tx+T1+type@html+block@h"),
        ("block-v1:O+C+R+type@html+block@h", "block-v1:T+Tx+T1+type@html+block@h"),
        ("i4x://O/C/course/R", "block-v1:T+Tx+T1+type@course+block@course"),
        (["i4x://O/C/html/a", "i4x://X/C/html/b"], ["block-v1:T+Tx+T1+type@html+block@a", "i4x://X/C/html/b"]),
        ({"0": "i4x://O/C/vertical/v"}, {"0": "block-v1:T+Tx+T1+type@vertical+block@v"}),
        ("/c4x/O/C/asset/book.pdf", "/static/book.pdf"),
        ("block-v1:O+C+R2+type@html+block@h", "block-v1:O+C+R2+type@html+block@h"),
        ("i4x://O/C/broken", "i4x://O/C/broken"),
        (
            "i4x://O/C/problem/p;i4x://X/C/problem/q; i4x://O/C/problem/r",
            "block-v1:T+Tx+T1+type@problem+block@p;i4x://X/C/problem/q;block-v1:T+Tx+T1+type@problem+block@r",
        ),
        (5, 5),
    ],
)
def test_references_in_settings_follow_the_course(value: Json, expected: Json) -> None:
    course, _ = read_body('<vertical url_name="v"/>', {"vertical/v.xml": "<vertical/>"})
    course.blocks["vertical@v"].settings["ref"] = value
    assert from_snapshot(to_snapshot(course, TARGET)).blocks["vertical@v"].settings["ref"] == expected


@pytest.mark.parametrize(("slug", "expected"), [("C", "T.Tx.T1"), ("O.C.R", "T.Tx.T1"), ("other", "other")])
def test_the_wiki_of_a_course_is_its_own(slug: str, expected: str) -> None:
    course, _ = read_body(f'<wiki slug="{slug}"/>')
    assert from_snapshot(to_snapshot(course, TARGET)).blocks["course@course"].settings["wiki_slug"] == expected
    same = from_snapshot(to_snapshot(course, CourseKey("O", "C", "R")))
    assert same.blocks["course@course"].settings["wiki_slug"] == slug


def test_a_snapshot_says_what_the_content_store_needs() -> None:
    course, _ = read_files(
        {
            **COURSE,
            "course/R.xml": '<course><sequential url_name="s"/></course>',
            "sequential/s.xml": '<sequential xblock-family="xblock.v1"/>',
            "drafts/vertical/v.xml": '<vertical parent_url="i4x://O/C/sequential/s" index_in_children_list="0"/>',
            "static/a.txt": "A",
            "tags.csv": "t",
        }
    )
    snapshot = to_snapshot(course, TARGET)
    digest = course.assets["a.txt"].digest
    assert snapshot == {
        "format": 1,
        "course_id": "course-v1:T+Tx+T1",
        "org": "T",
        "number": "Tx",
        "run": "T1",
        "root": "course@course",
        "blocks": {
            "course@course": {
                "type": "course",
                "id": "course",
                "fields": {},
                "settings": {},
                "children": ["sequential@s"],
            },
            "sequential@s": {
                "type": "sequential",
                "id": "s",
                "fields": {},
                "settings": {},
                "children": [],
                "extra": {"xml_attributes": {"xblock-family": "xblock.v1"}},
            },
        },
        "drafts": {
            "vertical@v": {
                "type": "vertical",
                "id": "v",
                "fields": {},
                "settings": {},
                "children": [],
                "parent": "sequential@s",
                "index": 0,
            }
        },
        "assets": {
            "a.txt": {
                "digest": digest,
                "size": 1,
                "content_type": "text/plain",
                "displayname": "a.txt",
                "locked": False,
                "import_path": "a.txt",
                "extra": {},
            }
        },
        "files": {"tags.csv": "t"},
    }


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"course_id": "x"},
        {"root": "course@none"},
        {"blocks": []},
        {"blocks": {"course@course": {"type": "course"}}},
        {"drafts": {"a@b": {"type": "a", "id": "b", "index": "1"}}},
        {"assets": {"a": {"size": 1}}},
    ],
)
def test_another_document_is_refused(change: dict[str, Json]) -> None:
    course, _ = read_body("")
    with pytest.raises(NotASnapshot):
        from_snapshot({**to_snapshot(course, TARGET), **change})
