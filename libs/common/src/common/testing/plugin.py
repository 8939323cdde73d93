"""Fixtures: real PostgreSQL and RabbitMQ, service resources, caller headers."""
