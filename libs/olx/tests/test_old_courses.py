"""Shapes of courses from 2012 on: each is read for what it says, and survives export and import."""

from collections.abc import Mapping

import pytest

from olx.model import Course
from olx.report import Report
from olx.testing import COURSE, Files, read_files
from olx.writer import asset_paths, course_files


def read(files: Files, **more: str | bytes) -> tuple[Course, Report]:
    """Read a course, and prove that writing and reading it again gives the same course and the same files."""
    course, report = read_files({**files, **more})
    static = {
        f"static/{at}": files[f"static/{course.assets[name].import_path}"] for name, at in asset_paths(course).items()
    }
    again, second = read_files({**course_files(course), **static})
    assert again == course
    assert course_files(again) == course_files(course)
    assert second.counts["errors"] == 0
    stays = ("case_twins", "static_missing", "jump_missing")
    assert second.counts["warnings"] == sum(second.codes[code] for code in stays)
    return course, report


def body(definition: str, files: Mapping[str, str | bytes] | None = None) -> tuple[Course, Report]:
    return read({**COURSE, "course/R.xml": f"<course>{definition}</course>", **(files or {})})


def found(report: Report) -> list[tuple[str, str | None, int | None]]:
    return [(entry.code, entry.file, entry.line) for entry in report.entries]


Tree = dict[str, "Tree"]


def tree(course: Course, key: str = "course@course") -> Tree:
    return {child: tree(course, child) for child in course.blocks[key].children}


# One file with everything in it.

ONE_FILE = """<?xml version="1.0"?>
<!-- made by hand -->
<course name="Fall" org="Demo" course="6.00x" start="2012-03-05T12:00" graceperiod="1 day">
  <wiki slug="6.00x"/>
  <textbook title="T" book_url="/static/book/"/>
  <chapter name="Week 1">
    <!-- to be rewritten -->
    <videosequence format="Lecture Sequence" name="S1: intro">
      <html slug="welcome" filename="welcome.html"/>
      <video youtube="0.75:a,1.0:b" name="First film"/>
      <problem name="Circuits &amp; more" filename="circuits" rerandomize="never"/>
      <problem filename="lost/L1"/>
      <customtag tag="S" slug="ct1"><impl>slides</impl></customtag>
      <slides url_name="sl" page="12" lecture="3"/>
      <book page="7"/>
    </videosequence>
    <sequential name="Lab" due="June 3">
      <meta>{"showanswer": "never", "attempts": 3}</meta>
      <section name="Part"><vertical><html>a <b>b</b> c</html></vertical></section>
    </sequential>
  </chapter>
</course>"""

ONE_FILE_COURSE: Files = {
    "course.xml": ONE_FILE,
    "html/welcome.html": "<h1>Hi</h1>\r\n",
    "problem/circuits.xml": "<problem><text>x<br/></text> tail</problem>",
    "problems/lost/L1.xml": "<problem>kept elsewhere</problem>",
    "custom_tags/slides": "<a href='/slides/$lecture#$page'>Slide</a>",
    "custom_tags/book": "p. $page",
    "policies/Fall.json": '{"course/Fall": {"name": "Circuits", "graceperiod": "2 days"},'
    ' "videosequence/S1:_intro": {"format": "Lecture"}, "slides/sl": {"page": "13"}}',
    "grading_policy.json": '{"GRADER": [], "GRADE_CUTOFFS": {"A": 0.8}}',
}


