"""Rebuilding what the catalogue keeps of other services' state, while it goes on being read."""
