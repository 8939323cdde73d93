"""Imports that a push to a repository begins: hooks per course, the pushes they hear of, and what became of each."""
