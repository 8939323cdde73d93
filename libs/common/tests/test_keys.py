"""The key grammar: a table of what each spelling means, and another library's parser as the judge of the rest."""

import contextlib
import re
import warnings

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from common.keys import (
    AssetKey,
    CourseKey,
    DefinitionKey,
    InvalidKey,
    Locator,
    UsageKey,
    clean_asset_name,
    clean_name,
    is_name,
    long_branch,
    parse_guid,
    short_branch,
)

G = "5f4dcc3b5aa765d61d8327de"
COURSE = CourseKey("MITx", "6.002x", "2026_T1")


@pytest.mark.parametrize("text", ["course-v1:MITx+6.002x+2026_T1", "MITx/6.002x/2026_T1"])
def test_both_spellings_name_one_course(text: str) -> None:
    assert CourseKey.parse(text) == COURSE
    assert hash(CourseKey.parse(text)) == hash(COURSE)
    assert str(CourseKey.parse(text)) == "course-v1:MITx+6.002x+2026_T1"


def test_a_course_prints_every_form() -> None:
    assert COURSE.canonical == "course-v1:MITx+6.002x+2026_T1"
    assert COURSE.slashed == "MITx/6.002x/2026_T1"
    assert COURSE.dotted == "MITx.6.002x.2026_T1"
    assert not COURSE.is_library


def test_a_library_is_no_course_run() -> None:
    library = CourseKey.parse("library-v1:OpenedX+Bank")
    assert library.is_library
    assert str(library) == "library-v1:OpenedX+Bank"
    assert library != CourseKey("OpenedX", "Bank", "library")
    assert str(library.usage("problem", "p1")) == "lib-block-v1:OpenedX+Bank+type@problem+block@p1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a/b",
        "a//c",
        "a/b/c/d",
        "a/b/c\n",
        "a/b/c?x",
        " course-v1:a+b+c",
        "course-v1:a+b",
        "course-v1:a+b+c+",
        "course-v1:a+b+c+d",
        "course-v1:a+b+c\n",
        "course-v1:a b+b+c",
        "course-v1:a+b+c%20",
        "course-v1:a+b+c/../x",
        "course-v1:a+b+c+branch@draft",
        "course-v1:a++c",
        "COURSE-V1:a+b+c",
        "library-v1:a",
        "library-v1:a+b+c",
        "block-v1:a+b+c+type@html+block@x",
        "course-v1:" + "a" * 250 + "+b+c",
        "course-v1:a\x00b+b+c",
    ],
)
def test_what_is_no_course_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidKey):
        CourseKey.parse(text)


def test_other_scripts_are_letters_too() -> None:
    assert CourseKey.parse("course-v1:МИФИ+Курс+2026").org == "МИФИ"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("block-v1:MITx+6.002x+2026_T1+type@html+block@intro", UsageKey(COURSE, "html", "intro")),
        (
            f"block-v1:MITx+6.002x+2026_T1+branch@draft-branch+version@{G}+type@html+block@a:b",
            UsageKey(COURSE, "html", "a:b", "draft", G),
        ),
        (f"block-v1:version@{G}+type@html+block@x", UsageKey(None, "html", "x", None, G)),
        ("i4x://MITx/6.002x/html/intro", UsageKey(COURSE, "html", "intro")),
        ("i4x://MITx/6.002x/html/intro@draft", UsageKey(COURSE, "html", "intro", "draft")),
        ("i4x://Other/6.002x/html/x", UsageKey(None, "html", "x", legacy=("Other", "6.002x"))),
        (
            "lib-block-v1:O+L+type@problem+block@p",
            UsageKey(CourseKey("O", "L", "library", "library"), "problem", "p"),
        ),
    ],
)
def test_block_keys_are_read(text: str, expected: UsageKey) -> None:
    assert UsageKey.parse(text, COURSE) == expected


