"""Addresses of repositories, as they are written."""

import pytest

from import_export.hooks.addresses import check_repository
from import_export.hooks.errors import BadRepository, InternalRepository


@pytest.mark.parametrize(
    ("address", "refusal"),
    [
        ("https://git.example.com/org/course.git", None),
        ("http://93.184.215.14/course.git", None),
        ("https://user:word@git.example.com:8443/course.git", None),
        ("http://127.0.0.1:8080/course.git", InternalRepository),
        ("http://localhost/course.git", InternalRepository),
        ("http://git.LOCALHOST./course.git", InternalRepository),
        ("http://git.internal/course.git", InternalRepository),
        ("http://10.1.2.3/course.git", InternalRepository),
        ("http://169.254.169.254/latest/meta-data", InternalRepository),
        ("http://[::1]/course.git", InternalRepository),
        ("http://[::ffff:192.168.0.1]/course.git", InternalRepository),
        ("http://[fd00::1]/course.git", InternalRepository),
        ("http://0.0.0.0/course.git", InternalRepository),
        ("file:///srv/course.git", BadRepository),
        ("ssh://git@git.example.com/course.git", BadRepository),
        ("https://", BadRepository),
        ("https://[::1/course.git", BadRepository),
        ("https://git.example.com:99999/course.git", BadRepository),
    ],
)
def test_a_repository_is_on_the_internet_unless_the_service_may_look_at_home(address, refusal):
    if refusal is None:
        check_repository(address, allow_internal=False)
    else:
        with pytest.raises(refusal):
            check_repository(address, allow_internal=False)
    if refusal is InternalRepository or address.startswith("file:"):
        check_repository(address, allow_internal=True)
