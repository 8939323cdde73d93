"""The authoring REST API v0: strict bodies, its own refusals, the same logic."""

from common.testing.identity import a_caller

V0 = "/api/contentstore/v0/xblock"
COURSE = "course-v1:Org+Demo+1"
FORBIDDEN = {
    "developer_message": "The requesting user does not have course author permissions.",
    "error_code": "user_permissions",
}
STRICT = [
    ({"unknown": 1}, "unknown", "This field is not expected."),
    ({"data": 7}, "data", None), ({"metadata": []}, "metadata", None), ({"fields": "x"}, "fields", None),
    ({"children": {}}, "children", None), ({"display_name": 1}, "display_name", None),
    ({"has_changes": "yes"}, "has_changes", None), ({"target_index": "1"}, "target_index", None),
    ({"prereqMinScore": 1.5}, "prereqMinScore", None), ({"prereqMinCompletion": "x"}, "prereqMinCompletion", None),
    ({"isPrereq": "true"}, "isPrereq", None), ({"publish": "make_private"}, "publish", None),
    ({"group_access": []}, "group_access", None), ({"user_partitions": {}}, "user_partitions", None),
    ({"category": 5}, "category", None), ({"nullout": "x"}, "nullout", None),
]  # fmt: skip


async def test_there_is_a_heartbeat(studio):
    answer = await studio.client.get("/api/contentstore/v0/heartbeat")
    assert (answer.status_code, answer.json()) == (200, {"status": "heartbeat successful"})


async def test_create_read_update_patch_delete(studio):
    made = await studio.ok(
        "POST", COURSE, {"parent_locator": studio.key("vertical@u1"), "category": "html", "display_name": "New"},
        prefix=V0,
    )  # fmt: skip
    assert made.json()["courseKey"] == COURSE
    place = f"{COURSE}/{made.json()['locator']}"
    for method in ("PUT", "PATCH"):
        body = {"data": f"<p>{method}</p>", "metadata": {"display_name": method}, "has_children": None, "id": "x"}
        answer = await studio.ok(method, place, body, prefix=V0)
        assert answer.json() == {"id": made.json()["locator"], "data": f"<p>{method}</p>", "metadata": {
            "display_name": method}}  # fmt: skip
        read = (await studio.ok("GET", place, prefix=V0)).json()
        assert (read["display_name"], read["data"], read["has_changes"]) == (method, f"<p>{method}</p>", None)
    copied = await studio.ok(
        "POST", f"{COURSE}/",
        {"parent_locator": studio.key("vertical@u1"), "duplicate_source_locator": made.json()["locator"]}, prefix=V0,
    )  # fmt: skip
    assert copied.json()["locator"] != made.json()["locator"]
    assert (await studio.ok("DELETE", place, prefix=V0)).status_code == 204
    answer = await studio.refused(404, "GET", place, prefix=V0)
    assert answer.json()["error_code"] == "item_not_found"


async def test_the_course_may_be_spelled_in_any_way(studio):
    for course in ("Org/Demo/1", "Org.Demo.1", COURSE, COURSE.replace("+", "%2B")):
        for usage in (studio.key("html@intro"), "i4x://Org/Demo/html/intro"):
            answer = await studio.ok("GET", f"{course}/{usage}", prefix=V0)
            assert answer.json()["id"] == studio.key("html@intro")


async def test_what_is_not_expected_is_refused_by_field_in_the_body(studio):
    for body, field, text in STRICT:
        for method, place in (("PUT", f"{COURSE}/{studio.key('html@intro')}"), ("POST", COURSE)):
            answer = await studio.refused(400, method, place, body, prefix=V0)
            said = answer.json()["field_errors"][field]["developer_message"]
            assert said == text if text else said
            assert answer.json()["developer_message"].startswith(f"{field}: ")


async def test_who_is_no_author_is_told_so_and_the_anonymous_are_asked_who_they_are(studio, bus):
    await bus.enroll(a_caller("learner"))
    usage = f"{COURSE}/{studio.key('html@intro')}"
    for method, place in (("GET", usage), ("PUT", usage), ("PATCH", usage), ("DELETE", usage), ("POST", COURSE)):
        body = None if method in ("GET", "DELETE") else {"unknown": 1}
        answer = await studio.refused(403, method, place, body, prefix=V0, caller=a_caller("learner"))
        assert answer.json() == FORBIDDEN
        answer = await studio.refused(401, method, place, body, prefix=V0, caller=a_caller(None))
        assert answer.json()["error_code"] == "not_authenticated"
        assert isinstance(answer.json()["developer_message"], str)


async def test_a_block_of_another_course_is_not_found_through_this_one(studio, bus, a_draft):
    from common.keys import CourseKey

    await bus.import_course(a_draft(CourseKey.parse("course-v1:Org+Other+1")))
    place = f"{COURSE}/{studio.key('html@intro', 'course-v1:Org+Other+1')}"
    for method, body in (("GET", None), ("PUT", {}), ("DELETE", None)):
        await studio.refused(404, method, place, body, prefix=V0)


async def test_only_json_is_served(studio):
    place = f"{COURSE}/{studio.key('html@intro')}"
    answer = await studio.send("GET", place, prefix=V0, headers={"Accept": "text/html"})
    assert answer.status_code == 406
