import csv
import io

import orjson
import pytest

ENTRIES = [
    {
        "code": "xml_broken",
        "severity": "error",
        "message": "=cmd() <script>",
        "file": "html/a.xml",
        "line": 3,
        "action": "dropped",
    },
    {
        "code": "orphan_file",
        "severity": "warning",
        "message": 'Unused, "quoted".',
        "file": None,
        "line": None,
        "action": "x",
    },
]


@pytest.fixture
async def report_url(http, db, archive):
    task_id = (await http.push(archive)).json()["task_id"]
    report = orjson.dumps({"entries": ENTRIES, "counts": {"blocks": 3}}).decode()
    await db.execute("update job set report = $1, phase = 'asked'", report)
    return f"/api/v0/tasks/{task_id}/report"


async def test_as_json(http, report_url):
    answer = await http("GET", report_url)
    assert answer.json() == {"entries": ENTRIES, "counts": {"blocks": 3}}


@pytest.mark.parametrize("ask", [{"headers": {"accept": "text/csv"}}, {"params": {"format": "csv"}}])
async def test_as_a_table_that_runs_no_formula(http, report_url, ask):
    answer = await http("GET", report_url, **ask)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["message"] for row in rows] == ["'=cmd() <script>", 'Unused, "quoted".']
    assert rows[0]["line"] == "3"


async def test_as_a_page_that_runs_no_script(http, report_url):
    answer = await http("GET", report_url, headers={"accept": "text/html,*/*;q=0.5"})
    assert answer.headers["content-type"].startswith("text/html")
    assert "=cmd() &lt;script&gt;" in answer.text
    assert "<script>" not in answer.text


async def test_other_types_are_not_served(http, report_url):
    assert (await http("GET", report_url, headers={"accept": "image/png"})).status_code == 406


async def test_before_the_archive_is_read_there_is_none(http, archive):
    task_id = (await http.push(archive)).json()["task_id"]
    answer = await http("GET", f"/api/v0/tasks/{task_id}/report")
    assert (answer.status_code, answer.json()["error_code"]) == (404, "no_report_yet")


async def test_a_failure_leads_the_report(http, db, report_url):
    error = '{"code": "link_outside", "message": "A link leaves.", "member": "static/x"}'
    await db.execute("update job set error = $1, phase = 'done', state = 'Failed'", error)
    first = (await http("GET", report_url)).json()["entries"][0]
    assert (first["code"], first["file"], first["severity"]) == ("link_outside", "static/x", "error")


async def test_what_a_round_trip_changes_is_in_each_form(http, db, report_url):
    found = {
        "equal": False,
        "count": 1,
        "differences": [
            {"kind": "block", "key": "html@x", "part": "settings.due", "before": '"2030"', "after": None},
        ],
        "changed_files": ["html/x.xml"],
    }
    report = orjson.dumps({"entries": [], "counts": {}, "round_trip": found}).decode()
    await db.execute("update job set report = $1", report)
    said = (await http("GET", report_url)).json()
    assert said["round_trip"] == found
    assert [(entry["code"], entry["file"]) for entry in said["entries"]] == [
        ("round_trip_difference", None),
        ("round_trip_file", "html/x.xml"),
    ]
    sentence = 'block html@x settings.due: "2030" becomes nothing.'
    assert said["entries"][0]["message"] == sentence
    rows = list(csv.DictReader(io.StringIO((await http("GET", f"{report_url}?format=csv")).text)))
    assert rows[0]["message"] == sentence
