import pytest

from lectern_client import Client, NotAuthenticated, Unreachable


def test_one_token_serves_many_requests(client, lectern):
    client.task("x")
    client.task("x")
    assert lectern.token_requests == 1


def test_a_token_near_its_end_is_renewed_first(lectern):
    lectern.token_life = 0
    with Client(lectern.url, "robot", "s3cr3t") as client:
        client.task("x")
        client.task("x")
    assert lectern.token_requests == 2


def test_a_refused_token_is_renewed_and_the_request_repeated(client, lectern):
    lectern.refused_tokens = {"t1"}
    assert client.task("x").has_succeeded
    assert lectern.token_requests == 2


def test_a_token_that_stays_refused_is_an_error_of_the_credentials(client, lectern):
    lectern.refused_tokens = {"t1", "t2"}
    with pytest.raises(NotAuthenticated, match=r"Token has expired. \(token_expired\)"):
        client.task("x")


def test_wrong_credentials_are_said_to_be_wrong(lectern):
    with Client(lectern.url, "robot", "guess") as client, pytest.raises(NotAuthenticated):
        client.authenticate()


def test_no_server_is_unreachable():
    with (
        Client("http://127.0.0.1:9", "robot", "s3cr3t") as client,
        pytest.raises(Unreachable, match="cannot be reached"),
    ):
        client.authenticate()
