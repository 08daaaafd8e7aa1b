"""Which page does whom?

Mounts the three Gradio pages and the sign-in page on the API's application.
A page opens for its role (and for admin); anybody else is sent to sign in.
"""

import logging
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import gradio as gr
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from assistant import api
from assistant.desk import Desk
from assistant.tokens import Tokens
from members.access import Role
from members.errors import Refusal
from ui import look, marketer_studio, member_chat, support_desk

PAGES = {"/member": Role.MEMBER, "/marketer": Role.MARKETER, "/support": Role.SUPPORT}
_SIGN_IN = Path(__file__).with_name("sign_in.html")
# A sign-in form is two short fields.
_LARGEST_FORM = 4_096


def build(desk: Desk) -> FastAPI:
    """API and faces as one application."""
    app = api.build(desk)
    _sign_in_pages(app, desk)
    builders = {"/member": member_chat.build, "/marketer": marketer_studio.build, "/support": support_desk.build}
    for path, builder in builders.items():
        page = builder(desk, app.state.tokens)
        dress: dict[str, Any] = {"theme": look.THEME, "css": look.CSS, "head": look.PHONE, "footer_links": []}
        app = gr.mount_gradio_app(app, page, path, **dress, show_error=False, ssr_mode=False, max_file_size="1mb")
    app.add_middleware(_Doors, desk=desk, tokens=app.state.tokens)
    return app


def serve(desk: Desk, host: str, port: int) -> None:
    """Serve until stopped."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    uvicorn.run(build(desk), host=host, port=port, log_level="warning", timeout_graceful_shutdown=5)


class _Doors:
    """Lets a request into a page only with a token of its role."""

    def __init__(self, app: ASGIApp, desk: Desk, tokens: Tokens) -> None:
        self.app, self.desk, self.tokens = app, desk, tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wanted = next((role for path, role in PAGES.items() if scope["type"] == "http" and (scope["path"] + "/").startswith(f"{path}/")), None)
        if wanted is None or self._may_enter(Request(scope), wanted):
            await self.app(scope, receive, send)
            return
        page = scope["method"] == "GET" and "text/html" in Request(scope).headers.get("accept", "")
        answer: Response = RedirectResponse("/login", 303) if page else Response("Sign in first.", 401)
        await answer(scope, receive, send)

    def _may_enter(self, request: Request, wanted: Role) -> bool:
        found = self.tokens.read(request.cookies.get(api.COOKIE, ""))
        caller = self.desk.caller(*found) if found else None
        return caller is not None and (caller.role is wanted or (caller.role is Role.ADMIN and wanted is not Role.MEMBER))


def _sign_in_pages(app: FastAPI, desk: Desk) -> None:
    def form(problem: str = "", status: int = 200) -> HTMLResponse:
        text = _SIGN_IN.read_text(encoding="utf-8").replace("{shop}", escape(desk.settings.shop()["name"])).replace("{problem}", escape(problem))
        return HTMLResponse(text, status)

    @app.get("/", include_in_schema=False)
    def home(request: Request) -> Response:
        try:
            role = api.caller_of(request).role
        except api.NotSignedIn:
            return RedirectResponse("/login", 303)
        return RedirectResponse(_page_of(role), 303)

    @app.get("/login", include_in_schema=False)
    def login() -> HTMLResponse:
        return form()

    @app.post("/login", include_in_schema=False)
    async def enter(request: Request) -> Response:
        raw = b""
        async for piece in request.stream():
            raw += piece
            if len(raw) > _LARGEST_FORM:
                return form("That was too long for a login and a password.", 413)
        given = {key: values[0] for key, values in parse_qs(raw.decode("utf-8", "replace")).items()}
        try:
            account = api.sign_in(request, given.get("login", ""), given.get("password", ""))
        except Refusal as refusal:
            return form(refusal.fact, 401)
        answer = RedirectResponse(_page_of(Role(account.role)), 303)
        api.set_cookie(answer, app.state.tokens.issue(account), secure=desk.settings.secure_cookies)
        return answer

    @app.post("/logout", include_in_schema=False)
    def leave() -> Response:
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(api.COOKIE)
        return answer


def _page_of(role: Role) -> str:
    return next((path for path, page_role in PAGES.items() if page_role is role), "/support")
