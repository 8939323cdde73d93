"""What a first run shows: demo accounts and the sample course, made through the gateway as any client would."""

import io
import tarfile
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx

from common.testing.system import System

SAMPLE = Path(__file__).with_name("sample-course")
ACCOUNTS = (
    {"username": "ada", "email": "ada@example.com", "name": "Ada Lovelace", "is_staff": True},
    {"username": "grace", "email": "grace@example.com", "name": "Grace Hopper", "is_staff": False},
    {"username": "learner", "email": "learner@example.com", "name": "Lee Learner", "is_staff": False},
)
_ENDED = {"Succeeded", "Failed", "Canceled"}


class SeedFailed(Exception):
    """The demo accounts or the sample course could not be made."""


def sample_key(folder: Path = SAMPLE) -> str:
    """The course key that the sample's course.xml names."""
    root = ET.parse(folder / "course.xml").getroot()  # noqa: S314 - our own file
    return f"course-v1:{root.attrib['org']}+{root.attrib['course']}+{root.attrib['url_name']}"


def sample_archive(folder: Path = SAMPLE) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.add(folder, arcname="course")
    return buffer.getvalue()


def seed(system: System) -> None:
    """Raises `SeedFailed`. What is there already stays."""
    with httpx.Client(base_url=system.base_url, timeout=30, trust_env=False) as client:
        client.headers["Authorization"] = f"JWT {_token(client, system)}"
        for account in ACCOUNTS:
            answer = client.post("/api/accounts/v1/users", json={**account, "password": system.demo_password})
            if answer.status_code not in (201, 409):
                raise SeedFailed(f"account {account['username']}: {answer.status_code} {answer.text}")
        _import(client, sample_key(), sample_archive())


def _token(client: httpx.Client, system: System) -> str:
    credentials = system.credentials
    answer = client.post(
        "/oauth2/access_token",
        data={"grant_type": "client_credentials", "token_type": "jwt"},
        auth=(credentials["client_id"], credentials["client_secret"]),
    )
    if answer.status_code != 200:
        raise SeedFailed(f"token for the administrator's client: {answer.status_code} {answer.text}")
    return str(answer.json()["access_token"])


def _import(client: httpx.Client, course: str, archive: bytes) -> None:
    answer = client.post(f"/api/v0/import/{course}", files={"course_data": ("course.tar.gz", archive)})
    if answer.status_code != 202:
        raise SeedFailed(f"import of {course}: {answer.status_code} {answer.text}")
    task = f"/api/v0/tasks/{answer.json()['task_id']}"
    deadline = time.monotonic() + 120
    while (state := client.get(task).raise_for_status().json())["state"] not in _ENDED:
        if time.monotonic() > deadline:
            raise SeedFailed(f"import of {course} is still {state['state']} after 120 s")
        time.sleep(0.1)
    if state["state"] != "Succeeded":
        raise SeedFailed(f"import of {course}: {state}")
