"""One file for each thing that authors do to blocks; all work on an open edit, and none commits."""