def test_everything_in_one_file() -> None:
    course, report = read(ONE_FILE_COURSE)
    assert (course.org, course.number, course.run) == ("Demo", "6.00x", "Fall")
    root = course.blocks["course@course"]
    assert root.settings["display_name"] == "Circuits"
    assert root.settings["graceperiod"] == "2 days"
    assert root.settings["wiki_slug"] == "6.00x"
    assert root.settings["textbooks"] == [["T", "/static/book/"]]
    assert root.fields["grading_policy"] == {"GRADER": [], "GRADE_CUTOFFS": {"A": 0.8}}
    sequence = course.blocks["videosequence@S1:_intro"]
    assert (sequence.settings["format"], sequence.settings["display_name"]) == ("Lecture", "S1: intro")
    welcome, film, circuits, lost, tag, slides, book = sequence.children
    assert (welcome, film, circuits, tag, slides) == (
        "html@welcome",
        "video@First_film",
        "problem@Circuits_more",
        "customtag@ct1",
        "customtag@sl",
    )
    assert course.blocks[welcome].fields["data"] == "<h1>Hi</h1>\r\n"
    assert course.blocks[circuits].fields["data"] == "<problem><text>x<br/></text> tail</problem>"
    assert course.blocks[circuits].settings == {"display_name": "Circuits & more", "rerandomize": "never"}
    assert course.blocks[lost].fields["data"] == "<problem>kept elsewhere</problem>"
    assert course.blocks[tag].fields["data"] == "<impl>slides</impl>"
    assert course.blocks[slides].settings == {"impl": "slides", "page": "13", "lecture": 3}
    assert course.blocks[book].settings == {"impl": "book", "page": 7}
    lab = course.blocks["sequential@Lab"]
    assert lab.settings == {"display_name": "Lab", "due": "June 3", "showanswer": "never", "attempts": 3}
    assert [list(below) for below in tree(course, "sequential@Lab").values()] == [list(tree(course, "section@Part"))]
    assert report.counts["errors"] == 0
    assert report.codes == {
        "root_old_name": 1,
        "comment_dropped": 2,
        "custom_tag_translated": 2,
        "unnamed_block": 4,
        "policy_override": 4,
    }


def test_a_root_for_each_run() -> None:
    """`course.xml` was a link to one of `roots/`; as a file it is the same text."""
    course, report = read(
        {
            "course.xml": '<course org="O" course="C" url_name="2013_Spring"/>',
            "roots/2013_Spring.xml": '<course org="O" course="C" url_name="2013_Spring"/>',
            "course/2013_Spring.xml": '<course><chapter url_name="a"/></course>',
            "chapter/a.xml": "<chapter/>",
            "policies/2013_Spring/policy.json": '{"course/2013_Spring": {"start": "2013-01-01"}}',
            "policies/2012_Fall/policy.json": '{"course/2012_Fall": {"start": "2012-01-01"}}',
            "info/2013_Spring/updates.html": "this run's",
            "info/2012_Fall/updates.html": "another run's",
        }
    )
    assert course.blocks["course_info@updates"].fields == {"data": "this run's"}
    assert course.blocks["course@course"].settings == {"start": "2013-01-01"}
    assert [entry.message for entry in report.entries if entry.code == "file_ignored"] == [
        "info/2012_Fall/updates.html is no part of a course",
        "1 files in policies/ are no part of a course",
        "1 files in roots/ are no part of a course",
    ]


# Types with content of their own.

LEAVES = """<vertical url_name="v">
<video url_name="v1" youtube="1.00:x" sub="abc" show_captions="true" download_track="false" html5_sources='["a.mp4"]'
 transcripts='{"de": "de.srt"}' start_time="00:00:05" youtube_id_1_0="x" edx_video_id="" ><source src="a.mp4"/>
<track src="a.srt"/><transcript language="de" src="de.srt"/><handout src="/static/h.pdf"/>
<video_asset client_video_id="c" duration="1.5"><encoded_video profile="youtube" url="u"/></video_asset></video>
<videoalpha url_name="va" youtube="1.0:y"><source src="b.webm"/></videoalpha>
<combinedopenended url_name="coe" attempts="1" max_score="2"><rubric><rubric><category><description>D</description>
<option>0</option></category></rubric></rubric><prompt><h3>P</h3></prompt><task><selfassessment/></task>
</combinedopenended>
<poll_question url_name="pq" display_name="Q" reset="false"><p>Which?</p><answer id="a">A &amp; a</answer>
<answer id="b"/></poll_question>
<word_cloud url_name="wc" num_inputs="3" num_top_words="10" display_student_percents="True"/>
<lti url_name="l" launch_url="http://x/y?a=1&amp;b=2" custom_parameters='["a=1", "b=2"]' lti_id="i" has_score="True"/>
<discussion url_name="d" for="Week 1" id="d1" discussion_category="C" discussion_target="T"/>
<annotatable url_name="an"><instructions>I</instructions><p>text <annotation title="t">x</annotation> tail</p>
</annotatable>
<graphical_slider_tool url_name="g"><render><h2>R</h2></render><configuration><![CDATA[a < b]]></configuration>
</graphical_slider_tool>
<pdf url_name="p" filename="a.pdf" source_text="s" org="Own" course="Own" slug="own" tabs="own"/>
<html url_name="h">mixed <em>tail</em> text<!-- kept --> &#160; <pre xml:space="preserve">
  x  </pre></html>
</vertical>"""


