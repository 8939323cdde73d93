"""Studio's asynchronous handlers, for the tools that speak to them: `/import`, `/export` and their status."""
