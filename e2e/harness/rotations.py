"""The server's own rotations, asked for by signed calls of the extension, as the console does."""

import time
from typing import NamedTuple
from xml.etree import ElementTree

from harness import wire
from harness.server import Credentials

SECONDS = 60
SPACE = wire.NAMESPACES["keywright"]


class Refused(NamedTuple):
    """A refusal: its status, code and message."""

    status: int
    code: str
    message: str


class Rotations:
    """One person's calls about rotations."""

    def __init__(self, server, key: Credentials):
        self._server, self._key = server, key

    def __call__(self, action: str, **parameters) -> dict:
        """Calls an operation that must be carried out; gives its result."""
        answer = self._send(action, parameters)
        assert answer.status == 200, answer.body
        result = ElementTree.fromstring(answer.body).find(f"{SPACE}{action}Result")
        return {} if result is None else read(result)

    def refused(self, action: str, **parameters) -> Refused:
        """Calls an operation that must be refused."""
        answer = self._send(action, parameters)
        assert answer.status != 200, answer.body
        return Refused(*answer.error("keywright"))

    def deliver(self, user: str) -> dict:
        """Retrieves the new key, and says that it is where it is used."""
        key = self("RetrieveRotationKey", UserName=user)
        self("ConfirmDelivery", UserName=user)
        return key

    def until(self, user: str, good) -> dict:
        """Lets the engine look again until the rotation is as it should be.

        The server looks by itself as well; each of these calls ends when the rotation rests.
        """
        shown = self("GetRotation", UserName=user)["Rotation"]
        end = time.monotonic() + SECONDS
        while not good(shown) and shown["IsOver"] == "false" and time.monotonic() < end:
            answer = self._send("ResumeRotation", {"UserName": user})
            assert answer.status in (200, 404), answer.body
            shown = self("GetRotation", UserName=user)["Rotation"]
        assert good(shown), shown
        return shown

    def _send(self, action: str, parameters: dict) -> wire.Answer:
        fields = {}
        for name, value in parameters.items():
            if isinstance(value, list):
                fields |= {f"{name}.member.{n}": text for n, text in enumerate(value, 1)}
            else:
                fields[name] = str(value).lower() if isinstance(value, bool) else str(value)
        form = wire.form(self._server, "keywright", action, **fields)
        return wire.send(self._server, wire.sign(form, self._key, "keywright"))


def read(element):
    """An element of an answer: text, a list of members, or names with what they hold."""
    children = list(element)
    names = [child.tag.removeprefix(SPACE) for child in children]
    if not children:
        return element.text or ""
    if set(names) == {"member"}:
        return [read(child) for child in children]
    return dict(zip(names, map(read, children), strict=True))