def test_content_of_every_type_is_kept() -> None:
    course, report = body(LEAVES)
    blocks = course.blocks
    assert [key.partition("@")[0] for key in blocks["vertical@v"].children] == [
        "video", "videoalpha", "combinedopenended", "poll_question", "word_cloud", "lti", "discussion", "annotatable",
        "graphical_slider_tool", "pdf", "html",
    ]  # fmt: skip
    assert blocks["video@v1"].settings["html5_sources"] == ["a.mp4"]
    assert blocks["video@v1"].settings["transcripts"] == {"de": "de.srt"}
    assert blocks["video@v1"].settings["youtube"] == "1.00:x"
    for part in ("<source", "<track", "<transcript", "<handout", "<video_asset", "<encoded_video"):
        assert part in str(blocks["video@v1"].fields["data"])
    assert blocks["poll_question@pq"].fields["data"] == (
        '<p>Which?</p><answer id="a">A &amp; a</answer>\n<answer id="b"/>'
    )
    assert blocks["lti@l"].settings["launch_url"] == "http://x/y?a=1&b=2"
    assert blocks["discussion@d"].settings["for"] == "Week 1"
    assert "a &lt; b" in str(blocks["graphical_slider_tool@g"].fields["data"])
    assert blocks["pdf@p"].settings == {"source_text": "s"}
    assert blocks["pdf@p"].xml_attributes == {
        "filename": "a.pdf", "org": "Own", "course": "Own", "slug": "own", "tabs": "own"
    }  # fmt: skip
    assert blocks["html@h"].fields["data"] == (
        'mixed <em>tail</em> text<!-- kept --> \u00a0 <pre xml:space="preserve">\n  x  </pre>'
    )
    assert report.counts["errors"] == report.counts["warnings"] == report.counts["infos"] - 0 == 0


def test_blocks_that_choose_among_children() -> None:
    course, report = body(
        """<split_test url_name="s" user_partition_id="0" group_id_to_child='{"0": "i4x://O/C/vertical/a"}'>
        <vertical url_name="a" display_name="A"/><vertical url_name="b" display_name="B"/></split_test>
        <conditional url_name="c" sources="i4x://O/C/problem/p;i4x://O/C/problem/q" attempted="True">
        <html url_name="h">x</html></conditional>
        <randomize url_name="r"><html url_name="h1">1</html><html url_name="h2">2</html></randomize>
        <library_content url_name="lc" source_library_id="library-v1:O+L" source_library_version="5f3a" max_count="2"
         capa_type="any" mode="random" allow_resetting_children="true"><problem url_name="p1">1</problem>
        </library_content>"""
    )
    assert tree(course) == {
        "split_test@s": {"vertical@a": {}, "vertical@b": {}},
        "conditional@c": {"html@h": {}},
        "randomize@r": {"html@h1": {}, "html@h2": {}},
        "library_content@lc": {"problem@p1": {}},
    }
    assert course.blocks["split_test@s"].settings["group_id_to_child"] == {"0": "i4x://O/C/vertical/a"}
    assert course.blocks["library_content@lc"].settings["max_count"] == 2
    assert report.counts["errors"] == report.counts["warnings"] == 0


