"""Copies of what content and the catalogue say about courses, and who may import and export them."""