@pytest.mark.parametrize(
    "text",
    [
        "block-v1:a+b+c+type@html",
        "block-v1:a+b+c+block@x",
        "block-v1:a+b+c+block@x+type@html",
        "block-v1:a+b+c+type@html+type@html+block@x",
        "block-v1:a+b+c+type@html+block@x y",
        "block-v1:a+b+c+type@html+block@",
        "block-v1:a+b+c+version@12+type@html+block@x",
        "block-v1:a+b+type@html+block@x",
        "course-v1:a+b+c",
        "i4x://a/b/html",
        "i4x://a/b/html/x/y",
        "i4x://a/b/html/x@y@z",
        "i4x://a/b/html/x\n",
        "i4x://a//html/x",
        "asset-v1",
    ],
)
def test_what_is_no_block_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidKey):
        UsageKey.parse(text)


def test_an_unresolved_i4x_key_prints_as_it_came() -> None:
    text = "i4x://MITx/6.002x/html/intro@draft"
    key = UsageKey.parse(text)
    assert key.course is None
    assert str(key) == text
    assert UsageKey.parse(text, COURSE).i4x == text


def test_a_block_moves_between_branches_and_versions() -> None:
    key = UsageKey(COURSE, "html", "x", "draft", G)
    assert key.without_version() == UsageKey(COURSE, "html", "x", "draft")
    assert key.on_branch("published-branch") == UsageKey(COURSE, "html", "x", "published")
    assert key.at_version("0" * 24).version == "0" * 24
    assert key.local == "html@x"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("asset-v1:MITx+6.002x+2026_T1+type@asset+block@a_b.png", AssetKey(COURSE, "a_b.png")),
        ("asset-v1:MITx+6.002x+2026_T1+type@thumbnail+block@a.jpg", AssetKey(COURSE, "a.jpg", "thumbnail")),
        ("asset-v1:MITx+6.002x+2026_T1+type@asset+block@a%20b.png", AssetKey(COURSE, "a%20b.png")),
        ("/c4x/MITx/6.002x/asset/a.png", AssetKey(COURSE, "a.png")),
        ("c4x/MITx/6.002x/asset/a.png", AssetKey(COURSE, "a.png")),
        ("/c4x/Else/1/asset/a.png", AssetKey(None, "a.png", legacy=("Else", "1"))),
    ],
)
def test_asset_keys_are_read_and_printed(text: str, expected: AssetKey) -> None:
    key = AssetKey.parse(text, COURSE)
    assert key == expected
    assert AssetKey.parse(str(key), COURSE) == key
    assert AssetKey.parse(key.c4x, COURSE) == key


@pytest.mark.parametrize(
    "text",
    ["/c4x/a/b/asset/", "/c4x/a/b/asset/x/y", "asset-v1:a+b+c+block@x", "asset-v1:a+b+c+type@asset+block@a/b", "x.png"],
)
def test_what_is_no_asset_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidKey):
        AssetKey.parse(text)


def test_a_librarys_asset_is_told_by_its_library() -> None:
    library = CourseKey.parse("library-v1:O+L")
    assert AssetKey.parse(str(library.asset("a.png")), library) == AssetKey(library, "a.png")


