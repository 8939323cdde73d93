"""How a course may be taken: its modes, their prices, and the default."""
