"""The job that every import and export is, whoever asked for it and wherever it has come to."""
