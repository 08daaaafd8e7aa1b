"""What lies in front of a tool?

The bench carries the caller, the day, the open session and the means a tool
works with. It is made per call by the gateway and never seen by a model.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict
from sqlmodel import Session

from analytics.club import Club
from analytics.training import Fitted
from members.access import Actor, Caller
from members.program import Program
from prompts.compliance import Brand
from retrieval.search import Search

Writer = Callable[[dict[str, Any]], list[dict[str, str]]]


@dataclass(frozen=True)
class Means:
    """What every call shares: rules, day, search, the lake's folder, models and the injected copywriter.

    `rules` are those in force, `coming` those adopted for a later day. `fitted` is None until something was learned; `groups` gives the
    segments' table of the last training, `rows` everybody's feature rows as of then, `club` whom the policy lab plays with (so many invented members, or the shop's own for None), `brand` the words the shop does not use,
    `invent` writes a file of synthetic members and says how near they come to the real ones.
    """

    rules: Program
    today: date
    search: Search
    lake: Path
    fitted: Fitted | None
    groups: Callable[[], pd.DataFrame]
    write: Writer
    coming: Program | None = None
    rows: Callable[[], pd.DataFrame] = pd.DataFrame
    club: Callable[[int | None], Club] | None = None
    brand: Brand | None = None
    invent: Callable[[int], dict[str, Any]] | None = None


@dataclass(frozen=True)
class Bench:
    """One call's working place. `key` is the approval's id when a write is carried out.

    `subject` is the member staff act for, resolved by the gateway; a member's own calls have none. `agreed` is what was shown
    when somebody said yes, empty before.
    """

    session: Session
    caller: Caller
    means: Means
    key: str = ""
    subject: str | None = None
    why: str = ""
    conversation_id: str = ""
    now: datetime = datetime.min
    agreed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rules(self) -> Program:
        """The programme in force."""
        return self.means.rules

    @property
    def today(self) -> date:
        """The shop's day."""
        return self.means.today

    @property
    def me(self) -> str:
        """Whose record this call is about: the caller's own, or the member staff act for. Raises NotAllowed for neither."""
        return self.subject or self.caller.own_member_id()

    @property
    def actor(self) -> Actor:
        """Whose hand this is, for timelines."""
        return Actor(self.caller.role, self.caller.account_id, self.why)


class Record(BaseModel):
    """What a tool gives back: small, dated, with its unit. Money is a decimal string in `currency`."""

    model_config = ConfigDict(extra="forbid")


def money(cents: int) -> str:
    """Minor units as the decimal string records carry: 6365 → `63.65`."""
    return str((Decimal(cents) / 100).quantize(Decimal("0.01")))


def cents(amount: float) -> int:
    """A decimal amount as minor units."""
    return int((Decimal(str(amount)) * 100).to_integral_value())
