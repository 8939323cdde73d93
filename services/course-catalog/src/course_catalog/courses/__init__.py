"""Course runs as the catalogue shows them."""
