"""Import and export of whole courses."""
