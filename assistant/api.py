"""How do programs talk to Patron?

FastAPI: tokens, chat as server-sent events, threads, approvals, search, health.
The caller comes from the token alone. Bodies are bounded before they are read
and refused when their JSON is not strict; errors are problem+json (RFC 9457)
and say what to do.
"""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from html import escape
from typing import Annotated, Any, Literal, TypeVar
from uuid import uuid4

from fastapi import Depends, FastAPI, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import text
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assistant import handoff, memory
from assistant.agent import LONGEST_MESSAGE
from assistant.desk import Desk
from assistant.knowing import told_as_data
from assistant.tokens import Brake, Tokens, secret_of
from members.access import Caller, Role
from members.errors import BadInput, NotAllowed, NotFound, Refusal, RuleBroken
from members.happenings import Happening

log = logging.getLogger("patron.api")
COOKIE = "patron_token"
LARGEST_BODY = 1_000_000
_STATUS: dict[type[Refusal], int] = {NotFound: 404, NotAllowed: 403, RuleBroken: 409, BadInput: 422}


Given = TypeVar("Given", bound=BaseModel)


class TooLarge(Exception):
    """A body grew over the limit while it came."""


class NotSignedIn(Exception):
    """The request carries no valid token."""


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class SignIn(_Body):
    """Login and password."""

    login: str = Field(min_length=1, max_length=120)
    password: str = Field(min_length=1, max_length=1024)


class Say(_Body):
    """One message. Only its text counts: roles, tools or earlier turns cannot be sent."""

    text: str = Field(min_length=1, max_length=LONGEST_MESSAGE)
    thread_id: str | None = Field(default=None, max_length=64)


class Decision(_Body):
    """The caller's answer to an approval card."""

    decision: Literal["yes", "no"]
    language: Literal["en", "zh"] | None = None


class Reply(_Body):
    """A colleague's words in a member's chat."""

    text: str = Field(min_length=1, max_length=LONGEST_MESSAGE)


class Closing(_Body):
    """Why a ticket is closed."""

    because: str = Field(min_length=2, max_length=200)


class Told(BaseModel):
    """Events of the shop's channels, up to 500 at a time."""

    model_config = ConfigDict(extra="forbid")

    events: list[Happening]


class Find(_Body):
    """A search over policy or products, for staff."""

    question: str = Field(min_length=1, max_length=300)
    kind: Literal["policy", "products"] = "policy"
    mode: Literal["fused", "bm25", "vectors"] = "fused"
    limit: int = Field(default=5, ge=1, le=50)


_DAY_SECONDS = 24 * 3600.0


def build(desk: Desk) -> FastAPI:
    """The application of one desk."""

    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        work = [asyncio.create_task(_every_day(desk)), asyncio.create_task(_every_minute(desk))]
        yield
        for task in work:
            task.cancel()

    app = FastAPI(
        lifespan=living,
        title="Patron",
        version="0.1.0",
        docs_url=None,
        redoc_url=None,
        description="The assistant of an online shop's members and of those who look after them.",
    )
    app.state.desk, app.state.tokens, app.state.brake = desk, Tokens(secret_of(desk.settings.home)), Brake()
    app.add_middleware(_Bounded)
    app.add_middleware(_Headers, desk=desk, tokens=app.state.tokens)
    _errors(app)
    _sign_in_routes(app)
    _chat_routes(app)
    _ticket_routes(app)
    _staff_routes(app)
    _knowing_routes(app)
    _studio_routes(app)
    _described(app)
    return app


async def _every_day(desk: Desk) -> None:
    """What a shop does once a day: new rules begin, members whose cooling-off days are over are erased."""
    while True:
        try:
            moved = await run_in_threadpool(desk.studio.begin_rules)
            if moved:
                log.info("new rules have begun: %d members changed tier", moved)
            gone = await run_in_threadpool(desk.erase_due)
            if gone:
                log.info("erased %d members whose cooling-off days were over", gone)
        except Exception as error:  # tomorrow is another day; the chat must go on
            log.error("the daily work failed: %s", type(error).__name__, exc_info=error)
        await asyncio.sleep(_DAY_SECONDS)


