"""The buffer of what came: bounded whatever comes, and each topic gets its turn."""

from agent.mqtt.incoming import MAX_BYTES, MAX_PER_TOPIC, MAX_TOPICS, IncomingBuffer
from agent.ports import Message


class Counted:
    def __init__(self) -> None:
        self.dropped = 0
        self.buffer = IncomingBuffer(self.count)

    def count(self) -> None:
        self.dropped += 1

    def all(self) -> list[Message]:
        out = []
        while (message := self.buffer.pop()) is not None:
            out.append(message)
        return out


def test_topics_take_turns_and_each_keeps_its_order() -> None:
    counted = Counted()
    for topic, payload in (("a", b"1"), ("a", b"2"), ("a", b"3"), ("b", b"1"), ("c", b"1")):
        counted.buffer.put(Message(topic, payload))
    got = [(item.topic, item.payload) for item in counted.all()]
    assert got == [("a", b"1"), ("b", b"1"), ("c", b"1"), ("a", b"2"), ("a", b"3")]


def test_a_flood_on_one_topic_keeps_its_newest() -> None:
    counted = Counted()
    for number in range(500):
        counted.buffer.put(Message("a", b"%d" % number))
    kept = counted.all()
    assert len(kept) == MAX_PER_TOPIC
    assert kept[-1].payload == b"499"
    assert counted.dropped == 500 - MAX_PER_TOPIC


def test_a_storm_of_topics_and_large_messages_is_bounded() -> None:
    counted = Counted()
    for number in range(3 * MAX_TOPICS):
        counted.buffer.put(Message(f"device/{number}", b"x"))
    assert len(counted.all()) == MAX_TOPICS
    for number in range(100):
        counted.buffer.put(Message(f"large/{number}", bytes(MAX_BYTES // 10)))
    assert len(counted.all()) < 10
    counted.buffer.put(Message("a", b"x"))
    assert len(counted.all()) == 1
