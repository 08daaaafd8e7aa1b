"""What happens during a turn, as one stream?

The faces, the API, the CLI and the evaluation all read these and nothing else.
`Answer` carries the whole final text: what deltas showed before is provisional.
"""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Event:
    """Something a face may show."""

    @property
    def kind(self) -> str:
        """The event's name on the wire: `TextDelta` → `text_delta`."""
        name = type(self).__name__
        return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")

    def data(self) -> dict[str, Any]:
        """The event's fields, for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class TextDelta(Event):
    """A checked piece of the answer."""

    text: str


@dataclass(frozen=True)
class ToolStarted(Event):
    """A sign of life: which tool is at work."""

    tool: str


@dataclass(frozen=True)
class ToolFinished(Event):
    """What a tool gave: its arguments, status and record."""

    tool: str
    status: str
    arguments: dict[str, Any]
    result: dict[str, Any]


@dataclass(frozen=True)
class ApprovalWanted(Event):
    """A write that waits; the words are the server's, not the model's."""

    approval_id: str
    tool: str
    text: str
    yes: str
    no: str
    expires_at: str


@dataclass(frozen=True)
class Citation(Event):
    """A passage the answer rests on."""

    passage_id: str
    citation: str
    text: str


@dataclass(frozen=True)
class Download(Event):
    """A file that the signed-in person may fetch from this path."""

    path: str


@dataclass(frozen=True)
class Choices(Event):
    """Short replies a face may offer as buttons."""

    texts: list[str]


@dataclass(frozen=True)
class Answer(Event):
    """The whole reply, final."""

    text: str
    thread_id: str
    model: str = ""
    extras: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed(Event):
    """Something broke; `fault_id` finds it in the log."""

    code: str
    text: str
    fault_id: str = ""
