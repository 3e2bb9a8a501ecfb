import pytest

from streamlab.broker.partitioner import murmur2, partition_for

# From org.apache.kafka.common.utils.UtilsTest.testMurmur2, as signed 32-bit numbers.
JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize("key", JAVA)
def test_the_hash_is_the_java_clients(key: bytes) -> None:
    assert murmur2(key) == JAVA[key] & 0xFFFFFFFF


def test_a_key_always_goes_to_the_same_partition_of_those_there_are() -> None:
    went = {partition_for(f"{i}".encode(), 7) for i in range(200)}
    assert went == set(range(7))
    assert partition_for(b"21", 7) == (murmur2(b"21") & 0x7FFFFFFF) % 7