# Encodings.


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf<problem>\xc3\xa9</problem>",
        b'<?xml version="1.0" encoding="UTF-8"?>\r\n<problem>\xc3\xa9</problem>\r\n',
        b'<?xml version="1.0" encoding="iso-8859-1"?><problem>\xe9</problem>',
        b'<?xml version="1.0" encoding="windows-1252"?><problem>\xe9</problem>',
        b'<?xml version="1.0" encoding="ascii"?><problem>&#233;</problem>',
        '<?xml version="1.0" encoding="utf-16"?><problem>\u00e9</problem>'.encode("utf-16"),
    ],
)
def test_definitions_in_every_declared_encoding(data: bytes) -> None:
    course, report = body('<problem url_name="p"/>', {"problem/p.xml": data})
    assert course.blocks["problem@p"].fields == {"data": "<problem>\u00e9</problem>"}
    assert report.entries == []


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("windows-1251", "Привет"),
        ("KOI8-R", "Привет"),
        ("ISO_8859-7", "Γεια"),
        ("gb2312", "你好"),
        ("Big5", "你好"),
        ("Shift_JIS", "表示"),
        ("EUC-KR", "안녕"),
    ],
)
def test_definitions_in_the_encodings_of_the_world(encoding: str, text: str) -> None:
    data = f'<?xml version="1.0" encoding="{encoding}"?><problem>{text}</problem>'.encode(encoding)
    course, report = body('<problem url_name="p"/>', {"problem/p.xml": data})
    assert course.blocks["problem@p"].fields == {"data": f"<problem>{text}</problem>"}
    assert report.entries == []


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"<problem>\xe9</problem>", "not_utf8"),
        ('<?xml version="1.0" encoding="gb2312"?><problem>Привета</problem>'.encode("cp1251"), "not_utf8"),
        (b'<?xml version="1.0" encoding="utf-8"?><problem>\xe9</problem>', "not_utf8"),
        ("<problem>e</problem>".encode("utf-16-le"), "xml_broken"),
        (b'<?xml version="1.0" encoding="utf-7"?><problem>+AD</problem', "xml_broken"),
        (b"<problem>&nbsp;</problem>", "xml_broken"),
        (b"<problem>&#xD800;</problem>", "xml_broken"),
        (b"<!-- a -->\n<!DOCTYPE problem><problem/>", "xml_doctype"),
        (b"<problem>" + b"x" * (11 << 20) + b"</problem>", "xml_broken"),
    ],
    ids=lambda value: str(value[:40]),
)
def test_what_no_reader_agrees_on_is_left_out(data: bytes, code: str) -> None:
    course, report = body('<problem url_name="p"/>', {"problem/p.xml": data})
    assert course.blocks["course@course"].children == []
    assert [(entry.code, entry.file) for entry in report.entries] == [(code, "problem/p.xml")]


def test_a_prolog_of_comments_is_read_at_once() -> None:
    course, report = body('<problem url_name="p"/>', {"problem/p.xml": "<!-- c -->" * 5000 + "<problem/>"})
    assert "problem@p" in course.blocks
    assert report.codes == {"comment_dropped": 1}


def test_nothing_is_fetched_or_included() -> None:
    text = (
        '<?xml-stylesheet href="http://127.0.0.1:9/x.xsl"?><problem xmlns:xi="http://www.w3.org/2001/XInclude">'
        '<xi:include href="file:///etc/passwd" parse="text"/></problem>'
    )
    course, _ = body('<problem url_name="p"/>', {"problem/p.xml": text})
    assert "root:" not in str(course.blocks["problem@p"].fields["data"])
    assert "/etc/passwd" in str(course.blocks["problem@p"].fields["data"])


# Names no key or file could have.


@pytest.mark.parametrize(
    "name", ["..", ".", "a::b", ":a", "a:..:b", "._x", "x" * 300, "\u4e2d" * 120, "a/../../b", "a.xml:b", "\u00ae"]
)
def test_a_name_that_could_be_no_file_is_replaced(name: str) -> None:
    course, report = body(f'<vertical url_name="v"><html url_name="{name}">x</html></vertical>')
    (key,) = course.blocks["vertical@v"].children
    assert key != f"html@{name}"
    assert report.codes == {"name_cleaned": 1}


def test_a_long_title_makes_a_name_of_bounded_length() -> None:
    course, _ = body(f'<vertical display_name="{"Bildung und Erziehung, " * 40}"/>')
    (key,) = course.blocks["course@course"].children
    assert 100 < len(key) < 160


def test_a_policy_finds_a_block_under_its_new_name() -> None:
    course, _ = body(
        '<vertical url_name="a b" start="2026-01-01"/>',
        {"policies/R/policy.json": '{"course/R": {}, "vertical/a b": {"format": "Lab"}}'},
    )
    assert course.blocks["vertical@a_b"].settings == {"start": "2026-01-01", "format": "Lab"}


def test_a_course_is_not_part_of_a_course() -> None:
    course, report = body('<course url_name="R"/><library url_name="x"/>')
    assert course.blocks["course@course"].children == []
    assert report.codes == {"bad_block_type": 2}


# Pages and their names.


