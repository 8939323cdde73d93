"""The rules by which files become blocks, one by one."""

import hashlib

import pytest

from olx.errors import ArchiveRefused
from olx.limits import Limits
from olx.model import Asset, Block, Course
from olx.report import LISTED_PER_CODE, Report
from olx.testing import COURSE, read_body, read_files


def codes(report: Report) -> list[str]:
    return [entry.code for entry in report.entries if entry.severity != "info"]


def children(course: Course, key: str) -> list[str]:
    return course.blocks[key].children


# Pointers, inline definitions and names.


def test_a_pointer_is_read_from_its_file() -> None:
    course, report = read_body('<chapter url_name="a"/>', {"chapter/a.xml": '<chapter display_name="A"/>'})
    assert course.blocks["chapter@a"] == Block("chapter", "a", settings={"display_name": "A"})
    assert children(course, "course@course") == ["chapter@a"]
    assert codes(report) == []


def test_a_colon_in_a_name_is_a_folder() -> None:
    course, _ = read_body('<chapter url_name="x:y"/>', {"chapter/x/y.xml": '<chapter start="2026-01-01"/>'})
    assert course.blocks["chapter@x:y"].settings == {"start": "2026-01-01"}


def test_the_type_comes_from_the_pointer_the_rest_from_the_file() -> None:
    course, report = read_body(
        '<chapter url_name="a"/>', {"chapter/a.xml": '<sequential><video url_name="v" sub="s"/></sequential>'}
    )
    assert children(course, "chapter@a") == ["video@v"]
    assert "tag_mismatch" in report.codes


def test_an_element_with_more_attributes_than_its_name_is_read_as_it_stands() -> None:
    course, report = read_body(
        '<chapter url_name="a" display_name="A"/>', {"chapter/a.xml": '<chapter><vertical url_name="v"/></chapter>'}
    )
    assert children(course, "chapter@a") == []
    assert codes(report) == ["possible_pointer", "orphan_file"]


def test_the_old_filename_attribute_names_the_body_and_the_pointer_overrides_it() -> None:
    course, _ = read_body(
        '<vertical filename="body" slug="v" display_name="Pointer"/>',
        {"vertical/body.xml": '<vertical display_name="File" format="Lab"><html url_name="h">t</html></vertical>'},
    )
    assert course.blocks["vertical@v"].settings == {"display_name": "Pointer", "format": "Lab"}
    assert children(course, "vertical@v") == ["html@h"]


@pytest.mark.parametrize(
    ("element", "name"),
    [
        ('<video url_name="u" slug="s" name="n"/>', "u"),
        ('<video slug="s" name="n"/>', "s"),
        ('<video name="A name: (1)" sub="x"/>', "A_name:_1_"),
        ('<video display_name="Shown" sub="x"/>', "Shown"),
        ('<video url_name="" slug="" name="n"/>', "n"),
        ('<video url_name="a b" sub="x"/>', "a_b"),
    ],
)
def test_a_block_is_named_by_the_first_attribute_that_names_it(element: str, name: str) -> None:
    course, _ = read_body(element)
    assert children(course, "course@course") == [f"video@{name}"]


def test_a_block_without_any_name_is_named_by_its_content() -> None:
    course, report = read_body('<vertical url_name="v"><video sub="x"/><video sub="x"/></vertical>')
    digest = hashlib.sha1(b'<video sub="x"/>').hexdigest()[:12]
    assert children(course, "vertical@v") == [f"video@video_{digest}", f"video@video_{digest}_2"]
    assert report.codes["unnamed_block"] == 2


def test_a_name_is_found_however_its_letters_are_composed() -> None:
    course, _ = read_body('<chapter url_name="e\u0301te\u0301"/>', {"chapter/\u00e9t\u00e9.xml": "<chapter/>"})
    assert children(course, "course@course") == ["chapter@\u00e9t\u00e9"]


# Duplicates.


def test_one_definition_under_two_parents_is_one_block() -> None:
    course, report = read_body(
        '<vertical url_name="a"><html url_name="h"/></vertical><vertical url_name="b"><html url_name="h"/></vertical>',
        {"html/h.xml": "<html>text</html>"},
    )
    assert children(course, "vertical@a") == children(course, "vertical@b") == ["html@h"]
    assert report.codes["shared_child"] == 1
    assert codes(report) == []


