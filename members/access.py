"""Who is asking?

A caller is made from a verified token and handed down; nothing below ever
takes an identity from a request body or a model.
"""

from dataclasses import dataclass
from enum import StrEnum

from members.errors import NotAllowed


class Role(StrEnum):
    """The four kinds of people Patron talks to."""

    MEMBER = "member"
    MARKETER = "marketer"
    SUPPORT = "support"
    ADMIN = "admin"


@dataclass(frozen=True)
class Caller:
    """One authenticated person: the account, its role and, for members, whose record is theirs."""

    account_id: str
    role: Role
    member_id: str | None = None
    name: str = ""
    language: str = "en"

    def own_member_id(self) -> str:
        """The caller's own member id.

        Raises NotAllowed when the account belongs to no member.
        """
        if self.member_id is None:
            raise NotAllowed("This account is not a member of the club.")
        return self.member_id


@dataclass(frozen=True)
class Actor:
    """Whose hand did something, for timelines: the role, the account, and the reason staff gave."""

    role: Role = Role.MEMBER
    account_id: str | None = None
    why: str = ""
