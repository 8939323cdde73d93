"""Who may read a course and its blocks, where its team says more than the default rules."""