def test_a_tab_is_found_under_the_name_its_page_has() -> None:
    course, _ = body(
        "",
        {
            "tabs/\u00aeesources.html": "<p/>",
            "tabs/\u00e9t\u00e9.html": "<p/>",
            "policies/R/policy.json": '{"course/R": {"tabs": [{"type": "courseware"}, {"type": "odd", "x": [1]},'
            ' {"type": "static_tab", "url_slug": "\u00aeesources", "name": "R"},'
            ' {"type": "static_tab", "url_slug": "\u00e9t\u00e9", "name": "E"}]}}',
        },
    )
    tabs = course.blocks["course@course"].settings["tabs"]
    assert isinstance(tabs, list)
    assert [tab.get("url_slug") for tab in tabs if isinstance(tab, dict)] == [None, None, "_esources", "\u00e9t\u00e9"]
    assert course.blocks["static_tab@_esources"].settings == {"display_name": "R"}
    assert course.blocks["static_tab@\u00e9t\u00e9"].settings == {"display_name": "E"}


def test_a_policy_can_speak_of_a_page() -> None:
    policy = '{"course/R": {}, "static_tab/t": {"display_name": "T", "name": "own"}}'
    course, report = body("", {"tabs/t.html": "x", "policies/R/policy.json": policy})
    assert course.blocks["static_tab@t"].settings == {"display_name": "T", "name": "own"}
    assert report.entries == []


# What is not kept is said, with its place.


def test_everything_left_out_is_in_the_report() -> None:
    _, report = body(
        '\n<chapter url_name="a"><!-- old --><meta>not json</meta></chapter>'
        '\n<html url_name="h" filename="h">own</html>'
        '\n<vertical url_name="v" filename="w"><html>lost</html></vertical>'
        '\n<sequential url_name="s"/>',
        {
            "html/h.html": "T",
            "vertical/w.xml": "<vertical/>",
            "sequential/s.xml": '<sequential url_name="other"/>',
            "about/notes.html~": "x",
            "static/a.txt~": b"x",
            "static/B.txt": b"x",
            "static/b.txt": b"x",
            "policies/assets.json": '{"b.txt": {"contentType": "odd/one"}, "B.txt": {}, "B.txt": {}}',
        },
    )
    assert sorted(found(report), key=str) == sorted(
        [
            ("comment_dropped", "course/R.xml", 2),
            ("meta_broken", "course/R.xml", 2),
            ("content_ignored", "course/R.xml", 3),
            ("content_ignored", "course/R.xml", 4),
            ("url_name_mismatch", "sequential/s.xml", 1),
            ("backup_ignored", "about/notes.html~", None),
            ("backup_ignored", "static/a.txt~", None),
            ("case_twins", "static/b.txt", None),
            ("asset_type_unknown", "policies/assets.json", None),
            ("json_key_twice", "policies/assets.json", None),
        ],
        key=str,
    )


@pytest.mark.parametrize(
    ("policy", "line", "words"),
    [
        ('{"course/R": {\n"a": 1,\n}}', 2, "line 2"),
        ('{"course/R": {"a": NaN}}', 1, "column"),
        ("[1]", None, "not a JSON object"),
        (b'{"a": {\n"b": "\xe9"}}', 2, "not UTF-8"),
        ("[" * 100_000, 1, "depth"),
        ('{"course/R": {"a": 1e999}}', 1, "infinity"),
    ],
)
def test_a_broken_policy_is_named_with_its_line(policy: str | bytes, line: int | None, words: str) -> None:
    _, report = body("", {"policies/R/policy.json": policy})
    (entry,) = report.entries
    assert (entry.code, entry.file, entry.line) == ("policy_broken", "policies/R/policy.json", line)
    assert words in entry.message


def test_links_that_lead_nowhere_are_told() -> None:
    _, report = body(
        '<html url_name="h"/><problem url_name="p"><img src="/static/gone.png"/><a href="/jump_to_id/h"/></problem>',
        {
            "html/h.xml": '<html filename="h"/>',
            "html/h.html": '<img src="/static/a%20b.png">\n<a href="/static/sub/c.pdf#page=2">\n<a href="/static/d.js">'
            ' <a href="/jump_to_id/lost"> <a href="/static/d.js"> see /static/a_b.png. $x/static/$name /static/folder/',
            "static/a b.png": b"1",
            "static/sub/c.pdf": b"2",
        },
    )
    links = [(entry.code, entry.file, entry.line) for entry in report.entries if entry.code != "asset_name_cleaned"]
    assert links == [
        ("static_missing", "html/h.html", 3),
        ("jump_missing", "html/h.html", 3),
        ("static_missing", "course/R.xml", None),
    ]


def test_a_course_without_files_is_not_asked_for_them() -> None:
    _, report = body('<html url_name="h">/static/a.png</html>')
    assert report.entries == []


