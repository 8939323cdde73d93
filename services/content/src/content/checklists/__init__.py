"""What a team has to do in the life of a course, and what of it is done."""
