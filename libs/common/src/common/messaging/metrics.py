"""What operators see of messaging. The label `type` holds declared types only; others count as `unknown`."""

from prometheus_client import Counter, Gauge, Histogram

_LATENCY = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300, 3600)

PENDING = Gauge("lectern_outbox_pending", "Outbox rows not yet published", ["service"])
OLDEST = Gauge("lectern_outbox_oldest_seconds", "Age of the oldest unpublished outbox row", ["service"])
LEADING = Gauge("lectern_relay_leader", "1 in the process whose relay is the active one", ["service"])
PUBLISHED = Counter("lectern_published_total", "Publishes by what became of them", ["service", "type", "outcome"])
MERGED = Counter(
    "lectern_outbox_merged_total", "Outbox rows that travelled in a neighbour's message", ["service", "type"]
)
UNPUBLISHABLE = Counter("lectern_outbox_parked_total", "Outbox rows given up as unroutable", ["service", "type"])
PUBLISH_SECONDS = Histogram(
    "lectern_publish_delay_seconds", "From the change to the broker's confirm", ["service"], buckets=_LATENCY
)

CONSUMED = Counter("lectern_consumed_total", "Messages by what became of them", ["queue", "type", "outcome"])
HANDLER_SECONDS = Histogram(
    "lectern_consumer_transaction_seconds", "One batch: inbox, handlers, commit", ["queue"], buckets=_LATENCY
)
BATCH = Histogram(
    "lectern_consumer_batch_messages", "Messages per transaction", ["queue"], buckets=(1, 2, 5, 10, 25, 50, 100, 200)
)
LAG = Histogram("lectern_message_lag_seconds", "From the change to its effect here", ["queue"], buckets=_LATENCY)
READY = Gauge("lectern_queue_ready", "Messages waiting in the queue, as the watchdog saw", ["queue"])
CONSUMERS = Gauge("lectern_queue_consumers", "Consumers of the queue, as the watchdog saw", ["queue"])
PARKED = Gauge("lectern_parked_messages", "Messages in the parking lot", ["service"])
