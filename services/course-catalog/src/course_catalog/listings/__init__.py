"""What the catalogue itself says about a course: who may find it, and how it is advertised. No publish changes it."""
