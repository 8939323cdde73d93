"""The team's list of files: its shape, its parameters, its addresses."""

import pytest

from common.testing.identity import a_caller

ADMIN = a_caller("admin", staff=True)
LEARNER = a_caller("learner")
NOBODY = a_caller(None)
DATA = b"0123456789"
A = "/asset-v1:Org+Demo+1+type@asset+block@"


@pytest.fixture(scope="module")
async def client(reading, a_draft):
    client, bus = reading
    draft = a_draft()
    draft.asset("open.txt", DATA, content_type="text/plain", displayname="open.txt")
    draft.asset("locked.pdf", DATA, content_type="application/pdf", displayname="locked.pdf", locked=True)
    draft.asset("big.bin", b"x" * 1_500_000, displayname="big.bin")
    await bus.import_course(draft)
    await bus.enroll(LEARNER)
    return client


async def test_the_team_lists_files_in_studios_shape(client):
    answer = await client.get("/assets/course-v1:Org+Demo+1", ADMIN)
    body = answer.json()
    assert (body["totalCount"], body["start"], body["end"], body["page"], body["pageSize"]) == (4, 0, 4, 0, 50)
    first = {asset["display_name"]: asset for asset in body["assets"]}["locked.pdf"]
    assert first == {
        "display_name": "locked.pdf",
        "content_type": "application/pdf",
        "date_added": first["date_added"],
        "url": f"{A}locked.pdf",
        "external_url": f"https://lectern.example{A}locked.pdf",
        "portable_url": "/static/locked.pdf",
        "thumbnail": None,
        "locked": True,
        "static_full_url": f"{A}locked.pdf",
        "id": f"{A[1:]}locked.pdf",
        "file_size": 10,
    }
    assert first["date_added"].endswith("UTC")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("sort=display_name&direction=asc", ["a b.png", "big.bin", "locked.pdf", "open.txt"]),
        ("sort=display_name", ["open.txt", "locked.pdf", "big.bin", "a b.png"]),
        ("sort=display_name&direction=asc&page_size=3&page=1", ["open.txt"]),
        ("sort=display_name&direction=asc&page_size=3&page=9", ["open.txt"]),
        ("sort=display_name&direction=asc&page_size=3&page=-1", ["a b.png", "big.bin", "locked.pdf"]),
        ("asset_type=Images", ["a b.png"]),
        ("asset_type=Documents&sort=display_name&direction=asc", ["locked.pdf", "open.txt"]),
        ("asset_type=OTHER", ["big.bin"]),
        ("text_search=PNG a", ["a b.png"]),
        ("text_search=*", []),
        ("text_search=.&sort=display_name&direction=asc", ["a b.png", "big.bin", "locked.pdf", "open.txt"]),
        ("text_search=LOCK%20%20.PDF", ["locked.pdf"]),
        ("text_search=%25", []),
        ("asset_type=Images,OTHER&sort=display_name&direction=asc", ["a b.png", "big.bin"]),
        ("asset_type=Code", []),
        ("sort=file_size&page_size=1", ["big.bin"]),
        ("sort=locked&page_size=1", ["locked.pdf"]),
        ("sort=content_type&direction=asc&page_size=1", ["big.bin"]),
        ("sort=nothing", ["big.bin", "locked.pdf", "open.txt", "a b.png"]),
        ("sort=display_name&direction=ASC&page_size=1", ["a b.png"]),
    ],
)
async def test_the_list_is_filtered_sorted_and_paged(client, query, names):
    answer = await client.get(f"/assets/course-v1:Org+Demo+1?{query}", ADMIN)
    assert [asset["display_name"] for asset in answer.json()["assets"]] == names


PATHS = ("/assets/", "/api/content/v1/assets/", "/api/contentstore/v0/file_assets/")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_list_has_three_addresses(client, path, slash):
    answer = await client.get(f"{path}course-v1:Org+Demo+1{slash}?page_size=1&sort=display_name", ADMIN)
    assert {name: value for name, value in answer.json().items() if name != "assets"} == {
        "start": 0, "end": 1, "page": 0, "pageSize": 1, "totalCount": 4, "sort": "display_name", "direction": "",
        "assetTypes": [], "textSearch": "",
    }  # fmt: skip
    one = await client.get(f"{path}course-v1:Org+Demo+1/open.txt{slash}", ADMIN)
    assert one.json()["display_name"] == "open.txt"


