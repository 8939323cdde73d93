"""Exports: any version of a course as an archive, built once and kept while there is room."""
