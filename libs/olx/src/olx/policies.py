"""Policy and grading files: settings that are kept beside the blocks, and win over them."""

from olx.json_files import read_object
from olx.model import Course, local_key
from olx.names import block_name
from olx.report import Report
from olx.tags import CUSTOM_TAGS, is_known
from olx.tree import Tree
from olx.values import Json, coerce


def read_policies(course: Course, tree: Tree, report: Report, used: set[str]) -> None:
    """Lay the run's policy over the blocks, and take its grading policy."""
    _read_policy(course, tree, report, used)
    _read_grading(course, tree, report, used)


def _read_policy(course: Course, tree: Tree, report: Report, used: set[str]) -> None:
    paths = [f"policies/{course.run}/policy.json", f"policies/{course.run}.json"]
    found = [path for path in paths if path in tree.files and tree.read(path).strip()]
    if not found:
        used.update(path for path in paths if path in tree.files)
        report.add("policy_missing", f"There is no {paths[0]}", file=paths[0])
        return
    path = found[0]
    used.add(path)
    policy = read_object(tree, path, report, "policy_broken", "dropped")
    for name, settings in (policy or {}).items():
        if not isinstance(settings, dict):
            report.add("policy_broken", f"The entry {name!r} is not a JSON object", file=path, action="dropped")
            continue
        key = _block_of(name, course)
        if key not in course.blocks:
            message = f"The policy speaks of {name!r}, which is not in the course"
            report.add("policy_unknown_block", message, file=path, action="ignored")
            continue
        if is_known(course.blocks[key].type) and "name" in settings and "display_name" not in settings:
            settings = {"display_name": settings.pop("name"), **settings}
        _overlay(course.blocks[key].settings, settings, name, path, report)


def _overlay(settings: dict[str, Json], policy: dict[str, Json], name: str, path: str, report: Report) -> None:
    for setting, written in policy.items():
        # An attribute that says the very same text was written to be that text.
        value = written if settings.get(setting) == written else coerce(setting, written)
        if setting in settings and settings[setting] != value:
            message = f"{name} sets {setting} otherwise than its attribute does"
            report.add("policy_override", message, file=path, action="replaced")
        settings[setting] = value


def _block_of(name: str, course: Course) -> str:
    block_type, _, block_id = name.partition("/")
    if (block_type, block_id) == (course.kind, course.run):
        return course.root
    return local_key("customtag" if block_type in CUSTOM_TAGS else block_type, block_name(block_id))


def _read_grading(course: Course, tree: Tree, report: Report, used: set[str]) -> None:
    for path in (f"policies/{course.run}/grading_policy.json", "grading_policy.json"):
        if path not in tree.files:
            continue
        used.add(path)
        grading = read_object(tree, path, report, "grading_broken", "dropped")
        if grading is not None:
            course.blocks[course.root].fields["grading_policy"] = grading
        return
