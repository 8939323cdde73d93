"""Forgetting a person: their names give way to the replacement, and their enrollments end."""
