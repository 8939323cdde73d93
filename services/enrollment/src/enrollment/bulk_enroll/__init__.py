"""Many learners in many courses in one call, as instructors do it: no window, no limit, no invitation asked for."""