def test_two_definitions_of_one_name_are_two_blocks() -> None:
    course, report = read_body(
        '<vertical url_name="a"><html url_name="h">one</html></vertical>'
        '<vertical url_name="b"><html url_name="h">two</html></vertical>'
        '<vertical url_name="c"><html url_name="h">two</html></vertical>'
    )
    (renamed,) = children(course, "vertical@b")
    assert renamed.startswith("html@html_h_")
    assert course.blocks["html@h"].fields["data"] == "one"
    assert course.blocks[renamed].fields["data"] == "two"
    assert children(course, "vertical@c") == [renamed]
    assert codes(report).count("duplicate_renamed") == 2


def test_a_child_listed_twice_is_kept_once() -> None:
    course, report = read_body('<html url_name="h">x</html><html url_name="h">x</html>')
    assert children(course, "course@course") == ["html@h"]
    assert codes(report) == ["duplicate_child"]


def test_a_block_that_contains_itself_is_cut_off() -> None:
    course, report = read_body(
        '<vertical url_name="a"/>', {"vertical/a.xml": '<vertical><vertical url_name="a"/></vertical>'}
    )
    assert children(course, "vertical@a") == []
    assert codes(report) == ["child_cycle"]


def test_nesting_is_bounded() -> None:
    deep = "".join(f'<vertical url_name="v{n}">' for n in range(80)) + "</vertical>" * 80
    _, report = read_body(deep)
    assert codes(report) == ["too_deep"]


def test_the_number_of_blocks_is_bounded() -> None:
    body = "".join(f'<vertical url_name="v{n}"/>' for n in range(5))
    with pytest.raises(ArchiveRefused, match="too_many_blocks"):
        read_files({**COURSE, "course/R.xml": f"<course>{body}<html>x</html></course>"}, limits=Limits(blocks=1))


# What cannot be read is left out and named.


@pytest.mark.parametrize(
    ("files", "code", "file", "line"),
    [
        ({}, "file_missing", "course/R.xml", 2),
        ({"html/h.xml": "<html>"}, "xml_broken", "html/h.xml", 1),
        ({"html/h.xml": "<html>\n<p>&nbsp;</p></html>"}, "xml_broken", "html/h.xml", 2),
        ({"html/h.xml": "<!DOCTYPE html><html/>"}, "xml_doctype", "html/h.xml", None),
        ({"html/h.xml": b"<html>\xe9</html>"}, "not_utf8", "html/h.xml", None),
        ({"html/h.xml": '<html filename="gone"/>'}, "file_missing", "course/R.xml", 2),
        ({"html/h.xml": '<html filename="h"/>', "html/h.html": b"\xe9"}, "not_utf8", "course/R.xml", 2),
        ({"html/h.xml": '<html filename="h"/>', "html/h.html": b"a\0b"}, "not_utf8", "course/R.xml", 2),
    ],
)
def test_a_broken_child_is_left_out_and_named(
    files: dict[str, str | bytes], code: str, file: str, line: int | None
) -> None:
    course, report = read_body('\n<html url_name="h"/><html url_name="good">x</html>', files)
    assert children(course, "course@course") == ["html@good"]
    assert [(entry.code, entry.file, entry.line, entry.action) for entry in report.entries if entry.code == code] == [
        (code, file, line, "dropped")
    ]
    assert report.has_errors


@pytest.mark.parametrize("tag", ["static", "about", "a:b"])
def test_an_element_that_cannot_be_a_block_is_left_out(tag: str) -> None:
    declared = ' xmlns:a="urn:x"' if ":" in tag else ""
    course, report = read_body(f'<vertical url_name="v"><{tag} url_name="x"{declared}/></vertical>')
    assert children(course, "vertical@v") == []
    assert codes(report) == ["bad_block_type"]


def test_a_name_that_climbs_finds_nothing() -> None:
    _, report = read_body('<chapter url_name="../../etc/passwd"/>')
    assert codes(report) == ["name_cleaned", "file_missing"]


