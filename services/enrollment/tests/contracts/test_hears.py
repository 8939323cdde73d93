"""Every reader takes its producer's samples."""

import orjson
import pytest

from enrollment.commands.operations import ENROLL, UNENROLL
from enrollment.commands.schemas import Item, read_command
from enrollment.consumers import HEARS
from enrollment.events import CommandCompleted, EnrollmentsChanged


def samples(repository, type_):
    return sorted((repository / "contracts").glob(f"*/*/{type_}.sample*.json"))


@pytest.mark.parametrize("type_", HEARS)
def test_every_sample_is_read(repository, type_):
    found = samples(repository, type_)
    assert found
    for path in found:
        HEARS[type_].model_validate_json(path.read_bytes())


@pytest.mark.parametrize("event", [EnrollmentsChanged, CommandCompleted])
def test_every_sample_is_what_is_announced(repository, event):
    found = samples(repository, event.type)
    assert found
    for path in found:
        event.model_validate_json(path.read_bytes())


@pytest.mark.parametrize(("type_", "kind"), [(ENROLL, "enroll"), (UNENROLL, "unenroll")])
def test_sample_commands_are_carried_out_whole(repository, type_, kind):
    from datetime import UTC, datetime

    for path in samples(repository, type_):
        read = read_command(path.read_bytes(), kind, broker_user="x", reply_to=None, received_at=datetime.now(UTC))
        assert all(isinstance(item, Item) for item in read.items.values())
        assert len(read.items) == len(orjson.loads(path.read_bytes())["items"])
