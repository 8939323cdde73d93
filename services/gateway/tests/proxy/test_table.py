"""Every prefix of the contract leads to its service."""

import pytest

from common.errors import developer_message_style, message_style
from gateway.proxy.table import SERVICES, TARGETS, Table, check_table

COURSE = "course-v1:Org+Num+Run"


@pytest.mark.parametrize(
    ("path", "service"),
    [
        ("/", "course-catalog"),
        ("/api/courses/v1/courses/", "course-catalog"),
        (f"/api/courses/v1/courses/{COURSE}", "course-catalog"),
        ("/api/courses/v1/courses/Org/Num/Run", "course-catalog"),
        ("/api/courses/v1/course_ids/", "course-catalog"),
        (f"/api/course_modes/v1/courses/{COURSE}/audit", "course-catalog"),
        ("/api/programs/v1/programs/", "course-catalog"),
        ("/api/catalog/v1/x", "course-catalog"),
        ("/api/courses/v1/blocks/", "content"),
        ("/api/courses/v2/blocks/x", "content"),
        ("/api/courses/v1/block_metadata/x", "content"),
        ("/course", "content"),
        ("/course/", "content"),
        ("/course/edx://a.b.c/branch/draft", "content"),
        ("/xblock/version/abc/block/x", "content"),
        ("/item/x", "content"),
        ("/definition/x", "content"),
        ("/assets/x/y", "content"),
        ("/checklists/x/1", "content"),
        ("/orphan/x", "content"),
        ("/asset-v1:a+b+c+type@asset+block@x.png", "content"),
        ("/c4x/a/b/asset/x", "content"),
        ("/api/content/v1/course_team/x/y", "content"),
        ("/api/contentstore/v0/heartbeat", "content"),
        ("/api/enrollment/v1/enrollment", "enrollment"),
        ("/api/bulk_enroll/v1/bulk_enroll", "enrollment"),
        (f"/api/cohorts/v1/courses/{COURSE}/cohorts/", "enrollment"),
        ("/api/program_enrollments/v1/programs/x/enrollments/", "enrollment"),
        ("/api/enrollment_jobs/v1/jobs", "enrollment"),
        (f"/api/v0/import/{COURSE}", "import-export"),
        ("/api/v0/tasks/x", "import-export"),
        ("/api/v1/imports", "import-export"),
        ("/api/v1/exports/x", "import-export"),
        ("/api/v1/hooks/github", "import-export"),
        (f"/api/courses/v0/import/{COURSE}/", "import-export"),
        (f"/api/courses/v1/validation/{COURSE}/", "import-export"),
        (f"/api/courses/v1/quality/{COURSE}/", "import-export"),
        (f"/import/{COURSE}", "import-export"),
        (f"/import_status/{COURSE}/x.tar.gz", "import-export"),
        (f"/export_output/{COURSE}", "import-export"),
        ("/api/tasks/v0/tasks/", "import-export"),
        ("/api/operations/v1/course-catalog/parked", "course-catalog"),
        ("/api/operations/v1/import_export/parked/1/replay", "import-export"),
        ("/api/operations/v1/gateway/parked", "gateway"),
        ("/oauth2/access_token/", "gateway"),
        ("/.well-known/jwks.json", "gateway"),
        ("/login", "gateway"),
        ("/api/accounts/v1/users", "gateway"),
        ("/api/user/v1/me", "gateway"),
        ("/api/mobile/v0.5/my_user_info/", "gateway"),
        ("/health/ready", "gateway"),
        ("/openapi.json", "gateway"),
        ("/docs", "gateway"),
        ("/status", "gateway"),
    ],
)
def test_a_prefix_of_the_contract_leads_to_its_service(path, service):
    target = Table().find(path)
    assert target is not None
    assert target.service == service


@pytest.mark.parametrize(
    "path",
    [
        "",
        "x",
        "/coursex",
        "/courses/",
        "/api",
        "/api/courses/v1/",
        "/api/courses/v1/coursesx",
        "/itemx",
        "/api/v1/x",
        "/api/operations/v1/other/parked",
        "/oauth2x",
        "/loginx",
        "//",
        "/./course",
        "/metrics.txt",
    ],
)
def test_nothing_else_is_routed(path):
    assert Table().find(path) is None


def test_families_and_limits_follow_the_longest_prefix():
    table = Table()
    assert table.find("/api/enrollment/v1/enrollments").style is developer_message_style
    assert table.find("/api/enrollment/v1/enrollment").style is message_style
    assert table.find("/api/enrollment/v1/course/x").credentials == "lenient"
    assert table.find("/api/v0/import/x").body > 1_000_000_000
    assert table.find("/api/content/v1/assets/x").body > table.find("/api/content/v1/x").body


def test_a_wrong_table_or_address_list_is_told():
    good = dict.fromkeys(SERVICES, "http://x")
    assert check_table(TARGETS, good) == []
    missing = {name: "http://x" for name in SERVICES if name != "content"}
    assert check_table(TARGETS, missing) == ["no address for content, which the route table names"]
    assert check_table(TARGETS, {**good, "more": "x"}) == ["an address for more, which no route names"]
