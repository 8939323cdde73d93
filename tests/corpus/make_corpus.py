"""Write the corpus to a folder: `python tests/corpus/make_corpus.py FOLDER`; `manifest.json` says what to expect.

The bytes are the same every time, and nothing of it lies in the repository: a virus scanner would not like it there.
"""

import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Final

from bad_archives import BAD_ARCHIVES
from odd_courses import ODD_COURSES

NUMBERED: Final[dict[int, tuple[str, ...]]] = {
    # Paths and links.
    1: ("climbing path", "zip with a climbing name"),
    2: ("absolute path",),
    3: ("path that comes back",),
    4: ("drive letter", "climbing with backslashes", "zip with a climbing name of Windows"),
    5: ("file below a link",),
    6: ("hard link out",),
    7: ("hard link to a deeper link",),
    8: ("link without a target", "link called like the top folder", "link called like a folder"),
    9: ("links longer than a path can be",),
    # Members.
    10: ("device", "pipe"),
    11: ("sparse file",),
    12: ("claim of 1 TiB", "claim of 1 TiB, plain"),
    13: ("negative size", "size in base 256"),
    14: ("60,000 empty members",),
    15: ("10 GiB of zeros in one member", "10 GiB of zeros in 20 members"),
    16: ("gzip in gzip",),
    17: ("two archives in one", "two archives, one gzip member each"),
    18: ("junk after the end",),
    19: ("5 MB of comment",),
    20: ("climbing path in an extension",),
    21: ("same name twice", "same name, spelled apart", "zip with the same name twice"),
    22: ("names apart in capitals alone", "same letter, composed and decomposed"),
    23: ("NUL in a name", "newline in a name", "turned-around name", "long name"),
    24: ("wrong checksum", "wrong header", "gzip cut off", "tar cut off", "tar without an end"),
    25: ("overlapping zip", "zip bomb", "zip bomb in pieces"),
    26: (
        "zip with two names",
        "zip with another size",
        "zip that lies in 64 bits",
        "zip that is streamed and lies",
        "zip with another checksum",
    ),
    27: ("zip with a link",),
    28: ("encrypted zip",),
    29: ("not a tar",),
    30: ("nothing", "empty tar", "no course.xml", "two roots"),
    # XML.
    31: ("a billion laughs", "a billion laughs in a block"),
    32: ("quadratic growth in a block",),
    33: ("external entity", "a file as an entity"),
    34: ("a parameter entity on the network",),
    35: ("DOCTYPE", "a DOCTYPE and no more"),
    36: ("100,000 levels", "100,000 levels in a block"),
    37: ("100,000 attributes", "100,000 attributes in a block"),
    38: ("11 MB of text",),
    39: ("UTF-7", "UTF-16 without a mark", "not the encoding it declares"),
    40: ("a NUL", "a NUL by its number", "a lone surrogate by its number"),
    41: ("an XInclude",),
    42: ("a style sheet to fetch",),
    43: ("a name that climbs", "a text that climbs"),
    44: ("blocks in a circle",),
    45: ("one name for three blocks",),
    46: ("elements of other namespaces",),
    # JSON.
    47: ("100,000 levels of JSON", "101 levels of JSON"),
    48: ("a key twice",),
    49: ("the number NaN", "the number Infinity", "the number 1e999", "the number -0.0"),
    50: ("2^53 + 1", "2^63", f"the number {'9' * 400}"),
    51: ("a lone surrogate", "a NUL in JSON"),
    52: ("JSON with a mark", "JSON in UTF-16"),
    53: ("null for an object", "[] for an object", "grading that is a list", "asset metadata that is a text"),
    54: ("names of a language's insides", "20,000 keys"),
    55: ("JSON cut off", "a comma too many", "updates cut off"),
}
"""Which entries stand for which of the known kinds of bad input."""


def write(folder: Path, only: Collection[str] = ()) -> list[dict[str, object]]:
    folder.mkdir(parents=True, exist_ok=True)
    listed: list[dict[str, object]] = []
    for number, entry in enumerate([*BAD_ARCHIVES, *ODD_COURSES]):
        if only and entry.name not in only:
            continue
        file = f"{number:03}.archive"
        (folder / file).write_bytes(entry.make())
        expected: object = entry.codes if entry in ODD_COURSES else getattr(entry, "code", None)
        listed.append({"name": entry.name, "file": file, "expected": expected})
    (folder / "manifest.json").write_text(json.dumps(listed, indent=1))
    return listed


if __name__ == "__main__":
    print(f"{len(write(Path(sys.argv[1])))} archives in {sys.argv[1]}")
