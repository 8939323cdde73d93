"""Uploaded files: bytes, headers, lists."""
