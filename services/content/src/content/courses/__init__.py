"""Courses: what there is, how one comes to be, and how it is announced."""
