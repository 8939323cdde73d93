"""The asker's half of rebuilding a projection: a shadow is filled beside live traffic and takes its place at once."""
