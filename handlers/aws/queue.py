"""The queue that the remediation function works through.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
"""

from typing import TYPE_CHECKING

from handlers.aws.clients import Clients
from handlers.aws.errors import translated_errors

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class Queue:
    """The remediation queue."""

    def __init__(self, clients: Clients, url: str) -> None:
        self._clients = clients
        self._url = url

    def send(self, body: str) -> None:
        """Send one message.

        Raises:
            AwsCallError, TransientError: it was not sent.
        """
        client: SQSClient = self._clients.get("sqs")
        with translated_errors("SendMessage"):
            client.send_message(QueueUrl=self._url, MessageBody=body)
