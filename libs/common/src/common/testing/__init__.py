"""Pytest support shared by every package."""
