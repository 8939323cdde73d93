"""The parking lot: messages that could not be handled, kept to be looked at, replayed or discarded."""
