"""The moving windows against the plain rule they stand for."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from gateway.limits.windows import LocalWindows


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([2, 4]), st.floats(0, 30)), max_size=60))
def test_a_request_fits_exactly_when_the_window_has_room(steps):
    clock, history = Clock(), defaultdict(list)
    windows = LocalWindows(clock)
    for key, limit, pause in steps:
        clock.now += pause
        inside = [moment for moment in history[key] if moment > clock.now - 60]
        count = windows.count("c", key, seconds=60, limit=limit)
        assert count.fits == (len(inside) < limit)
        if count.fits:
            history[key].append(clock.now)
            assert count.used == len(inside) + 1
        else:
            assert count.used == len(inside)
            later = LocalWindows(clock)
            later._times = {("c", key): type(windows._times["c", key])(inside)}
            clock.now += count.wait + 1e-6
            assert later.count("c", key, seconds=60, limit=limit, hit=False).fits
            clock.now -= count.wait + 1e-6


def test_looking_counts_nothing():
    windows = LocalWindows(Clock())
    assert all(windows.count("c", "k", seconds=60, limit=1, hit=False).fits for _ in range(3))
    assert windows.count("c", "k", seconds=60, limit=1).fits
    assert not windows.count("c", "k", seconds=60, limit=1, hit=False).fits


def test_forgotten_keys_take_no_room():
    clock = Clock()
    windows = LocalWindows(clock)
    for number in range(100):
        windows.count("c", str(number), seconds=60, limit=5)
    clock.now += 59
    windows.count("c", "0", seconds=60, limit=5)
    clock.now += 2
    windows.sweep()
    assert len(windows) == 1
