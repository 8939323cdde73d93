"""The end of a course, its way back, and its next run."""
