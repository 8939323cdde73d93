"""The item of a course: every field of the course API, from what its author wrote."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

import httpx
import orjson
import pytest

from common.keys import CourseKey
from course_catalog.courses.facts import NO_START, CourseFacts
from course_catalog.courses.rendering import image_uri, render_item, start_display, video_uri, without_tags

KEY = CourseKey.parse("course-v1:Org+Demo+1")
MakeCourse = Callable[..., CourseFacts]


class Bus(Protocol):
    async def hear(self, *facts: CourseFacts) -> None: ...


class Client(Protocol):
    async def get(self, url: str, *, headers: dict[str, str] | None = None) -> httpx.Response: ...


@pytest.mark.parametrize(
    ("month", "shown"),
    enumerate(
        ("Jan.", "Feb.", "March", "April", "May", "June", "July", "Aug.", "Sept.", "Oct.", "Nov.", "Dec."), start=1
    ),
)
def test_months_are_abbreviated_as_the_associated_press_does(month: int, shown: str) -> None:
    assert start_display(None, datetime(2015, month, 7, tzinfo=UTC)) == ("timestamp", f"{shown} 7, 2015")


@pytest.mark.parametrize(
    ("advertised", "start", "expected"),
    [
        ("Winter 2015", datetime(2015, 1, 1, tzinfo=UTC), ("string", "Winter 2015")),
        ("Winter 2015", NO_START, ("string", "Winter 2015")),
        ("", datetime(2015, 7, 17, 23, 59, tzinfo=UTC), ("timestamp", "July 17, 2015")),
        (None, NO_START, ("empty", None)),
    ],
)
def test_the_start_is_shown_as_text_date_or_not_at_all(
    advertised: str | None, start: datetime, expected: tuple[str, str | None]
) -> None:
    assert start_display(advertised, start) == expected


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("A <b>bold</b> & 3 < 4", "A bold & 3 < 4"),
        ("Two <x>", "Two"),
        ("", ""),
        ("  many \n spaces\t ", "many spaces"),
        ("a<!-- hidden -->b<br/>c", "abc"),
        ("<<b>b>nested", "nested"),
    ],
)
def test_tags_are_removed_from_names_and_nothing_is_escaped(raw: str, shown: str) -> None:
    assert without_tags(raw) == shown


@pytest.mark.parametrize(
    ("about", "video"),
    [
        (None, None),
        ("", None),
        ('<iframe src="//www.youtube.com/embed/abc_DEF-123?rel=0"></iframe>', "abc_DEF-123"),
        ("https://www.youtube.com/watch?v=abc_DEF-123", "abc_DEF-123"),
        ("https://youtu.be/abc_DEF-123", "abc_DEF-123"),
        ("0.75:slowslow123,1.0:abc_DEF-123", "slowslow123"),
        ("abc_DEF-123\n", "abc_DEF-123"),
        ("<p>no video here</p>", None),
    ],
)
def test_the_video_is_found_in_what_the_about_text_embeds(about: str | None, video: str | None) -> None:
    assert video_uri(about) == (f"http://www.youtube.com/watch?v={video}" if video else None)


@pytest.mark.parametrize(
    ("image", "uri"),
    [
        (None, "/asset-v1:Org+Demo+1+type@asset+block@images_course_image.jpg"),
        ("", "/asset-v1:Org+Demo+1+type@asset+block@images_course_image.jpg"),
        ("cover.png", "/asset-v1:Org+Demo+1+type@asset+block@cover.png"),
        ("images/my cover.png", "/asset-v1:Org+Demo+1+type@asset+block@images_my_cover.png"),
        ("/static/cover.png", "/asset-v1:Org+Demo+1+type@asset+block@cover.png"),
        ("https://cdn.example/cover.png", "https://cdn.example/cover.png"),
    ],
)
def test_images_are_where_content_serves_them(image: str | None, uri: str) -> None:
    assert image_uri(KEY, image) == uri


def test_an_item_has_every_field_of_the_course_api(a_course: MakeCourse) -> None:
    facts = a_course(
        start="2015-09-19T00:00:00Z",
        end="2015-12-01T10:30:00+02:00",
        enrollment_start=None,
        enrollment_end="2015-10-01",
        display_name="The <i>Demo</i>",
        self_paced=True,
        mobile_available=True,
        invitation_only=True,
        catalog_visibility="about",
        course_image="cover.png",
        banner_image="banner.png",
        about={"effort": "5 hours", "short_description": "Short", "overview": "<p>Long</p>", "video": "abc_DEF-123"},
    )
    asset = "/asset-v1:Org+Demo+1+type@asset+block@"
    assert orjson.loads(render_item(facts).replace("\x7f", "https://x.example")) == {
        "blocks_url": "https://x.example/api/courses/v2/blocks/?course_id=course-v1%3AOrg%2BDemo%2B1",
        "effort": "5 hours",
        "end": "2015-12-01T08:30:00Z",
        "enrollment_start": None,
        "enrollment_end": "2015-10-01T00:00:00Z",
        "id": "course-v1:Org+Demo+1",
        "media": {
            "banner_image": {"uri": f"{asset}banner.png", "uri_absolute": f"https://x.example{asset}banner.png"},
            "course_image": {"uri": f"{asset}cover.png"},
            "course_video": {"uri": "http://www.youtube.com/watch?v=abc_DEF-123"},
            "image": dict.fromkeys(("raw", "small", "large"), f"https://x.example{asset}cover.png"),
        },
        "name": "The Demo",
        "number": "Demo",
        "org": "Org",
        "short_description": "Short",
        "start": "2015-09-19T00:00:00Z",
        "start_display": "Sept. 19, 2015",
        "start_type": "timestamp",
        "pacing": "self",
        "mobile_available": True,
        "hidden": True,
        "invitation_only": True,
        "course_id": "course-v1:Org+Demo+1",
    }


def test_unset_settings_have_upstreams_defaults(a_course: MakeCourse) -> None:
    item = orjson.loads(render_item(a_course("Org/Demo/T1_2015", display_name=None, start=None)))
    assert item["id"] == item["course_id"] == "Org/Demo/T1_2015"
    assert item["blocks_url"].endswith("?course_id=Org%2FDemo%2FT1_2015")
    assert item["name"] == "T1 2015"
    assert (item["start"], item["start_type"], item["start_display"]) == ("2030-01-01T00:00:00Z", "empty", None)
    assert (item["effort"], item["short_description"], item["media"]["course_video"]) == (None, None, {"uri": None})
    assert (item["pacing"], item["hidden"], item["mobile_available"]) == ("instructor", False, False)


def test_display_overrides_stand_for_the_parts_of_the_key(a_course: MakeCourse) -> None:
    item = orjson.loads(render_item(a_course(display_organization="The Org", display_coursenumber="D.101")))
    assert (item["org"], item["number"]) == ("The Org", "D.101")


def test_unreadable_settings_count_as_unset_and_the_base_mark_cannot_be_smuggled_in(a_course: MakeCourse) -> None:
    facts = a_course(
        display_name="a\x7fb\x00c", start="soon", mobile_available="perhaps", max_student_enrollments_allowed="∞"
    )
    item = orjson.loads(render_item(facts))
    assert (item["name"], item["start_type"], item["mobile_available"]) == ("abc", "empty", False)
    assert facts.course.max_student_enrollments_allowed is None


@pytest.mark.parametrize(
    "odd",
    [
        {"start": "0001-01-01T00:00:00+14:00"},
        {"end": "9999-12-31T23:59:59-14:00"},
        {"enrollment_start": 1e300},
        {"start": "0001-01-01T00:00:00Z"},
        {"max_student_enrollments_allowed": "9" * 30},
        {"max_student_enrollments_allowed": 1e30},
        {"max_student_enrollments_allowed": -(10**25)},
        {"language": "x" * 10_000},
        {"catalog_visibility": "v" * 10_000},
        {"display_coursenumber": ["a", {"b": None}]},
        {"display_name": "n" * 100_000},
        {"advertised_start": {"a": 1}, "course_image": [1]},
    ],
)
async def test_no_odd_setting_keeps_a_course_out_of_the_catalogue(
    client: Client, bus: Bus, a_course: MakeCourse, odd: dict[str, object]
) -> None:
    await bus.hear(a_course(**odd), a_course("Neighbour"))
    for headers in ({}, {"Accept": "text/html"}):
        answer = await client.get("/api/courses/v1/courses/course-v1:Org+Demo+1", headers=headers)
        assert answer.status_code == 200, answer.text
    assert (await client.get("/api/courses/v1/courses/")).json()["pagination"]["count"] == 2


def test_the_first_year_has_four_digits(a_course: MakeCourse) -> None:
    item = orjson.loads(render_item(a_course(start="0001-02-03T04:05:06.7Z")))
    assert (item["start"], item["start_display"]) == ("0001-02-03T04:05:06Z", "Feb. 3, 1")
