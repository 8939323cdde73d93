"""Finding a course: by relevance, by facets."""
