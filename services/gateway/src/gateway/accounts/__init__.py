"""Accounts and what belongs to a person: external ids, org roles, creator grants."""
