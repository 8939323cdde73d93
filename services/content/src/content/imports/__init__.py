"""Whole courses in and out, by command."""
