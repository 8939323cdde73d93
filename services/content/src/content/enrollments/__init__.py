"""The copy of who is enrolled, which is who may read."""
