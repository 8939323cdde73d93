"""What is written reads as the same course, and the same course is the same bytes."""

import gzip
import hashlib
import io
import tarfile
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.keys import CourseKey
from olx.archive import read_archive
from olx.errors import UnwritableBlock
from olx.limits import Limits
from olx.model import Asset, Block, Course, Draft
from olx.offline import pack_folder
from olx.reader import read_course, read_course_archive
from olx.report import Report
from olx.snapshot import from_snapshot, to_snapshot
from olx.testing import read_body, read_files
from olx.values import Json
from olx.writer import asset_paths, course_files, write_archive


def files_of(course: Course) -> dict[str, str]:
    return {path: data.decode() for path, data in course_files(course).items()}


def again(course: Course) -> Course:
    """The course as it is after export and import, without an archive between."""
    static: dict[str, str | bytes] = {
        f"static/{path}": f"bytes of {name}" for name, path in asset_paths(course).items()
    }
    return read_files({**course_files(course), **static})[0]


def written(course: Course) -> bytes:
    out = io.BytesIO()
    names = {asset.digest: name for name, asset in course.assets.items()}
    write_archive(course, lambda digest: io.BytesIO(f"bytes of {names[digest]}".encode()), out)
    return out.getvalue()


# The archive itself.


def pack(folder: Path) -> bytes:
    out = io.BytesIO()
    pack_folder(folder, out)
    return out.getvalue()


def test_the_sample_course_survives_export_and_import(sample_course: Path, tmp_path: Path) -> None:
    first, second, third = tmp_path / "first", tmp_path / "second", tmp_path / "third"
    for folder in (first, second, third):
        folder.mkdir()
    (tmp_path / "0.tar.gz").write_bytes(pack(sample_course))
    course, report = read_course_archive(tmp_path / "0.tar.gz", first)
    assert report.counts["errors"] == report.counts["warnings"] == 0
    snapshot = to_snapshot(course, CourseKey("LecternX", "Intro", "2026"))
    assert from_snapshot(snapshot) == course
    out = io.BytesIO()
    write_archive(snapshot, lambda digest: (first / digest).open("rb"), out)
    (tmp_path / "1.tar.gz").write_bytes(out.getvalue())
    reread, _ = read_course_archive(tmp_path / "1.tar.gz", second)
    assert reread == course
    exported_again = io.BytesIO()
    write_archive(reread, lambda digest: (second / digest).open("rb"), exported_again)
    assert exported_again.getvalue() == out.getvalue()


def test_an_archive_depends_on_the_course_alone(sample_course: Path, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(pack(sample_course))
    course, _ = read_course_archive(tmp_path / "a", tmp_path)
    shuffled = Course(
        **{
            **{name: getattr(course, name) for name in ("kind", "org", "number", "run", "root", "files")},
            "blocks": dict(reversed(course.blocks.items())),
            "drafts": dict(reversed(course.drafts.items())),
            "assets": dict(reversed(course.assets.items())),
        }
    )
    outs = [io.BytesIO(), io.BytesIO()]
    for one, out in zip((course, shuffled), outs, strict=True):
        write_archive(one, lambda digest: (tmp_path / digest).open("rb"), out)
    data = outs[0].getvalue()
    assert data == outs[1].getvalue()
    assert data[4:8] == b"\0\0\0\0"  # the time in the gzip header
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = archive.getmembers()
    names = [member.name for member in members]
    assert names == sorted(names)
    assert {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode, m.type) for m in members} == {
        (0, 0, 0, "", "", 0o644, tarfile.REGTYPE)
    }
    assert {name.split("/")[0] for name in names} == {"course"}


