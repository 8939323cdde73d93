"""The catalogue row of every course run."""
