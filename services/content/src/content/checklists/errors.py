"""Refusals about checklists."""

from common.errors import Invalid, NotFound


class BadIndex(Invalid):
    """Could not save checklist state because the checklist index was out of range or unspecified."""

    code = "bad_checklist_index"


class BadChecklist(Invalid):
    """A checklist is an object with a list of items, each an object that says in is_checked whether it is done."""

    code = "bad_checklist"


class OnlyJson(NotFound):
    """Checklists are written in JSON, and answered in it."""

    code = "not_found"
