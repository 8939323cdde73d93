"""Saying again what the gateway knows, for a service that rebuilds its copy of it."""
