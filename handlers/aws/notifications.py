"""Messages to people through SNS.

https://docs.aws.amazon.com/sns/latest/api/API_Publish.html
"""

from typing import TYPE_CHECKING

from handlers.aws.clients import Clients
from handlers.aws.errors import translated_errors
from models.report import Notification

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient


class Notifications:
    """The topic that people subscribe to."""

    def __init__(self, clients: Clients, topic_arn: str) -> None:
        self._clients = clients
        self._topic_arn = topic_arn

    def publish(self, notification: Notification) -> None:
        """Publish a message with the attributes `outcome` and `accountId`.

        Raises:
            AwsCallError, TransientError: it was not published.
        """
        region = self._topic_arn.split(":")[3]
        client: SNSClient = self._clients.get("sns", region)
        with translated_errors("Publish"):
            client.publish(
                TopicArn=self._topic_arn,
                Subject=notification.subject,
                Message=notification.text,
                MessageAttributes={
                    "outcome": {"DataType": "String", "StringValue": notification.outcome},
                    "accountId": {"DataType": "String", "StringValue": notification.account_id},
                },
            )
