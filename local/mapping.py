"""Lambda's event source mapping: what joins a queue to the function behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Message = dict[str, Any]
Function = Callable[[Any, Any], Any]

# The most that SQS hands out at once.
MESSAGES_A_RECEIVE = 10


@dataclass(frozen=True)
class EventSourceMapping:
    """A queue and a function, with a batch at a time going from one to the other.

    Attributes:
        sqs: a client of the queue's account and Region.
        queue_url: the queue.
        function: the handler, with ReportBatchItemFailures.
        batch_size: the most messages of an invocation.
    """

    sqs: Any
    queue_url: str
    function: Function
    batch_size: int = MESSAGES_A_RECEIVE

    def receive(self) -> list[Message]:
        """Take up to a batch of messages off the queue, for as long as its timeout says."""
        received: list[Message] = []
        while len(received) < self.batch_size:
            answer = self.sqs.receive_message(
                QueueUrl=self.queue_url,
                MaxNumberOfMessages=min(MESSAGES_A_RECEIVE, self.batch_size - len(received)),
                AttributeNames=["All"],
            )
            if not answer.get("Messages"):
                break
            received += answer["Messages"]
        return received

    def invoke(self, messages: list[Message], context: Any = None) -> list[Message]:
        """Invoke the function with messages, delete those that it did, and give the others.

        One that raises, or dies, did none of them.
        """
        try:
            answer = self.function({"Records": [_make_record(one) for one in messages]}, context)
        except Exception:  # noqa: BLE001 - so does Lambda, whatever it is
            return messages
        failed = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
        given_back = []
        for message in messages:
            if message["MessageId"] in failed:
                given_back.append(message)
            else:
                self.sqs.delete_message(
                    QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"]
                )
        return given_back

    def let_come_again(self, messages: list[Message]) -> None:
        """Let messages be visible at once, and not only when their timeout is over."""
        for message in messages:
            self.sqs.change_message_visibility(
                QueueUrl=self.queue_url,
                ReceiptHandle=message["ReceiptHandle"],
                VisibilityTimeout=0,
            )

    def drain(self, context: Any = None) -> int:
        """Invoke the function until the queue is empty, and give how often that was.

        What comes back is redelivered at once; a queue with a redrive policy ends that.
        """
        invocations = 0
        for messages in self._receive_all():
            invocations += 1
            self.let_come_again(self.invoke(messages, context))
        return invocations

    def _receive_all(self) -> Iterator[list[Message]]:
        while messages := self.receive():
            yield messages


def _make_record(message: Message) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
    }