def test_text_between_children_is_left_out() -> None:
    _, report = read_body('<vertical url_name="v">stray<html>x</html></vertical>')
    assert codes(report) == ["unexpected_text"]


def test_files_nobody_points_at_are_named() -> None:
    _, report = read_body("", {"html/lost.xml": "<html/>", "README.md": "x", "src/a.py": "x", "src/b.py": "x"})
    assert [(entry.code, entry.file) for entry in report.entries] == [
        ("file_ignored", "README.md"),
        ("orphan_file", "html/lost.xml"),
        ("file_ignored", "src/"),
    ]


def test_a_report_does_not_grow_without_end() -> None:
    body = "".join(f'<html url_name="h{n}"/>' for n in range(LISTED_PER_CODE + 7))
    _, report = read_body(body)
    assert report.codes["file_missing"] == report.counts["errors"] == LISTED_PER_CODE + 7
    assert len(report.entries) == LISTED_PER_CODE + 1
    assert report.entries[-1].code == "more_entries"


# Content and settings.


def test_html_text_is_taken_byte_for_byte() -> None:
    text = '\ufeff<p class="a">\r\n<br>\u2028 unclosed & <b>\t'
    course, _ = read_body('<html url_name="h"/>', {"html/h.xml": '<html filename="h"/>', "html/h.html": text})
    assert course.blocks["html@h"].fields == {"data": text}


@pytest.mark.parametrize(
    ("definition", "filename", "text_at"),
    [
        ("html/h.xml", "h", "html/h.html"),
        ("html/h.xml", "h.html", "html/h.html"),
        ("html/h.xml", "other/place", "html/other/place.html"),
        ("html/h.xml", "gone/h", "gone/h.html"),
        ("html/h.xml", "h.xml", "html/h.html"),
        ("html/h.xml", "top", "top.html"),
    ],
)
def test_html_text_is_found_where_old_courses_keep_it(definition: str, filename: str, text_at: str) -> None:
    course, report = read_body('<html url_name="h"/>', {definition: f'<html filename="{filename}"/>', text_at: "T"})
    assert course.blocks["html@h"].fields == {"data": "T"}
    assert codes(report) == []


def test_html_text_lies_beside_its_definition() -> None:
    files = {"html/deep/h.xml": '<html filename="h"/>', "html/deep/h.html": "T", "html/h.html": "wrong"}
    course, _ = read_body('<html url_name="deep:h"/>', files)
    assert course.blocks["html@deep:h"].fields == {"data": "T"}


def test_inline_content_is_what_is_between_the_tags() -> None:
    course, _ = read_body(
        '<html url_name="h">a &lt; <b>b</b> tail<!-- kept --></html>'
        '<problem url_name="p" weight="2"><p>\n  x</p></problem>'
        '<my_tool url_name="t" colour="red"><part n="1"/></my_tool>'
        '<done url_name="d" align="left"/>'
    )
    assert course.blocks["html@h"].fields == {"data": "a &lt; <b>b</b> tail<!-- kept -->"}
    assert course.blocks["problem@p"].fields == {"data": "<problem><p>\n  x</p></problem>"}
    assert course.blocks["problem@p"].settings == {"weight": 2}
    assert course.blocks["my_tool@t"].fields == {"data": '<part n="1"/>'}
    assert course.blocks["my_tool@t"].settings == {"colour": "red"}
    assert course.blocks["done@d"].fields == {}


def test_a_container_of_unknown_type_is_told_by_its_children() -> None:
    course, _ = read_body(
        '<tour url_name="t"><html url_name="h"/><vertical url_name="v"><html url_name="i">x</html></vertical></tour>'
        '<player url_name="p"><video src="a"/></player>'
        '<choice url_name="c"><html url_name="gone"/></choice>',
        {"html/h.xml": "<html>T</html>"},
    )
    assert children(course, "tour@t") == ["html@h", "vertical@v"]
    assert course.blocks["player@p"].fields == {"data": '<video src="a"/>'}
    assert course.blocks["choice@c"].fields == {"data": '<html url_name="gone"/>'}


