"""Jobs: whole files of enrollments in and out, carried out piece by piece beside the small calls."""
