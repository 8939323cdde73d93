"""Saying again what the catalogue knows, for a service that rebuilds its copy of it."""
