"""Imports: an uploaded archive becomes a snapshot, a command to content, and the outcome of it."""
