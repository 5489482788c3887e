"""The topics of the public contract, made with their partitions and settings on a broker that makes none by itself."""

from collections.abc import Iterable

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code
from latchkey.access import KafkaAccess, options
from latchkey.topics import Topic

from stack.trouble import Trouble

_AS_THE_BROKERS_SAY = -1


async def make_topics(kafka: str | KafkaAccess, topics: Iterable[Topic]) -> None:
    """Make those that are missing, with the brokers' number of copies; return when all are there. Raises Trouble when one is refused."""
    wanted = [NewTopic(topic.name, topic.partitions, _AS_THE_BROKERS_SAY, {}, dict(topic.config)) for topic in topics]
    admin = AIOKafkaAdminClient(**options(kafka))
    await admin.start()
    try:
        answer = await admin.create_topics(wanted)
    finally:
        await admin.close()
    for name, code, *text in answer.topic_errors:
        if code not in {0, TopicAlreadyExistsError.errno}:
            raise Trouble(f"Kafka refused to make the topic {name}: {for_code(code).__name__} {' '.join(filter(None, text))}")
