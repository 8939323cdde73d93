"""Enrollments and their history, by HTTP and by command."""
