"""Checklists over HTTP: read by the team in every spelling, ticked one list at a time."""

import pytest

from common.testing.identity import a_caller

ROBOT = a_caller("robot")
ADMIN = a_caller("admin", staff=True)
COURSE = "course-v1:Org+Demo+1"
URL = f"/checklists/{COURSE}"
RANGE = "Could not save checklist state because the checklist index was out of range or unspecified."


async def test_a_new_course_has_every_list_unticked_with_real_addresses(client, demo):
    lists = (await client.get(URL, ROBOT)).json()
    assert len(lists) == 5
    for checklist in lists:
        assert set(checklist) == {"short_description", "items"}
        for item in checklist["items"]:
            assert set(item) == {
                "short_description", "long_description", "is_checked", "action_url", "action_text", "action_external",
            }  # fmt: skip
            assert (item["is_checked"], item["action_external"]) == (False, False)
            assert item["short_description"]
            assert item["long_description"]
            assert bool(item["action_url"]) == bool(item["action_text"])
    addresses = {item["action_url"] for checklist in lists for item in checklist["items"]} - {""}
    assert len(addresses) == 4
    for address in addresses:
        assert (await client.get(address, ROBOT)).status_code == 200, address


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    "course", [COURSE, "Org.Demo.1", "edx://Org.Demo.1/branch/draft", "Org/Demo/1", f"{COURSE}/branch/published"]
)
async def test_only_the_ticks_of_a_list_are_kept(client, bus, demo, method, course):
    base = f"/api/content/v1/checklists/{course}" if method == "PUT" else f"/checklists/{course}"
    lists = (await client.get(base, ROBOT)).json()
    sent = {"short_description": "Other", "items": [dict(item) for item in lists[1]["items"]], "anything": 1}
    sent["items"][0] |= {"is_checked": True, "short_description": "Changed", "action_url": "https://elsewhere.example"}
    answer = await client.request(method, f"{base}/1", ROBOT, json=sent)
    assert answer.status_code == 200, answer.text
    lists[1]["items"][0]["is_checked"] = True
    assert answer.json() == lists[1]
    assert (await client.get(f"{base}/4/", ROBOT)).json() == lists
    stored = await bus.resources.pool.fetch("select checklist, item, checked_by from checklist_item")
    assert [tuple(row) for row in stored] == [("write", "first", ROBOT.user_id)]
    sent["items"][0]["is_checked"] = False
    await client.request(method, f"{base}/1", ROBOT, json=sent)
    assert await bus.resources.pool.fetchval("select count(*) from checklist_item") == 0


async def test_a_page_shows_what_is_done(client, demo):
    lists = (await client.get(URL, ROBOT)).json()
    lists[0]["items"][1]["is_checked"] = True
    await client.request("PUT", f"{URL}/0", ROBOT, json=lists[0])
    page = await client.page(URL, ROBOT)
    assert page.headers["content-type"].startswith("text/html")
    assert page.text.count('type="checkbox"') == sum(len(checklist["items"]) for checklist in lists)
    assert page.text.count(" checked>") == 1
    assert "1 of 4 done" in page.text
    assert (await client.page(URL)).status_code == 302


@pytest.mark.parametrize("index", ["", "/5", "/-1", "/x", "/1.0", "/99999999999999999999", "/%C2%B2"])
async def test_an_index_that_names_no_list_is_refused_in_upstreams_words(client, demo, index):
    answer = await client.request("PUT", f"{URL}{index}", ROBOT, json={"items": []})
    assert (answer.status_code, answer.json()["error"]) == (400, RANGE)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([], "malformed"),
        ({}, "bad_checklist"),
        ({"items": []}, "bad_checklist"),
        ({"items": {}}, "bad_checklist"),
        ({"items": [1, 2, 3, 4]}, "bad_checklist"),
        ({"items": [{"is_checked": True}] * 3 + [{}]}, "bad_checklist"),
        ({"items": [{"is_checked": "yes"}] * 4}, "bad_checklist"),
        ({"items": [{"is_checked": True}] * 5}, "bad_checklist"),
    ],
)
async def test_a_list_that_is_none_is_refused_and_nothing_ticked(client, bus, demo, body, code):
    answer = await client.request("PUT", f"{URL}/0", ROBOT, json=body)
    assert (answer.status_code, answer.json()["error_code"]) == (400, code)
    assert await bus.resources.pool.fetchval("select count(*) from checklist_item") == 0


@pytest.mark.parametrize(
    ("method", "url", "caller", "status"),
    [
        ("GET", URL, a_caller(None), 401),
        ("GET", URL, a_caller("learner"), 403),
        ("GET", URL, a_caller("maker", grants=("Org",)), 403),
        ("GET", URL, ADMIN, 200),
        ("GET", URL, a_caller("o", org_roles=(("Org", "staff"),)), 200),
        ("PUT", f"{URL}/0", a_caller(None), 401),
        ("PUT", f"{URL}/0", a_caller("learner"), 403),
        ("PUT", f"{URL}/9", a_caller("learner"), 403),
        ("DELETE", f"{URL}/0", ROBOT, 405),
        ("DELETE", URL, ROBOT, 405),
        ("GET", "/checklists/course-v1:Org+None+1", ROBOT, 404),
        ("GET", "/checklists/", ROBOT, 404),
        ("GET", "/checklists/%00", ROBOT, 404),
        ("GET", "/checklists/library-v1:Org+Demo", ROBOT, 404),
    ],
)
async def test_who_may_read_and_tick(client, bus, demo, method, url, caller, status):
    await bus.enroll(a_caller("learner"))
    answer = await client.request(method, url, caller, json={"items": []})
    assert answer.status_code == status, answer.text
    if status >= 400:
        assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize("accept", ["text/html", "image/png"])
async def test_a_write_that_wants_no_json_back_is_not_found(client, bus, demo, accept):
    body = {"items": [{"is_checked": True}] * 4}
    answer = await client.request("PUT", f"{URL}/0", ROBOT, json=body, headers={"Accept": accept})
    assert answer.status_code == 404
    assert await bus.resources.pool.fetchval("select count(*) from checklist_item") == 0
