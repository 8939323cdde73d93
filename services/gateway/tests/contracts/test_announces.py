"""What the gateway announces is what the contract's samples and schema say."""

import jsonschema
import orjson
import pytest

from gateway.consumers import HEARS
from gateway.events import ExternalIdsLinked, UsersChanged, UsersRetired


@pytest.mark.parametrize("announced", [UsersChanged, UsersRetired, ExternalIdsLinked])
def test_every_sample_is_what_is_announced(repository, announced):
    found = sorted((repository / "contracts/events/gateway").glob(f"{announced.type}.sample*.json"))
    assert found
    for path in found:
        event = announced.model_validate_json(path.read_bytes())
        assert event.model_dump(mode="json") == orjson.loads(path.read_bytes())


async def test_a_stored_announcement_fits_the_schema(client, a_user, connect, database_url):
    await a_user("announced", country="at")
    connection = await connect(database_url)
    rows = await connection.fetch("select payload from outbox where type = $1", UsersChanged.type)
    validator = jsonschema.Draft202012Validator(UsersChanged.model_json_schema(mode="serialization"))
    for row in rows:
        validator.validate(orjson.loads(row["payload"]))
    assert rows


@pytest.mark.parametrize("type_", HEARS)
def test_every_sample_command_is_read(repository, type_):
    found = sorted((repository / "contracts/commands/gateway").glob(f"{type_}.sample*.json"))
    assert found
    for path in found:
        HEARS[type_].model_validate_json(path.read_bytes())