async def _every_minute(desk: Desk) -> None:
    """Campaign messages leave when their hour has come, and the points they promised are booked."""
    while True:
        for work in (desk.studio.deliver, desk.studio.credit_points):
            try:
                await run_in_threadpool(work)
            except Exception as error:  # the next minute is another try; the chat must go on
                log.error("%s failed: %s", work.__name__, type(error).__name__, exc_info=error)
        await asyncio.sleep(60)


# --- who is asking ----------------------------------------------------------------------


def caller_of(request: Request) -> Caller:
    """The caller behind the bearer token or the faces' cookie. Raises NotSignedIn."""
    header = request.headers.get("authorization", "")
    token = header.removeprefix("Bearer ").strip() if header.startswith("Bearer ") else request.cookies.get(COOKIE, "")
    found = request.app.state.tokens.read(token)
    caller: Caller | None = request.app.state.desk.caller(*found) if found else None
    if caller is None:
        raise NotSignedIn
    return caller


def the_desk(request: Request) -> Desk:
    """The desk this application serves."""
    desk: Desk = request.app.state.desk
    return desk


Asking = Annotated[Caller, Depends(caller_of)]
TheDesk = Annotated[Desk, Depends(the_desk)]


def _staff(caller: Caller) -> None:
    if caller.role is Role.MEMBER:
        raise NotAllowed("This is for the shop's staff.")


# --- routes -----------------------------------------------------------------------------


def _sign_in_routes(app: FastAPI) -> None:
    @app.post("/api/v1/token", tags=["sign in"], openapi_extra=_documented(SignIn))
    async def token(request: Request, desk: TheDesk) -> dict[str, str]:
        """A token for a login and password; send it as `Authorization: Bearer …`. Good for 30 minutes."""
        given = await _read(request, SignIn)
        account = sign_in(request, given.login, given.password)
        return {"token": request.app.state.tokens.issue(account), "role": account.role}

    @app.get("/api/v1/me", tags=["sign in"])
    def me(caller: Asking) -> dict[str, str | None]:
        """Who this token stands for."""
        return {"role": caller.role.value, "member_id": caller.member_id, "name": caller.name, "language": caller.language}

    @app.get("/health", tags=["operation"])
    def health(desk: TheDesk) -> dict[str, Any]:
        """Whether the stores answer, and what this desk runs on."""
        with desk.database.read() as session:
            session.connection().execute(text("SELECT 1"))
        entries = {kind: len(found) for kind, found in desk.index.entries.items()}
        return {"status": "ok", "model": desk.settings.model, "today": desk.today.isoformat(), "index": entries}


def sign_in(request: Request, login: str, password: str) -> Any:
    """The account of a right password. Raises BadInput with the same words for an unknown login."""
    brake: Brake = request.app.state.brake
    if not brake.allows(login):
        raise RuleBroken("Too many wrong passwords for this login. Please wait five minutes.")
    account = request.app.state.desk.sign_in(login, password)
    if account is None:
        brake.wrong(login)
        raise BadInput("Login or password is wrong.")
    return account


