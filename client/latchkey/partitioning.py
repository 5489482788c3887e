"""Which partition of its topic a stream lives in, for life: the publisher writes by it, a consumer that asks the feed filters by it."""

from zlib import crc32


def partition_of(stream_id: str, partitions: int = 12) -> int:
    """CRC32 of the UTF-8 stream id, modulo the number of partitions (librdkafka calls this partitioner `consistent`)."""
    return crc32(stream_id.encode()) % partitions
