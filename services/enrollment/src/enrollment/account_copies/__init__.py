"""Accounts as far as enrollment needs them."""
