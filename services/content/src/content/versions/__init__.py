"""Branches, versions and block rows: the store."""
