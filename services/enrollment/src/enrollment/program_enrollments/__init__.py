"""Who is in a program, in which of its courses, and under which key of the organization's own."""
