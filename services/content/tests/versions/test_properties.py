"""Random authors against a naive model: every version ever made reads back as it was, whatever came after it.

The model keeps two whole trees as plain dictionaries and a deep copy of them for every version. The store keeps rows
that hold from one version to another. Both are driven by the same operations; a difference is a lost or invented edit.
"""

import asyncio
import copy
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from common.database import raw
from common.errors import Refusal
from common.keys import CourseKey
from content.authoring.operations.creating import create_block
from content.authoring.operations.deleting import delete_block
from content.authoring.operations.duplicating import duplicate_block
from content.authoring.operations.moving import move_block
from content.authoring.operations.updating import update_block
from content.authoring.schemas import BlockIn
from content.courses.operations import Creator, claim_course, write_first_versions
from content.versions.branches import Block
from content.versions.editing import open_edit
from content.versions.models import ASSET, DIRECT_ONLY, DRAFT, PUBLISHED, make_row
from content.versions.operations import Author
from content.versions.publishing import discard, has_changes, publish, unpublish
from content.versions.queries import find_heads, get_version_part, get_version_tree, read_assets, read_definitions
from content.versions.reverting import revert

ROOT = "course@course"
BELOW = {"course": "chapter", "chapter": "sequential", "sequential": "vertical", "vertical": "wrapper"}
DEPTH = {"course": 0, "chapter": 1, "sequential": 2}


@dataclass
class Node:
    """One block of the model."""

    type: str
    parent: str | None
    children: list[str] = field(default_factory=list)
    settings: dict = field(default_factory=dict)
    data: str | None = None

    @property
    def is_direct(self):
        return self.type in DIRECT_ONLY


Branch = dict[str, Node]


class Model:
    """Two trees, naively."""

    def __init__(self):
        self.draft: Branch = {ROOT: Node("course", None)}
        self.published: Branch = copy.deepcopy(self.draft)

    def below(self, branch: Branch, top: str) -> list[str]:
        found, todo = [], [top] if top in branch else []
        while todo:
            block = todo.pop()
            if block not in found:
                found.append(block)
                todo += [child for child in branch[block].children if child in branch]
        return found

    def above(self, branch: Branch, block: str) -> list[str]:
        line = []
        while (block := branch[block].parent) is not None and block in branch and block not in line:
            line.append(block)
        return line

    def unlist(self, branch: Branch, parent: str | None, block: str) -> None:
        if parent in branch and block in branch[parent].children:
            branch[parent].children.remove(block)

    def publish_itself(self, block: str) -> None:
        node = self.draft.get(block)
        if node is None or not node.is_direct or (node.parent is not None and node.parent not in self.published):
            return
        twin = self.published.get(block)
        before = twin.children if twin else []
        chosen = [
            child
            for child in [*node.children, *before]
            if child in self.published and (child in before or self.published[child].parent == block)
        ]
        self.published[block] = copy.deepcopy(node)
        self.published[block].children = merged(node.children, chosen, before)
        self.place(block, twin)

    def place(self, block: str, twin: Node | None) -> None:
        """In the published parent that the draft says, at the draft's place, and in no other."""
        node = self.draft[block]
        self.leave(block, twin)
        parent = self.published.get(node.parent or "")
        if parent is not None and block in self.draft[node.parent].children:
            parent.children = merged(self.draft[node.parent].children, [*parent.children, block], parent.children)

    def leave(self, block: str, twin: Node | None) -> None:
        if twin is not None and twin.parent != self.draft[block].parent:
            old = self.draft.get(twin.parent or "")
            if old is None or block not in old.children:
                self.unlist(self.published, twin.parent, block)

    def publish(self, top: str) -> bool:
        lines, was = self.below(self.draft, top), self.below(self.published, top)
        gone = set(was) - set(lines)
        parent = self.draft[top].parent
        if parent is not None and (parent not in self.published or parent in gone):
            return False
        twins = {block: self.published.get(block) for block in lines}
        for block in gone:
            del self.published[block]
        for block in lines:
            self.published[block] = copy.deepcopy(self.draft[block])
        self.place(top, twins[top])
        for block in lines:
            self.leave(block, twins[block])
        return True

    def discard(self, top: str) -> bool:
        was = self.below(self.published, top)
        if not was:
            return False
        old = {block: self.draft[block] for block in was if block in self.draft}
        now = {below for block in old for below in self.below(self.draft, block)} | set(self.below(self.draft, top))
        home = self.published[top].parent
        lost = home is not None and (home not in self.draft or bool({home, *self.above(self.draft, home)} & now))
        if lost and (top not in old or old[top].parent in now):
            return False
        for block in now - set(was):
            del self.draft[block]
        for block in was:
            self.draft[block] = copy.deepcopy(self.published[block])
        for block in was:
            if block != top and block in old and old[block].parent != self.draft[block].parent:
                self.unlist(self.draft, old[block].parent, block)
        if lost:
            self.draft[top].parent = old[top].parent
        elif home is not None:
            if top in old and old[top].parent != home:
                self.unlist(self.draft, old[top].parent, top)
            siblings = self.draft[home].children
            if top not in siblings and home in self.published and top in self.published[home].children:
                self.draft[home].children = merged(siblings, [*siblings, top], self.published[home].children)
        return True

    def unpublish(self, top: str) -> None:
        parent = self.published[top].parent
        for block in self.below(self.published, top):
            del self.published[block]
        self.unlist(self.published, parent, top)

    def remove(self, top: str) -> None:
        node = self.draft[top]
        for block in self.below(self.draft, top):
            del self.draft[block]
        self.unlist(self.draft, node.parent, top)
        if node.is_direct and top in self.published:
            self.unpublish(top)

    def go_back(self, to: Branch) -> None:
        before, self.draft = self.draft, copy.deepcopy(to)
        changed = [block for block in to if before.get(block) != to[block]]
        for block in sorted(changed, key=lambda name: (DEPTH.get(to[name].type, 3), name)):
            if to[block].type == ASSET:
                self.published[block] = copy.deepcopy(to[block])
            else:
                self.publish_itself(block)
        for block in before.keys() - to.keys():
            if before[block].type == ASSET:
                self.published.pop(block, None)
            elif before[block].is_direct and block in self.published:
                self.unpublish(block)


