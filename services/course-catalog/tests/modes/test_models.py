"""What a course offers, and which mode an enrollment gets that names none."""

from datetime import UTC, datetime, timedelta

import pytest

from course_catalog.modes.models import Mode, default_slug, offered

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PAST, FUTURE = NOW - timedelta(days=1), NOW + timedelta(days=1)
AUDIT = Mode(slug="audit", name="Audit")
HONOR = Mode(slug="honor", name="Honor")
CREDIT = Mode(slug="credit", name="Credit")
PROFESSIONAL = Mode(slug="professional", name="Professional", min_price=100)


def verified(expires: datetime | None) -> Mode:
    return Mode(slug="verified", name="Verified", min_price=49, expiration_datetime=expires)


@pytest.mark.parametrize(
    ("modes", "options", "expected"),
    [
        ([], {}, ["audit"]),
        ([verified(PAST)], {}, ["audit"]),
        ([verified(PAST)], {"expired": True}, ["verified"]),
        ([verified(NOW)], {}, ["verified"]),
        ([HONOR, verified(FUTURE), CREDIT], {}, ["honor", "verified", "credit"]),
        ([HONOR, CREDIT], {"selectable_only": True}, ["honor"]),
        ([CREDIT], {"selectable_only": True}, ["audit"]),
    ],
)
def test_a_course_offers_its_current_modes_or_exactly_the_default(
    modes: list[Mode], options: dict[str, bool], expected: list[str]
) -> None:
    assert [mode.slug for mode in offered(modes, AUDIT, now=NOW, **options)] == expected


@pytest.mark.parametrize(
    ("modes", "expected"),
    [
        ([], "audit"),
        ([HONOR, verified(None)], "honor"),
        ([HONOR, AUDIT], "audit"),
        ([verified(None)], "audit"),
        ([PROFESSIONAL], "audit"),
    ],
)
def test_the_default_mode_is_the_first_of_a_fixed_order_that_is_offered(modes: list[Mode], expected: str) -> None:
    assert default_slug(modes, AUDIT, now=NOW) == expected


def test_a_platform_default_of_its_own_goes_first() -> None:
    assert default_slug([AUDIT, HONOR], HONOR, now=NOW) == "honor"