def test_attributes_become_settings_of_their_types() -> None:
    course, report = read_body(
        '<vertical url_name="v" display_name="2026" graded="True" weight="1.50" max_attempts="" due="null" unknown="7" '
        'list="[1, 2]" tabs="x" data_dir="y" xblock-family="xblock.v1"/>'
    )
    block = course.blocks["vertical@v"]
    assert block.settings == {
        "display_name": "2026",
        "graded": True,
        "weight": 1.5,
        "max_attempts": None,
        "due": None,
        "unknown": 7,
        "list": [1, 2],
    }
    assert block.xml_attributes == {"xblock-family": "xblock.v1"}
    assert report.codes["attribute_ignored"] == 2


def test_the_old_name_attribute_is_a_display_name() -> None:
    course, _ = read_body('<vertical name="Shown"/><my_tool url_name="t" name="own"/>')
    assert course.blocks["vertical@Shown"].settings == {"display_name": "Shown"}
    assert course.blocks["my_tool@t"].settings == {"name": "own"}


def test_a_course_has_textbooks_and_a_wiki_of_its_own() -> None:
    course, _ = read_body(
        '<textbook title="T" book_url="u"/><wiki slug="s"/><chapter url_name="c"><meta>{"a":1}</meta></chapter>'
    )
    assert course.blocks["course@course"].settings == {"textbooks": [["T", "u"]], "wiki_slug": "s"}
    assert course.blocks["chapter@c"].settings == {"a": 1}
    assert children(course, "course@course") == ["chapter@c"]


def test_a_conditional_shows_what_it_names() -> None:
    course, _ = read_body('<conditional url_name="c"><show sources="i4x://O/C/html/a;i4x://O/C/html/b"/></conditional>')
    assert course.blocks["conditional@c"].settings == {"show_tag_list": ["i4x://O/C/html/a", "i4x://O/C/html/b"]}


# Roots.


@pytest.mark.parametrize(
    ("root", "run", "expected"),
    [
        ('<course url_name="R" org="O" course="C"/>', "R", []),
        ('<course slug="R" org="O" course="C"><chapter/></course>', "R", ["root_old_name"]),
        ('<course name="A run" org="O" course="C"><chapter/></course>', "A_run", ["root_old_name", "policy_missing"]),
        ('<course url_name="R"><chapter/></course>', "R", ["root_no_org", "root_no_course"]),
    ],
)
def test_the_root_says_which_course_it_is(root: str, run: str, expected: list[str]) -> None:
    course, report = read_files({**COURSE, "course.xml": root})
    assert (course.run, course.root) == (run, "course@course")
    assert [code for code in codes(report) if code != "orphan_file"] == expected


def test_a_library_has_no_policies_pages_or_drafts() -> None:
    course, report = read_files(
        {
            "library.xml": '<library url_name="library" org="O" library="L" display_name="Bank">'
            '<problem url_name="p"/></library>',
            "problem/p.xml": "<problem/>",
            "about/overview.html": "x",
        }
    )
    assert (course.kind, course.org, course.number, course.root) == ("library", "O", "L", "library@library")
    assert course.blocks["library@library"] == Block(
        "library", "library", settings={"display_name": "Bank"}, children=["problem@p"]
    )
    assert set(course.blocks) == {"library@library", "problem@p"}
    assert codes(report) == []


# Policies and grading.


def test_the_policy_wins_over_attributes() -> None:
    course, report = read_body(
        '<chapter url_name="c" display_name="Attribute"/>',
        {
            "policies/R/policy.json": '{"course/R": {"graded": "true", "tabs": []}, "html/none": {},'
            ' "chapter/c": {"display_name": "Policy"}}'
        },
    )
    assert course.blocks["course@course"].settings == {"graded": True, "tabs": []}
    assert course.blocks["chapter@c"].settings == {"display_name": "Policy"}
    assert report.codes["policy_override"] == 1
    assert codes(report) == ["policy_unknown_block"]


