"""May this be done, and by whom?

The one door between a model and the shop. Deny by default: a tool must exist,
be the role's, pass a strict schema and fit the turn's budget. Reads run at
once; writes are frozen as an approval and only carried out from there, some of
them by a second person. What staff do for a member is the member's own tool with
the member and a reason named. Every call is audited.
"""

import inspect
import json
import logging
import time
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any, get_type_hints
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, create_model
from sqlmodel import Session

from members import approvals, people
from members.access import Caller, Role
from members.database import Database
from members.errors import BadInput, NotAllowed, Refusal, RuleBroken
from members.tables import Approval, AuditEntry
from tools.bench import Bench, Means, Record, money

log = logging.getLogger("patron.tools")
CALLS_A_TURN = 8
# What one result may weigh in a model's context, in characters.
LARGEST_RESULT = 12_000

OrderId = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
ShortText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]


class Fault(Exception):
    """A bug, not a refusal: logged under an id, told to nobody but as that id."""

    def __init__(self, fault_id: str) -> None:
        """Keep the id under which the log has the rest."""
        super().__init__(f"fault {fault_id}")
        self.fault_id = fault_id


@dataclass(frozen=True)
class Tool:
    """A declared function: who may call it, whether it writes, its schema.

    `at_once` is a write that needs no yes, such as calling for a person; `for_member` one that
    staff do for somebody; `second` says of a write's arguments whether another person must agree; `settle`
    gives those arguments their final form before they are shown.
    """

    name: str
    run: Callable[..., Record]
    roles: frozenset[Role]
    writes: bool
    schema: type[BaseModel]
    description: str
    preview: Callable[..., Record] | None = None
    at_once: bool = False
    for_member: bool = False
    second: Callable[..., bool] | None = None
    settle: Callable[..., dict[str, Any]] | None = None


REGISTRY: dict[str, Tool] = {}


# What staff add when they act for a member.
Who = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80), Field(description="member id, name, e-mail, phone ending or order id")
]
Why = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=3, max_length=300), Field(description="why, in a few words; kept in the order's timeline")
]
FOR_MEMBER = "_for_member"