def test_names_of_files_are_read_as_far_as_their_quotes_reach() -> None:
    """Blanks, brackets and ampersands are part of a name in quotes; in other text they end it."""
    _, report = body(
        '<html url_name="h"/>',
        {
            "html/h.xml": '<html filename="h"/>',
            "html/h.html": "<img src=\"/static/Unit 1 (a).png\"> <a href='/static/R&amp;D.pdf?x=1'>\n"
            '<img srcset="/static/small.png 1x, /static/gone.png 2x"> don\'t miss /static/small.png, or\n'
            'the "/static/lost one.png" and {"url": "/static/small.png"}',
            "static/Unit 1 (a).png": b"1",
            "static/R&D.pdf": b"2",
            "static/small.png": b"3",
        },
    )
    missing = [(entry.message, entry.line) for entry in report.entries if entry.code == "static_missing"]
    assert missing == [
        ("html@h uses /static/gone.png, which is not there", 2),
        ("html@h uses /static/lost one.png, which is not there", 3),
    ]


def test_an_exam_of_limited_time_holds_blocks_that_need_no_name() -> None:
    course, _ = body('<timelimit url_name="t" duration="60"><problem><p>x</p></problem></timelimit>')
    (child,) = course.blocks["timelimit@t"].children
    assert child.startswith("problem@problem_")


def test_a_block_of_an_extension_is_told_by_the_mark_on_it() -> None:
    """Blocks in blocks of unknown types, as a course tool writes them: each with its family, none in a file."""
    choice = '<pb-choice url_name="a" xblock-family="xblock.v1" value="1"/>'
    course, report = body(
        '<problem-builder url_name="b" xblock-family="xblock.v1" display_name="B">'
        f'<pb-mcq url_name="q" xblock-family="xblock.v1">{choice}</pb-mcq></problem-builder>'
    )
    assert tree(course) == {"problem-builder@b": {"pb-mcq@q": {"pb-choice@a": {}}}}
    assert course.blocks["pb-choice@a"].settings == {"value": 1}
    assert course.blocks["pb-mcq@q"].xml_attributes == {"xblock-family": "xblock.v1"}
    assert (report.counts["errors"], report.counts["warnings"]) == (0, 0)


def test_a_remark_beside_blocks_is_no_block() -> None:
    aside = '<tagging_aside xblock-family="xblock_asides.v1" saved_tags="{}"/>'
    course, report = body(
        f'<vertical url_name="v">{aside}<html url_name="h">x</html></vertical>'
        f'<tour url_name="t">{aside}<html url_name="i">x</html></tour>'
    )
    assert tree(course) == {"vertical@v": {"html@h": {}}, "tour@t": {"html@i": {}}}
    assert [code for code, _, _ in found(report)] == ["aside_dropped", "aside_dropped"]


def test_a_root_that_is_nearly_a_pointer_is_read_as_it_stands_and_told() -> None:
    course, report = read_files(
        {
            "course.xml": '<course url_name="R" org="O" course="C" graceperiod="1 day"/>',
            "course/R.xml": '<course><chapter url_name="c"/></course>',
            "chapter/c.xml": "<chapter/>",
            "policies/R/policy.json": "{}",
        }
    )
    assert course.blocks["course@course"].children == []
    assert found(report)[0] == ("possible_pointer", "course.xml", 1)


def test_a_definition_that_only_points_is_told() -> None:
    course, report = body(
        '<html url_name="h"/><chapter url_name="a"/><chapter url_name="b"/><video url_name="v"/>',
        {
            "html/h.xml": '<html url_name="h"/>',
            "chapter/a.xml": '<chapter url_name="b"/>',
            "chapter/b.xml": '<chapter url_name="b"><html url_name="i">x</html></chapter>',
            "video/v.xml": "<video/>",
        },
    )
    assert course.blocks["html@h"].fields == {"data": ""}
    assert tree(course) == {"html@h": {}, "chapter@a": {}, "chapter@b": {"html@i": {}}, "video@v": {}}
    assert [entry.file for entry in report.entries if entry.code == "only_a_pointer"] == ["html/h.xml", "chapter/a.xml"]


@pytest.mark.parametrize("tag", ["book", "discuss", "image", "slides", "videodev"])
def test_old_tags_are_custom_tags(tag: str) -> None:
    course, report = body(f'<{tag} url_name="x" page="7"/>')
    assert course.blocks["customtag@x"].settings == {"impl": tag, "page": 7}
    assert report.codes == {"custom_tag_translated": 1}
