"""What the enrollment service reads from its environment."""

from common.settings import ServiceSettings


class Settings(ServiceSettings):
    """Its own variables beside the shared ones."""

    # a command's item about a learner, course or mode not heard of yet is tried once more after this time
    deferred_seconds: float = 5.0
    # how often the sweeps look for deferred items and for seats to recount
    sweep_seconds: float = 1.0
    command_retention_days: int = 30
    # program enrollments that wait for an account longer than this are forgotten
    waiting_program_days: int = 60
    # sandboxes only: `POST /api/program_enrollments/v1/integration-reset`
    program_reset: bool = False
    # the largest file a job takes; the gateway has a limit of its own
    job_upload_bytes: int = 200_000_000
    # how long ended jobs, their files and results are kept, and can be undone
    job_retention_days: int = 30
