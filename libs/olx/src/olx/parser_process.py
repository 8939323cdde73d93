"""Using `olx.worker` from an asyncio program: start it ahead of need, ask it, and replace it when it fails."""

import asyncio
import os
import signal
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import orjson

from olx.archive import LinkRule
from olx.codes import REFUSAL_CODES
from olx.limits import Limits

_ANSWER_BYTES: Final = 64 << 20
_START_SECONDS: Final = 30.0
_PASSED_ON: Final = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "TMPDIR")


@dataclass(frozen=True, slots=True)
class SpooledAsset:
    path: Path
    size: int


@dataclass(frozen=True, slots=True)
class ParseAnswer:
    """What became of an archive: a snapshot and its assets in the spool, or the code of a refusal."""

    ok: bool
    report: dict[str, object]
    code: str | None = None
    message: str | None = None
    member: str | None = None
    snapshot: Path | None = None
    snapshot_digest: str | None = None
    """The SHA-256 of its bytes."""
    assets: dict[str, SpooledAsset] = field(default_factory=dict)
    round_trip: dict[str, object] | None = None
    """What `olx.round_trip` found, where it was asked for."""


class ParserProcess:
    """One worker process; requests are taken one after the other."""

    def __init__(self, *, memory_bytes: int = 1 << 30) -> None:
        self._memory_bytes = memory_bytes
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """The process, for whoever watches its memory."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Have a process ready, with everything it needs already loaded."""
        async with self._turn:
            await self._ensure_started()

    async def stop(self) -> None:
        async with self._turn:
            await self._kill()

    async def parse(
        self,
        archive: Path,
        spool: Path,
        *,
        course_id: str,
        filename: str = "",
        links: LinkRule = "refuse",
        limits: Limits | None = None,
        round_trip: bool = False,
        timeout: float = 120.0,
    ) -> ParseAnswer:
        """Read an archive; a process that is too slow or dies is replaced, and that is the answer."""
        request: dict[str, object] = {
            "archive": str(archive),
            "filename": filename,
            "spool": str(spool),
            "course_id": course_id,
            "links": links,
            "limits": asdict(limits or Limits()),
            "round_trip": round_trip,
        }
        async with self._turn:
            try:
                process = await self._ensure_started()
                line = await asyncio.wait_for(_ask(process, request), timeout)
            except TimeoutError:
                await self._kill()
                return _failed("too_slow", f"Reading took longer than {timeout:g} seconds.")
            except (ConnectionError, asyncio.IncompleteReadError, ValueError):
                status = await self._kill()
                if status == -signal.SIGXCPU:
                    return _failed("too_slow")
                return _failed("parser_died", f"{REFUSAL_CODES['parser_died']} (status {status})")
            except asyncio.CancelledError:
                # Its answer would be taken for the next one's.
                await self._kill()
                raise
            answer = _read_answer(line)
            if answer.code == "too_much_memory":
                # It is ending by itself, since what was taken is not given back for certain.
                await self._kill()
            return answer

    async def _ensure_started(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "olx.worker",
            f"--memory-bytes={self._memory_bytes}",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_ANSWER_BYTES,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        )
        self._process = process
        await asyncio.wait_for(_read_line(process), _START_SECONDS)
        return process

    async def _kill(self) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        if process.returncode is None:
            if process.stdin is not None:
                process.stdin.close()
            try:
                # A process that is ending by itself says why; one that is busy is not waited for.
                await asyncio.wait_for(process.wait(), 0.2)
            except TimeoutError:
                process.kill()
        return await process.wait()


async def _ask(process: asyncio.subprocess.Process, request: dict[str, object]) -> bytes:
    if process.stdin is None:
        raise ConnectionError("the process has no input")
    process.stdin.write(orjson.dumps(request) + b"\n")
    await process.stdin.drain()
    return await _read_line(process)


async def _read_line(process: asyncio.subprocess.Process) -> bytes:
    if process.stdout is None:
        raise ConnectionError("the process has no output")
    return await process.stdout.readuntil(b"\n")


def _read_answer(line: bytes) -> ParseAnswer:
    answer = orjson.loads(line)
    assets = answer.get("assets") or {}
    return ParseAnswer(
        ok=answer["ok"],
        report=answer["report"],
        code=answer.get("code"),
        message=answer.get("message"),
        member=answer.get("member"),
        snapshot=Path(answer["snapshot"]) if answer["ok"] else None,
        assets={digest: SpooledAsset(Path(asset["path"]), asset["size"]) for digest, asset in assets.items()},
        snapshot_digest=answer.get("snapshot_digest"),
        round_trip=answer.get("round_trip"),
    )


def _failed(code: str, message: str | None = None) -> ParseAnswer:
    report: dict[str, object] = {"entries": [], "counts": {}}
    return ParseAnswer(ok=False, report=report, code=code, message=message or REFUSAL_CODES[code])
