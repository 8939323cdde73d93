"""A typed client for Lectern, and the lectern command for robots."""
