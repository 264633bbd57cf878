"""The policy simulator by boto3 and the AWS CLI: decisions, shapes, paging, refusals."""

import json

import pytest
from botocore.exceptions import ClientError

from harness.clients import download

GET = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
    },
    separators=(",", ":"),
)
OWN = GET.replace('"*"', '"arn:aws:s3:::b/${aws:username}"')


@pytest.fixture
def iam(root):
    """boto3's client of the root user."""
    return root.iam


def test_a_custom_policy_with_boto3(iam):
    answer = iam.simulate_custom_policy(
        PolicyInputList=[GET], ActionNames=["s3:GetObject", "s3:PutObject"]
    )
    allowed, denied = answer["EvaluationResults"]
    assert allowed["EvalDecision"] == "allowed" and denied["EvalDecision"] == "implicitDeny"
    assert allowed["EvalResourceName"] == "*"
    assert allowed["MatchedStatements"] == [
        {
            "SourcePolicyId": "PolicyInputList.1",
            "SourcePolicyType": "IAM Policy",
            "StartPosition": {"Line": 1, "Column": 38},
            "EndPosition": {"Line": 1, "Column": 95},
        }
    ]
    assert "EvalDecisionDetails" not in allowed
    empty = iam.simulate_custom_policy(PolicyInputList=[], ActionNames=["s3:GetObject"])
    assert empty["EvaluationResults"][0]["EvalDecision"] == "implicitDeny"


def test_a_user_by_pages_with_boto3(iam, server, new_user, name):
    new_user("AmazonS3ReadOnlyAccess")
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=f"arn:aws:iam::{server.account}:user/{name}",
        PolicyInputList=[OWN],
        ActionNames=["s3:GetObject", "s3:PutObject", "iam:GetUser"],
        ResourceArns=[f"arn:aws:s3:::b/{name}", "arn:aws:s3:::b/other"],
        PaginationConfig={"PageSize": 1},
    )
    results = [result for page in pages for result in page["EvaluationResults"]]
    decisions = [result["EvalDecision"] for result in results]
    assert decisions == ["allowed", "implicitDeny", "implicitDeny"], results
    first, second = results[0]["ResourceSpecificResults"]
    sources = [matched["SourcePolicyId"] for matched in first["MatchedStatements"]]
    assert sources == ["AmazonS3ReadOnlyAccess", "PolicyInputList.1"]
    assert len(second["MatchedStatements"]) == 1
    assert results[0]["EvalDecisionDetails"] == {}


def test_context_keys_with_the_cli(server, aws, new_user, name, tmp_path):
    new_user()
    aws.configure(download(server.root, tmp_path / "key.csv"))
    keys = aws(
        "iam",
        "get-context-keys-for-principal-policy",
        "--policy-source-arn",
        f"arn:aws:iam::{server.account}:user/{name}",
        "--policy-input-list",
        OWN,
    )
    assert keys["ContextKeyNames"] == ["aws:username"]
    simulated = aws(
        "iam",
        "simulate-custom-policy",
        "--policy-input-list",
        OWN,
        "--action-names",
        "s3:GetObject",
        "--resource-arns",
        "arn:aws:s3:::b/x",
        "--context-entries",
        "ContextKeyName=aws:username,ContextKeyType=string,ContextKeyValues=x",
    )
    assert simulated["EvaluationResults"][0]["EvalDecision"] == "allowed"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"PolicyInputList": ["{"]}, "Policy input list item 1 has invalid content"),
        ({"ActionNames": ["GetObject"]}, "The action is invalid since it is missing names"),
        ({"ResourceArns": ["b/k"]}, "ResourceNames are not in a valid ARN format: b/k."),
    ],
)
def test_refusals(iam, arguments, says):
    asked = {"PolicyInputList": [GET], "ActionNames": ["s3:GetObject"], **arguments}
    with pytest.raises(ClientError) as refused:
        iam.simulate_custom_policy(**asked)
    error = refused.value.response["Error"]
    assert (error["Code"], error["Message"]) == ("InvalidInput", says)
