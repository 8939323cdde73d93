"""The course's list of tabs, which names its static pages."""

from content.courses.overview import DEFAULT_TABS
from content.versions.branches import Block
from content.versions.editing import Edit
from content.versions.models import local_id
from content.versions.publishing import publish_itself

STATIC_TAB = "static_tab"


async def name_tab(edit: Edit, page: Block) -> None:
    """The tab of a static page has the page's name. A page without a tab stays without one."""
    name = page.settings.get("display_name")
    tabs = await _tabs(edit)
    if tabs is not None and isinstance(name, str):
        await _write(edit, [{**tab, "name": name} if _is_of(tab, page) else tab for tab in tabs])


async def add_tab(edit: Edit, page: Block) -> None:
    """A new static page is the last tab, behind the usual ones where the course names none."""
    tab = {"type": STATIC_TAB, "name": page.settings.get("display_name"), "url_slug": local_id(page.block_id)}
    tabs = await _tabs(edit)
    await _write(edit, [*(DEFAULT_TABS if tabs is None else tabs), tab])


async def remove_tab(edit: Edit, page: Block) -> None:
    tabs = await _tabs(edit)
    if tabs is not None:
        await _write(edit, [tab for tab in tabs if not _is_of(tab, page)])


async def _tabs(edit: Edit) -> list[dict[str, object]] | None:
    tabs = (await edit.draft.root()).settings.get("tabs")
    return [tab for tab in tabs if isinstance(tab, dict)] if isinstance(tabs, list) else None


async def _write(edit: Edit, tabs: list[dict[str, object]]) -> None:
    root = await edit.draft.root()
    edit.draft.put(root.changed(settings={**root.settings, "tabs": tabs}))
    await publish_itself(edit, root.block_id)


def _is_of(tab: dict[str, object], page: Block) -> bool:
    return tab.get("type") == STATIC_TAB and tab.get("url_slug") == local_id(page.block_id)
