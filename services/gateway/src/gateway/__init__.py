"""Accounts, credentials, routes and rate limits in front of the services."""
