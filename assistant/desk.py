"""Where is everything built and joined?

The one place that opens the stores, loads the models and hands each request
what it needs. Faces, API, CLI and evaluation all talk to a desk.
"""

import hashlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage
from sqlmodel import select

import prompts
from analytics import segments, training
from analytics.shelf import Card, Shelf
from analytics.training import Fitted
from assistant import agent, guard, memory
from assistant.agent import LONGEST_MESSAGE, Setting, Turn
from assistant.chat_models import OpenAICompatible
from assistant.embedded import model as embedded
from assistant.embedded import router, slots, writer
from assistant.embedded.router import Router
from assistant.events import ApprovalWanted, Event
from assistant.inbox import Inbox
from assistant.knowing import Knowing
from assistant.settings import Settings
from assistant.studio import Studio
from members import accounts, audience, catalogue
from members import approvals as record
from members.access import Caller, Role
from members.database import Database
from members.errors import BadInput, NotFound
from members.program import Program
from members.tables import Account, Message
from prompts import compliance
from retrieval.documents import Entry, load_knowledge
from retrieval.embed import SentenceVectors
from retrieval.index import Changes, Index, readable
from retrieval.search import Search
from retrieval.words import has_han
from tools import (
    campaigns,
    insight,
    knowledge,
    marketer,
    member,
    offers,
    orders,
    outlook,
    policy,
    products,
    results,
    rights,
    savings,
    service,
    support,
    tickets,
    wording,
)
from tools.bench import Means
from tools.gateway import Gateway, clean

log = logging.getLogger("patron.desk")
# BM25 from which words name an article rather than share a syllable with one.
_NAMED_EN, _NAMED_ZH = 4.0, 7.0
# Importing a tools module declares its tools.
DECLARED = (
    campaigns,
    insight,
    knowledge,
    marketer,
    member,
    offers,
    orders,
    outlook,
    policy,
    products,
    results,
    rights,
    savings,
    service,
    support,
    tickets,
    wording,
)


