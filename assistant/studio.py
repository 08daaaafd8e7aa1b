"""What do marketers' pages and tools work with, beyond one call?

Joins audiences, campaigns, rule books and the policy lab for programs and
pages: files to download, messages that leave the outbox, rules that begin, the club the lab
plays with, members who never were.
"""

import hashlib
import hmac
import json
import logging
import time
from collections.abc import Callable, Sequence
from datetime import date, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib import request as http

import pandas as pd
from sqlmodel import col, select

from analytics import club as clubs
from analytics import synthetic_members
from analytics.club import Club
from analytics.history import History
from analytics.shelf import Shelf
from analytics.training import Fitted
from assistant.embedded import audiences
from members import audience, bonus_points, campaigns, people, rulebooks
from members.access import Caller, Role
from members.database import Database
from members.errors import NotAllowed, NotFound
from members.program import Program
from members.tables import Campaign, CampaignMember, Contact, Member, MemberScore, Outgoing, ProgramVersion

log = logging.getLogger("patron.studio")
_AT_ONCE = 2_000
_MOST_NAMES = 20
_WEBHOOK_SECONDS = 10.0
# A run ends before the next one begins.
_RUN_SECONDS = 50.0
NAME = "synthetic_members"
# Learned within a chat turn where no generator lies on the shelf.
_ROWS_AT_ONCE = 4_000


