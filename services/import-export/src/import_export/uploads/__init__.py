"""Receive an archive: multipart or raw, streamed to a spool file, measured and named."""
