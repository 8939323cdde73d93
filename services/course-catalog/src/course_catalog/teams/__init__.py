"""Who has a role in a course, as content says."""
