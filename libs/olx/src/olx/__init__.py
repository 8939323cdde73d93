"""Read untrusted course archives, parse and write OLX."""