def utc_now() -> datetime:
    """The present instant, UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


class Desk:
    """One shop, opened. Close it to give the index's directory back."""

    def __init__(self, settings: Settings, *, now: Callable[[], datetime] = utc_now, index_folder: Path | None = None) -> None:
        """Open the record, the index and the models of a home folder; another `index_folder` leaves the home's to its owner."""
        self.settings, self.now = settings, now
        settings.home.mkdir(parents=True, exist_ok=True)
        self.database = Database(settings.record_url())
        self.database.migrate()
        packaged = settings.program()
        self._fixed_day = settings.fixed_day()
        self.embed = SentenceVectors(settings.embedding_model)
        self.index = Index(index_folder or settings.home / "index", self.embed, url=settings.chroma_url)
        self.search = Search(self.index)
        self.shelf, self.lake = Shelf(settings.home / "shelf"), settings.home / "lake"
        self.fitted: Fitted | None = training.from_shelf(self.shelf)
        self.studio = Studio(
            self.database,
            self.lake,
            self.shelf,
            packaged,
            fitted=lambda: self.fitted,
            day=lambda: self.today,
            now=now,
            webhook=settings.webhook_url,
            secret=settings.webhook_secret.get_secret_value(),
        )
        self.brand = compliance.load_brand(settings.brand())
        self.router = self._load_router()
        self.model: BaseChatModel = self._chat_model()
        self._contexts: dict[Role, dict[str, Any]] = {}
        self.inbox = Inbox(self.database, self.means, self.gateway, now)
        self.knowing = Knowing(self.database, self.lake, self.means, self.product_vectors, self.embed, now)

    @property
    def today(self) -> date:
        """The shop's day; a server that runs past midnight moves on with the calendar."""
        return self._fixed_day or date.today()

    @property
    def rules(self) -> Program:
        """The rules in force today."""
        return self.studio.rules()

    def erase_due(self) -> int:
        """Erase members whose cooling-off days are over; how many there were."""
        gone = self.inbox.erase_due(self.today)
        if gone:
            training.forget(self.shelf, self.lake, gone, self.fitted)
            self.knowing.renew()
            self.studio.renew()
            self.database.shrink()
        return len(gone)

    # --- talking ------------------------------------------------------------------------

    async def chat(self, caller: Caller, text: str, thread_id: str | None = None) -> AsyncIterator[Event]:
        """Answer a caller's message in a thread of theirs, as events.

        Raises NotFound for a thread of somebody else's, BadInput for an empty or
        overlong message.
        """
        text = clean(text).strip()
        if not text:
            raise BadInput("The message is empty.")
        if len(text) > LONGEST_MESSAGE:
            raise BadInput(f"A message may have up to {LONGEST_MESSAGE:,} characters.")
        with self.database.write() as session:
            thread = memory.open_thread(session, caller, thread_id)
        turn = Turn(self.gateway(caller, thread.id), self._setting(caller.role), thread, text)
        async for event in turn.events():
            yield event

    def decide(self, caller: Caller, approval_id: str, yes: bool, language: str = "") -> str:
        """A caller's button on an approval card; returns what to say and writes it to the thread."""
        with self.database.read() as session:
            approval = record.get(session, caller, approval_id)
            thread = memory.open_thread(session, caller, approval.conversation_id)
        text = agent.decide(self.gateway(caller, thread.id), approval_id, yes, language or caller.language)
        with self.database.write() as session:
            said = {"en": ("Yes", "No"), "zh": ("确认", "不用了")}[language or caller.language][0 if yes else 1]
            memory.append(session, thread, [HumanMessage(said), AIMessage(text)], now=self.now(), extras={"approval": approval_id})
        return text

    def waiting(self, caller: Caller, thread_id: str, language: str = "") -> list[ApprovalWanted]:
        """The cards of a thread that still wait for their caller."""
        with self.database.read() as session:
            found = record.open_in(session, caller, thread_id, now=self.now())
        told = [{"facts": a.card["facts"], "approval_id": a.id, "expires_at": a.expires_at.isoformat()} for a in found]
        return [agent.card(a.tool, t, language or caller.language, self.today.isoformat()) for a, t in zip(found, told, strict=True)]

    def drop(self, caller: Caller, approval_id: str) -> None:
        """Decline a card of the caller's own; nothing happens when it was decided already."""
        with self.database.effect() as session:
            record.close(session, caller, approval_id, "declined", now=self.now())

    def gateway(self, caller: Caller, thread_id: str) -> Gateway:
        """The tools of one caller in one thread."""
        return Gateway(self.database, caller, self.means(), thread_id, self.now)

    def means(self) -> Means:
        """What tools work with."""
        return Means(
            self.rules,
            self.today,
            self.search,
            self.lake,
            self.fitted,
            self.knowing.groups,
            self.write_copy,
            coming=self.studio.coming(),
            rows=self.studio.rows,
            club=self.studio.club,
            brand=self.brand,
            invent=self.studio.invent if self.fitted else None,
        )

    def thread(self, caller: Caller, thread_id: str) -> list[Message]:
        """A thread's messages, for its owner. Raises NotFound for anybody else."""
        with self.database.read() as session:
            memory.open_thread(session, caller, thread_id)
            return memory.stored(session, thread_id)

    def audience_choices(self) -> dict[str, list[Any]]:
        """What an audience can be built from: tiers, cities, countries, categories and groups of this shop."""
        with self.database.read() as session:
            cities, countries, shelves = audience.cities(session), audience.countries(session), audience.categories(session)
        groups = list(segments.PATTERNS) if self.fitted is not None and self.fitted.segments is not None else []
        return {
            "tiers": [(t.name_en, t.key) for t in self.rules.tiers.levels],
            "cities": cities[:60],
            "countries": countries[:60],
            "categories": shelves,
            "segments": groups,
        }

    def write_copy(self, facts: dict[str, Any]) -> list[dict[str, str]]:
        """Three wordings of a campaign message: by the language model when there is one, checked, else (or where `by` says so) embedded."""
        safe = writer.write(facts)
        if self.settings.model == "embedded" or facts.get("by") == "embedded":
            return safe
        known = {name: value for name, value in facts.items() if name not in ("channel", "tone", "language") and value is not None}
        try:
            reply = self.model.invoke(
                [HumanMessage(prompts.render("copy/write.md", facts=known, channel=facts["channel"], tone=facts["tone"], language=facts["language"]))]
            )
            written = json.loads(str(reply.content)[str(reply.content).index("[") : str(reply.content).rindex("]") + 1])
            backed = guard.Facts.of([json.dumps(known, ensure_ascii=False)])
            kept = [{k: guard.plain(str(v)) for k, v in w.items() if k in ("subject", "text") and v} for w in written[:3]]
            if len(kept) == 3 and all("text" in w and not guard.unbacked(" ".join(w.values()), backed, self.rules) for w in kept):
                return [{**w, "written_by": self.settings.model} for w in kept]
        except Exception as error:  # any endpoint trouble: the embedded words are always there
            log.warning("the copy model failed: %s", type(error).__name__)
        return safe

    # --- who is asking ------------------------------------------------------------------

    def sign_in(self, login: str, password: str) -> Account | None:
        """The account if the password is right."""
        with self.database.read() as session:
            return accounts.verify(session, login, password)

    def caller(self, account_id: str, epoch: int) -> Caller | None:
        """The caller of a verified token, while the account counts."""
        with self.database.read() as session:
            return accounts.caller(session, account_id, epoch)

    def caller_named(self, login: str) -> Caller:
        """A caller by login, for the terminal and the evaluation. Raises NotFound."""
        with self.database.read() as session:
            account = session.exec(select(Account).where(Account.login == login.lower())).first()
            found = accounts.caller(session, account.id, account.epoch) if account else None
        if found is None:
            raise NotFound(f"There is no account “{login}”. `patron user list` shows them.")
        return found

    # --- learning and indexing ----------------------------------------------------------

    def train(self, progress: Callable[[str], None] = lambda step: None, *, measure: bool = True) -> list[Card]:
        """Fit every model on the record, put it on the shelf with its card, and score all members. `measure=False` is quicker and leaves cards bare."""
        self.fitted = training.train(
            self.database, self.lake, self.shelf, self.rules, today=self.today, vectors=self.product_vectors(), measure=measure, progress=progress
        )
        progress("tastes")
        self.knowing.keep_all_tastes()
        progress("router")
        self.router = self._load_router()
        self.model = self._chat_model()
        return self.shelf.cards()

    def renew_models(self) -> str:
        """Answer from what the last training left on the shelf; returns its version, empty before any."""
        self.fitted = training.from_shelf(self.shelf)
        self.knowing.renew()
        self.studio.renew()
        return self.fitted.version if self.fitted else ""

    def product_vectors(self) -> dict[str, Any]:
        """What each product's text means, by product id."""
        entries = list(self._catalogue())
        rows = self.embed([readable(entry, self.embed) for entry in entries])
        return {entry.id: row for entry, row in zip(entries, rows, strict=True)}

    def reindex(self, progress: Callable[[str, int, int], None] = lambda kind, done, total: None) -> dict[str, Changes]:
        """Bring the index in step with the policy documents and the catalogue."""
        changes = {"policy": self.index.update("policy", load_knowledge(self.settings.knowledge()), lambda d, t: progress("policy", d, t))}
        entries = list(self._catalogue())
        changes["products"] = self.index.update("products", entries, lambda d, t: progress("products", d, t))
        self.search.refresh()
        return changes

    def close(self) -> None:
        """Give back the stores."""
        self.index.close()
        self.database.close()

    # --- inside -------------------------------------------------------------------------

    def _catalogue(self) -> Iterator[Entry]:
        with self.database.read() as session:
            for offer in catalogue.every(session):
                product = offer.product
                options = {language: _options([v.options_en if language == "en" else v.options_zh for v in offer.variants]) for language in ("en", "zh")}
                parts = {
                    "en": (product.name_en, product.description_en, product.tags_en),
                    "zh": (product.name_zh, product.description_zh, product.tags_zh),
                }
                texts = {
                    lang: " ".join(p for p in (text, options[lang], " ".join(tags), product.category if lang == "en" else "") if p)
                    for lang, (_, text, tags) in parts.items()
                }
                facts: dict[str, str | int | float | bool] = {"price_cents": offer.least_cents, "category": product.category, "in_stock": offer.in_stock}
                named = {lang: name for lang, (name, _, _) in parts.items() if name}
                yield Entry(product.id, named or {"en": product.id}, {lang: text for lang, text in texts.items() if lang in named}, {}, facts)

    def _setting(self, role: Role) -> Setting:
        if role not in self._contexts:
            with self.database.read() as session:
                places = {
                    "cities": ", ".join(audience.cities(session)[:40]),
                    "countries": ", ".join(audience.countries(session)[:40]),
                    "categories": ", ".join(audience.categories(session)[:40]),
                }
            self._contexts[role] = {"shop": self.settings.shop()["name"], **places}
        named = self.studio.named() if role is Role.MARKETER else {"audiences": "", "campaigns": ""}
        name = self.settings.model
        return Setting(self.model, name, self.settings.turn_seconds, self.settings.token_budget, {**self._contexts[role], **named})

    def _chat_model(self) -> BaseChatModel:
        if self.settings.model == "embedded":
            return embedded.EmbeddedModel(router=self.router, embed=self.embed, sells=self._sells, names=self.search.names_product)
        if not self.settings.base_url:
            raise BadInput("PATRON_MODEL names a model but PATRON_BASE_URL no endpoint. Set both, or leave both out for the embedded model.")
        names = [self.settings.model, *self.settings.fallback_models]
        return OpenAICompatible(models=names, base_url=self.settings.base_url, api_key=self.settings.api_key, deadline=self.settings.turn_seconds - 2)

    def _sells(self, words: str) -> bool:
        """Whether words name something of the catalogue: the embedded model asks before it takes them for an article."""
        hits = self.search(words, kind="products", limit=1, mode="bm25")
        return bool(hits) and hits[0].bm25 >= (_NAMED_ZH if has_han(words) else _NAMED_EN)

    def _load_router(self) -> Router:
        kept = self.shelf.load("router")
        card = self.shelf.card("router")
        if kept is None or card is None or card.version != _router_version(self.embed.name):
            return self._train_router()
        return Router.restored(kept, self.embed)

    def _train_router(self) -> Router:
        fitted = embedded.train(self.embed)
        rows = sum(len(found) for found in prompts.examples().values())
        card = Card(
            "router", _router_version(self.embed.name), "prompts/embedded/examples", self.today.isoformat(), rows, notes="measured by `python -m eval routing`"
        )
        self.shelf.save(fitted.state(), card)
        return fitted


def _router_version(vectors: str) -> str:
    """Changes with the examples, the vectors and the reading of messages: a router of other ones is trained anew."""
    folder = prompts.FOLDER / "embedded" / "examples"
    digest = hashlib.sha256(vectors.encode())
    for path in [*sorted(folder.glob("*.tsv")), *(Path(module.__file__ or "") for module in (router, slots))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _options(values: list[dict[str, str]]) -> str:
    return " ".join(dict.fromkeys(value for options in values for value in options.values()))
