"""Every code a report or a refusal can carry: how grave it is, and what it means to the author of the course.

`libs/olx/README.md` prints these tables (`python -m olx.codes` writes them); a test keeps the two equal.
"""

from typing import Final, Literal

Severity = Literal["error", "warning", "info"]
Action = Literal["reported", "dropped", "ignored", "renamed", "cleaned", "shared", "replaced"]

ACTIONS: Final[dict[Action, str]] = {
    "reported": "read as it stands",
    "dropped": "left out, though it was meant to be part of the course",
    "ignored": "left out, since it is no part of a course or says nothing",
    "renamed": "kept under another name",
    "cleaned": "kept under the nearest name that a key can hold",
    "shared": "kept once, with several parents",
    "replaced": "read as something else, or replaced by what counts more",
}
"""What was done about what an entry reports."""

REPORT_CODES: Final[dict[str, tuple[Severity, str]]] = {
    # Blocks that could not be read: each is left out and named here.
    "file_missing": (
        "error",
        "A block points at a definition or text file that is not in the archive; the block is left out.",
    ),
    "xml_broken": ("error", "A definition file is not well-formed XML; its block is left out."),
    "xml_doctype": (
        "error",
        "A definition file has a DOCTYPE, which course content never needs; its block is left out.",
    ),
    "not_utf8": ("error", "A text file is not UTF-8; its block is left out."),
    "bad_block_type": ("error", "An element's name cannot be the type of a block; it is left out."),
    "child_cycle": ("error", "A block contains itself through its children; the inner occurrence is left out."),
    "too_deep": ("error", "Blocks are nested deeper than a course may be; what is below is left out."),
    # Names.
    "duplicate_renamed": ("warning", "Two different blocks have one type and name; the later one got a new name."),
    "duplicate_child": ("warning", "A container lists the same child twice; it is kept once."),
    "shared_child": ("info", "A block has more than one parent; it is kept once and listed by each."),
    "name_cleaned": ("warning", "A name has characters a key may not hold; they became '_'."),
    "unnamed_block": ("info", "A block without url_name got a name made from its content."),
    # Definitions that are probably not what the author meant.
    "possible_pointer": (
        "warning",
        "An element with url_name and more attributes is read as it stands, though its definition file exists.",
    ),
    "only_a_pointer": (
        "warning",
        "A definition file holds nothing but a pointer, which is not followed; its block is empty.",
    ),
    "tag_mismatch": (
        "info",
        "A definition file's element has another tag than the pointer to it; the pointer's tag is the type.",
    ),
    "unexpected_text": ("warning", "Text between the children of a container is left out."),
    "url_name_mismatch": (
        "info",
        "A definition file says another url_name than the pointer to it; the pointer's counts.",
    ),
    "content_ignored": (
        "warning",
        "An element whose content is in another file has content of its own; it is left out.",
    ),
    "comment_dropped": ("info", "Comments between blocks are left out; those inside a block's content are kept."),
    "aside_dropped": ("warning", "What an extension has noted beside a container's children is left out."),
    "meta_broken": ("warning", "A <meta> child holds no JSON object; it is left out."),
    "custom_tag_translated": ("info", "An old custom tag is read as a customtag block."),
    "attribute_ignored": ("info", "An attribute that is never a setting is left out."),
    "orphan_file": ("warning", "No block points at this definition file; it is left out."),
    "file_ignored": ("info", "A file that is no part of a course is left out."),
    "other_root": ("warning", "A second course lies deeper in the archive; it is left out."),
    # The root.
    "root_no_org": ("warning", "The root element names no organization."),
    "root_no_course": ("warning", "The root element names no course number."),
    "root_old_name": ("warning", "The root element's run is taken from its old attribute slug or name."),
    # Policies and grading.
    "policy_broken": ("error", "A policy file is not a JSON object; it is left out."),
    "json_key_twice": ("warning", "A JSON object has one name twice; only its last value counts."),
    "policy_missing": ("warning", "The course has no policy file."),
    "policy_override": ("info", "The policy file sets something else than the attribute; the policy counts."),
    "policy_unknown_block": ("warning", "The policy file speaks of a block that is not in the course."),
    "grading_broken": ("error", "The grading policy is not a JSON object; it is left out."),
    # Extra content and files.
    "extra_field_broken": ("error", "A JSON file beside an extra page is not readable; it is left out."),
    "extra_replaced": ("info", "A file of the run's own folder replaces the general one."),
    "asset_renamed": ("warning", "Two static files have the same flat name; the later one got a new name."),
    "asset_name_cleaned": (
        "info",
        "A static file's name has characters a key may not hold; they became '_' in its key.",
    ),
    "asset_policy_broken": (
        "warning",
        "policies/assets.json is not readable; names and locks come from the files alone.",
    ),
    "asset_type_unknown": (
        "info",
        "policies/assets.json gives a file a type nobody knows; the type is guessed from its name.",
    ),
    "case_twins": (
        "warning",
        "The names of two files differ only in capital letters; where systems do not tell them apart, one is lost.",
    ),
    "static_missing": ("warning", "A text uses a file of /static/ that is not in the archive."),
    "jump_missing": ("warning", "A text links to a block that is not in the course."),
    "backup_ignored": ("info", "A file whose name ends with ~ is an editor's backup; it is left out."),
    "junk_ignored": ("info", "Files that operating systems leave behind (._*, .DS_Store, __MACOSX) are left out."),
    "asset_policy_orphan": ("info", "policies/assets.json speaks of a file that is not in the archive."),
    "asset_lock_unreadable": ("warning", "An asset's lock is neither true nor false; it is read as locked."),
    # Drafts.
    "draft_parent_missing": ("error", "A draft names a parent that is not in the course; the draft is left out."),
    "draft_bad_index": ("warning", "A draft's position is not a number; it comes last."),
    "draft_broken": ("error", "A draft could not be read; it is left out."),
    # Links, with links=skip.
    "link_skipped": ("warning", "A link was left out, as the caller asked."),
    # The report itself.
    "more_entries": ("info", "Further entries of one code are counted but not listed."),
}

