"""Saying again what content knows, for a service that rebuilds its copy of it."""
