"""The archive in S3: what a deletion rests on, written before it.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
"""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import ValidationError

from handlers.aws.clients import Clients
from handlers.aws.errors import translated_errors
from models.archive import ArchiveRecord, StoredRecord, compose_key, compose_prefix
from models.certificate import CertificateIdentifier, IdentifierKind
from models.errors import AwsCallError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Archive:
    """The archive bucket.

    Args:
        clients: our own account's clients.
        bucket: the bucket's name.
        read_owner: returns the account the bucket must belong to; anyone else's is refused.
    """

    def __init__(self, clients: Clients, bucket: str, read_owner: Callable[[], str]) -> None:
        self._clients = clients
        self._bucket = bucket
        self._read_owner = read_owner

    @property
    def _s3(self) -> "S3Client":
        client: S3Client = self._clients.get("s3")
        return client

    def write(self, account_id: str, record: ArchiveRecord) -> str:
        """Write a record over any earlier one of the same certificate, and return its location."""
        key = compose_key(account_id, record.files)
        with translated_errors("PutObject"):
            self._s3.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=record.model_dump_json(by_alias=True, indent=2).encode(),
                ContentType="application/json",
                ExpectedBucketOwner=self._read_owner(),
            )
        return self._locate(key)

    def list_records(
        self, account_id: str, identifier: CertificateIdentifier, since: datetime
    ) -> list[StoredRecord]:
        """Return the records under an identifier that were written since then (UTC).

        Raises:
            AwsCallError: the archive may not be read, or a record cannot be understood.
            TransientError: S3 could not answer now.
        """
        return [
            StoredRecord(self._locate(key), self._read(key))
            for key in self._list_newer(account_id, identifier, since)
        ]

    def _list_newer(
        self, account_id: str, identifier: CertificateIdentifier, since: datetime
    ) -> list[str]:
        by_id = identifier.kind is IdentifierKind.ID
        prefix = compose_prefix(account_id, None if by_id else identifier.name)
        with translated_errors("ListObjectsV2"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix, ExpectedBucketOwner=self._read_owner()
            )
            newer = [
                listed["Key"]
                for page in pages
                for listed in page.get("Contents", [])
                # Whole seconds: S3 lists no finer time than that.
                if listed["LastModified"] >= since.replace(microsecond=0)
            ]
        ending = f"/{identifier.text}.json" if by_id else ".json"
        return [key for key in newer if key.endswith(ending)]

    def _locate(self, key: str) -> str:
        return f"s3://{self._bucket}/{key}"

    def _read(self, key: str) -> ArchiveRecord:
        with translated_errors("GetObject"):
            answer = self._s3.get_object(
                Bucket=self._bucket, Key=key, ExpectedBucketOwner=self._read_owner()
            )
            body = answer["Body"].read()
        try:
            return ArchiveRecord.model_validate_json(body)
        except ValidationError as error:
            raise AwsCallError("GetObject", "UnreadableRecord") from error
