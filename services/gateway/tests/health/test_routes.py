"""Readiness, status and documentation of the whole system."""

import orjson
import pytest

DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "x", "version": "1"},
    "paths": {
        "/api/courses/v1/blocks/": {
            "get": {
                "operationId": "list_blocks",
                "description": "The <b>tree</b>.",
                "parameters": [{"name": "course_id", "in": "query", "schema": {"type": "string"}, "required": True}],
                "responses": {
                    "200": {"description": "ok", "content": {"a": {"schema": {"$ref": "#/components/schemas/B"}}}}
                },
            }
        },
        "/health/live": {"get": {"responses": {}}},
    },
    "components": {"schemas": {"B": {"type": "object"}}},
}


def playing(service, *, status=b"200 OK"):
    async def script(exchange):
        path = exchange.line.split()[1]
        body = orjson.dumps(DOCUMENT) if path == "/openapi.json" else b"{}"
        await exchange.send(b"HTTP/1.1 %b\r\ncontent-length: %d\r\n\r\n%b" % (status, len(body), body))

    service.play(script)


async def test_ready_means_that_all_five_are(through, service):
    playing(service)
    answer = await through.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert list(answer.json()["services"]) == ["gateway", "course-catalog", "content", "enrollment", "import-export"]
    playing(service, status=b"503 Service Unavailable")
    answer = await through.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["services"]["gateway"] == {"status": "ok"}
    assert answer.json()["services"]["content"] == {"status": "unavailable", "reason": "answers 503"}


async def test_a_service_that_is_not_there_is_named(client):
    answer = await client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json()["services"]["enrollment"]["reason"] == "upstream_unreachable"


@pytest.mark.parametrize("path", ["/health/live", "/health/self"])
async def test_the_process_itself_is_well_without_the_others(client, path):
    assert (await client.get(path)).status_code == 200


async def test_the_status_page_says_whether_limits_are_on(client, make_gateway):
    body = (await client.get("/status")).json()
    assert (body["rate_limits"], body["version"]) == ("off", "0.1.0")
    limited = await make_gateway(rate_limits="on")
    page = await limited.get("/status", headers={"accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "<strong>on</strong>" in page.text
    assert "enrollment_and_catalogue" in page.text


async def test_one_document_holds_what_the_gateway_routes(through, service):
    playing(service)
    document = (await through.get("/openapi.json")).json()
    assert "/api/accounts/v1/users" in document["paths"]
    assert "/oauth2/access_token" in document["paths"]
    assert "/health/live" not in document["paths"]
    operation = document["paths"]["/api/courses/v1/blocks/"]["get"]
    assert (operation["tags"], operation["operationId"]) == (["content"], "content_list_blocks")
    assert "Content_B" in document["components"]["schemas"]
    assert operation["responses"]["200"]["content"]["a"]["schema"] == {"$ref": "#/components/schemas/Content_B"}
    from openapi_spec_validator import validate

    validate(document)


async def test_the_docs_page_loads_nothing_from_elsewhere(through, service):
    playing(service)
    page = (await through.get("/docs", headers={"accept": "text/html"})).text
    assert "/api/courses/v1/blocks/" in page
    assert "&lt;b&gt;tree&lt;/b&gt;" in page
    for foreign in ("<script", "http://", "https://"):
        assert foreign not in page


async def test_documents_are_asked_for_again_soon_while_one_is_missing(client):
    document = (await client.get("/openapi.json")).json()
    assert "/api/accounts/v1/users" in document["paths"]
