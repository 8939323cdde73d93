"""What an author should look at before a course opens: upstream's validation and quality figures."""
