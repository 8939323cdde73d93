"""The gateway in front of a fixed answer, beside nginx doing the same: CPU per request of the proxy process.

2,000 callers with cached tokens, rate limits on. The upstream is one bare ASGI process that both use.
"""

import asyncio
import json
import os
import shutil
import signal
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from api import Client
from bare import bare_app
from joserfc import jwt
from joserfc.jwk import RSAKey
from load import run
from measure import ROUNDS, Row, cpu_seconds

from common.testing.keeper import free_ports
from common.testing.system import System

CALLERS = 2000
PATH = "/api/courses/v1/courses/"
CASES = ((1024, 32, 6000, 6.0), (1024, 1, 1500, 10.0), (102_400, 32, 2000, 3.0))

_NGINX = """
worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
  log_format line '$remote_addr $request_id "$request" $status $body_bytes_sent $request_time';
  access_log {folder}/access.log line buffer=64k flush=1s;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  limit_req_zone $http_authorization zone=callers:32m rate=1000000r/m;
  upstream service {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port}; keepalive_requests 10000000;
    location / {{
      limit_req zone=callers burst=100000 nodelay;
      proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header X-Request-ID $request_id;
      proxy_set_header X-Lectern-Identity ""; proxy_set_header X-Forwarded-For $remote_addr;
      proxy_pass http://service;
    }}
  }}
}}
"""


async def gateway_rows(system: System, admin: Client) -> list[Row]:
    if shutil.which("nginx") is None:
        print("nginx is not installed: the gateway rows were not measured")
        return []
    requests = await _requests(system, admin)
    rows = []
    for size, connections, total, bar in CASES:
        async with bare_app("fixed", size=size) as upstream:
            port = int(upstream.rsplit(":", 1)[1].strip("/"))
            rows.append(await _case(system, requests, port, size, connections, total, bar))
    return rows


async def _requests(system: System, admin: Client) -> list[bytes]:
    """2,000 callers' requests, each with a token of its own."""
    names = [f"gw_{number}" for number in range(CALLERS)]
    users = [{"username": name, "email": f"{name}@example.com"} for name in names]
    answer = await admin.post("/api/accounts/v1/users", json=users)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    made = made["users"] if isinstance(made, dict) else made
    secrets = json.loads((system.home / "secrets.json").read_text())
    key = RSAKey.import_key(json.loads(secrets["token_private_key"]))
    pattern = jwt.decode(admin.token, key, algorithms=["RS256"])
    header = {name: value for name, value in pattern.header.items() if name in {"alg", "kid", "typ"}}
    requests = []
    for user in made:
        claims = pattern.claims | {
            "preferred_username": user["username"],
            "user_id": user["user_id"],
            "email": f"{user['username']}@example.com",
            "administrator": False,
            "jti": user["username"],
            "exp": int(time.time()) + 3600,
        }
        if "sub" in claims:
            claims["sub"] = user["username"] if claims["sub"] == admin.username else str(user["user_id"])
        token = jwt.encode(header, claims, key, algorithms=["RS256"])
        requests.append(
            f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: JWT {token}\r\nAccept: application/json\r\n\r\n".encode()
        )
    return requests


async def _case(
    system: System, requests: list[bytes], upstream: int, size: int, connections: int, total: int, bar: float
) -> Row:
    folder = Path(tempfile.mkdtemp(prefix="lectern-nginx-"))
    port, ours = free_ports(2)
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, upstream=upstream, port=port))
    nginx = subprocess.Popen(["nginx", "-c", str(folder / "nginx.conf")], stderr=subprocess.DEVNULL)
    policy = folder / "limits.yaml"
    policy.write_text(_generous(system.repository))
    upstreams = dict.fromkeys(
        ("course-catalog", "content", "enrollment", "import-export"), f"http://127.0.0.1:{upstream}"
    )
    environment = {
        "LECTERN_UPSTREAMS": json.dumps(upstreams),
        "LECTERN_RATE_LIMITS": "on",
        "LECTERN_RATE_POLICY_FILE": str(policy),
        "LECTERN_HTTP_PORT": str(ours),
        "LECTERN_PUBLIC_URL": system.base_url,
    }
    child = system.spawn("gateway", "serve", label="gateway-bench", environment=environment)
    try:
        await _listening(port)
        await _listening(ours)
        worker = int(
            subprocess.run(["pgrep", "-P", str(nginx.pid)], capture_output=True, text=True, check=True).stdout.split()[
                0
            ]
        )
        # every caller's token is verified and cached before the clock starts
        warm = await run("127.0.0.1", ours, requests, connections=8, total=len(requests))
        assert set(warm.statuses) == {200}, warm.statuses
        await run("127.0.0.1", port, requests, connections=8, total=500)
        ratios, mine, theirs = [], [], []
        for _ in range(ROUNDS):
            theirs.append(await _cost(worker, port, requests, connections, total))
            mine.append(await _cost(child.pid, ours, requests, connections, total))
            ratios.append(mine[-1] / theirs[-1])
    finally:
        system.stop("gateway-bench")
        os.kill(nginx.pid, signal.SIGTERM)
        nginx.wait()
        shutil.rmtree(folder, ignore_errors=True)
    name = f"gateway, {size // 1024} kB answer, c={connections}, 2,000 callers"
    value, base = statistics.median(mine), statistics.median(theirs)
    return Row(name, value, "µs CPU", base, statistics.median(ratios), bar, "<=")


async def _cost(pid: int, port: int, requests: list[bytes], connections: int, total: int) -> float:
    """CPU microseconds per request."""
    before = cpu_seconds(pid)
    result = await run("127.0.0.1", port, requests, connections=connections, total=total)
    assert set(result.statuses) == {200}, result.statuses
    return (cpu_seconds(pid) - before) / result.requests * 1e6


async def _listening(port: int) -> None:
    for _ in range(400):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise AssertionError(f"nothing listens on {port}")


def _generous(repository: Path) -> str:
    """Our own policy with limits that no benchmark reaches: every request is counted, none refused."""
    import yaml

    policy = yaml.safe_load((repository / "services/gateway/src/gateway/rate_limits.yaml").read_text())

    def raised(value: object) -> object:
        if isinstance(value, dict):
            return {name: 10_000_000 if name in {"user", "staff", "ip", "client", "anonymous", "limit"}
                    and isinstance(item, int) else raised(item) for name, item in value.items()}  # fmt: skip
        return [raised(item) for item in value] if isinstance(value, list) else value

    return str(yaml.safe_dump(raised(policy), sort_keys=False))
