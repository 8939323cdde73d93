"""Places of courses in the order of their keys."""

import pytest

from course_catalog.courses.models import GAP, MIDDLE, NoGap, places_between


@pytest.mark.parametrize(
    ("before", "after", "number"),
    [(None, None, 3), (MIDDLE, None, 3), (None, MIDDLE, 3), (MIDDLE, MIDDLE + GAP, 500), (10, 14, 3)],
)
def test_places_ascend_strictly_between_their_neighbours(before: int | None, after: int | None, number: int) -> None:
    places = list(places_between(before, after, number))
    assert len(places) == len(set(places)) == number
    assert [before or 0, *places, after or 1 << 63] == sorted([before or 0, *places, after or 1 << 63])
    assert before not in places
    assert after not in places


def test_a_full_gap_is_told() -> None:
    with pytest.raises(NoGap):
        places_between(10, 13, 3)


def test_tens_of_thousands_of_courses_fit_before_the_last_one_by_one() -> None:
    before, after = MIDDLE, MIDDLE + GAP
    for _ in range(50_000):
        before = places_between(before, after, 1)[0]
    assert before < after