@pytest.mark.parametrize(
    "policy", ["{", "[]", '{"course/R": 1}', '{"course/R": {"a": NaN}}', '{"course/R": {"a": "\\u0000"}}']
)
def test_a_broken_policy_is_left_out_and_named(policy: str) -> None:
    course, report = read_body('<chapter url_name="c" display_name="A"/>', {"policies/R/policy.json": policy})
    assert course.blocks["course@course"].settings == {}
    assert codes(report) == ["policy_broken"]


def test_an_old_policy_lies_beside_the_run_folder() -> None:
    course, report = read_body("", {"policies/R/policy.json": "", "policies/R.json": '\ufeff{"course/R": {"a": 1}}'})
    assert course.blocks["course@course"].settings == {"a": 1}
    assert codes(report) == []


@pytest.mark.parametrize("path", ["policies/R/grading_policy.json", "grading_policy.json"])
def test_grading_is_content_of_the_course(path: str) -> None:
    course, report = read_body("", {path: '{"GRADER": []}'})
    assert course.blocks["course@course"].fields == {"grading_policy": {"GRADER": []}}
    assert codes(report) == []
    _, report = read_body("", {path: "GRADER"})
    assert codes(report) == ["grading_broken"]


# Pages.


def test_pages_are_blocks_without_a_parent() -> None:
    course, report = read_body(
        "",
        {
            "about/overview.html": "<p>o</p>",
            "about/effort.html": "general",
            "about/R/effort.html": "of this run",
            "about/old.html~": "x",
            "info/updates.html": "",
            "info/updates.items.json": '[{"id": 1}]',
            "tabs/list.html": "<ul/>",
            "custom_tags/book": "<a>$page</a>",
            "policies/R/policy.json": '{"course/R": {"tabs": [{"type": "static_tab", "url_slug": "list",'
            ' "name": "List", "course_staff_only": true}]}}',
        },
    )
    pages = {key: (block.fields, block.settings) for key, block in course.blocks.items() if key != "course@course"}
    assert pages == {
        "about@overview": ({"data": "<p>o</p>"}, {}),
        "about@effort": ({"data": "of this run"}, {}),
        "course_info@updates": ({"data": "", "items": [{"id": 1}]}, {}),
        "static_tab@list": ({"data": "<ul/>"}, {"display_name": "List", "course_staff_only": True}),
        "custom_tag_template@book": ({"data": "<a>$page</a>"}, {}),
    }
    assert report.codes["extra_replaced"] == 1
    assert report.counts["pages"] == 5
    assert codes(report) == []


def test_broken_pages_are_named() -> None:
    _, report = read_body(
        "", {"about/a.html": b"\xff", "info/b.items.json": "[", "info/c.json": "1", "tabs/d e.html": "x"}
    )
    assert codes(report) == ["not_utf8", "extra_field_broken", "extra_field_broken", "name_cleaned"]


# Assets.


def test_assets_have_flat_names_and_remember_their_folders() -> None:
    course, report = read_body(
        "",
        {
            "static/a/b c.txt": "1",
            "static/x.svg": "2",
            "static/s.srt": "3",
            "static/draft.txt~": "4",
            "policies/assets.json": '{"x.svg": {"displayname": "My/X.svg", "locked": true, "contentType": "text/odd", '
            '"usage": 3, "_id": 1}, "gone.txt": {}}',
        },
    )

    def digest(text: bytes) -> str:
        return hashlib.sha256(text).hexdigest()

    assert course.assets == {
        "a_b_c.txt": Asset("a_b_c.txt", digest(b"1"), 1, "text/plain", "b c.txt", import_path="a/b c.txt"),
        "x.svg": Asset("x.svg", digest(b"2"), 1, "image/svg+xml", "My_X.svg", True, "x.svg", {"usage": 3}),
        "s.srt": Asset("s.srt", digest(b"3"), 1, "application/octet-stream", "s.srt", import_path="s.srt"),
    }
    assert report.codes["asset_policy_orphan"] == report.codes["asset_name_cleaned"] == 1


def test_two_files_of_one_flat_name_are_both_kept() -> None:
    course, report = read_body("", {"static/a_b.txt": "1", "static/a/b.txt": "2"})
    assert {asset.import_path: name for name, asset in course.assets.items()} == {
        "a/b.txt": "a_b.txt",
        "a_b.txt": "a_b_" + hashlib.sha1(b"a_b.txt").hexdigest()[:8] + ".txt",
    }
    assert codes(report) == ["asset_renamed"]


