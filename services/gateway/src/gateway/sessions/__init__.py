"""Logging in and out with a browser."""
