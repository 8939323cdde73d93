"""What the import-export service reads from its environment, beside what all services share."""

from pathlib import Path

from common.settings import ServiceSettings

MEBI = 1024 * 1024


class Settings(ServiceSettings):
    """Each variable is listed once in the README."""

    spool_dir: Path | None = None
    max_upload_bytes: int = 1024 * MEBI
    max_unpacked_bytes: int = 2048 * MEBI
    max_members: int = 50_000
    max_ratio: int = 100
    parse_seconds: float = 600
    import_workers: int = 1
    export_workers: int = 1
    job_lease_seconds: float = 30
    job_attempts: int = 3
    command_seconds: int = 3600
    catalogue_seconds: float = 5
    export_wait_seconds: float = 20
    archive_cache_bytes: int = 2048 * MEBI
    task_retention_days: int = 30
    hook_seconds: float = 300
    hook_max_bytes: int = 1024 * MEBI
    hook_internal_urls: bool = False
