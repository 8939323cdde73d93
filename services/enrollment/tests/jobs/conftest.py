"""Jobs: sent over HTTP, carried out by a runner of this process."""

from datetime import timedelta

import orjson
import pytest

from common.testing.identity import a_caller
from enrollment.jobs.running import Runner

BASE = "/api/enrollment_jobs/v1"
STAFF = a_caller("registrar", staff=True)


class Jobs:
    def __init__(self, client, resources):
        self.client = client
        self.runner = Runner(resources, timedelta(seconds=0.4), 0.05)

    async def send(self, method, path, **more):
        return await self.client.send(method, f"{BASE}/{path}", more.pop("caller", STAFF), **more)

    async def post(self, path, file, media_type="text/csv", **headers):
        data = file if isinstance(file, bytes) else file.encode()
        sent = {"content-type": media_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return await self.send("POST", path, content=data, headers=sent)

    async def done(self, answer):
        """Carry everything out; the job as it is then."""
        assert answer.status_code == 202, answer.text
        while await self.runner.run_next():
            pass
        shown = (await self.send("GET", f"jobs/{answer.json()['job_id']}")).json()
        assert shown["finished"], shown
        return shown

    async def run(self, path, file, media_type="text/csv"):
        return await self.done(await self.post(path, file, media_type))

    async def result(self, job, fmt="json"):
        answer = await self.send("GET", f"jobs/{job['job_id']}/result?fmt={fmt}")
        assert answer.status_code == 200, answer.text
        return orjson.loads(answer.content) if fmt == "json" else answer.text


@pytest.fixture
def jobs(client, resources):
    return Jobs(client, resources)