def tool(
    *roles: Role,
    preview: Callable[..., Record] | None = None,
    at_once: bool = False,
    staff: bool = False,
    second: Callable[..., bool] | None = None,
    settle: Callable[..., dict[str, Any]] | None = None,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a function as a tool of these roles.

    One with a preview is a write and waits for a yes; `settle` takes the same arguments and gives those that the yes is to
    be bound to instead: what a name stands for now, words written now. It may take its time, nothing is locked. With `staff`, support has it too, as
    `<name>_for_member` with the member and, for a write, the reason as further arguments.
    """

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        name = function.__name__
        assert name not in REGISTRY and function.__doc__, f"{name} must be new and say what it does"
        told, writes = inspect.cleandoc(function.__doc__), preview is not None
        # A tool for support alone that changes a member's record names the member, too.
        bound = writes and frozenset(roles) == {Role.SUPPORT}
        made = Tool(name, function, frozenset(roles), writes, _schema(function, staff=bound), told, preview, at_once, bound, second, settle)
        REGISTRY[name] = made
        if staff:
            twin, said = name + FOR_MEMBER, f"For a member named by staff: {told}"
            schema = _schema(function, staff=True, why=writes)
            REGISTRY[twin] = replace(made, name=twin, roles=frozenset({Role.SUPPORT}), schema=schema, description=said, for_member=True)
        return function

    return declare


def _schema(function: Callable[..., Any], *, staff: bool = False, why: bool = True) -> type[BaseModel]:
    """The strict argument model of a tool: its parameters after the bench, and for staff whom it is about."""
    hints = get_type_hints(function, include_extras=True)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    fields: dict[str, Any] = {"who": (Who, ...), **({"why": (Why, ...)} if why else {})} if staff else {}
    fields |= {p.name: (hints[p.name], ... if p.default is p.empty else p.default) for p in parameters}
    return create_model(f"{function.__name__}_arguments", __config__=ConfigDict(extra="forbid", strict=True), **fields)


def allowed(role: Role) -> list[Tool]:
    """The tools of a role, in the order they were declared."""
    return [t for t in REGISTRY.values() if role in t.roles]


@dataclass(frozen=True)
class Outcome:
    """What came of one call: a record, a refusal, or a card that waits for a yes."""

    tool: str
    arguments: dict[str, Any]
    status: str
    result: dict[str, Any]

    def text(self) -> str:
        """What the model reads: compact JSON, control characters stripped, capped."""
        return json.dumps(_cleaned({"outcome": self.status, **self.result}), ensure_ascii=False, separators=(",", ":"))[:LARGEST_RESULT]


@dataclass
class Gateway:
    """The tools of one caller in one turn of one thread."""

    database: Database
    caller: Caller
    means: Means
    conversation_id: str
    now: Callable[[], datetime]
    calls: int = 0
    subject: str | None = None
    _seen: dict[str, Outcome] = field(default_factory=dict)
    _frozen: set[str] = field(default_factory=set)

    def tools(self) -> list[Tool]:
        """What this caller's model may be shown."""
        return allowed(self.caller.role)

    def call(self, name: str, arguments: dict[str, Any]) -> Outcome:
        """Run or freeze one call. Raises Fault for a bug; refusals come back as an outcome."""
        started = time.perf_counter()
        self.subject = None
        try:
            same = json.dumps([name, arguments], sort_keys=True, default=str)
        except (RecursionError, ValueError, TypeError):
            # Nested deeper than anything can be read.
            self.calls += 1
            self._audit(name, {}, "refused", started, "bad_input")
            return Outcome(name, {}, "refused", self.refused(BadInput("These arguments cannot be read.")))
        if same in self._seen:
            return self._seen[same]
        self.calls += 1
        try:
            outcome = self._admit(name, arguments)
        except Refusal as refusal:
            outcome = Outcome(name, arguments, "refused", self.refused(refusal))
        except Exception as error:
            self._audit(name, arguments, "failed", started, type(error).__name__)
            raise self._fault(name, error) from error
        self._seen[same] = outcome
        self._audit(name, arguments, outcome.status, started, outcome.result.get("code", ""))
        return outcome

    def carry_out(self, approval_id: str) -> Outcome:
        """Do what its caller has said yes to, once, in one transaction with the claim.

        A second yes gives the first one's result. Raises Refusal when it cannot be done.
        """
        started = time.perf_counter()
        with self.database.read() as session:
            before = approvals.get(session, self.caller, approval_id)
            if before.status in ("used", "second"):
                return Outcome(before.tool, before.arguments, "done", before.result)
        try:
            outcome = self._effect(approval_id)
        except Refusal as refusal:
            with self.database.effect() as session:
                approvals.close(session, self.caller, approval_id, "refused", now=self.now())
            self._audit(before.tool, before.arguments, "refused", started, refusal.code)
            raise
        except Exception as error:
            self._audit(before.tool, before.arguments, "failed", started, type(error).__name__)
            raise self._fault(before.tool, error) from error
        self._audit(outcome.tool, outcome.arguments, "done", started, "")
        return outcome

    def carry_out_second(self, approval_id: str, *, yes: bool) -> Outcome:
        """Decide what a colleague proposed and the rules want a second person for. Raises Refusal, or Fault for a bug."""
        started = time.perf_counter()
        try:
            outcome = self._second(approval_id, yes)
        except Refusal as refusal:
            self._audit("second_person", {"approval_id": approval_id}, "refused", started, refusal.code)
            raise
        except Exception as error:
            self._audit("second_person", {"approval_id": approval_id}, "failed", started, type(error).__name__)
            raise self._fault("second_person", error) from error
        self._audit(outcome.tool, outcome.arguments, outcome.status, started, "second")
        return outcome

    def _second(self, approval_id: str, yes: bool) -> Outcome:
        with self.database.effect() as session:
            approval = approvals.claim_second(session, self.caller, approval_id, "used" if yes else "declined", now=self.now())
            found = REGISTRY[approval.tool]
            # A small shop has one marketer: its owner, the admin, may be the second person.
            if self.caller.role not in (*found.roles, Role.ADMIN):
                raise NotAllowed("There is no such tool for this role.")
            typed = found.schema.model_validate_json(json.dumps(approval.arguments))
            bench = self._bench(session, found, typed, key=approval.id, agreed=approval.card["facts"])
            approval.result = {**approval.card["facts"], "waits_for_second": False, "declined": not yes}
            if yes:
                approval.result |= found.run(bench, **_values(found, typed)).model_dump(mode="json")
            session.add(approval)
            return Outcome(found.name, approval.arguments, "done" if yes else "declined", approval.result)

    def refused(self, refusal: Refusal) -> dict[str, Any]:
        """A refusal with the policy passage that says so, as people cite it."""
        told = refused(refusal)
        passage = self.means.search.entry("policy", refusal.passage) if refusal.passage else None
        if passage is not None:
            told |= {f"citation_{language}": passage.citation(language) for language in ("en", "zh")}
        return {"currency": self.means.rules.currency, **told}

    # --- inside -------------------------------------------------------------------------

    def _admit(self, name: str, arguments: dict[str, Any]) -> Outcome:
        if self.calls > CALLS_A_TURN:
            raise RuleBroken("Too many steps for one question; please ask again in parts.")
        found = REGISTRY.get(name)
        if found is None or self.caller.role not in found.roles:
            raise NotAllowed("There is no such tool for this role.")
        typed = _typed(found, arguments)
        if found.writes:
            return self._freeze(found, typed)
        with self.database.effect() if found.at_once else self.database.read() as session:
            record = found.run(self._bench(session, found, typed), **_values(found, typed))
        return Outcome(name, typed.model_dump(mode="json", exclude_none=True), "ok", record.model_dump(mode="json"))

    def _bench(self, session: Session, found: Tool, typed: BaseModel, *, key: str = "", agreed: Mapping[str, Any] | None = None) -> Bench:
        bench = Bench(session, self.caller, self.means, key, conversation_id=self.conversation_id, now=self.now(), agreed=agreed or {})
        if not found.for_member:
            return bench
        named: Any = typed
        # Only here does staff's word become a member, and only for one member exactly.
        self.subject = people.one(session, named.who).id
        return replace(bench, subject=self.subject, why=getattr(named, "why", ""))

    def _freeze(self, found: Tool, typed: BaseModel) -> Outcome:
        assert found.preview is not None
        asked = typed.model_dump(mode="json", exclude_none=True)
        if found.settle is not None:
            with self.database.read() as session:
                typed = typed.model_copy(update=found.settle(self._bench(session, found, typed), **_values(found, typed)))
        with self.database.effect() as session:
            bench = self._bench(session, found, typed)
            # The yes is bound to the member found now, not to words that may fit another one later.
            typed = typed.model_copy(update={"who": bench.subject}) if found.for_member else typed
            frozen = typed.model_dump(mode="json", exclude_none=True)
            shown = found.preview(bench, **_values(found, typed)).model_dump(mode="json")
            if found.for_member:
                shown |= {"member_id": bench.subject, "member_name": people.get(session, bench.me).name, "why": bench.why}
            if found.second:
                shown["needs_second"] = found.second(bench, **_values(found, typed))
            self._retire(session, found.name, frozen)
            card = {"tool": found.name, "facts": shown}
            approval = approvals.freeze(
                session, self.caller, self.conversation_id, found.name, frozen, card, now=self.now(), member_id=bench.subject or self.caller.member_id
            )
            told = {"approval_id": approval.id, "expires_at": approval.expires_at.isoformat(timespec="seconds"), "facts": shown}
        self._frozen.add(approval.id)
        return Outcome(found.name, asked if found.settle else frozen, "waiting_for_yes", told)

    def _retire(self, session: Session, name: str, frozen: dict[str, Any]) -> None:
        """A new proposal replaces an earlier turn's about the same order, or of the same kind where no order is named."""
        equal = approvals.digest(name, frozen, self.caller.account_id, self.conversation_id)
        for waiting in approvals.open_in(session, self.caller, self.conversation_id, now=self.now()):
            about = str(waiting.arguments.get("order_id", "")).lstrip("#")
            same = about == str(frozen.get("order_id", "")).lstrip("#") and (bool(about) or waiting.tool == name)
            if same and waiting.digest != equal and waiting.id not in self._frozen:
                approvals.close(session, self.caller, waiting.id, "retired", now=self.now())

    def _effect(self, approval_id: str) -> Outcome:
        with self.database.effect() as session:
            approval: Approval = approvals.claim(session, self.caller, approval_id, now=self.now())
            found = REGISTRY[approval.tool]
            if self.caller.role not in found.roles:
                raise NotAllowed("There is no such tool for this role.")
            typed = found.schema.model_validate_json(json.dumps(approval.arguments))
            bench = self._bench(session, found, typed, key=approval.id, agreed=approval.card["facts"])
            needs_second = approval.second_by is None and found.second is not None and found.second(bench, **_values(found, typed))
            if needs_second:
                approvals.hand_on(session, approval, now=self.now())
                result = {**approval.card["facts"], "waits_for_second": True}
            else:
                result = {"waits_for_second": False} if found.second else {}
                result |= found.run(bench, **_values(found, typed)).model_dump(mode="json")
                if found.for_member:
                    result |= {k: approval.card["facts"].get(k) for k in ("member_id", "member_name")}
            approval.result = result
            session.add(approval)
        return Outcome(found.name, approval.arguments, "done", result)

    def _audit(self, name: str, arguments: dict[str, Any], outcome: str, started: float, detail: str) -> None:
        spent = int((time.perf_counter() - started) * 1000)
        bound = approvals.digest(name[:60], arguments, self.caller.account_id, self.conversation_id)
        with self.database.write() as session:
            about = self.subject or self.caller.member_id
            _write_audit(session, self.caller, about, self.conversation_id, name[:60], bound, outcome, str(detail)[:80], spent)

    def _fault(self, name: str, error: Exception) -> Fault:
        fault_id = uuid4().hex[:8]
        # The kind and place of a bug, never the values it met.
        log.error("fault %s in tool %s: %s", fault_id, name, type(error).__name__, exc_info=error)
        return Fault(fault_id)


def _write_audit(
    session: Session, caller: Caller, about: str | None, conversation_id: str, name: str, bound: str, outcome: str, detail: str, spent: int
) -> None:
    session.add(
        AuditEntry(
            account_id=caller.account_id,
            role=caller.role.value,
            member_id=about,
            conversation_id=conversation_id,
            tool=name,
            digest=bound,
            outcome=outcome,
            detail=detail,
            milliseconds=spent,
        )
    )


def _typed(found: Tool, arguments: dict[str, Any]) -> BaseModel:
    """Arguments as their strict types. JSON has no dates, so it is read as JSON, not as Python."""
    try:
        return found.schema.model_validate_json(json.dumps(arguments, allow_nan=False, ensure_ascii=False).encode("utf-8"))
    except (ValidationError, ValueError) as error:
        wrong = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()] if isinstance(error, ValidationError) else [str(error)]
        raise BadInput(f"The arguments of {found.name} do not fit: {'; '.join(wrong[:5])}") from error


def _values(found: Tool, typed: BaseModel) -> dict[str, Any]:
    """The function's own arguments; whom staff mean and why went to the bench."""
    return {name: getattr(typed, name) for name in type(typed).model_fields if not (found.for_member and name in ("who", "why"))}


def refused(refusal: Refusal) -> dict[str, Any]:
    """A refusal as the record a model and the phrases read."""
    details: dict[str, Any] = {k: v if isinstance(v, str | int) else str(v) for k, v in refusal.details.items() if v is not None}
    # Money leaves the tools as decimal strings, in refusals as in records.
    details = {k.removesuffix("_cents"): money(int(v)) if k.endswith("_cents") else v for k, v in details.items()}
    return {"code": refusal.code, "fact": refusal.fact, "instead": refusal.instead, "passage": refusal.passage, **details}


def _cleaned(value: Any) -> Any:
    """A record whose texts hold no control or invisible characters, as JSON would only hide them."""
    if isinstance(value, dict):
        return {name: _cleaned(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_cleaned(part) for part in value]
    return clean(value) if isinstance(value, str) else value


def clean(text: str) -> str:
    """Text that was read, without control and invisible characters."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co"))
