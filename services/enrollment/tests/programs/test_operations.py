"""Copies of programs and of linked external ids."""

import itertools

from enrollment.programs.models import fold
from enrollment.programs.operations import store_links, store_programs
from enrollment.programs.queries import find_program, find_run
from enrollment.programs.schemas import LinkHeard, ProgramHeard

CURRICULUM = "00000000-1111-2222-3333-444444444444"
UUID = "5b2c7a52-0d0f-4f43-8a3e-000000000001"
OPEN = "course-v1:Org+Open+1"


def heard(version, **fields):
    values = {
        "uuid": UUID,
        "version": version,
        "title": f"v{version}",
        "authoring_organizations": [{"key": "First"}, {"key": "Second"}],
        "courses": [{"course_runs": [{"key": f"course-v1:Org+V{version}+1", "external_key": "X"}, {"key": OPEN}]}],
        "curricula": [{"uuid": UUID}, {"uuid": CURRICULUM, "is_active": True}],
    }
    return ProgramHeard.model_validate(values | fields)


async def test_the_newest_version_wins_in_whatever_order(db):
    for order in itertools.permutations((1, 2, 3)):
        await db.execute("delete from program_run; delete from program")
        for version in order:
            async with db.transaction():
                await store_programs(db, [heard(version)])
        program = await find_program(db, heard(1).uuid)
        assert (program.title, program.organization, str(program.curriculum_uuid)) == ("v3", "First", CURRICULUM)
        runs = await db.fetch("select course_key, external_key from program_run order by 1")
        assert [tuple(run) for run in runs] == [(OPEN, None), ("course-v1:Org+V3+1", "X")]


async def test_a_deleted_program_is_none_and_an_older_state_does_not_bring_it_back(db, world):
    await world.course(OPEN)
    async with db.transaction():
        await store_programs(db, [heard(1), heard(3, deleted=True, courses=[]), heard(2)])
    assert await find_program(db, heard(1).uuid) is None
    assert not (await find_run(db, heard(1).uuid, OPEN)).is_member
    async with db.transaction():
        assert await store_programs(db, [heard(2)]) == 0


async def test_links_name_the_keys_whose_owner_may_have_changed(db):
    def link(version, key, **fields):
        return LinkHeard(id=1, user_id=5, organization="Org", external_key=key, version=version, **fields)

    assert await store_links(db, [link(1, "Key")]) == [("Org", "key")]
    assert await store_links(db, [link(2, "retired:1", removed=True)]) == [("Org", "key"), ("Org", "retired:1")]
    await store_links(db, [link(1, "Key")])
    assert await db.fetchval("select removed from linked_id where id = 1")


def test_keys_are_compared_without_case_and_composition():
    assert fold("Zo\u00c9") == fold("zoe\u0301")
    assert fold("STRASSE") == fold("stra\u00dfe")
    assert fold("a") != fold("b")
