"""Which partition a key goes to: murmur2, as Kafka's Java client does it.

References
----------
Kafka's ``org.apache.kafka.common.utils.Utils.murmur2`` and ``BuiltInPartitioner.partitionForKey``.
"""

from __future__ import annotations

import struct

__all__ = ["murmur2", "partition_for"]

SEED = 0x9747B28C
M = 0x5BD1E995
MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Return the 32-bit hash, unsigned."""
    whole = len(data) & ~3
    h = SEED ^ len(data)
    for word in struct.unpack(f"<{whole // 4}I", data[:whole]):
        k = (word * M) & MASK
        h = ((h * M) & MASK) ^ (((k ^ (k >> 24)) * M) & MASK)
    if len(data) > whole:
        h = ((h ^ int.from_bytes(data[whole:], "little")) * M) & MASK
    h = ((h ^ (h >> 13)) * M) & MASK
    return h ^ (h >> 15)


def partition_for(key: bytes, partitions: int) -> int:
    """Return the partition of a key in a topic of so many partitions."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
