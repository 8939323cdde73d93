"""`POST /course` in both dialects, and the list."""

import pytest

from common.testing.identity import a_caller

MAKER = a_caller("maker", grants=("Org",))
NEW = {"org": "Org", "number": "6.002x", "run": "2026", "display_name": "Circuits"}


async def test_a_course_is_created_published_and_announced_in_one_transaction(client, bus):
    answer = await client.post("/course", MAKER, json={**NEW, "start": "2026-09-01", "fields": {"language": "en"}})
    assert answer.status_code == 200
    assert answer.json() == {"url": "/course/course-v1:Org+6.002x+2026", "course_key": "course-v1:Org+6.002x+2026"}
    types = [row["type"] for row in await bus.resources.pool.fetch("select type from outbox order by id")]
    assert types == [
        "content.course_team.changed.v1", "enrollment.enroll.v1", "content.course.created.v1",
        "content.course.published.v1",
    ]  # fmt: skip
    (published,) = await bus.announced("content.course.published.v1")
    assert published["course"]["display_name"] == "Circuits"
    assert published["course"]["start"] == "2026-09-01T00:00:00Z"
    assert published["course"]["language"] == "en"
    assert "About this course" in published["about"]["overview"]
    (team,) = await bus.announced("content.course_team.changed.v1")
    assert team["members"][0]["username"] == "maker"


async def test_a_new_course_has_the_usual_tabs_and_a_default_overview(client):
    await client.post("/course", MAKER, json=NEW)
    body = (await client.get("/xblock/block-v1:Org+6.002x+2026+type@course+block@course", MAKER)).json()
    tabs = [(tab["type"], tab["name"]) for tab in body["metadata"]["tabs"]]
    assert tabs[:2] == [("course_info", "Home"), ("courseware", "Course")]
    assert body["metadata"]["display_name"] == "Circuits"
    course = (await client.get("/course/course-v1:Org+6.002x+2026")).json()
    assert "About this course" in course["about"]["overview"]


