"""Enrollments: who is in which course, in which mode, since when."""
