"""Courses in sound archives whose XML and JSON are not: what is wrong is left out and reported, the rest is read.

Each goes in as a course's files, and says what the report holds besides. The numbers are those of `README.md`.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from olx.testing import COURSE, Files, tar_gz


@dataclass(frozen=True, slots=True)
class OddCourse:
    """Files that are a course, and the codes its report holds."""

    name: str
    files: Callable[[], Files]
    codes: dict[str, int]
    blocks: int
    """How many blocks are read, the root among them."""
    extra: dict[str, object] = field(default_factory=dict)
    """Settings that the course's root must have."""

    def make(self) -> bytes:
        return tar_gz(self.files())


def _block(definition: str | bytes, *, block_type: str = "problem") -> Files:
    """A course with one block beside a good one."""
    return {
        **COURSE,
        "course/R.xml": f'<course><{block_type} url_name="x"/><html url_name="good">fine</html></course>',
        f"{block_type}/x.xml": definition,
    }


def _body(inside: str, files: Files | None = None) -> Files:
    return {**COURSE, "course/R.xml": f"<course>{inside}</course>", **(files or {})}


def _policy(text: str | bytes) -> Files:
    return {**COURSE, "policies/R/policy.json": text}


def _with_setting(text: str) -> Files:
    return _policy(f'{{"course/R": {{"odd": {text}}}}}')


