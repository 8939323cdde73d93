"""Credentials: OAuth2 clients and tokens, API tokens, published keys, and who is behind a request's credentials."""
