"""The rules of enrollment by command, without a database."""

from datetime import UTC, datetime, timedelta

import pytest

from enrollment.enrollments.models import (
    DEFERRABLE,
    TEXTS,
    Course,
    Decision,
    Learner,
    Options,
    Place,
    Seats,
    Standing,
    Wish,
    decide_enroll,
    decide_unenroll,
)

NOW = datetime(2026, 5, 1, tzinfo=UTC)
PAST, FUTURE = NOW - timedelta(days=1), NOW + timedelta(days=1)
ALICE = Learner(1, "alice", "alice@example.com", is_staff=False)
STAFF = Learner(2, "root", "root@example.com", is_staff=True)
NONE, ACTIVE, INACTIVE = Standing(), Standing(3, "audit", True), Standing(4, "audit", False)
ALL = Options(ignore_window=True, ignore_capacity=True, ignore_invitation=True, ignore_mode_expiry=True)


def course(**fields):
    modes = (("audit", None), ("honor", None), ("verified", FUTURE), ("professional", PAST))
    values = {"n": 1, "key": "course-v1:O+C+R", "capacity": None, "enrollment_start": None, "enrollment_end": None}
    return Course(**{**values, "invitation_only": False, "has_allowed": False, "modes": modes, **fields})


OPEN, CLOSED = course(), course(enrollment_end=PAST)
INVITED, EARLY = course(invitation_only=True), course(enrollment_start=FUTURE)
ENROLLED = Decision("enrolled", mode="audit", is_active=True)


def rejected(code):
    return Decision("rejected", code)


ENROLL = [
    # wish, place, decision
    (Wish(), Place(OPEN, ALICE), ENROLLED),
    (Wish("verified"), Place(OPEN, ALICE), Decision("enrolled", mode="verified", is_active=True)),
    (Wish(), Place(OPEN, ALICE, INACTIVE), ENROLLED),
    (Wish("honor"), Place(OPEN, ALICE, INACTIVE), Decision("enrolled", mode="honor", is_active=True)),
    (Wish(), Place(OPEN, ALICE, Standing(4, "verified", False)), ENROLLED),
    (Wish(), Place(OPEN, ALICE, ACTIVE), Decision("unchanged", "already_enrolled")),
    (Wish("audit"), Place(OPEN, ALICE, ACTIVE), Decision("unchanged", "already_enrolled")),
    (Wish("verified"), Place(OPEN, ALICE, ACTIVE), Decision("enrolled", mode="verified", is_active=True)),
    (Wish("verified"), Place(CLOSED, ALICE, ACTIVE), Decision("enrolled", mode="verified", is_active=True)),
    (Wish(), Place(CLOSED, ALICE, ACTIVE), Decision("unchanged", "already_enrolled")),
    # modes
    (Wish("nope"), Place(OPEN, ALICE), rejected("mode_unavailable")),
    (Wish("nope"), Place(OPEN, ALICE, ACTIVE), rejected("mode_unavailable")),
    (Wish("professional"), Place(OPEN, ALICE), rejected("mode_unavailable")),
    (
        Wish("professional", options=Options(ignore_mode_expiry=True)),
        Place(OPEN, ALICE),
        Decision("enrolled", mode="professional", is_active=True),
    ),
    (
        Wish("professional", is_active=False),
        Place(OPEN, ALICE),
        Decision("unenrolled", mode="professional", is_active=False),
    ),
    (Wish(), Place(course(modes=()), ALICE), ENROLLED),
    (Wish(), Place(course(modes=(("verified", PAST),)), ALICE), ENROLLED),
    (Wish(), Place(course(modes=(("verified", None),)), ALICE), rejected("mode_unavailable")),
    (
        Wish(),
        Place(course(modes=(("honor", None), ("verified", None))), ALICE),
        Decision("enrolled", mode="honor", is_active=True),
    ),
    (
        Wish("credit", attributes=(("a", "b", "c"),)),
        Place(course(modes=(("credit", None),)), ALICE),
        rejected("attributes_missing"),
    ),
    (
        Wish("credit", attributes=(("credit", "provider_id", "x"),)),
        Place(course(modes=(("credit", None),)), ALICE),
        Decision("enrolled", mode="credit", is_active=True),
    ),
    # window and invitation
    (Wish(), Place(CLOSED, ALICE), rejected("enrollment_closed")),
    (Wish(), Place(EARLY, ALICE), rejected("enrollment_closed")),
    (Wish(), Place(CLOSED, ALICE, INACTIVE), rejected("enrollment_closed")),
    (Wish(options=Options(ignore_window=True)), Place(CLOSED, ALICE), ENROLLED),
    (Wish(options=Options(ignore_invitation=True)), Place(CLOSED, ALICE), rejected("enrollment_closed")),
    (Wish(), Place(INVITED, ALICE), rejected("invitation_only")),
    (Wish(options=Options(ignore_window=True)), Place(INVITED, ALICE), rejected("invitation_only")),
    (Wish(options=Options(ignore_invitation=True)), Place(INVITED, ALICE), ENROLLED),
    (Wish(), Place(CLOSED, STAFF), ENROLLED),
    (Wish(), Place(INVITED, ALICE, on_team=True), ENROLLED),
    (Wish(), Place(INVITED, ALICE, allowed_id=9), ENROLLED),
    (Wish(), Place(INVITED, ALICE, allowed_id=9, allowed_to=1), ENROLLED),
    (Wish(), Place(OPEN, ALICE, allowed_id=9, allowed_to=2), rejected("invitation_only")),
    (Wish(options=ALL), Place(OPEN, ALICE, allowed_id=9, allowed_to=2), ENROLLED),
    # seats
    (Wish(), Place(OPEN, ALICE, seats=Seats(5, 5)), rejected("course_full")),
    (Wish(), Place(OPEN, ALICE, seats=Seats(5, 4)), ENROLLED),
    (Wish(), Place(OPEN, ALICE, seats=Seats(5, 5), on_team=True), ENROLLED),
    (Wish(options=Options(ignore_capacity=True)), Place(OPEN, ALICE, seats=Seats(5, 5)), ENROLLED),
    (Wish(), Place(OPEN, ALICE, ACTIVE, seats=Seats(5, 5)), Decision("unchanged", "already_enrolled")),
    # inactive
    (Wish(is_active=False), Place(OPEN, ALICE), Decision("unenrolled", mode="audit", is_active=False)),
    (Wish(is_active=False), Place(CLOSED, ALICE, ACTIVE), Decision("unenrolled", mode="audit", is_active=False)),
    (Wish(is_active=False), Place(CLOSED, ALICE, INACTIVE), Decision("unchanged", "not_enrolled")),
    # a mode that the course has no more is left like any other
    *(
        (Wish(is_active=False), Place(OPEN, ALICE, Standing(5, "masters", active)), decision)
        for active, decision in (
            (True, Decision("unenrolled", mode="masters", is_active=False)),
            (False, Decision("unchanged", "not_enrolled")),
        )
    ),
    (Wish("masters", is_active=False), Place(OPEN, ALICE, INACTIVE), rejected("mode_unavailable")),
    (Wish("honor", is_active=False), Place(OPEN, ALICE, ACTIVE), Decision("unenrolled", mode="honor", is_active=False)),
]