@pytest.mark.parametrize(("text", "locked"), [('"yes"', True), ("1", True), ("false", False), ("null", True)])
def test_a_lock_that_cannot_be_read_holds(text: str, locked: bool) -> None:
    course, _ = read_body("", {"static/a": "1", "policies/assets.json": f'{{"a": {{"locked": {text}}}}}'})
    assert course.assets["a"].locked is locked


def test_other_texts_are_kept_as_they_are() -> None:
    files = {"tags.csv": "a,b", "assets/assets.xml": "<assets><asset/></assets>"}
    assert read_body("", files)[0].files == files
    assert read_body("", {"assets/assets.xml": "<assets/>\n"})[0].files == {}


# Drafts.

SEQUENTIAL = '<sequential url_name="s"><vertical url_name="a"/></sequential>'
PARENT = 'parent_url="i4x://O/C/sequential/s"'


def test_a_draft_says_where_it_belongs() -> None:
    course, report = read_body(
        SEQUENTIAL,
        {
            "vertical/a.xml": '<vertical><html url_name="h"/></vertical>',
            "html/h.xml": "<html>published</html>",
            "drafts/vertical/a.xml": f'<vertical {PARENT} index_in_children_list="0"><html url_name="h"/></vertical>',
            "drafts/html/h.xml": "<html>changed</html>",
            "drafts/vertical/new.xml": f'<vertical {PARENT} index_in_children_list="1"><html url_name="i"/></vertical>',
            "drafts/html/i.xml": "<html>new</html>",
        },
    )
    assert {key: (draft.parent, draft.index) for key, draft in course.drafts.items()} == {
        "html@h": ("vertical@a", 0),
        "vertical@new": ("sequential@s", 1),
        "html@i": ("vertical@new", 0),
    }
    assert course.drafts["html@h"].block.fields == {"data": "changed"}
    assert course.blocks["html@h"].fields == {"data": "published"}
    assert "html@i" not in course.blocks
    assert codes(report) == []


def test_a_draft_equal_to_what_is_published_is_none() -> None:
    course, _ = read_body(
        SEQUENTIAL,
        {
            "vertical/a.xml": '<vertical display_name="A"/>',
            "drafts/vertical/a.xml": f'<vertical {PARENT} index_in_children_list="0" display_name="A"/>',
        },
    )
    assert course.drafts == {}


@pytest.mark.parametrize(
    ("attributes", "parent", "index"),
    [
        ('parent_sequential_url="i4x://O/C/sequential/s" index_in_children_list="4"', "sequential@s", 4),
        ('parent_url="block-v1:O+C+R+type@sequential+block@s" index_in_children_list="0"', "sequential@s", 0),
        ('parent_url="i4x://O/C/course/R" index_in_children_list="1"', "course@course", 1),
        (f'{PARENT} index_in_children_list="x"', "sequential@s", 1),
    ],
)
def test_places_of_drafts_are_read_in_every_spelling(attributes: str, parent: str, index: int) -> None:
    course, _ = read_body(
        SEQUENTIAL, {"vertical/a.xml": "<vertical/>", "drafts/vertical/n.xml": f"<vertical {attributes}/>"}
    )
    draft = course.drafts["vertical@n"]
    assert (draft.parent, draft.index, draft.block.settings) == (parent, index, {})


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('<vertical parent_url="i4x://O/C/sequential/none" index_in_children_list="0"/>', "draft_parent_missing"),
        ('<vertical parent_url="nonsense" index_in_children_list="0"/>', "draft_parent_missing"),
        ('<vertical index_in_children_list="0"', "draft_broken"),
        (f'<vertical {PARENT} index_in_children_list="0"><html url_name="gone"/></vertical>', "file_missing"),
    ],
)
def test_broken_drafts_are_named(text: str, code: str) -> None:
    _, report = read_body(SEQUENTIAL, {"vertical/a.xml": "<vertical/>", "drafts/vertical/n.xml": text})
    assert codes(report) == [code]
