"""The access log: whole lines, without what may be secret."""

import orjson

from gateway.proxy.access_log import AccessLog

ENTRY = {
    "request_id": "r", "method": "GET", "route": "/course", "path": "/course/ü\n", "status": 200,
    "seconds": 0.0123, "user_id": 7, "address": "192.0.2.1",
}  # fmt: skip


def test_a_request_is_one_json_line():
    written = []
    log = AccessLog(on=True, write=written.append)
    log.add(**ENTRY)
    log.add(**{**ENTRY, "user_id": None})
    assert written == []
    log.flush()
    [text] = written
    first, second = (orjson.loads(line) for line in text.splitlines())
    assert (first["ms"], first["user_id"], first["path"]) == (12.3, 7, "/course/ü\n")
    assert "user_id" not in second
    log.flush()
    assert len(written) == 1


def test_people_get_text_and_off_is_off():
    written = []
    log = AccessLog(on=True, style="console", write=written.append)
    log.add(**ENTRY)
    log.flush()
    assert written[0].count("\n") == 1
    off = AccessLog(on=False, write=written.append)
    off.add(**ENTRY)
    off.flush()
    assert len(written) == 1
