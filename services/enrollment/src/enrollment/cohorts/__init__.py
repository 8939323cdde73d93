"""Cohorts: a course's groups of learners, of which each learner is in one at most."""
