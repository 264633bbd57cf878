"""What programs read from files: the AWS CLI, botocore, python-dotenv, bash, jq, Python.

Each reader takes a file and two names, and gives the pair that a program would use, or None.
"""

import json
import subprocess
from pathlib import Path

import botocore.credentials
import botocore.exceptions
import dotenv

SECONDS = 60


def botocore_reads(file: Path, names) -> tuple | None:
    """The shared credentials file as boto3 reads it."""
    (profile,) = names
    provider = botocore.credentials.SharedCredentialProvider(str(file), profile_name=profile)
    try:
        found = provider.load()
    except (
        botocore.exceptions.ConfigParseError,
        botocore.exceptions.PartialCredentialsError,
    ):
        return None
    return plausible([found.access_key, found.secret_key]) if found and not found.token else None


def dotenv_reads(file: Path, names) -> tuple | None:
    """A .env file as python-dotenv reads it."""
    return pair(dotenv.dotenv_values(file), names)


def bash_reads(file: Path, names) -> tuple | None:
    """Variables after `source`, with an environment that has none of them."""
    show = "source \"$0\" >/dev/null 2>&1 </dev/null; printf '%s\\0%s' \"${!1}\" \"${!2}\""
    told = subprocess.run(
        ["/bin/bash", "--norc", "--noprofile", "-c", show, str(file), *names],
        env={"PATH": "/nonexistent"},
        stdout=subprocess.PIPE,
        timeout=SECONDS,
        check=False,
    )
    return plausible(told.stdout.decode(errors="replace").split("\0"))


def jq_reads(file: Path, names) -> tuple | None:
    """Two members as jq prints them."""
    paths = [json.dumps(name.split("/")[1:]) for name in names]
    told = subprocess.run(
        ["jq", "-r", f"(getpath({paths[0]}), getpath({paths[1]})) // \"\"", str(file)],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return plausible(told.stdout.splitlines()) if told.returncode == 0 else None


def python_reads(file: Path, names) -> tuple | None:
    """Two members as Python's json has them."""
    values = []
    for name in names:
        at = json.loads(file.read_text())
        for word in name.split("/")[1:]:
            at = at.get(word) or {}
        values.append(at or None)
    return plausible(values)


def pair(values: dict, names) -> tuple | None:
    """Two values of a mapping, where both can be used."""
    return plausible([values.get(name) for name in names])


def plausible(values) -> tuple | None:
    """Two values, unless no service would take them for a key."""
    good = len(values) == 2 and all(values) and values[0].isalnum()
    return tuple(values) if good and not set(" \t\r\n#\"'") & set("".join(values)) else None


READERS = {
    "botocore": botocore_reads,
    "python-dotenv": dotenv_reads,
    "bash": bash_reads,
    "jq": jq_reads,
    "python": python_reads,
}
OF = {
    "aws-profile": ["botocore"],
    "dotenv": ["python-dotenv", "bash"],
    "json": ["jq", "python"],
}
NAMES = {
    "dotenv": "AWS_ACCESS_KEY_ID,AWS_SECRET_ACCESS_KEY",
    "json": "/AccessKeyId,/SecretAccessKey",
}


def names_of(destination: str) -> list[str]:
    """What a reader is to look for, of a destination in the table."""
    kind, place = destination.split(":", 1)
    if kind == "aws-profile":
        name = place.rsplit("@", 1)[0]
        return [json.loads(name) if name.startswith('"') else name]
    return (place.split("#", 1)[1] if "#" in place else NAMES[kind]).split(",")
