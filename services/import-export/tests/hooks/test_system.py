"""The whole way: a signed push, a checkout, a command to content, a task that ends by content's word."""

import pytest


@pytest.fixture
async def hook(make_hook, add_course, served, system):
    await add_course()
    return await make_hook(served.url, system.http)


async def test_a_signed_push_changes_the_course_and_a_repeated_one_makes_no_second_job(system, hook, served, github):
    sha = served.commit("For learners", {"course/html/text.html": "<p>New</p>"})
    url = f"/api/v1/hooks/{hook['id']}/push"
    heard = (await system.http("POST", url, None, **github(sha))).json()
    command = await system.content.asked()
    assert (command["source"]["sha"], command["source"]["repo"]) == (sha, served.url)
    assert (command["requested_by"]["username"], command["course_id"]) == ("staff", hook["course_id"])
    await system.content.reply(command, outcome="unchanged")
    assert (await system.http.ended(heard["task_id"]))["state"] == "Succeeded"
    assert (await system.http("POST", url, None, **github(sha))).json()["status"] == "repeated"
    assert await system.db.fetchval("select count(*) from job") == 1
