"""What the documentation points to is there, and its examples run.

Whether a sentence is true, only a reader can tell. What a program can tell is here: links, the
tests that docs/security.md names as proof, and the files in examples/.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.server import Server

ROOT = Path(__file__).parent.parent
SECONDS = 60
PAGES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/**/*.md"),
    *ROOT.glob("examples/*.md"),
    *ROOT.glob("models/*.md"),
    *ROOT.glob("corpus/*/*.md"),
]
LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)")
TEST_NAME = re.compile(r"`([a-z0-9_]+(?:::[a-z0-9_]+)*)`")


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.M)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {text.replace(" ", "-") for text in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for path, anchor in LINK.findall(page.read_text()):
        target = page.parent / path if path else page
        assert target.exists(), f"{page.name}: {path}"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {path}#{anchor}"


def test_every_test_that_is_named_as_proof_exists():
    sources = [
        *ROOT.glob("crates/*/src/**/*.rs"),
        *ROOT.glob("e2e/*.py"),
    ]
    tests = set()
    for source in sources:
        tests.update(re.findall(r"(?:fn|def) (\w+)\(", source.read_text()))
    rows = re.findall(r"^\|[^|]+\|([^|]+)\|$", (ROOT / "docs/security.md").read_text(), re.M)
    named = {name for row in rows for name in TEST_NAME.findall(row) if len(name) > 15}
    assert len(named) > 30
    missing = {name for name in named if "::" not in name} - tests
    assert missing == set()


def test_the_policy_example_runs(tmp_path):
    with Server(tmp_path / "data", tmp_path / "log") as server:
        done = subprocess.run(
            [sys.executable, ROOT / "examples/least_privilege.py"],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "AWS_ENDPOINT_URL": server.endpoint,
                "AWS_SHARED_CREDENTIALS_FILE": str(server.data_dir / "root.credentials"),
                "AWS_PROFILE": "keywright-root",
                "AWS_DEFAULT_REGION": "us-east-1",
            },
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("ok   ") == 5


def test_the_fleet_example_is_a_valid_file(tmp_path):
    """It has no errors; without credentials the account itself cannot be reached."""
    done = subprocess.run(
        [os.environ["KEYWRIGHT_BINARY"], "rotate", "plan", ROOT / "examples/fleet.toml"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AWS_EC2_METADATA_DISABLED": "true",
        },
    )
    assert "in the fleet file" not in done.stderr
    assert "production: no credentials" in done.stderr
