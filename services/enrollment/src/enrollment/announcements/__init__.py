"""Saying again, on request, what is true now."""
