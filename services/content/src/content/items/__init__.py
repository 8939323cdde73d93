"""Single blocks and courses at the addresses of 2013 and of Studio, as JSON and as pages."""
