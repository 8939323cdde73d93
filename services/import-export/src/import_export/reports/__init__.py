"""What reading an archive has shown, as JSON, as CSV and as a page."""