def merged(order: list[str], chosen: list[str], before: list[str]) -> list[str]:
    """The chosen in this order; those it does not name right after what was before them."""
    children = [child for child in order if child in chosen]
    for number, child in enumerate(before):
        if child in chosen and child not in children:
            ahead = [other for other in reversed(before[:number]) if other in children]
            children.insert(children.index(ahead[0]) + 1 if ahead else 0, child)
    return children


class Authors(RuleBasedStateMachine):
    """Real operations on a real database, from a thread; the loop that owns the connections runs beside it."""

    loop: asyncio.AbstractEventLoop
    resources = None
    runs = 0

    def __init__(self):
        super().__init__()
        Authors.runs += 1
        self.course = CourseKey("Org", "Random", f"r{Authors.runs}")
        self.model = Model()
        self.versions: dict[str, Branch] = {}
        self.names = 0
        self.made = {ROOT: 0}
        guids = self.wait(self.start())
        self.remember(guids[DRAFT], guids[PUBLISHED])

    def wait(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    async def start(self):
        async with self.resources.sessions.begin() as session:
            connection = await raw(session)
            await claim_course(connection, self.course, spelling=self.course.canonical, creator=Creator(1, "random"))
            rows = {ROOT: make_row(ROOT, "course")}
            await write_first_versions(connection, self.course, rows, [], Author(1, "random", "create"))
        return await find_heads(self.resources.pool, self.course.canonical)

    async def edit(self, change):
        async with self.resources.sessions.begin() as session:
            opened = await open_edit(await raw(session), self.course, Author(1, "random", "edit"))
            result = await change(opened)
            saved = await opened.save(session)
        return saved, result

    def change(self, change):
        """Carry it out; the model must have changed already."""
        saved, result = self.wait(self.edit(change))
        self.remember(saved.guid, saved.published_guid)
        return result

    def remember(self, draft, published):
        """A version that is new holds what the model says now; one that is not must not have changed."""
        for guid, branch in ((draft, self.model.draft), (published, self.model.published)):
            known = self.versions.setdefault(guid, copy.deepcopy(branch))
            assert known == branch, f"{guid} was not made anew, although something changed"

    def pick(self, data, wanted=lambda node: True, *, branch=None, root=True):
        tree = self.model.draft if branch is None else branch
        names = [name for name, node in tree.items() if node.type != ASSET and wanted(node)]
        return data.draw(self.one_of(name for name in names if root or name != ROOT))

    def one_of(self, names):
        """In the order of their making: made-up names sort differently every time, and what is drawn must not."""
        return st.sampled_from(sorted(names, key=self.made.__getitem__))

    def has(self, branch, wanted=lambda node: True):
        return any(name != ROOT and node.type != ASSET and wanted(node) for name, node in branch.items())

    @rule(data=st.data())
    def create(self, data):
        parent = self.pick(data, lambda node: node.type != "html")
        kind = self.model.draft[parent].type
        category = data.draw(
            st.sampled_from([BELOW[kind]] if kind in BELOW and kind != "vertical" else ["html", "wrapper"])
        )
        made = {}

        async def change(edit):
            block = await create_block(edit, parent, BlockIn(category=category, display_name="new"))
            made["id"] = block.block_id

        saved, _ = self.wait(self.edit(change))
        name = made["id"]
        self.made[name] = len(self.made)
        self.model.draft[name] = Node(category, parent, settings={"display_name": "new"})
        self.model.draft[parent].children.append(name)
        for block in (parent, name):
            self.model.publish_itself(block)
        self.remember(saved.guid, saved.published_guid)

    @rule(data=st.data(), n=st.integers(0, 2), text=st.sampled_from([None, "a", "b"]))
    def update(self, data, n, text):
        block = self.pick(data)
        node = self.model.draft[block]
        node.settings["n"] = n
        if text:
            node.data = text
        self.model.publish_itself(block)
        self.change(lambda edit: update_block(edit, block, BlockIn(metadata={"n": n}, data=text)))

    @rule(data=st.data())
    def forget_a_setting(self, data):
        block = self.pick(data)
        self.model.draft[block].settings.pop("n", None)
        self.model.publish_itself(block)
        self.change(lambda edit: update_block(edit, block, BlockIn(metadata={"n": None})))

    @rule(data=st.data())
    def reorder(self, data):
        block = self.pick(data)
        node = self.model.draft[block]
        node.children = data.draw(st.permutations(node.children))
        self.model.publish_itself(block)
        keys = [str(self.course.usage(*child.split("@"))) for child in node.children]
        self.change(lambda edit: update_block(edit, block, BlockIn(children=keys)))

    @precondition(lambda self: self.has(self.model.draft))
    @rule(data=st.data())
    def move(self, data):
        source = self.pick(data, root=False)
        node = self.model.draft[source]
        forbidden = {source, node.parent, *self.model.below(self.model.draft, source)}
        kinds = {"chapter": (), "sequential": ("chapter",), "vertical": ("sequential", "wrapper", "vertical")}.get(
            node.type, ("vertical", "wrapper")
        )
        targets = [name for name, other in self.model.draft.items() if other.type in kinds and name not in forbidden]
        if not targets:
            return
        target = data.draw(self.one_of(targets))
        index = data.draw(st.integers(0, len(self.model.draft[target].children)))
        parent = node.parent
        self.model.unlist(self.model.draft, parent, source)
        self.model.draft[target].children.insert(index, source)
        node.parent = target
        for block in (parent, target, source):
            self.model.publish_itself(block)
        self.change(lambda edit: move_block(edit, source, target, index))

    @precondition(lambda self: self.has(self.model.draft))
    @rule(data=st.data())
    def duplicate(self, data):
        source = self.pick(data, root=False)
        parent = self.model.draft[source].parent

        async def change(edit):
            before = await edit.draft.subtree(source)
            copied = await duplicate_block(edit, edit.draft, source, parent, "copy")
            after = await edit.draft.subtree(copied.block_id)
            return dict(zip(before, after, strict=True))

        saved, names = self.wait(self.edit(change))
        draft = self.model.draft
        for old, new in names.items():
            self.made[new] = len(self.made)
            draft[new] = copy.deepcopy(draft[old])
            draft[new].children = [names[child] for child in draft[old].children]
            draft[new].parent = names.get(draft[old].parent, parent)
        draft[names[source]].settings["display_name"] = "copy"
        siblings = draft[parent].children
        siblings.insert(siblings.index(source) + 1, names[source])
        for block in (parent, *names.values()):
            self.model.publish_itself(block)
        self.remember(saved.guid, saved.published_guid)

    @precondition(lambda self: self.has(self.model.draft))
    @rule(data=st.data())
    def delete(self, data):
        block = self.pick(data, root=False)
        parent = self.model.draft[block].parent
        self.model.remove(block)
        self.model.publish_itself(parent)
        self.change(lambda edit: delete_block(edit, block))

    @rule(data=st.data())
    def publish(self, data):
        block = self.pick(data)
        if self.model.publish(block):
            self.change(lambda edit: publish(edit, block))
        else:
            self.refused(lambda edit: publish(edit, block))

    @rule(data=st.data())
    def discard(self, data):
        block = self.pick(data)
        if self.model.discard(block):
            self.change(lambda edit: discard(edit, block))
        else:
            self.refused(lambda edit: discard(edit, block))

    @precondition(lambda self: self.has(self.model.published))
    @rule(data=st.data())
    def unpublish(self, data):
        block = self.pick(data, branch=self.model.published, root=False)
        self.model.unpublish(block)
        self.change(lambda edit: unpublish(edit, block))

    def refused(self, change):
        with pytest.raises(Refusal):
            self.wait(self.edit(change))

    @rule(name=st.sampled_from("abc"), digest=st.sampled_from("123"))
    def write_an_asset(self, name, digest):
        block = f"{ASSET}@{name}"
        for branch in (self.model.draft, self.model.published):
            branch[block] = Node(ASSET, None, settings={"digest": digest})

        async def change(edit):
            edit.put_everywhere(Block(block, ASSET, settings={"digest": digest}))

        self.change(change)

    @rule(name=st.sampled_from("abc"))
    def delete_an_asset(self, name):
        for branch in (self.model.draft, self.model.published):
            branch.pop(f"{ASSET}@{name}", None)

        async def change(edit):
            edit.drop_everywhere(f"{ASSET}@{name}")

        self.change(change)

    @rule(data=st.data())
    def go_back(self, data):
        guid = data.draw(st.sampled_from(list(self.versions)))
        self.model.go_back(self.versions[guid])
        self.change(lambda edit: revert(edit, guid))

    @rule(data=st.data(), writers=st.integers(2, 4))
    def write_at_once(self, data, writers):
        """Each adds a setting of its own, to the same block or to others: none is lost, each makes a version."""
        blocks = [self.pick(data) for _ in range(writers)]
        self.names += 1

        async def write(number, block):
            said = BlockIn(metadata={f"w{number}": self.names})
            return (number, block, (await self.edit(lambda edit: update_block(edit, block, said)))[0])

        async def all_of_them():
            return await asyncio.gather(*(write(number, block) for number, block in enumerate(blocks)))

        saved = {result[2].guid: result for result in self.wait(all_of_them())}
        assert len(saved) == writers
        for guid in self.wait(self.in_order(list(saved))):
            number, block, after = saved[guid]
            self.model.draft[block].settings[f"w{number}"] = self.names
            self.model.publish_itself(block)
            self.remember(guid, after.published_guid)

    async def in_order(self, guids):
        rows = await self.resources.pool.fetch(
            "select guid from version where guid = any($1::bytea[]) order by number", [bytes.fromhex(g) for g in guids]
        )
        return [row["guid"].hex() for row in rows]

    @invariant()
    def the_heads_and_an_old_version_are_what_they_were(self):
        guids = list(self.versions)
        for guid in {guids[-1], random.Random(len(guids)).choice(guids)}:
            self.wait(self.check(guid))

    async def check(self, guid):
        pool = self.resources.pool
        tree = await get_version_tree(pool, guid)
        fields = await read_definitions(pool, (node.definition for node in tree.nodes.values()))
        found = {
            name: Node(
                node.type, node.parent, list(node.children), node.settings,
                fields[node.definition]["data"] if node.definition else None,
            )
            for name, node in tree.nodes.items()
        }  # fmt: skip
        for name, said in (await read_assets(pool, guid)).items():
            found[f"{ASSET}@{name}"] = Node(ASSET, None, settings=said)
        assert found == self.versions[guid], guid
        block = random.Random(guid).choice(sorted(tree.nodes))
        part = await get_version_part(pool, guid, block)
        line = [node.block_id for node in (*tree.walk(block), *tree.ancestors(block))]
        assert part.nodes == {name: tree.nodes[name] for name in line}, (guid, block)

    def teardown(self):
        """Every version ever made; and `has_changes` of every block is what a comparison of the trees says."""
        for guid in self.versions:
            self.wait(self.check(guid))
        for block in [name for name, node in self.model.draft.items() if node.type != ASSET]:
            differs = any(
                self.model.draft[below] != self.model.published.get(below)
                for below in self.model.below(self.model.draft, block)
            )
            assert self.wait(has_changes(self.resources.pool, self.course.canonical, block)) == differs, block


async def _run(resources, examples, steps):
    Authors.resources, Authors.loop = resources, asyncio.get_running_loop()
    await asyncio.to_thread(
        run_state_machine_as_test,
        Authors,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


async def test_every_version_ever_made_reads_back_as_it_was(resources):
    await _run(resources, 5, 20)


@pytest.mark.torture
@pytest.mark.timeout(1800)
async def test_every_version_ever_made_reads_back_as_it_was_in_long_lives(resources):
    await _run(resources, 200, 120)
