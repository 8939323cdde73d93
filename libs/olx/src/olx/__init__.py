"""Read untrusted course archives, parse and write OLX."""

from pathlib import Path

from olx.report import Report


def validate(path: Path | str) -> Report:
    """What an import would report of an archive or a folder; `olx.errors.ArchiveRefused` where it would refuse."""
    from olx.offline import validate  # noqa: PLC0415  # loads the parsers, which most users of this package do not need

    return validate(path)
