"""The consumer: each public event takes effect exactly once in the database of whoever consumes it."""

from latchkey.access import KafkaAccess
from latchkey.consumer.backlog import FeedPage, Source, Sources, whole
from latchkey.consumer.faults import NotYet
from latchkey.consumer.handling import Handler, Reaction, Reactor
from latchkey.consumer.loop import Consumer
from latchkey.consumer.parking import NotParkedError, ParkedRecord, parked_discard, parked_list, parked_retry
from latchkey.consumer.plan import Place, Reason
from latchkey.consumer.policy import Policy, Start, Status
from latchkey.consumer.tables import begin_from, install
from latchkey.consumer.waiting import is_parked, wait_for

__all__ = [
    "Consumer",
    "FeedPage",
    "Handler",
    "KafkaAccess",
    "NotParkedError",
    "NotYet",
    "ParkedRecord",
    "Place",
    "Policy",
    "Reaction",
    "Reactor",
    "Reason",
    "Source",
    "Sources",
    "Start",
    "Status",
    "begin_from",
    "install",
    "is_parked",
    "parked_discard",
    "parked_list",
    "parked_retry",
    "wait_for",
    "whole",
]