def test_definition_keys_are_read_in_every_form() -> None:
    assert DefinitionKey.parse(f"def-v1:{G}+type@html") == DefinitionKey(G, "html")
    assert DefinitionKey.parse(f"defx://{G.upper()}") == DefinitionKey(G)
    assert DefinitionKey.parse("a" * 32) == DefinitionKey("a" * 32)
    assert str(DefinitionKey(G, "html")) == f"def-v1:{G}+type@html"
    for text in ("def-v1:12+type@html", f"def-v1:{G}+", f"def-v1:{G}+html", f"def-v1:{G}+type@", "", f"defx://{G}x"):
        with pytest.raises(InvalidKey):
            DefinitionKey.parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mitx.6.002x.t1_2013", Locator(dotted="mitx.6.002x.t1_2013")),
        (
            "edx://mitx.6.002x.t1_2013/branch/published/block/root",
            Locator(dotted="mitx.6.002x.t1_2013", branch="published", block="root"),
        ),
        (
            f"EDX://mitx.6.002x.t1_2013/Branch/draft/VERSION/{G}/Block/HW3",
            Locator(dotted="mitx.6.002x.t1_2013", branch="draft", version=G, block="HW3"),
        ),
        (f"Version/{G}/BLOCK/HW3", Locator(version=G, block="HW3")),
        ("MITx/Branch/2026_T1", Locator(CourseKey("MITx", "Branch", "2026_T1"))),
        ("Block/6.002x/2026_T1/Block/x", Locator(CourseKey("Block", "6.002x", "2026_T1"), block="x")),
        ("mitx.6.002x.t1_2013/branch/draft-branch", Locator(dotted="mitx.6.002x.t1_2013", branch="draft")),
        (f"version/{G.upper()}/block/HW3", Locator(version=G, block="HW3")),
        (f"edx://version/{'a' * 32}", Locator(version="a" * 32)),
        ("MITx/6.002x/2026_T1", Locator(COURSE)),
        (f"MITx/6.002x/2026_T1/branch/draft/version/{G}", Locator(COURSE, branch="draft", version=G)),
        ("course-v1:MITx+6.002x+2026_T1/branch/draft/block/x", Locator(COURSE, branch="draft", block="x")),
        ("edx://course-v1:MITx+6.002x+2026_T1", Locator(COURSE)),
        (f"course-v1:version@{G}", Locator(version=G)),
        ("course-v1:MITx+6.002x+2026_T1+branch@published-branch", Locator(COURSE, branch="published")),
        ("block-v1:MITx+6.002x+2026_T1+block@x", Locator(COURSE, block="x")),
        (
            "block-v1:MITx+6.002x+2026_T1+type@html+block@x",
            Locator(COURSE, block_type="html", block="x"),
        ),
        (
            "i4x://MITx/6.002x/html/x",
            Locator(block_type="html", block="x", legacy=("MITx", "6.002x")),
        ),
    ],
)
def test_locators_say_where_an_address_points(text: str, expected: Locator) -> None:
    assert Locator.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "a.b",
        "a/b",
        "block/x",
        "branch/draft",
        "a.b.c/block",
        "a.b.c/block/x/branch/draft",
        "a.b.c/version/12",
        "a.b.c/wrong",
        "a.b.c/block/x y",
        "edx://",
        "library-v1:a",
    ],
)
def test_what_is_no_locator_is_refused(text: str) -> None:
    with pytest.raises(InvalidKey):
        Locator.parse(text)


def test_a_dotted_name_is_filled_in_from_a_lookup() -> None:
    where = Locator.parse("mitx.6.002x.t1_2013/branch/draft").in_course(COURSE)
    assert where == Locator(COURSE, branch="draft")
    with pytest.raises(InvalidKey):
        _ = where.usage


def test_branches_have_a_short_and_a_long_name() -> None:
    assert [short_branch(name) for name in ("draft-branch", "draft", "library")] == ["draft", "draft", "library"]
    assert [long_branch(name) for name in ("draft", "published-branch", "library")] == [
        "draft-branch",
        "published-branch",
        "library",
    ]


def test_guids_are_lower_case_inside() -> None:
    assert parse_guid("ABCDEF" * 4) == "abcdef" * 4
    with pytest.raises(InvalidKey):
        parse_guid("abc")


def test_names_are_cleaned_to_what_keys_hold() -> None:
    assert clean_name("Week 1:  Über (alles)") == "Week_1:_Über_alles_"
    assert clean_asset_name("images/a b (1).png") == "images_a_b__1_.png"
    assert is_name("a.b:c~d%20")
    assert not is_name("a b")


# The oracle: the library upstream itself uses. It is a development tool here and ships with nothing.

