"""The corpus is a folder of plain modules, which the integration tests use as well."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