def test_the_layout_is_the_known_one(sample_course: Path, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(pack(sample_course))
    course, _ = read_course_archive(tmp_path / "a", tmp_path)
    files = files_of(course)
    assert files["course.xml"] == '<course url_name="2026" org="LecternX" course="Intro"/>\n'
    assert files["course/2026.xml"].splitlines()[1:] == [
        '  <chapter url_name="scale"/>',
        '  <chapter url_name="relief"/>',
        '  <chapter url_name="symbols"/>',
        '  <wiki slug="LecternX.Intro.2026"/>',
        "</course>",
    ]
    assert files["html/contour_text.xml"] == '<html filename="contour_text" display_name="Lines of equal height"/>\n'
    assert files["html/scale_film_note.html"].lstrip().startswith("<p>Pause")
    assert 'parent_url="i4x://LecternX/Intro/sequential/legends"' in files["drafts/vertical/legend_quiz.xml"]
    assert 'index_in_children_list="1"' in files["drafts/vertical/legend_quiz.xml"]
    assert "drafts/html/legend_task.html" in files
    assert "discussion_topics" not in files["course/2026.xml"]
    assert "discussion_topics" in files["policies/2026/policy.json"]
    assert set(asset_paths(course).values()) >= {"handouts/scale-ruler.pdf", "images/reading-maps.png"}
    for path in (
        "about/overview.html",
        "info/updates.items.json",
        "tabs/reading_list.html",
        "assets/assets.xml",
        "policies/assets.json",
        "policies/2026/grading_policy.json",
        "field_trip/old_harbour.xml",
    ):
        assert path in files


def test_a_library_is_written_as_one() -> None:
    library, _ = read_files(
        {
            "library.xml": '<library org="O" library="L" display_name="B"><problem url_name="p"/></library>',
            "problem/p.xml": "<problem>x</problem>",
            "static/a.txt": "bytes of a.txt",
        }
    )
    assert files_of(library)["library.xml"].startswith(
        '<library url_name="library" org="O" library="L" display_name="B">'
    )
    assert again(library) == library
    with tarfile.open(fileobj=io.BytesIO(written(library))) as archive:
        assert "library/library.xml" in archive.getnames()


def test_an_asset_that_is_not_as_long_as_it_says_stops_the_export() -> None:
    course, _ = read_body("", {"static/a": "12345"})
    for wrong in (b"1234", b"123456"):
        with pytest.raises(ValueError, match="static/a"):
            write_archive(course, partial(lambda data, _: io.BytesIO(data), wrong), io.BytesIO())


def test_what_cannot_be_read_again_is_not_written() -> None:
    course, _ = read_body('<html url_name="a">x</html>')
    for block_type, block_id in (("static", "x"), ("1st", "x"), ("html", "a:..:b"), ("html", "a::b")):
        course.blocks["course@course"].children = [f"{block_type}@{block_id}"]
        course.blocks[f"{block_type}@{block_id}"] = Block(block_type, block_id, {"data": "x"})
        with pytest.raises(UnwritableBlock):
            course_files(course)


def test_orphans_and_pointers_to_nothing_stay_behind() -> None:
    course, _ = read_body('<html url_name="a">x</html>')
    course.blocks["course@course"].children.append("html@gone")
    course.blocks["html@orphan"] = Block("html", "orphan", {"data": "x"})
    files = files_of(course)
    assert "html/orphan.xml" not in files
    assert "gone" not in files["course/R.xml"]


def test_memory_stays_flat_while_large_assets_are_written(tmp_path: Path) -> None:
    import tracemalloc

    size = 64 << 20
    (tmp_path / "big").write_bytes(b"")
    with (tmp_path / "big").open("r+b") as file:
        file.truncate(size)
    course, _ = read_body("")
    course.assets["big.bin"] = Asset("big.bin", "d" * 64, size, "application/octet-stream", "big.bin")

    class Nowhere:
        def write(self, data: bytes) -> int:
            return len(data)

    tracemalloc.start()
    write_archive(course, lambda _digest: (tmp_path / "big").open("rb"), Nowhere())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


# Content that has no natural place in OLX.

MODULES = [
    Block("problem", "p", {"data": "<problem><p>a</p></problem>"}, {"weight": 2}),
    Block("problem", "p", {"data": "not < xml"}, {}),
    Block("problem", "p", {"data": "<other/>"}, {}),
    Block("my_tool", "t", {"data": "<a/>text"}, {"x": [1]}),
    Block("my_tool", "t", {"data": "<a>"}, {}),
    Block("my_tool", "t", {"data": "</my_tool><my_tool>"}, {}),
    Block("my_tool", "t", {"data": '<html url_name="x"/>'}, {}),
    Block("my_tool", "t", {"data": ""}, {}),
    Block("my_tool", "t", {"data": {"json": [True]}, "more": "x"}, {}),
    Block("html", "h", {"data": "a\r\n\tb\ufeff"}, {"display_name": 'quote " & < \n tab\t'}),
    Block("html", "h", {"data": "", "extra": "x"}, {}),
    Block("vertical", "v", {"data": "text of a container"}, {}),
    Block("vertical", "v", {}, {"url_name": "x", "a b": 1, "name": "n", "parent_url": "u", "filename": "f", "é": "é"}),
    Block("vertical", "v", {}, {"display_name": 5, "graded": "true", "due": None, "control": "\x01\ufffe"}),
    Block("vertical", "v", {}, {"big": 1e300, "neg": -0.0, "nested": {"a": {"b": [None, "\x07"]}}}),
    Block("vertical", "v", {}, {}, [], {"xblock-family": "xblock.v1", "{urn:x}a": "1", "{urn:y}b": "2"}),
    Block("conditional", "c", {}, {"show_tag_list": ["i4x://O/C/html/a", "b"]}),
    Block("conditional", "c", {}, {"show_tag_list": ["with space"]}),
]


@pytest.mark.parametrize("block", MODULES, ids=lambda block: f"{block.type} {str(block.fields or block.settings)[:40]}")
@pytest.mark.parametrize("as_draft", [False, True])
def test_every_kind_of_content_comes_back(block: Block, as_draft: bool) -> None:
    course, _ = read_body('<vertical url_name="parent"><html url_name="h0">x</html></vertical>')
    if as_draft:
        course.drafts[block.key] = Draft(block, "vertical@parent", 1)
    else:
        course.blocks["vertical@parent"].children.append(block.key)
        course.blocks[block.key] = block
    assert again(course) == course


def test_namespaces_come_back_without_growing() -> None:
    course, _ = read_body(
        '<my_tool url_name="t" xmlns:m="urn:m" m:kind="x"><m:part xmlns:n="urn:n" n:a="1"><plain/></m:part></my_tool>'
    )
    once = again(course)
    assert again(once) == once
    assert written(once) == written(again(once))
    assert once.blocks["my_tool@t"].xml_attributes == {"{urn:m}kind": "x"}


def test_an_edited_problem_settles_after_one_export() -> None:
    course, _ = read_body('<problem url_name="p" attempts="1">x</problem>')
    course.blocks["problem@p"].fields["data"] = '<problem attempts="7" weight="2.50"><br></br><![CDATA[a<b]]></problem>'
    once = again(course)
    assert once.blocks["problem@p"].settings == {"attempts": 1, "weight": 2.5}
    assert once.blocks["problem@p"].fields == {"data": "<problem><br/>a&lt;b</problem>"}
    assert written(once) == written(course)


# Made-up courses.

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
values: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
setting_names = st.sampled_from(
    ["display_name", "graded", "start", "weight", "odd", "tabs", "url_name", "name", "filename", "a b", "data"]
) | st.text(min_size=1, max_size=6).filter(lambda text: "\0" not in text and text.isprintable())
settings = st.dictionaries(setting_names, values, max_size=4)
xml_texts = st.sampled_from(
    ["<p>a</p>", "a &amp; b", "<a", "<a/>\n<b c='1'/>", "  ", "<!-- c --><x/>", "<![CDATA[<]]>", ""]
)
ids = st.text("abcXYZ019_-.~%é", min_size=1, max_size=8)
ids = ids.filter(lambda text: not text.startswith("._") and text.strip("."))
leaf_types = st.sampled_from(["html", "problem", "video", "my_tool", "poll", "drag-and-drop-v2", "ü"])
leaves = st.tuples(leaf_types, settings, texts | xml_texts | xml_texts.map(lambda text: f"<problem>{text}</problem>"))


@st.composite
def courses(draw: st.DrawFn) -> Course:
    course = Course("course", "Örg", "C.1", draw(ids), "course@course")
    root = course.blocks["course@course"] = Block("course", "course", settings=draw(settings))
    root.settings.pop("tabs", None)
    if draw(st.booleans()):
        root.fields["grading_policy"] = draw(st.dictionaries(texts, values, max_size=3))
    verticals: list[Block] = []
    for name in draw(st.lists(ids, max_size=3, unique=True)):
        vertical = Block(draw(st.sampled_from(["vertical", "wrapper", "chapter"])), name, settings=draw(settings))
        root.children.append(vertical.key)
        course.blocks[vertical.key] = vertical
        verticals.append(vertical)
        for leaf_name in draw(st.lists(ids, max_size=3, unique=True)):
            leaf = make_leaf(f"{name}:{leaf_name}", draw(leaves))
            vertical.children.append(leaf.key)
            course.blocks[leaf.key] = leaf
    for index, leaf_name in enumerate(draw(st.lists(ids, max_size=2, unique=True)) if verticals else []):
        draft = make_leaf(f"draft:{leaf_name}", draw(leaves))
        course.drafts[draft.key] = Draft(draft, draw(st.sampled_from(verticals)).key, index)
    for name in draw(st.lists(ids, max_size=2, unique=True)):
        course.blocks[f"about@{name}"] = Block("about", name, {"data": draw(texts)})
    for folder, name in draw(st.lists(st.tuples(st.sampled_from(["", "a/", "a/b/"]), ids), max_size=3, unique=True)):
        flat = folder.replace("/", "_") + name.replace("~", "_")
        if name.strip(".") and not name.endswith("~") and flat not in course.assets:
            data = f"bytes of {flat}".encode()
            digest = hashlib.sha256(data).hexdigest()
            extra: dict[str, Json] = {"k": draw(values.filter(lambda value: value is not None))}
            course.assets[flat] = Asset(
                flat, digest, len(data), "image/png", draw(ids), draw(st.booleans()), folder + name, extra
            )
    return course


def make_leaf(name: str, drawn: tuple[str, dict[str, Json], str]) -> Block:
    block_type, own, data = drawn
    return Block(block_type, name, {"data": data}, dict(own))


@given(courses())
def test_any_course_settles_after_one_export(course: Course) -> None:
    once = again(course)
    assert once.blocks.keys() == course.blocks.keys()
    assert {key: block.children for key, block in once.blocks.items()} == {
        key: block.children for key, block in course.blocks.items()
    }
    assert once.assets == course.assets
    assert {key: (draft.parent, draft.index) for key, draft in once.drafts.items()} == {
        key: (draft.parent, draft.index) for key, draft in course.drafts.items()
    }
    for key, block in course.blocks.items():
        if block.type != "problem" or '="' not in str(block.fields["data"]):
            assert once.blocks[key].settings == block.settings
        if block.type == "html":
            assert once.blocks[key].fields == block.fields
    assert again(once) == once
    assert course_files(once) == course_files(course)
    assert written(once) == written(course)


def test_an_archive_of_a_made_up_course_is_read_by_the_archive_reader(tmp_path: Path) -> None:
    course, _ = read_body('<html url_name="a">x</html>', {"static/é/ü.txt": "bytes of é_ü.txt"})
    (tmp_path / "a").write_bytes(written(course))
    assert read_course(read_archive(tmp_path / "a", tmp_path), Report(), Limits()) == course
    with gzip.open(tmp_path / "a") as plain:
        assert len(plain.read()) % tarfile.RECORDSIZE == 0
