"""Taking out of the blob store what nothing refers to any more."""
