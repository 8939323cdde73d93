"""What the catalogue says about courses, as far as enrollment decides on it."""
