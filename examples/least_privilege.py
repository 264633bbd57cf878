"""Tests a least-privilege policy against a local Keywright server, with boto3 and no AWS account.

Set AWS_ENDPOINT_URL, AWS_SHARED_CREDENTIALS_FILE, AWS_PROFILE and AWS_DEFAULT_REGION as `keywright
serve` prints them. The script makes a user who may read one prefix of a bucket, checks what that
user can and cannot do, deactivates the key, and removes everything again.
"""

import json
import uuid

import boto3
from botocore.exceptions import ClientError

NAME = f"report-reader-{uuid.uuid4().hex[:8]}"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{NAME}/reports/*"},
    ],
}


def error_code(call, **arguments):
    """The error code of a call, or None if it succeeds."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return None


def check(what, expected, actual):
    """Prints one result; stops at the first that is wrong."""
    print(f"{'ok   ' if expected == actual else 'WRONG'} {what}: {actual or 'allowed'}")
    assert expected == actual, f"expected {expected or 'allowed'}"


iam, s3 = boto3.client("iam"), boto3.client("s3")
s3.create_bucket(Bucket=NAME)
s3.put_object(Bucket=NAME, Key="reports/q3.csv", Body=b"1,2,3\n")
s3.put_object(Bucket=NAME, Key="salaries.csv", Body=b"4,5,6\n")
iam.create_user(UserName=NAME)
iam.put_user_policy(UserName=NAME, PolicyName="read-reports", PolicyDocument=json.dumps(POLICY))
key = iam.create_access_key(UserName=NAME)["AccessKey"]

reader = boto3.client(
    "s3",
    aws_access_key_id=key["AccessKeyId"],
    aws_secret_access_key=key["SecretAccessKey"],
)
try:
    get = reader.get_object
    check("read a report", None, error_code(get, Bucket=NAME, Key="reports/q3.csv"))
    check("read anything else", "AccessDenied", error_code(get, Bucket=NAME, Key="salaries.csv"))
    check("list the bucket", "AccessDenied", error_code(reader.list_objects_v2, Bucket=NAME))
    put = error_code(reader.put_object, Bucket=NAME, Key="reports/q4.csv", Body=b"")
    check("write a report", "AccessDenied", put)

    # A revoked key is rejected on the very next request.
    iam.update_access_key(UserName=NAME, AccessKeyId=key["AccessKeyId"], Status="Inactive")
    after = error_code(get, Bucket=NAME, Key="reports/q3.csv")
    check("read a report with the deactivated key", "InvalidAccessKeyId", after)
finally:
    iam.delete_access_key(UserName=NAME, AccessKeyId=key["AccessKeyId"])
    iam.delete_user_policy(UserName=NAME, PolicyName="read-reports")
    iam.delete_user(UserName=NAME)
    for name in ("reports/q3.csv", "salaries.csv"):
        s3.delete_object(Bucket=NAME, Key=name)
    s3.delete_bucket(Bucket=NAME)
