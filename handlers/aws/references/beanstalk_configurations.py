"""Elastic Beanstalk: option settings of environments and of saved configurations.

Beanstalk answers a missing permission with an empty list instead of an error, so whatever a list
names must also come back when it is asked for by name.

https://docs.aws.amazon.com/elasticbeanstalk/latest/dg/command-options-general.html
"""

import re
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from handlers.aws.references.source import IncompleteReadingError, Reader, Source, is_iam_arn

if TYPE_CHECKING:
    from mypy_boto3_elasticbeanstalk import ElasticBeanstalkClient
    from mypy_boto3_elasticbeanstalk.type_defs import (
        ConfigurationOptionSettingTypeDef,
        DescribeConfigurationSettingsMessageTypeDef,
    )
    from typing_extensions import Unpack

CERTIFICATE_OPTIONS = frozenset({"SSLCertificateId", "SSLCertificateArns"})

# One option can list several certificates, and a certificate's name can contain a comma, even at
# its end; neither white space nor a semicolon.
BETWEEN_ARNS = re.compile(r"[;\s]+|,+(?=arn:)")

# Beanstalk's service model has no exception of its own for what does not exist.
VANISHED = re.compile(r"No (Environment|Configuration Template|Application) ")


async def read_configurations(reader: Reader) -> None:
    """Note every IAM certificate in the settings of environments and saved configurations."""
    applications = await _read_applications(reader)
    await _read_environments(reader, applications)


async def _read_applications(reader: Reader) -> set[str]:
    """Read the saved configurations, and return the names of the applications."""
    client: ElasticBeanstalkClient = reader.client
    answer = await reader.call(client.describe_applications)
    await reader.in_parallel(
        _read_settings(
            reader,
            f"saved configuration {application['ApplicationName']}/{template}",
            ApplicationName=application["ApplicationName"],
            TemplateName=template,
        )
        for application in answer["Applications"]
        for template in application.get("ConfigurationTemplates", [])
    )
    return {application["ApplicationName"] for application in answer["Applications"]}


async def _read_environments(reader: Reader, applications: set[str]) -> None:
    client: ElasticBeanstalkClient = reader.client
    pages = client.get_paginator("describe_environments").paginate(IncludeDeleted=False)
    async for page in reader.pages(pages):
        for environment in page["Environments"]:
            if environment["ApplicationName"] not in applications:
                raise IncompleteReadingError(
                    f"application {environment['ApplicationName']} is not listed, "
                    "as if permission were missing"
                )
        await reader.in_parallel(
            _read_settings(
                reader,
                f"environment {environment['EnvironmentName']}",
                ApplicationName=environment["ApplicationName"],
                EnvironmentName=environment["EnvironmentName"],
            )
            for environment in page["Environments"]
        )


async def _read_settings(
    reader: Reader,
    holder: str,
    **of: "Unpack[DescribeConfigurationSettingsMessageTypeDef]",
) -> None:
    client: ElasticBeanstalkClient = reader.client
    reader.examined += 1
    try:
        answer = await reader.call(client.describe_configuration_settings, **of)
    except ClientError as error:
        if _has_vanished(error):
            return
        raise
    if not answer["ConfigurationSettings"]:
        raise IncompleteReadingError(f"no settings of {holder}, as if permission were missing")
    for description in answer["ConfigurationSettings"]:
        for option in description.get("OptionSettings", []):
            for identifier in _find_certificates(option):
                # The environment's load balancer, which serves, is a source of its own.
                reader.note(holder, identifier, live=False)


def _find_certificates(option: "ConfigurationOptionSettingTypeDef") -> list[str]:
    value = option.get("Value", "").strip()
    if option.get("OptionName") not in CERTIFICATE_OPTIONS and not is_iam_arn(value):
        return []
    parts = BETWEEN_ARNS.split(value)
    return [*parts, *(part.rstrip(",") for part in parts if part.endswith(","))]


def _has_vanished(error: ClientError) -> bool:
    answer = error.response["Error"]
    return answer.get("Code") == "InvalidParameterValue" and bool(
        VANISHED.match(answer.get("Message", ""))
    )


SOURCE = Source(name="Elastic Beanstalk", service="elasticbeanstalk", read=read_configurations)
