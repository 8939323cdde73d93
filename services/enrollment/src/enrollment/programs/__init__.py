"""What the catalogue says about programs, and the gateway about external keys, as far as enrollment decides on it."""
