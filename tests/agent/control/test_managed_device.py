"""Answers to requests."""

from agent.control.managed_device import Answers


def test_answers_go_out_in_the_order_of_the_requests() -> None:
    said: list[str] = []
    answers = Answers()
    stored, refused, last = answers.place(), answers.place(), answers.place()
    refused(lambda: said.append("refused"))
    assert said == []
    stored(lambda: said.append("accepted, on the disk"))
    assert said == ["accepted, on the disk", "refused"]
    last(lambda: said.append("last"))
    assert said[-1] == "last"
