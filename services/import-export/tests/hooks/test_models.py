"""What a hook believes."""

import pytest

from import_export.hooks.models import is_signed, same_repository, sign, without_credentials


def test_a_signature_is_of_these_bytes_and_this_secret():
    shown = sign("secret", b"body")
    assert shown == "sha256=dc46983557fea127b43af721467eb9b3fde2338fe3e14f51952aa8478c13d355"
    assert is_signed("secret", b"body", shown)
    assert is_signed("secret", b"body", f" {shown.upper()} ")
    for secret, body, other in (("other", b"body", shown), ("secret", b"bodies", shown), ("secret", b"body", None),
                                ("secret", b"body", ""), ("secret", b"body", "sha256=é")):  # fmt: skip
        assert not is_signed(secret, body, other)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://example.com/org/course.git", "https://example.com/org/course", True),
        ("https://user:token@example.com/Org/Course", "git@example.com:org/course.git", True),
        ("https://example.com/org/course", "ssh://git@example.com/org/course.git", True),
        ("https://example.com/org/course", "https://example.com/org/courses", False),
        ("https://example.com/org/course", "https://example.org/org/course", False),
    ],
)
def test_addresses_of_one_repository(one, other, same):
    assert same_repository(one, other) is same


def test_a_password_in_an_address_is_not_shown():
    assert without_credentials("https://u:secret@example.com:8443/a.git") == "https://example.com:8443/a.git"
