"""Programs: courses and other programs that lead somewhere together."""
