"""Requests that ask for much: they cost their sender time, and nobody else more than a little."""

import http.client
import json
import re
from concurrent.futures import ThreadPoolExecutor

from harness import wire
from harness.console import MARKS

MIB = 1024 * 1024
SIGN_INS = 130


def sign_in(server, number: int) -> int:
    """Signs in as nobody, from an address and with a name that no other one uses."""
    body = {"account": server.account, "userName": f"nobody-{number}", "password": "Password-1"}
    source = (f"127.0.1.{number + 1}", 0)
    host = server.console.partition("://")[2]
    connection = http.client.HTTPConnection(host, timeout=120, source_address=source)
    marks = {**MARKS, "Origin": server.console}
    try:
        connection.request("POST", "/console/api/sign-in", json.dumps(body).encode(), marks)
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_memory_of_many_sign_ins(own):
    assert sign_in(own, SIGN_INS) == 401
    before = own.memory()
    with ThreadPoolExecutor(SIGN_INS) as threads:
        statuses = list(threads.map(lambda number: sign_in(own, number), range(SIGN_INS)))
    # On a slow machine the last ones are asked to try later.
    assert set(statuses) <= {401, 400}
    assert statuses.count(401) > SIGN_INS // 4
    assert own.memory_peak() - before < 120 * MIB
    assert own.memory() - before < 20 * MIB


def simulation(server, key, patterns: int, values: int):
    """A simulation in which every value is compared with every pattern."""
    likes = [f"*a?b*z{number}*" for number in range(patterns)]
    statement = {
        "Effect": "Allow",
        "Action": "*",
        "Resource": "*",
        "Condition": {"ForAnyValue:StringLike": {"aws:TagKeys": likes}},
    }
    entry = "ContextEntries.member.1.ContextKey"
    request = wire.form(
        server,
        "iam",
        "SimulateCustomPolicy",
        **{
            "ActionNames.member.1": "s3:GetObject",
            "PolicyInputList.member.1": json.dumps(
                {"Version": "2012-10-17", "Statement": statement}
            ),
            f"{entry}Name": "aws:TagKeys",
            f"{entry}Type": "stringList",
            **{f"{entry}Values.member.{at + 1}": "aab" * 10 for at in range(values)},
        },
    )
    return wire.sign(request, key, "iam")


def test_a_simulation_is_counted_before_it_is_made(server, new_user):
    reader = new_user("ReadOnlyAccess")
    answer = wire.send(server, simulation(server, reader, 20, 20))
    assert answer.status == 200
    assert b"implicitDeny" in answer.body
    status, code, message = wire.send(server, simulation(server, reader, 4000, 2000)).error("iam")
    assert (status, code) == (400, "InvalidInput")
    pattern = r"The simulation is too large: \d+ steps of matching to each action, at most \d+\."
    assert re.fullmatch(pattern, message)
