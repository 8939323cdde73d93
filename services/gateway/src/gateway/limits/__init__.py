"""Who may ask how often: a policy file, an exact moving window in memory or in Redis, and the answer's headers."""
