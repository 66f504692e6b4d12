"""The archive in S3: what a deletion rests on, written before it.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
"""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from pydantic import ValidationError

from handlers.aws.answers import IncompleteReadingError, check_truncation, require_text
from handlers.aws.clients import Clients
from handlers.aws.errors import translated_errors
from models.archive import ArchiveRecord, StoredRecord, compose_key, compose_prefix
from models.certificate import CertificateIdentifier
from models.errors import AwsCallError, TransientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


# Others that work on the same certificate write a few times each.
WRITE_ATTEMPTS = 5
# The record has another version than was seen, another write of it is under way, or it is gone.
CHANGED_MEANWHILE = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"})


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

    def update(
        self,
        account_id: str,
        known: StoredRecord | None,
        change: Callable[[ArchiveRecord | None], ArchiveRecord],
    ) -> StoredRecord:
        """Change the record of one certificate, and return it as it is stored then.

        Each write is conditional on the version that `change` saw, so another invocation's is never
        overwritten: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html

        Args:
            account_id: the certificate's account.
            known: the record as it was last stored; None if there was none.
            change: returns the record to store for the one that is there.

        Raises:
            AwsCallError: the archive may not be written, or its record cannot be understood.
            TransientError: it could not answer now, or others change the record all the time.
        """
        for _ in range(WRITE_ATTEMPTS):
            record = change(known.record if known else None)
            key = compose_key(account_id, record.files.certificate)
            version = self._put(key, record, known.version if known else None)
            if version:
                return StoredRecord(self._locate(key), record, version)
            known = self._find(key)
        raise TransientError(f"the archive record {key} is changed by others all the time")

    def list_records(
        self, account_id: str, identifier: CertificateIdentifier, since: datetime
    ) -> list[StoredRecord]:
        """Return the records under an identifier that were written since then (UTC).

        Raises:
            AwsCallError: the archive may not be read, or a record cannot be understood.
            TransientError: S3 could not answer now.
        """
        keys = self._list_newer(account_id, identifier, since)
        return [stored for key in keys if (stored := self._find(key))]

    def _list_newer(
        self, account_id: str, identifier: CertificateIdentifier, since: datetime
    ) -> list[str]:
        by_name = None if identifier.may_be_id else identifier.last
        with translated_errors("ListObjectsV2"):
            pages = self._s3.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket,
                Prefix=compose_prefix(account_id, by_name),
                ExpectedBucketOwner=self._read_owner(),
            )
            newer = []
            for page in pages:
                check_truncation(page, "a page", marker="NextContinuationToken")
                contents = page.get("Contents", [])
                if page.get("KeyCount", len(contents)) != len(contents):
                    raise IncompleteReadingError("a page has not as many objects as it says")
                newer += [
                    require_text(listed, "Key", "an object")
                    for listed in contents
                    # Whole seconds: S3 lists no finer time than that.
                    if listed["LastModified"] >= since.replace(microsecond=0)
                ]
        parts = (f"/{identifier.last}/", f"/{identifier.last}.json")
        return [key for key in newer if any(part in key for part in parts)]

    def _locate(self, key: str) -> str:
        return f"s3://{self._bucket}/{key}"

    def _put(self, key: str, record: ArchiveRecord, version: str | None) -> str | None:
        """Write a record over a version of it (None: over none), and return the version it is now.

        None means that it was changed meanwhile, and nothing was written.
        """
        condition = {"IfMatch": version} if version else {"IfNoneMatch": "*"}
        put: Any = self._s3.put_object
        with translated_errors("PutObject"):
            try:
                answer = put(
                    Bucket=self._bucket,
                    Key=key,
                    Body=record.model_dump_json(by_alias=True, indent=2).encode(),
                    ContentType="application/json",
                    ExpectedBucketOwner=self._read_owner(),
                    **condition,
                )
            except ClientError as error:
                if error.response["Error"]["Code"] in CHANGED_MEANWHILE:
                    return None
                raise
            return require_text(answer, "ETag", "the answer")

    def _find(self, key: str) -> StoredRecord | None:
        """Return a record, or None if there is none."""
        with translated_errors("GetObject"):
            try:
                answer = self._s3.get_object(
                    Bucket=self._bucket, Key=key, ExpectedBucketOwner=self._read_owner()
                )
            except self._s3.exceptions.NoSuchKey:
                return None
            body, version = answer["Body"].read(), require_text(answer, "ETag", "the answer")
        try:
            record = ArchiveRecord.model_validate_json(body)
        except ValidationError as error:
            raise AwsCallError("GetObject", "UnreadableRecord") from error
        return StoredRecord(self._locate(key), record, version)