async def test_our_own_path_answers_201_and_the_same_key_the_same_answer(client, bus):
    headers = {"Idempotency-Key": "once"}
    first = await client.post("/api/content/v1/course", MAKER, json=NEW, headers=headers)
    assert first.status_code == 201
    assert first.headers["location"].endswith("/api/content/v1/course/course-v1:Org+6.002x+2026")
    again = await client.post("/api/content/v1/course", MAKER, json=NEW, headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    other = await client.post("/api/content/v1/course", MAKER, json={**NEW, "run": "x"}, headers=headers)
    assert (other.status_code, other.json()["error_code"]) == (422, "idempotency_key_reused")
    assert await bus.resources.pool.fetchval("select count(*) from course") == 1


async def test_keys_in_any_script_lead_back_to_what_was_made(client):
    new = {**NEW, "number": "物理ü", "run": "2026_春"}
    key = "course-v1:Org+物理ü+2026_春"
    block = f"block-v1:{key.partition(':')[2]}+type@course+block@course"
    made = [await client.post("/api/content/v1/course", MAKER, json=new)]
    for name in ("item", "xblock"):
        body = {"parent_locator": block, "category": "chapter"}
        made.append(await client.post(f"/api/content/v1/{name}", MAKER, json=body))
        assert (await client.post(f"/{name}/", MAKER, json=body)).status_code == 200
    file = {"files": {"file": ("図.txt", b"x", "text/plain")}}
    made.append(await client.post(f"/api/content/v1/assets/{key}", MAKER, **file))
    for answer in made:
        assert answer.status_code == 201, answer.text
        place = answer.headers["location"]
        assert place.isascii()
        assert (await client.get(place, MAKER)).status_code == 200
    place = made[-1].json()["asset"]["url"]
    moved = await client.get(f"/assets/courseware/v1/{'0' * 64}{place}", MAKER)
    assert moved.status_code == 301
    assert (await client.get(moved.headers["location"], MAKER)).content == b"x"


@pytest.mark.parametrize("path", ["/course", "/course/", "/api/content/v1/course", "/api/content/v1/course/"])
async def test_a_duplicate_is_a_conflict_whatever_its_case(client, path):
    await client.post("/course/", MAKER, json=NEW)
    answer = await client.post(path, a_caller("admin", staff=True), json={**NEW, "org": "ORG"})
    assert answer.status_code == 409
    body = answer.json()
    assert body["ErrMsg"].startswith("There is already a course defined with the same organization, course number")
    assert body["OrgErrMsg"] == body["CourseErrMsg"]
    assert body["OrgErrMsg"] == "Please change either the organization or course number so that it is unique."
    assert body["error_code"] == "course_exists"


async def test_a_course_that_reads_like_another_with_dots_is_a_conflict(client):
    admin = a_caller("admin", staff=True)
    await client.post("/course", admin, json={**NEW, "org": "a", "number": "b.c"})
    answer = await client.post("/course", admin, json={**NEW, "org": "a.b", "number": "c"})
    assert (answer.status_code, answer.json()["error_code"]) == (409, "course_name_taken")
    assert "course-v1:a+b.c+2026" in answer.json()["ErrMsg"]


@pytest.mark.parametrize(
    ("caller", "body", "status", "code"),
    [
        (a_caller(None), NEW, 401, "not_authenticated"),
        (a_caller("nobody"), NEW, 403, "creator_permission_required"),
        (a_caller("nobody"), {"org": 7}, 403, "creator_permission_required"),
        (a_caller("nobody"), {**NEW, "run": "a b"}, 403, "creator_permission_required"),
        (a_caller("other", grants=("Organic",)), NEW, 403, "creator_permission_required"),
        (a_caller("other", grants=("Org.6",)), NEW, 200, None),
        (a_caller("other", grants=("Org.6.002x",)), NEW, 200, None),
        (a_caller("other", grants=("Org.6.003x",)), NEW, 403, "creator_permission_required"),
        (MAKER, {**NEW, "run": "a b"}, 400, "bad_course_key"),
        (MAKER, {**NEW, "run": "a+b"}, 400, "bad_course_key"),
        (MAKER, {**NEW, "run": ""}, 400, "bad_course_key"),
        (MAKER, {**NEW, "run": 7}, 400, "invalid"),
        (MAKER, {"org": "Org"}, 400, "invalid"),
        (MAKER, {**NEW, "start": "soon"}, 400, "bad_date"),
        (MAKER, {**NEW, "source_course_key": "course-v1:a+b+c"}, 404, "source_course_not_found"),
        (MAKER, {**NEW, "display_name": "x" * 1001}, 400, "invalid"),
        (MAKER, {**NEW, "display_name": None}, 400, "invalid"),
        (MAKER, {**NEW, "run": "x" * 300}, 400, "bad_course_key"),
        (MAKER, {**NEW, "self_paced": "perhaps"}, 400, "invalid_data"),
        (MAKER, {**NEW, "catalog_visibility": "everybody"}, 400, "invalid_data"),
        (MAKER, {**NEW, "max_student_enrollments_allowed": 2**60}, 400, "invalid_data"),
        (MAKER, {**NEW, "Bad Name": 1}, 400, "unexpected_field"),
        (MAKER, {**NEW, "language": "a\0b"}, 400, "malformed"),
        (MAKER, {**NEW, "language": "x" * 1_000_001}, 413, "too_large"),
        (MAKER, [], 400, "malformed"),
    ],
)
async def test_who_may_create_what(client, bus, caller, body, status, code):
    answer = await client.post("/course", caller, json=body)
    assert answer.status_code == status, answer.text
    assert answer.json().get("error_code") == code
    assert await bus.resources.pool.fetchval("select count(*) from course") == (1 if status == 200 else 0)


async def test_bad_characters_are_said_in_studios_words(client):
    answer = await client.post("/course", MAKER, json={**NEW, "run": "a b"})
    assert answer.json()["ErrMsg"].startswith("Unable to create course 'Circuits'.\n\n")
    answer = await client.post("/api/content/v1/course", MAKER, content=b"{", headers={"Content-Type": "x"})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_list_names_courses_and_hides_those_for_staff_only(client, bus, a_draft):
    from common.keys import CourseKey

    maker = a_caller("maker", grants=("Org",))
    await bus.import_course(a_draft(end="2030-05-05T00:00:00Z"), spelling="Org/Demo/1")
    hidden = a_draft(CourseKey.parse("course-v1:Org+Hidden+1"), visible_to_staff_only=True)
    await bus.import_course(hidden, by=maker)
    everybody = (await client.get("/course")).json()
    assert [course["id"] for course in everybody] == ["Org/Demo/1"]
    assert everybody[0]["display_name"] == "A Demo"
    assert everybody[0]["end"] == "2030-05-05T00:00:00Z"
    assert everybody[0]["edited_on"]
    for caller in (maker, a_caller("admin", staff=True)):
        assert len((await client.get("/api/content/v1/course/", caller)).json()) == 2
    page = await client.page("/course/")
    assert page.headers["content-type"].startswith("text/html")
    assert "A Demo" in page.text