REFUSAL_CODES: Final[dict[str, str]] = {
    "not_an_archive": "The file is neither a gzipped tar, a tar nor a zip archive.",
    "truncated": "The archive ends in the middle.",
    "corrupt": "The archive is damaged: a checksum or header is wrong.",
    "trailing_data": "There is data after the end of the archive.",
    "empty_archive": "The archive holds no file.",
    "too_many_members": "The archive has more members than allowed.",
    "member_too_large": "A member is larger than allowed.",
    "archive_too_large": "The unpacked archive is larger than allowed.",
    "ratio_too_high": "The archive unpacks to far more than its own size, as only a bomb does.",
    "header_too_large": "A member's header is larger than allowed.",
    "too_slow": "Reading took longer than allowed.",
    "name_illegal": "A member's name has characters no file of a course may have.",
    "name_too_long": "A member's name is longer or deeper than allowed.",
    "name_not_utf8": "A member's name is not UTF-8.",
    "path_absolute": "A member's path is absolute.",
    "path_climbs": "A member's path climbs with '..'.",
    "path_conflict": "A member lies below another member that is no folder.",
    "duplicate_member": "Two members have the same name.",
    "special_member": "A member is a device, a pipe, a sparse file or of an unknown kind.",
    "encrypted_member": "A member is encrypted.",
    "unsupported_compression": "A member is compressed in a way that is not read here.",
    "zip_overlap": "Members of the zip archive overlap.",
    "zip_mismatch": "The zip archive's directory and a member's own header disagree.",
    "link_outside": "A link leaves the course's folder.",
    "link_dangling": "A link points at nothing.",
    "link_loop": "A link leads back to itself.",
    "link_directory": "A link points at a folder.",
    "no_course_xml": "There is no course.xml (for a library: library.xml).",
    "foreign_archive": "This is a backup of another system, not a course in OLX.",
    "two_roots": "Two folders hold a course.xml; which is the course cannot be told.",
    "root_broken": "The root element cannot be read.",
    "root_doctype": "The root file has a DOCTYPE, which course content never needs.",
    "root_no_run": "The root element has neither url_name nor an older name.",
    "too_many_blocks": "The course has more blocks than allowed.",
    "too_much_memory": "Reading took more memory than allowed.",
    "spool_failed": "The reader could not store what it read.",
    "parser_died": "The parser process ended unexpectedly; nothing was read.",
}


def tables() -> str:
    """The catalogue in Markdown."""
    report = [f"| `{code}` | {severity} | {meaning} |" for code, (severity, meaning) in REPORT_CODES.items()]
    actions = [f"| `{action}` | {meaning} |" for action, meaning in ACTIONS.items()]
    refusals = [f"| `{code}` | {meaning} |" for code, meaning in REFUSAL_CODES.items()]
    return "\n".join(
        [
            "## Report codes",
            "",
            "| code | severity | meaning |",
            "|---|---|---|",
            *report,
            "",
            "Each entry says in `action` what was done:",
            "",
            "| action | meaning |",
            "|---|---|",
            *actions,
            "",
            "## Refusal codes",
            "",
            "An archive refused is not read at all. `ArchiveRefused` carries the code, a message and the member.",
            "",
            "| code | meaning |",
            "|---|---|",
            *refusals,
            "",
        ]
    )


if __name__ == "__main__":
    print(tables())  # noqa: T201 - this is what it is for