async def test_pages_past_the_end(client):
    last = (await client.get("/assets/course-v1:Org+Demo+1?page=7&page_size=3", ADMIN)).json()
    assert (last["page"], last["start"], last["end"], last["totalCount"]) == (1, 3, 4, 4)
    empty = (await client.get("/assets/course-v1:Org+Demo+1?page=7&page_size=3&text_search=none", ADMIN)).json()
    assert (empty["page"], empty["start"], empty["end"], empty["totalCount"]) == (7, 21, 21, 0)
    far = (await client.get(f"/assets/course-v1:Org+Demo+1?page={'9' * 30}", ADMIN)).json()
    assert (far["page"], far["end"]) == (0, 4)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("asset_type=images", "The ['images'] filters"),
        ("asset_type=Images,%20Documents", "The [' Documents'] filters"),
        ("asset_type=Images,", "The [''] filters"),
        ("page=abc", "page is not a number"),
        ("page_size=0", "page_size"),
        ("page_size=-1", "page_size"),
        ("page_size=1e3", "page_size"),
        (f"page={'x' * 5000}", "page"),
        ("text_search=%00", "NUL"),
        (f"text_search={'a' * 5000}", "longer"),
    ],
)
@pytest.mark.parametrize("path", PATHS)
async def test_a_question_that_makes_no_sense_is_refused(client, path, query, said):
    answer = await client.get(f"{path}course-v1:Org+Demo+1?{query}", ADMIN)
    assert answer.status_code == 400
    assert said in answer.text
    if query.startswith("asset_type"):
        assert answer.json()["error"] == {
            "error_code": "invalid_asset_type_filter",
            "developer_message": "The asset_type parameter to the request is invalid. "
            f"{said} are not described in the settings.FILES_AND_UPLOAD_TYPE_FILTERS dictionary.",
        }


@pytest.mark.parametrize(
    ("place", "status"),
    [
        ("course-v1:Org+None+1", 404),
        ("course-v1:Org+Demo+1/none.txt", 404),
        ("course-v1:Org+Demo+1/a%00b", 404),
        ("course-v1:Org+Demo+1/..%2Fx", 404),
        ("course-v1:Org+Demo+1/asset-v1:nonsense", 400),
        ("nonsense", 404),
    ],
)
@pytest.mark.parametrize("path", PATHS)
async def test_places_that_are_none(client, path, place, status):
    assert (await client.get(f"{path}{place}", ADMIN)).status_code == status


async def test_who_may_list(client):
    for caller, status in ((NOBODY, 401), (LEARNER, 403), (a_caller("robot"), 200)):
        assert (await client.get("/assets/course-v1:Org+Demo+1", caller)).status_code == status
    wrong = await client.get("/assets/course-v1:Org+Demo+1?asset_type=images", ADMIN)
    assert (wrong.status_code, wrong.json()["error"]["error_code"]) == (400, "invalid_asset_type_filter")
    one = await client.get("/assets/course-v1:Org+Demo+1/open.txt", ADMIN)
    assert one.json()["file_size"] == 10
    by_key = await client.get(f"/assets/Org/Demo/1{A}open.txt", ADMIN)
    assert by_key.json() == one.json()
    page = await client.page("/assets/course-v1:Org+Demo+1", ADMIN)
    assert "locked.pdf" in page.text


async def test_a_file_has_a_page_of_its_own(client):
    page = await client.page("/assets/course-v1:Org+Demo+1/open.txt", ADMIN)
    assert (page.status_code, page.headers["vary"]) == (200, "Accept")
    assert "<h1>open.txt</h1>" in page.text
    assert "locked.pdf" not in page.text
    none = await client.page("/assets/course-v1:Org+Demo+1/none.txt", ADMIN)
    assert (none.status_code, none.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "<h1>There is no such page</h1>" in none.text


async def test_a_branch_in_the_address_does_no_harm(client):
    whole = (await client.get("/assets/course-v1:Org+Demo+1", ADMIN)).json()
    for place in ("Org.Demo.1/branch/draft", "edx://Org.Demo.1/branch/published", "course-v1:Org+Demo+1/branch/draft"):
        assert (await client.get(f"/assets/{place}", ADMIN)).json() == whole, place
        assert (await client.get(f"/assets/{place}/open.txt", ADMIN)).json()["display_name"] == "open.txt", place
