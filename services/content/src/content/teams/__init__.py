"""Who may change a course."""