class Studio:
    """One desk's work for marketers; `fitted` gives the models as they are now, `day` the shop's day."""

    def __init__(
        self,
        database: Database,
        lake: Path,
        shelf: Shelf,
        packaged: Program,
        *,
        fitted: Callable[[], Fitted | None],
        day: Callable[[], date],
        now: Callable[[], datetime],
        webhook: str = "",
        secret: str = "",
    ) -> None:
        """Use these stores; messages go to `webhook` when one is set, else they are marked as delivered in the outbox."""
        self._database, self._lake, self._shelf, self._packaged = database, lake, shelf, packaged
        self._fitted, self._day, self._now = fitted, day, now
        self._webhook, self._secret = webhook, secret
        self._kept: dict[str, tuple[Any, Any]] = {}
        self._books: tuple[tuple[str, ...], list[Program]] = ((), [packaged])

    # --- rules --------------------------------------------------------------------------

    def books(self) -> list[Program]:
        """Every rule book from the packaged one on, each knowing those before."""
        with self._database.read() as session:
            names = tuple(session.exec(select(ProgramVersion.version).order_by(col(ProgramVersion.starts_on))))
            if names != self._books[0]:
                self._books = (names, rulebooks.chain(self._packaged, rulebooks.adopted(session)))
        return self._books[1]

    def rules(self) -> Program:
        """The rules of today."""
        return rulebooks.in_force(self.books(), self._day())

    def coming(self) -> Program | None:
        """Rules adopted for a later day."""
        return rulebooks.coming(self.books(), self._day())

    def begin_rules(self) -> int:
        """Bring tiers to rules that have begun since this was done last; how many members moved."""
        rules, mark = self.rules(), self._shelf.folder / "rules_begun.json"
        begun = json.loads(mark.read_text(encoding="utf-8")) if mark.is_file() else {}
        if rules.since is None or begun.get("version") == rules.version:
            return 0
        with self._database.effect() as session:
            moved = rulebooks.refresh_tiers(session, rules, on=self._day())
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text(json.dumps({"version": rules.version, "on": self._day().isoformat(), "moved": moved}), encoding="utf-8")
        return moved

    # --- what was learned ---------------------------------------------------------------

    def rows(self) -> pd.DataFrame:
        """Everybody's feature rows as of the last training."""
        found: pd.DataFrame = self._once("rows", lambda fitted: History.of(self._lake).rows(fitted.as_of))
        return found

    def club(self, invented: int | None = None) -> Club:
        """The club the policy lab plays with, as of the last training: the shop's members, or so many who never were."""
        if invented:
            return self._invented_club(invented)
        found: Club = self._once("club", self._make_club)
        return found

    def _invented_club(self, members: int) -> Club:
        fitted = self._fitted()
        assert fitted is not None, "asked for only after a training"
        return clubs.of_rows(self._invented(members)[0], self.rules(), as_of=fitted.as_of)

    def _make_club(self, fitted: Fitted) -> Club:
        with self._database.read() as session:
            told = pd.DataFrame(session.exec(select(MemberScore.member_id, MemberScore.churn, MemberScore.segment)).all(), columns=["id", "churn", "segment"])
        told = told.set_index("id")
        churn = told["churn"].astype(float)
        return clubs.of_history(History.of(self._lake), self.rules(), as_of=fitted.as_of, churn=churn if churn.notna().any() else None, segment=told["segment"])

    def renew(self) -> None:
        """Work out anew what was kept."""
        self._kept.clear()

    def _once(self, name: str, make: Callable[[Fitted], Any]) -> Any:
        fitted = self._fitted()
        assert fitted is not None, "asked for only after a training"
        kept = self._kept.get(name)
        if kept is None or kept[0] is not fitted:
            self._kept[name] = (fitted, make(fitted))
        return self._kept[name][1]

    # --- pages --------------------------------------------------------------------------

    def names(self, caller: Caller) -> tuple[list[str], list[str]]:
        """Names of the saved audiences and of the campaigns set up but not sent. Raises NotAllowed."""
        _marketer(caller)
        with self._database.read() as session:
            drafts = [c.name_en for c in campaigns.every(session) if c.status == "draft"]
            return [kept.name for kept in audience.names(session)], drafts

    def named(self) -> dict[str, str]:
        """Names a marketer may speak of, the latest first: saved audiences, and campaigns in both languages."""
        with self._database.read() as session:
            kept = [one.name for one in audience.names(session)][:_MOST_NAMES]
            sent = [name for c in list(campaigns.every(session))[:_MOST_NAMES] for name in dict.fromkeys((c.name_en, c.name_zh)) if name]
        return {"audiences": _listed(kept), "campaigns": _listed(sent)}

    def sent(self, caller: Caller) -> list[tuple[str, str, str]]:
        """Campaigns that were sent, the latest first, as (id, English name, Chinese name). Raises NotAllowed."""
        _marketer(caller)
        with self._database.read() as session:
            return [(c.id, c.name_en, c.name_zh or c.name_en) for c in campaigns.every(session) if c.sent_on is not None]

    def outgoing(self, caller: Caller, campaign_id: str) -> tuple[dict[str, int], list[tuple[str, str, str, str]]]:
        """A campaign's outbox: how many wait, left or failed, and a few messages as (member, hour, state, words). Raises NotAllowed."""
        _marketer(caller)
        with self._database.read() as session:
            some = session.exec(select(Outgoing).where(Outgoing.campaign_id == campaign_id).order_by(col(Outgoing.send_at), col(Outgoing.id)).limit(5))
            told = [(m.member_id, m.send_at.isoformat(sep=" ", timespec="minutes"), m.status, m.text) for m in some]
            return campaigns.outbox(session, campaign_id), told

    def understood(self, text: str) -> dict[str, Any]:
        """A sentence about members as conditions, shown for editing."""
        with self._database.read() as session:
            cities, countries, shelves = audience.cities(session), audience.countries(session), audience.categories(session)
        return audiences.understood(text, today=self._day(), cities=cities, countries=countries, categories=shelves)

    def versions(self, caller: Caller) -> list[dict[str, Any]]:
        """Adopted rule books, the latest first: version, first day, changes. Raises NotAllowed."""
        _marketer(caller)
        with self._database.read() as session:
            kept = list(rulebooks.adopted(session))[::-1]
        return [{"version": v.version, "starts_on": v.starts_on, "changes": v.changes, "why": v.why, "in_force": v.starts_on <= self._day()} for v in kept]

    # --- files --------------------------------------------------------------------------

    def audience_file(self, caller: Caller, audience_id: str) -> pd.DataFrame:
        """The members of a saved audience who may be written to, with what the channel needs. Raises NotAllowed, NotFound."""
        _marketer(caller)
        with self._database.read() as session:
            kept = audience.get(session, audience_id)
            ids = audience.ids(session, audience.where_of(kept), on=self._day(), channel=kept.channel or None, addressed=True)
            rows = []
            for start in range(0, len(ids), _AT_ONCE):
                some = ids[start : start + _AT_ONCE]
                reached = self._reached(session, some, kept.channel)
                rows += [
                    (m.id, m.name, m.language, reached.get(m.id, "")) for m in session.exec(select(Member).where(col(Member.id).in_(some)).order_by(Member.id))
                ]
        return pd.DataFrame(rows, columns=["member_id", "name", "language", "address"])

    def campaign_file(self, caller: Caller, campaign_id: str) -> pd.DataFrame:
        """A campaign's send list: member, variant, address, hour and words; those held out are named without any. Raises NotAllowed, NotFound."""
        _marketer(caller)
        with self._database.read() as session:
            found = campaigns.get(session, campaign_id)
            arms = session.exec(select(CampaignMember).where(CampaignMember.campaign_id == found.id).order_by(CampaignMember.member_id)).all()
            told = {one.member_id: one for one in session.exec(select(Outgoing).where(Outgoing.campaign_id == found.id))}
            reached = {
                m: a
                for n in range(0, len(arms), _AT_ONCE)
                for m, a in self._reached(session, [x.member_id for x in arms[n : n + _AT_ONCE]], found.channel).items()
            }
        rows = []
        for one in arms:
            message = told.get(one.member_id)
            held = one.arm == "holdout"
            words = ("", "", "") if message is None else (message.send_at.isoformat(timespec="minutes"), message.subject, message.text)
            rows.append((one.member_id, "holdout" if held else "send", one.variant, "" if held else reached.get(one.member_id, ""), *words))
        return pd.DataFrame(rows, columns=["member_id", "arm", "variant", "address", "send_at", "subject", "text"])

    def _reached(self, session: Any, member_ids: Sequence[str], channel: str) -> dict[str, str]:
        kind = audience.ADDRESSED_BY.get(channel)
        if kind is None:
            return {}
        query = select(Contact.member_id, Contact.value).where(col(Contact.member_id).in_(member_ids), Contact.kind == kind).order_by(col(Contact.id).desc())
        return dict(session.exec(query).all())

    # --- members who never were ---------------------------------------------------------

    def invent(self, members: int) -> dict[str, Any]:
        """Learn (or take from the shelf) and invent so many members; how near they come to the real ones."""
        made, real, method = self._invented(members)
        copies = len(made.merge(real.drop_duplicates(), how="inner"))
        return {"columns": made.shape[1] + 1, "learned_from": len(real), "method": method, "exact_copies": copies}

    def synthetic_file(self, caller: Caller, members: int) -> pd.DataFrame:
        """The invented members as a table. Raises NotAllowed, NotFound before a training."""
        _marketer(caller)
        if self._fitted() is None:
            raise NotFound("Nothing was learned yet: run `patron train` first.")
        return synthetic_members.with_invented_ids(self._invented(members)[0])

    def _invented(self, members: int) -> tuple[pd.DataFrame, pd.DataFrame, str]:
        real = self._once("real rows", lambda fitted: synthetic_members.member_rows(History.of(self._lake), most=_ROWS_AT_ONCE))
        kept = self._shelf.load(NAME)
        learned = kept or self._once("copula", lambda fitted: synthetic_members.learn(real, method="copula", seed=7))
        return synthetic_members.mended(learned.sample(members, seed=members)), real, "gan" if kept is not None and kept.method == "gan" else "copula"

    # --- sending ------------------------------------------------------------------------

    def deliver(self, *, limit: int = 200, seconds: float = _RUN_SECONDS) -> int:
        """Send what is due: to the webhook, or nowhere but the outbox. How many left.

        A message that left is never sent again; one that another process is handing over is left to it. After
        `seconds` the rest waits for the next run.
        """
        now, rules, until = self._now(), self.rules().campaigns, time.monotonic() + seconds
        with self._database.read() as session:
            waiting = [(one.id or 0, one.send_at, one.model_dump(mode="json")) for one in campaigns.due(session, now=now, rules=rules, limit=limit)]
        gone = 0
        for message_id, seen, message in waiting:
            if time.monotonic() > until:
                break
            with self._database.effect() as session:
                if not self._may_leave(session, message):
                    campaigns.withdrawn(session, message_id)
                    continue
                if not campaigns.claim(session, message_id, seen=seen, now=now):
                    continue
            try:
                if self._webhook:
                    self._post(message)
            except (OSError, HTTPException, ValueError) as error:
                log.warning("the webhook did not take message %s: %s", message_id, type(error).__name__)
                with self._database.effect() as session:
                    campaigns.failed(session, message_id, now=now)
                continue
            with self._database.effect() as session:
                gone += campaigns.delivered(session, message_id, now=now)
        return gone

    def try_again(self, caller: Caller, campaign_id: str) -> int:
        """Let the messages of a campaign that were given up wait once more; how many. Raises NotAllowed."""
        _marketer(caller)
        with self._database.effect() as session:
            return campaigns.try_again(session, campaign_id, now=self._now())

    def credit_points(self) -> int:
        """Book the extra points that campaigns promised with an order; how many members got theirs."""
        with self._database.effect() as session:
            return bonus_points.credit(session, on=self._day(), rules=self.rules())

    def _may_leave(self, session: Any, message: dict[str, Any]) -> bool:
        """Whoever has left or changed their mind since is not written to, nor is anybody offered what has ended."""
        member = session.get(Member, message["member_id"])
        if member is None or member.left_on is not None:
            return False
        campaign = session.get(Campaign, message["campaign_id"])
        until = campaigns.Offer.of(campaign).until if campaign else None
        if until is not None and until < self._day():
            return False
        return message["channel"] == "in_app" or people.consents(session, member.id).get(message["channel"], False)

    def _post(self, message: dict[str, Any]) -> None:
        """One message to the webhook, signed; its id is the idempotency key, so that a second try is the same message.

        Raises OSError for anything but a 2xx, a redirect included: another host is not the one that was set.
        """
        with self._database.read() as session:
            address = self._reached(session, [message["member_id"]], message["channel"]).get(message["member_id"], "")
        told = {name: message[name] for name in ("campaign_id", "member_id", "channel", "subject", "text")} | {"address": address}
        body = json.dumps(told, ensure_ascii=False, sort_keys=True).encode("utf-8")
        signed = hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
        key = f"{message['campaign_id']}:{message['member_id']}"
        head = {"Content-Type": "application/json", "Idempotency-Key": key, "X-Patron-Signature": f"sha256={signed}"}
        # What it answers is not read: its status says all.
        _STRAIGHT.open(http.Request(self._webhook, data=body, headers=head, method="POST"), timeout=_WEBHOOK_SECONDS).close()


class _NoDetour(http.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """A redirect stays the error it is."""


_STRAIGHT = http.build_opener(_NoDetour)


def _listed(names: Sequence[str]) -> str:
    """Names as a line of a model's context: none can hold a comma or open a line of its own."""
    return ", ".join(" ".join(name.replace(",", " ").split()) for name in names)


def _marketer(caller: Caller) -> None:
    if caller.role not in (Role.MARKETER, Role.ADMIN):
        raise NotAllowed("This is for marketers.")
