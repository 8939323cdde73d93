"""Enrollment by command on the bus: thousands at a time, an outcome for each item."""
