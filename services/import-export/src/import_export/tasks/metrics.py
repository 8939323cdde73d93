"""What operators see of imports and exports."""

from prometheus_client import Counter, Histogram

ENDED = Counter("lectern_jobs_ended_total", "Imports and exports by how they ended", ["kind", "state"])
SECONDS = Histogram(
    "lectern_job_seconds",
    "From the request to the end of the job",
    ["kind"],
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200),
)
