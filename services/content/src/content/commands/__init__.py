"""Commands heard from the bus: their form, their refusals, their answers."""
