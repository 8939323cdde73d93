"""Who is on which course's team, as content says."""