def _chat_routes(app: FastAPI) -> None:
    @app.post("/api/v1/chat", tags=["chat"], openapi_extra=_documented(Say), response_class=StreamingResponse)
    async def chat(request: Request, caller: Asking, desk: TheDesk) -> StreamingResponse:
        """Say something; the answer comes as server-sent events, the last one being `answer` or `failed`."""
        given = await _read(request, Say)
        events = desk.chat(caller, given.text, given.thread_id)
        first = await anext(events)
        return StreamingResponse(_wire(first, events), media_type="text/event-stream", headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})

    @app.get("/api/v1/threads", tags=["chat"])
    def threads(caller: Asking, desk: TheDesk) -> list[dict[str, Any]]:
        """The caller's conversations, newest first."""
        with desk.database.read() as session:
            return [{"thread_id": t.id, "title": t.title, "updated_at": t.updated_at.isoformat()} for t in memory.threads(session, caller)]

    @app.get("/api/v1/threads/{thread_id}", tags=["chat"])
    def thread(thread_id: str, caller: Asking, desk: TheDesk) -> list[dict[str, Any]]:
        """What was said in one of the caller's conversations."""
        return _own(handoff.chat_of(desk.thread(caller, thread_id)))

    @app.get("/api/v1/threads/{thread_id}/since/{position}", tags=["chat"])
    def since(thread_id: str, position: int, caller: Asking, desk: TheDesk) -> dict[str, Any]:
        """What was said after a position, by a colleague too, and who has the conversation now."""
        fresh, held_by = desk.inbox.since(caller, thread_id, position)
        return {"messages": _own(handoff.chat_of(fresh)), "held_by": held_by}

    @app.get("/api/v1/me/export", tags=["sign in"])
    def export(caller: Asking, desk: TheDesk) -> JSONResponse:
        """Everything held about the caller, as a file to download."""
        name = f"patron-{caller.own_member_id()}-{desk.today.isoformat()}.json"
        return JSONResponse(desk.inbox.export(caller), headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"})

    @app.get("/api/v1/threads/{thread_id}/approvals", tags=["chat"])
    def waiting(thread_id: str, caller: Asking, desk: TheDesk) -> list[dict[str, Any]]:
        """What waits for a yes in a conversation."""
        return [card.data() for card in desk.waiting(caller, thread_id)]

    @app.post("/api/v1/approvals/{approval_id}", tags=["chat"], openapi_extra=_documented(Decision))
    async def decide(approval_id: str, request: Request, caller: Asking, desk: TheDesk) -> dict[str, str]:
        """Say yes or no to what waits. A second yes returns the first one's words and does nothing."""
        given = await _read(request, Decision)
        said = await run_in_threadpool(desk.decide, caller, approval_id, given.decision == "yes", given.language or "")
        return {"text": said}


def _own(chat: list[dict[str, str]]) -> list[dict[str, str]]:
    """A chat as its member reads it."""
    return [{**line, "from": "you" if line["from"] == "member" else line["from"]} for line in chat]


def _ticket_routes(app: FastAPI) -> None:
    @app.get("/api/v1/tickets", tags=["support"])
    def tickets(caller: Asking, desk: TheDesk) -> list[dict[str, Any]]:
        """Tickets that are not closed, the most pressing first."""
        return [ticket.model_dump(mode="json") for ticket in desk.inbox.waiting(caller)]

    @app.get("/api/v1/tickets/{ticket_id}", tags=["support"])
    def ticket(ticket_id: str, caller: Asking, desk: TheDesk) -> dict[str, Any]:
        """One ticket with its facts and its chat."""
        return _ticket(desk.inbox.open(caller, ticket_id))

    @app.post("/api/v1/tickets/{ticket_id}/take", tags=["support"])
    def take(ticket_id: str, caller: Asking, desk: TheDesk) -> dict[str, Any]:
        """Take a ticket: from now on the caller answers in its chat."""
        return _ticket(desk.inbox.take(caller, ticket_id))

    @app.post("/api/v1/tickets/{ticket_id}/reply", tags=["support"], openapi_extra=_documented(Reply))
    async def reply(ticket_id: str, request: Request, caller: Asking, desk: TheDesk) -> dict[str, Any]:
        """Say something in the member's chat, as the colleague who took the ticket."""
        given = await _read(request, Reply)
        return _ticket(await run_in_threadpool(desk.inbox.reply, caller, ticket_id, given.text))

    @app.post("/api/v1/tickets/{ticket_id}/give-back", tags=["support"])
    def give_back(ticket_id: str, caller: Asking, desk: TheDesk) -> dict[str, Any]:
        """Let the assistant answer again; the ticket waits for somebody."""
        return _ticket(desk.inbox.give_back(caller, ticket_id))

    @app.post("/api/v1/tickets/{ticket_id}/close", tags=["support"], openapi_extra=_documented(Closing))
    async def close(ticket_id: str, request: Request, caller: Asking, desk: TheDesk) -> dict[str, str]:
        """Close a ticket with a reason; the assistant answers again."""
        given = await _read(request, Closing)
        await run_in_threadpool(desk.inbox.close, caller, ticket_id, given.because)
        return {"ticket_id": ticket_id, "status": "closed"}

    @app.get("/api/v1/digest", tags=["support"])
    def digest(caller: Asking, desk: TheDesk, days: int = 7) -> JSONResponse:
        """What people contacted the shop about in the last days: causes, examples, trend."""
        found = desk.inbox.digest(caller, max(1, min(92, days)))
        return JSONResponse(json.loads(json.dumps(found, default=str)))

    @app.get("/api/v1/second", tags=["support"])
    def seconds(caller: Asking, desk: TheDesk) -> list[dict[str, Any]]:
        """What colleagues proposed and the rules want a second person for."""
        return [{"approval_id": s.approval_id, "tool": s.tool, "by": s.by, "facts": s.facts} for s in desk.inbox.seconds(caller)]

    @app.post("/api/v1/second/{approval_id}", tags=["support"], openapi_extra=_documented(Decision))
    async def second(approval_id: str, request: Request, caller: Asking, desk: TheDesk) -> dict[str, Any]:
        """Agree to, or turn down, what a colleague proposed."""
        given = await _read(request, Decision)
        outcome = await run_in_threadpool(lambda: desk.inbox.decide_second(caller, approval_id, yes=given.decision == "yes"))
        return {"outcome": outcome.status, "result": outcome.result}


def _ticket(opened: handoff.Opened) -> dict[str, Any]:
    return {**opened.brief.model_dump(mode="json"), "body": opened.body, "facts": opened.facts, "chat": opened.chat, "answer_by": opened.answer_by.isoformat()}


def _staff_routes(app: FastAPI) -> None:
    @app.post("/api/v1/search", tags=["staff"], openapi_extra=_documented(Find))
    async def search(request: Request, caller: Asking, desk: TheDesk) -> list[dict[str, Any]]:
        """Search policy or products and see the score of each part."""
        _staff(caller)
        given = await _read(request, Find)
        hits = desk.search(given.question, kind=given.kind, limit=given.limit, mode=given.mode)
        return [
            {"id": h.entry.id, "citation": h.entry.citation(caller.language), "score": h.score, "bm25": h.bm25, "cosine": h.cosine, "ranks": h.ranks}
            for h in hits
        ]

    @app.post("/api/v1/index", tags=["staff"])
    def index(caller: Asking, desk: TheDesk) -> dict[str, Any]:
        """Bring the index in step with documents and catalogue, inside the process that owns it."""
        if caller.role is not Role.ADMIN:
            raise NotAllowed("Only an admin may index.")
        return {kind: changes.__dict__ for kind, changes in desk.reindex().items()}


def _knowing_routes(app: FastAPI) -> None:
    @app.post("/api/v1/events", tags=["events"], openapi_extra=_documented(Told))
    async def events(request: Request, caller: Asking, desk: TheDesk) -> dict[str, Any]:
        """Tell what members do in the shop (view, cart, order, review). It counts at once: taste, suggestions, churn.

        Told twice with one key it happened once. An event that cannot be taken is refused alone, with its reason.
        """
        given = await _read(request, Told, strict=False)
        answers = told_as_data(await run_in_threadpool(desk.knowing.take, caller, given.events))
        return {"events": answers, **{name: sum(a["outcome"] == name for a in answers) for name in ("new", "known", "refused")}}

    @app.get("/api/v1/models", tags=["staff"])
    def models(caller: Asking, desk: TheDesk) -> list[dict[str, Any]]:
        """The card of every trained model: data, dates, measures, for whom it is better or worse."""
        _staff(caller)
        return [asdict(card) for card in desk.shelf.cards()]

    @app.post("/api/v1/models/renew", tags=["staff"])
    def renew(caller: Asking, desk: TheDesk) -> dict[str, str]:
        """Answer from the models on the shelf now; a training in another process calls this when it is done."""
        if caller.role is not Role.ADMIN:
            raise NotAllowed("Only an admin may renew the models.")
        return {"version": desk.renew_models()}

    @app.get("/api/v1/models/report", tags=["staff"], response_class=HTMLResponse)
    def report(caller: Asking, desk: TheDesk) -> HTMLResponse:
        """The cards as a page with plots; it needs no other host."""
        _staff(caller)
        path = desk.shelf.folder / "cards.html"
        if not path.is_file():
            raise NotFound("Nothing was learned yet: run `patron train` first.")
        return HTMLResponse(path.read_text(encoding="utf-8"))

    @app.get("/api/v1/insight/{table}.csv", tags=["staff"])
    def insight(table: str, caller: Asking, desk: TheDesk) -> Response:
        """One table of the insight page as CSV, safe to open in a spreadsheet."""
        found = desk.knowing.insight(caller).get(table)
        if found is None:
            raise NotFound(f"There is no table {table[:40]}. There are: {', '.join(desk.knowing.insight(caller)) or 'none before a training'}.")
        return Response(
            spreadsheet_safe(found), media_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="patron-{table}.csv"'}
        )


def _studio_routes(app: FastAPI) -> None:
    def file(table: Any, name: str) -> Response:
        # A header is Latin-1: a name in any other script goes without.
        plain = re.sub(r"[^\w.-]+", "-", name, flags=re.ASCII).strip("-")
        head = {"Content-Disposition": f'attachment; filename="{plain}.csv"'}
        return Response(spreadsheet_safe(table), media_type="text/csv; charset=utf-8", headers=head)

    @app.get("/api/v1/audiences/{audience_id}.csv", tags=["marketing"])
    def audience_file(audience_id: str, caller: Asking, desk: TheDesk) -> Response:
        """The members of a saved audience who may be written to, safe to open in a spreadsheet."""
        return file(desk.studio.audience_file(caller, audience_id), f"patron-audience-{audience_id}")

    @app.get("/api/v1/campaigns/{campaign_id}.csv", tags=["marketing"])
    def campaign_file(campaign_id: str, caller: Asking, desk: TheDesk) -> Response:
        """A campaign's send list with variant, hour and words, safe to open in a spreadsheet."""
        return file(desk.studio.campaign_file(caller, campaign_id), f"patron-campaign-{campaign_id}")

    @app.get("/api/v1/synthetic/{members}.csv", tags=["marketing"])
    def synthetic_file(members: Annotated[int, PathParameter(ge=10, le=20_000)], caller: Asking, desk: TheDesk) -> Response:
        """Invented members that resemble the real ones and are nobody."""
        return file(desk.studio.synthetic_file(caller, members), f"patron-synthetic-{members}")


# What a spreadsheet may take for the beginning of a formula, full-width forms included.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def spreadsheet_safe(table: Any) -> str:
    """A table as CSV in which no cell is taken for a formula (OWASP, CSV injection)."""
    texts = table.map(lambda cell: f"'{cell}" if isinstance(cell, str) and cell[:1] in _FORMULA else cell)
    return str(texts.to_csv(index=False))


def _described(app: FastAPI) -> None:
    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        """What the API offers, as a page that needs no other host; the schema is /openapi.json."""
        rows = [
            f"<tr><td>{method.upper()}</td><td><code>{escape(path)}</code></td><td>{escape(told.get('description', ''))}</td></tr>"
            for path, methods in app.openapi()["paths"].items()
            for method, told in methods.items()
        ]
        style = "body{font:16px/1.5 system-ui,sans-serif;margin:32px auto;max-width:900px}td{padding:6px 10px;border-bottom:1px solid #ddd;vertical-align:top}"
        head = f"<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Patron API</title><style>{style}</style></head>"
        return HTMLResponse(f"{head}<body><h1>Patron API</h1><p><a href='/openapi.json'>openapi.json</a></p><table>{''.join(rows)}</table></body></html>")


async def _wire(first: Any, events: AsyncIterator[Any]) -> AsyncIterator[str]:
    """Events as server-sent events: name and JSON data."""
    yield _line(first)
    async for event in events:
        yield _line(event)


def _line(event: Any) -> str:
    return f"event: {event.kind}\ndata: {json.dumps(event.data(), ensure_ascii=False)}\n\n"


# --- reading strictly -------------------------------------------------------------------


async def _read(request: Request, kind: type[Given], *, strict: bool = True) -> Given:
    """A body as strict JSON of a kind; `strict=False` reads times and decimals from text. Raises BadInput for anything else."""
    try:
        raw = (await request.body()).decode("utf-8")
        raw.encode("utf-16", "strict")
        given = json.loads(raw, parse_constant=_no_constant, object_pairs_hook=_no_repeats)
        json.dumps(given, ensure_ascii=False).encode("utf-8")
        return kind.model_validate(given, strict=strict)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in error.errors()[:5])
        raise BadInput(f"The request does not fit: {wrong}") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"The body is not strict JSON: {error.__class__.__name__}.") from error


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _documented(kind: type[BaseModel]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": kind.model_json_schema()}}}}


class _Bounded:
    """Refuses a body over the limit before anything reads it, by its length or as it comes."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not str(scope["path"]).startswith("/api/"):
            await self.app(scope, receive, send)
            return
        told = dict(scope["headers"]).get(b"content-length", b"0")
        if not told.isdigit() or int(told) > LARGEST_BODY:
            await _problem(413, "body_too_large", f"A request may have up to {LARGEST_BODY:,} bytes.")(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > LARGEST_BODY:
                raise TooLarge
            return message

        await self.app(scope, counted, send)


# --- errors and headers -----------------------------------------------------------------


def _problem(status: int, code: str, detail: str, **more: Any) -> JSONResponse:
    body = {"type": f"about:blank#{code}", "title": code.replace("_", " "), "status": status, "detail": detail, **more}
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


def _errors(app: FastAPI) -> None:
    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        return _problem(_STATUS.get(type(error), 400), error.code, error.fact, **({"instead": error.instead} if error.instead else {}))

    async def signed_out(_: Request, __: Exception) -> Response:
        response = _problem(401, "not_signed_in", "Sign in at POST /api/v1/token and send the token as Authorization: Bearer.")
        response.headers["WWW-Authenticate"] = "Bearer"
        return response

    app.add_exception_handler(Refusal, refused)

    async def too_large(_: Request, __: Exception) -> Response:
        return _problem(413, "body_too_large", f"A request may have up to {LARGEST_BODY:,} bytes.")

    async def unknown(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return _problem(error.status_code, "not_here", f"{error.detail}. The API's paths are described at /docs.")

    async def broken(_: Request, error: Exception) -> Response:
        fault_id = uuid4().hex[:8]
        log.error("fault %s in a request: %s", fault_id, type(error).__name__, exc_info=error)
        return _problem(500, "fault", "Something broke on our side. If it happens again, mention the fault id.", fault_id=fault_id)

    app.add_exception_handler(NotSignedIn, signed_out)
    app.add_exception_handler(TooLarge, too_large)
    app.add_exception_handler(HTTPException, unknown)
    app.add_exception_handler(Exception, broken)


class _Headers:
    """No page may be framed or sniffed; a token past half its life is renewed while its owner is active."""

    def __init__(self, app: ASGIApp, desk: Desk, tokens: Tokens) -> None:
        self.app, self.desk, self.tokens = app, desk, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        token = Request(scope).cookies.get(COOKIE)
        fresh = self.tokens.renewed(token) if token else None

        async def adding(message: Message) -> None:
            if message["type"] == "http.response.start":
                carrier = Response()
                if fresh:
                    set_cookie(carrier, fresh, secure=self.desk.settings.secure_cookies)
                more = [(k, v) for k, v in carrier.raw_headers if k == b"set-cookie"]
                message["headers"] = [*message.get("headers", []), *_SAFE, *more]
            await send(message)

        await self.app(scope, receive, adding)


_SAFE = [(b"x-content-type-options", b"nosniff"), (b"x-frame-options", b"SAMEORIGIN"), (b"referrer-policy", b"no-referrer")]


def set_cookie(response: Response, token: str, *, secure: bool) -> None:
    """Keep a token in the browser where no script can read it."""
    response.set_cookie(COOKIE, token, httponly=True, samesite="lax", secure=secure, max_age=1800)
