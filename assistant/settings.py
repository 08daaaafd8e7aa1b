"""How is this shop set up?

The one reader of the environment. Every setting begins with PATRON_; a shop's
own facts (name, day, currency) may stand in `shop.toml` in its home folder.
"""

import tomllib
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

import prompts
from members import program
from members.errors import BadInput
from members.program import Program
from retrieval import documents


class Settings(BaseSettings):
    """Everything that can be set, with its default."""

    model_config = SettingsConfigDict(env_prefix="PATRON_", extra="ignore")

    home: Path = Field(default=Path("var"), description="folder of all embedded stores; a second shop is a second folder")
    database_url: str = Field(default="", description="postgresql+psycopg://… instead of SQLite in the home folder")
    chroma_url: str = Field(default="", description="http://host:port of a Chroma server instead of the home folder's directory")
    embedding_model: str = Field(default="", description="path of a sentence-transformers model instead of the packaged one")
    model: str = Field(default="embedded", description="name of a chat model at base_url; `embedded` needs no key")
    fallback_models: list[str] = Field(default=[], description="further models at base_url, tried in order")
    base_url: str = Field(default="", description="an OpenAI-compatible endpoint")
    api_key: SecretStr = Field(default=SecretStr(""), description="its key")
    token_budget: int = Field(default=16_000, ge=1_000, description="tokens of history and tools a model call may carry")
    turn_seconds: float = Field(default=30.0, gt=0, description="wall clock for one turn")
    today: date | None = Field(default=None, description="the shop's day; the calendar's when unset")
    webhook_url: str = Field(default="", description="where campaign messages are posted; without it they stay in the outbox")
    webhook_secret: SecretStr = Field(default=SecretStr(""), description="signs what is posted there (HMAC-SHA256)")
    secure_cookies: bool = Field(default=False, description="set behind HTTPS")

    def shop(self) -> dict[str, Any]:
        """The facts of shop.toml, with defaults."""
        path = self.home / "shop.toml"
        facts = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        return {"name": "our shop", **facts}

    def fixed_day(self) -> date | None:
        """The day that was set: PATRON_TODAY, else shop.toml's; None for the calendar's."""
        written = self.shop().get("today")
        return self.today or (written if isinstance(written, date) else None)

    def shop_day(self) -> date:
        """The day answers are as of: the one that was set, else the calendar's."""
        return self.fixed_day() or date.today()

    def program(self) -> Program:
        """The shop's own rules, or the packaged ones."""
        own = self.home / "program.toml"
        return program.load(own) if own.is_file() else program.load()

    def brand(self) -> Path:
        """The words the shop does not use: its own brand.toml, or the packaged one."""
        own = self.home / "brand.toml"
        return own if own.is_file() else prompts.FOLDER / "copy" / "brand.toml"

    def knowledge(self) -> Path:
        """The shop's own policy documents, or the packaged ones."""
        own = self.home / "knowledge"
        return own if own.is_dir() else documents.PACKAGED

    def record_url(self) -> str:
        """Where the record is."""
        return self.database_url or f"sqlite:///{(self.home / 'patron.db').absolute()}"


def load(**given: Any) -> Settings:
    """Settings from the environment and what is given. Raises BadInput naming the wrong one."""
    try:
        return Settings(**given)
    except ValidationError as error:
        wrong = "; ".join(f"PATRON_{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise BadInput(f"A setting is wrong. {wrong}") from error