def _long_text() -> str:
    """11 MB that do not shrink to nothing."""
    return "".join(hashlib.sha256(number.to_bytes(4)).hexdigest() for number in range((11 << 20) // 64))


_LAUGHS: Final = (
    '<!DOCTYPE problem [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9))
    + "]><problem>&j;</problem>"
)
_QUADRATIC: Final = f'<!DOCTYPE problem [<!ENTITY a "{"x" * 50_000}">]><problem>{"&a;" * 50_000}</problem>'
_PARAMETER: Final = (
    '<!DOCTYPE problem [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x.dtd"> %x;]><problem/>'  # a test listens there
)
_INCLUDE: Final = (
    '<problem xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="/etc/passwd" parse="text"/></problem>'
)

ODD_COURSES: Final[tuple[OddCourse, ...]] = (
    # XML.
    OddCourse("a billion laughs in a block", lambda: _block(_LAUGHS), {"xml_doctype": 1}, 2),
    OddCourse("quadratic growth in a block", lambda: _block(_QUADRATIC), {"xml_doctype": 1}, 2),
    OddCourse(
        "a file as an entity",
        lambda: _block('<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]><problem>&x;</problem>'),
        {"xml_doctype": 1},
        2,
    ),
    OddCourse("a parameter entity on the network", lambda: _block(_PARAMETER), {"xml_doctype": 1}, 2),
    OddCourse("a DOCTYPE and no more", lambda: _block("<!DOCTYPE problem><problem/>"), {"xml_doctype": 1}, 2),
    OddCourse("100,000 levels in a block", lambda: _block("<a>" * 100_000 + "</a>" * 100_000), {"xml_broken": 1}, 2),
    OddCourse(
        "100,000 attributes in a block",
        lambda: _block("<problem " + " ".join(f'a{n}="1"' for n in range(100_000)) + "/>"),
        {"xml_broken": 1},
        2,
    ),
    OddCourse("11 MB of text", lambda: _block(f"<problem>{_long_text()}</problem>"), {"xml_broken": 1}, 2),
    OddCourse("UTF-7", lambda: _block(b'<?xml version="1.0" encoding="utf-7"?><problem>+ADw-'), {"xml_broken": 1}, 2),
    OddCourse("UTF-16 without a mark", lambda: _block("<problem/>".encode("utf-16-le")), {"xml_broken": 1}, 2),
    OddCourse(
        "not the encoding it declares",
        lambda: _block(b'<?xml version="1.0" encoding="utf-8"?><problem>\xe9</problem>'),
        {"not_utf8": 1},
        2,
    ),
    OddCourse("a NUL", lambda: _block(b"<problem>\0</problem>"), {"xml_broken": 1}, 2),
    OddCourse("a NUL by its number", lambda: _block("<problem>&#0;</problem>"), {"xml_broken": 1}, 2),
    OddCourse("a lone surrogate by its number", lambda: _block("<problem>&#xD800;</problem>"), {"xml_broken": 1}, 2),
    OddCourse("an XInclude", lambda: _block(_INCLUDE), {}, 3),
    OddCourse(
        "a style sheet to fetch",
        lambda: _block('<?xml-stylesheet href="http://127.0.0.1:9/x.xsl"?><problem/>'),
        {"comment_dropped": 1},
        3,
    ),
    OddCourse(
        "a name that climbs",
        lambda: _body('<problem url_name="../../etc/passwd"/><html url_name="../x">in place</html>'),
        {"name_cleaned": 2, "file_missing": 1},
        2,
    ),
    OddCourse(
        "a text that climbs",
        lambda: _body('<html url_name="h" filename="../../../etc/passwd"/>'),
        {"file_missing": 1},
        1,
    ),
    OddCourse(
        "blocks in a circle",
        lambda: _body(
            '<vertical url_name="a"/>',
            {
                "vertical/a.xml": '<vertical><vertical url_name="b"/></vertical>',
                "vertical/b.xml": '<vertical><vertical url_name="a"/></vertical>',
            },
        ),
        {"child_cycle": 1},
        3,
    ),
    OddCourse(
        "one name for three blocks",
        lambda: _body("".join(f'<problem url_name="p">{n}</problem>' for n in range(3))),
        {"duplicate_renamed": 2},
        4,
    ),
    OddCourse(
        "elements of other namespaces",
        lambda: _body(
            '<x:tool xmlns:x="urn:x" url_name="a"/><tool xmlns="urn:y" url_name="b"/><ok url_name="c" d="1"/>'
        ),
        {"bad_block_type": 2},
        2,
    ),
    OddCourse(
        "5,000 comments before the root",
        lambda: _block("<!-- c -->" * 5000 + "<problem/>"),
        {"comment_dropped": 1},
        3,
    ),
    # JSON.
    OddCourse("100,000 levels of JSON", lambda: _policy("[" * 100_000), {"policy_broken": 1}, 1),
    OddCourse("101 levels of JSON", lambda: _with_setting("[" * 101 + "]" * 101), {"policy_broken": 1}, 1),
    OddCourse("a key twice", lambda: _policy('{"course/R": {"a": 1, "a": 2}}'), {"json_key_twice": 1}, 1, {"a": 2}),
    *(
        OddCourse(f"the number {text}", lambda text=text: _with_setting(text), {"policy_broken": 1}, 1)  # type: ignore[misc]
        for text in ("NaN", "Infinity", "1e999", "9" * 400)
    ),
    OddCourse("the number -0.0", lambda: _with_setting("-0.0"), {}, 1, {"odd": 0.0}),
    OddCourse("2^53 + 1", lambda: _with_setting(str(2**53 + 1)), {}, 1, {"odd": 2**53 + 1}),
    OddCourse("2^63", lambda: _with_setting(str(2**63)), {}, 1, {"odd": 2**63}),
    OddCourse("a lone surrogate", lambda: _with_setting(r'"\ud800"'), {"policy_broken": 1}, 1),
    OddCourse("a NUL in JSON", lambda: _with_setting(r'"\u0000"'), {"policy_broken": 1}, 1),
    OddCourse("JSON with a mark", lambda: _policy(b'\xef\xbb\xbf{"course/R": {"a": 1}}'), {}, 1, {"a": 1}),
    OddCourse("JSON in UTF-16", lambda: _policy('{"course/R": {}}'.encode("utf-16")), {"policy_broken": 1}, 1),
    *(
        OddCourse(f"{text} for an object", lambda text=text: _policy(text), {"policy_broken": 1}, 1)  # type: ignore[misc]
        for text in ("null", "7", '"x"', "[]", '{"course/R": 5}')
    ),
    OddCourse(
        "names of a language's insides",
        lambda: _policy('{"course/R": {"__proto__": {"a": 1}, "constructor": 2, "__class__": "x"}}'),
        {},
        1,
        {"__proto__": {"a": 1}, "constructor": 2, "__class__": "x"},
    ),
    OddCourse(
        "20,000 keys",
        lambda: _policy('{"course/R": {' + ",".join(f'"k{n}":{n}' for n in range(20_000)) + "}}"),
        {},
        1,
        {"k19999": 19_999},
    ),
    OddCourse("JSON cut off", lambda: _policy('{"course/R": {"a": 1'), {"policy_broken": 1}, 1),
    OddCourse("a comma too many", lambda: _policy('{"course/R": {"a": 1,}}'), {"policy_broken": 1}, 1),
    OddCourse(
        "grading that is a list",
        lambda: {**COURSE, "policies/R/grading_policy.json": "[]"},
        {"grading_broken": 1},
        1,
    ),
    OddCourse("updates cut off", lambda: {**COURSE, "info/updates.items.json": "[{"}, {"extra_field_broken": 1}, 1),
    OddCourse(
        "asset metadata that is a text",
        lambda: {**COURSE, "static/a.txt": "x", "policies/assets.json": '"x"'},
        {"asset_policy_broken": 1},
        1,
    ),
    # Names.
    OddCourse(
        "names apart in capitals alone",
        lambda: {**COURSE, "static/A.txt": "1", "static/a.txt": "2"},
        {"case_twins": 1},
        1,
    ),
)
