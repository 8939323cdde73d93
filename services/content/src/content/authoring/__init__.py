"""Writing blocks: Studio's handlers, the authoring REST API, the design of 2013, and our own publications."""
