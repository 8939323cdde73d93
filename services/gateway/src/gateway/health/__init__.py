"""The state of the whole system, and its documentation."""
