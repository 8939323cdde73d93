"""Reports for staff: how many are enrolled where, and a course's enrollments as CSV."""
