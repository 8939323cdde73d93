"""The lists every course starts with, and how they are printed. No I/O."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from content.checklists.errors import BadChecklist

Json = dict[str, object]
Ticked = Collection[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to do; `action` is one of the symbols in `ACTIONS`, an address of its own, or nothing."""

    name: str
    short: str
    long: str
    action: str = ""
    action_text: str = ""
    external: bool = False


@dataclass(frozen=True, slots=True)
class Checklist:
    """A list of things to do. Names are what is stored: they stay when the texts get better."""

    name: str
    short: str
    items: Sequence[Item]


# Symbol → address of a course, filled in when a list goes out.
ACTIONS: Final[Mapping[str, str]] = {
    "ManageUsers": "/api/content/v1/course_team/{course}",
    "CourseOutline": "/course/{course}",
    "SettingsDetails": "/course/{course}/branch/draft",
    "SettingsGrading": "/xblock/{root}",
}

TEMPLATE: Final[Sequence[Checklist]] = (
    Checklist(
        "start", "Get started", (
            Item("team", "Bring in your team", "Give everyone who writes or teaches this course a role in it, so that "
                 "they can see the draft.", "ManageUsers", "Edit the course team"),
            Item("dates", "Set the dates", "Say when the course starts and ends, and from when to when learners can "
                 "enroll.", "SettingsDetails", "Edit dates"),
            Item("outline", "Sketch the outline", "Lay out sections and subsections before you write what is in them.",
                 "CourseOutline", "Edit the outline"),
            Item("grading", "Decide how to grade", "Choose the assignment types, their weights and the grades a "
                 "learner can reach.", "SettingsGrading", "Edit the grading policy"),
        ),
    ),
    Checklist(
        "write", "Write the course", (
            Item("first", "Write one section completely", "A finished first section shows early whether the plan "
                 "works.", "CourseOutline", "Edit the outline"),
            Item("media", "Upload pictures, documents and subtitles", "Every video has subtitles, every picture a text "
                 "that stands for it, and every file the right to be there."),
            Item("problems", "Add exercises with answers", "Each exercise has an answer, an explanation, and as many "
                 "attempts as you mean to give.", "CourseOutline", "Edit the outline"),
            Item("deadlines", "Give graded work its due dates", "Check each due date against the end of the course and "
                 "against holidays.", "CourseOutline", "Edit the outline"),
        ),
    ),
    Checklist(
        "announce", "Tell the world", (
            Item("about", "Write the about page", "Say who the course is for, what one learns in it, how long it takes "
                 "and what one must know before.", "SettingsDetails", "Edit the description"),
            Item("image", "Choose a picture and a short description", "Both stand for the course in every list.",
                 "SettingsDetails", "Edit the description"),
            Item("visible", "Check who can find the course", "Look at its visibility in the catalogue as somebody who "
                 "is not logged in.", "SettingsDetails", "Edit visibility"),
        ),
    ),
    Checklist(
        "review", "Check before the start", (
            Item("walk", "Walk through it as a learner", "Open every unit of the published course in the eyes of "
                 "someone who is enrolled.", "CourseOutline", "See the outline"),
            Item("drafts", "Publish what is ready", "Nothing that learners need is left in the draft.", "CourseOutline",
                 "See the outline"),
            Item("backup", "Export the course", "Keep an archive of the course as it was when it started."),
        ),
    ),
    Checklist(
        "close", "After the end", (
            Item("thanks", "Say goodbye", "Post a last update with what learners can do next."),
            Item("lessons", "Write down what to change", "Note for the next run what did not work."),
            Item("rerun", "Prepare the next run", "Make the next run from this one; it shares everything that "
                 "stays the same."),
        ),
    ),
)  # fmt: skip


def print_checklist(checklist: Checklist, ticked: Ticked, addresses: Mapping[str, str]) -> Json:
    """As the design of 2013 has it, symbols replaced by addresses."""
    return {
        "short_description": checklist.short,
        "items": [
            {
                "short_description": item.short,
                "long_description": item.long,
                "is_checked": (checklist.name, item.name) in ticked,
                "action_url": addresses.get(item.action, item.action),
                "action_text": item.action_text,
                "action_external": item.external,
            }
            for item in checklist.items
        ],
    }


def expand(course: str, root: str) -> dict[str, str]:
    """The address behind each symbol, for one course."""
    return {symbol: address.format(course=course, root=root) for symbol, address in ACTIONS.items()}


def read_ticks(checklist: Checklist, body: Mapping[str, object]) -> dict[str, bool]:
    """Of each item, in order, whether it is done; nothing else of a written list is taken. Raises `BadChecklist`."""
    items = body.get("items")
    if not isinstance(items, list) or len(items) != len(checklist.items):
        raise BadChecklist(f"This checklist has {len(checklist.items)} items.")
    ticks = {}
    for known, item in zip(checklist.items, items, strict=True):
        done = item.get("is_checked") if isinstance(item, dict) else None
        if not isinstance(done, bool):
            raise BadChecklist
        ticks[known.name] = done
    return ticks
