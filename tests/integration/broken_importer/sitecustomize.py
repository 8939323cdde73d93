"""An importer with one fault: its parser forgets how often a problem may be tried. Proves that the comparison sees it.

Python imports this by itself in every process that has this folder on PYTHONPATH; only the parser is broken.
"""

import sys

if "olx.worker" in sys.orig_argv:
    import olx.snapshot

    _whole = olx.snapshot.to_snapshot

    def _forgetful(*arguments, **options):
        snapshot = _whole(*arguments, **options)
        for block in snapshot["blocks"].values():
            if block["type"] == "problem":
                block["settings"].pop("max_attempts", None)
        return snapshot

    olx.snapshot.to_snapshot = _forgetful