GOOD_PART = st.text(alphabet="ab9_-~.:é", min_size=1, max_size=6)
ANY_PART = st.one_of(GOOD_PART, GOOD_PART, GOOD_PART, st.text(alphabet="ab.%+@/ \n:", max_size=4))
ORACLE_TEXT = st.one_of(
    st.builds("course-v1:{}+{}+{}".format, ANY_PART, ANY_PART, ANY_PART),
    st.builds("block-v1:{}+{}+{}+type@{}+block@{}".format, ANY_PART, ANY_PART, ANY_PART, ANY_PART, ANY_PART),
    st.builds("asset-v1:{}+{}+{}+type@{}+block@{}".format, ANY_PART, ANY_PART, ANY_PART, ANY_PART, ANY_PART),
    st.builds("{}/{}/{}".format, ANY_PART, ANY_PART, ANY_PART),
    st.builds("i4x://{}/{}/{}/{}".format, ANY_PART, ANY_PART, ANY_PART, ANY_PART),
    st.builds("library-v1:{}+{}".format, ANY_PART, ANY_PART),
    st.builds("lib-block-v1:{}+{}+type@{}+block@{}".format, ANY_PART, ANY_PART, ANY_PART, ANY_PART),
    st.builds(
        f"block-v1:{{}}+{{}}+{{}}+branch@{{}}+version@{G}+type@{{}}+block@{{}}".format,
        *[ANY_PART] * 6,
    ),
)


def ours(kind: str, text: str) -> str | None:
    parse = {"course": CourseKey.parse, "usage": UsageKey.parse, "asset": AssetKey.parse}[kind]
    try:
        return str(parse(text))
    except InvalidKey:
        return None


def theirs(kind: str, text: str) -> str | None:
    from opaque_keys import InvalidKeyError
    from opaque_keys.edx import keys

    parse = {"course": keys.CourseKey, "usage": keys.UsageKey, "asset": keys.AssetKey}[kind].from_string
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            key = parse(text)
            if kind == "course" and getattr(key, "deprecated", False):
                return f"course-v1:{key.org}+{key.course}+{key.run}"
            return str(key)
        except InvalidKeyError:
            return None


def is_deliberate(kind: str, text: str) -> bool:
    """Where we differ on purpose."""
    if "%" in text:
        return True  # block ids may hold %, so that every i4x:// id has a canonical form; course parts may not
    if kind == "course":
        if text.startswith("library-v1:"):
            return text.count("+") > 1 or "@" in text  # nothing may follow a library's name
        if text.startswith("course-v1:"):
            return "+type@" in text or "+branch@" in text or "+block@" in text  # no part of a course's identity
        # Every course has a slashed form that is read again, and none is without a run.
        return ":" in text or "~" in text or text.endswith("/")
    if text.startswith("lib-block-v1:"):
        return text.partition("+type@")[0].count("+") > 1  # nothing may follow a library's name
    if "+version@" in text and text.partition("+branch@")[0].count("+") != 2:
        return True  # with a version they overlook half a course
    if kind == "usage" and text.startswith("asset-v1:"):
        return True  # an asset is no block
    if text.startswith("i4x://"):
        parts = text[6:].split("/")
        # They take anything as the type of an i4x key, even what its canonical form could not hold.
        return ":" in text[6:] or "~" in text or (len(parts) == 4 and not re.fullmatch(r"[\w.-]+", parts[2]))
    return False


@given(kind=st.sampled_from(["course", "usage", "asset"]), text=ORACLE_TEXT)
@example(kind="course", text="course-v1:a+b+c")
@example(kind="usage", text="block-v1:a+b+c+type@html+block@x")
def test_the_grammar_is_upstreams(kind: str, text: str) -> None:
    if not is_deliberate(kind, text):
        expected = theirs(kind, text)
        if expected is not None:
            expected = expected.replace("branch@draft+", "branch@draft-branch+")
        assert ours(kind, text) == expected


@given(kind=st.sampled_from(["course", "usage", "asset"]), text=ORACLE_TEXT)
def test_what_is_read_prints_so_that_it_reads_the_same(kind: str, text: str) -> None:
    printed = ours(kind, text)
    if printed is not None:
        assert ours(kind, printed) == printed


@given(st.text(max_size=40))
def test_any_text_is_a_key_or_refused(text: str) -> None:
    for parse in (CourseKey.parse, UsageKey.parse, AssetKey.parse, DefinitionKey.parse, Locator.parse):
        with contextlib.suppress(InvalidKey):
            parse(text)
