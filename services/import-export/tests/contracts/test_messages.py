"""What is announced and sent is what the samples show, and every sample of what is heard can be read."""

import pytest

from import_export.consumers import HEARS, subscriptions
from import_export.events import ImportCourse, JobFinished, SnapshotCourse


def samples(repository, name):
    found = sorted((repository / "contracts").glob(f"*/*/{name}.sample*.json"))
    assert found, name
    return found


@pytest.mark.parametrize("name", HEARS)
def test_every_sample_is_read(repository, name):
    for path in samples(repository, name):
        HEARS[name].model_validate_json(path.read_bytes())


@pytest.mark.parametrize("message", [JobFinished, ImportCourse, SnapshotCourse])
def test_every_sample_is_what_is_sent(repository, message):
    for path in samples(repository, message.type):
        message.model_validate_json(path.read_bytes())


def test_what_is_heard_is_handled(resources):
    (subscription,) = subscriptions(resources)
    assert set(subscription.handlers) == set(HEARS)
