"""What can the shop prove of an offer, and what may be said instead?

The facts that a message is held against, and the lines that they bear out.
Knows nothing of texts, and does not look facts up: they are handed in.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from prompts import formats


@dataclass(frozen=True)
class Facts:
    """All that the shop can prove of an offer. `was` is the lowest price of the past 30 days; `filled` fields are never empty."""

    currency: str
    today: date
    product: str | None = None
    price: Decimal | None = None
    was: Decimal | None = None
    stock: int | None = None
    percent: Decimal | None = None
    amount_off: Decimal | None = None
    code: str | None = None
    minimum: Decimal | None = None
    valid_until: date | None = None
    fields: frozenset[str] = frozenset({"name", "tier", "points", "city"})
    filled: frozenset[str] = frozenset({"tier", "points"})
    names: tuple[str, ...] = ()

    @property
    def all_names(self) -> tuple[str, ...]:
        """The product's name and the others allowed."""
        return tuple(name for name in (self.product, *self.names) if name)


def _soon(facts: Facts, days: int) -> bool:
    return facts.valid_until is not None and 0 <= (facts.valid_until - facts.today).days <= days


# What makes words of urgency or of a reduction true. Stock under 20 and an end within a week are this shop's own bounds.
TRUE_WHEN: dict[str, Callable[[Facts], bool]] = {
    "half": lambda f: f.percent == 50 or (f.was is not None and f.price is not None and 2 * f.price <= f.was),
    "reduced": lambda f: f.was is not None and f.price is not None and f.price < f.was,
    "ends": lambda f: f.valid_until is not None and f.valid_until >= f.today,
    "ends_soon": lambda f: _soon(f, 7),
    "ends_today": lambda f: _soon(f, 0),
    "few_left": lambda f: f.stock is not None and f.stock <= 20,
}


@dataclass(frozen=True)
class Lines:
    """What the facts at hand allow to be said instead."""

    language: str
    facts: Facts

    def fill(self, instead: str) -> str:
        """A suggestion with its lines filled in."""
        return instead.format(price_line=self.price, until_line=self.until, stock_line=self.stock) if "{" in instead else instead

    def either(self, english: str, chinese: str) -> str:
        """Of two wordings the one in the language at hand."""
        return chinese if self.language == "zh" else english

    @property
    def price(self) -> str:
        """The price, with the earlier one where it is documented."""
        facts = self.facts
        if facts.price is None:
            return self.either("delete it", "删去")
        now = formats.money(str(facts.price), facts.currency)
        if facts.was is None or facts.was <= facts.price:
            return now
        was = formats.money(str(facts.was), facts.currency)
        return self.either(f"{now}, was {was}", f"现价{now}，原价{was}")

    @property
    def until(self) -> str:
        """The last day."""
        if self.facts.valid_until is None:
            return self.either("delete it: no last day is set", "删去：没有截止日期")
        day = formats.day(self.facts.valid_until, self.language, self.facts.today)
        return self.either(f"until {day}", f"{day}前有效")

    @property
    def stock(self) -> str:
        """How many there are, where few enough to say."""
        if self.facts.stock is None or self.facts.stock > 20:
            return self.either("while stocks last", "数量有限")
        return self.either(f"{self.facts.stock} in stock", f"库存{self.facts.stock}件")

    @property
    def offer(self) -> str:
        """The offer's terms."""
        facts, said = self.facts, []
        if facts.percent is not None:
            said.append(self.either(f"{facts.percent}% off", f"减{facts.percent}%"))
        if facts.amount_off is not None:
            amount = formats.money(str(facts.amount_off), facts.currency)
            said.append(self.either(f"{amount} off", f"减{amount}"))
        if facts.minimum is not None:
            least = formats.money(str(facts.minimum), facts.currency)
            said.append(self.either(f"over {least}", f"满{least}"))
        if facts.code:
            said.append(self.either(f"with code {facts.code}", f"优惠码{facts.code}"))
        if facts.valid_until:
            said.append(self.until)
        return self.either(" ", "，").join(said) or self.either("delete it", "删去")