@pytest.mark.parametrize(("wish", "place", "decision"), ENROLL)
def test_an_enroll_item(wish, place, decision):
    assert decide_enroll(wish, place, now=NOW, issued_at=NOW) == decision


@pytest.mark.parametrize(
    ("standing", "decision"),
    [
        (NONE, Decision("unchanged", "not_enrolled")),
        (INACTIVE, Decision("unchanged", "not_enrolled")),
        (ACTIVE, Decision("unenrolled", mode="audit", is_active=False)),
    ],
)
def test_an_unenroll_item(standing, decision):
    assert decide_unenroll(Place(CLOSED, ALICE, standing), issued_at=NOW) == decision


@pytest.mark.parametrize("last", [None, PAST, NOW, FUTURE])
def test_only_an_item_older_than_the_last_one_is_superseded(last):
    place = Place(OPEN, ALICE, Standing(3, "audit", True, last))
    superseded = Decision("unchanged", "superseded")
    assert (decide_unenroll(place, issued_at=NOW) == superseded) is (last == FUTURE)
    assert (decide_enroll(Wish("honor"), place, now=NOW, issued_at=NOW) == superseded) is (last == FUTURE)


def test_seats_are_counted_down_and_given_back():
    seats = Seats(2, 1)
    place = Place(OPEN, ALICE, seats=seats)
    assert [decide_enroll(Wish(), place, now=NOW, issued_at=NOW).outcome for _ in range(2)] == ["enrolled", "rejected"]
    decide_unenroll(Place(OPEN, ALICE, ACTIVE, seats=seats), issued_at=NOW)
    assert (seats.taken, seats.delta) == (1, 0)
    decide_unenroll(Place(OPEN, STAFF, ACTIVE, seats=seats, on_team=True), issued_at=NOW)
    assert seats.taken == 1


def test_every_code_has_a_text():
    assert set(TEXTS) >= DEFERRABLE
    assert all(text.endswith(".") for text in TEXTS.values())
