"""What would a lively little shop look like?

Generates the demo shop from one seed: members, two years of orders with
seasons, repeat purchases and people who drift away, views, reviews, tickets and
campaigns. What was planted (who drifts, who reacts to a coupon, what goes
together, who abuses) is returned, so that models can be held against it. Nothing here is
learned from real people.
"""

import json
import tomllib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import insert
from sqlmodel import Session

from members import lake, ledger, program, replay
from members.database import Database, advance_ids
from members.program import Program
from members.tables import (
    Address,
    Campaign,
    CampaignMember,
    Consent,
    Contact,
    Coupon,
    Member,
    Order,
    OrderLine,
    Payment,
    PaymentMethod,
    Product,
    ReturnLine,
    Review,
    Ticket,
    Variant,
)

MEMBERS, DAYS, SEED = 2_000, 730, 7
_SHELVES = Path(__file__).parent / "demo_shop"
# How a member answers a coupon: chance of an extra order in the two weeks after it.
COUPON_EFFECT = {"persuadable": 0.30, "sure": 0.0, "lost_cause": 0.0, "sleeping_dog": -0.10}
_COUPON_SHARE = (0.30, 0.35, 0.25, 0.10)
_REFILL_CHANCE, _PAIR_CHANCE, _RETURN_CHANCE = 0.55, 0.28, 0.045
_METHODS = {"en": ("visa", "mastercard", "paypal"), "zh": ("alipay", "wechat_pay", "visa")}
# How many send nearly everything back, and how many accounts share one door.
_RETURNERS, _AT_ONE_DOOR = 5, 5
Rows = dict[Any, list[dict[str, Any]]]


@dataclass
class Truth:
    """What was planted, by member and product id."""

    drifts_on: dict[str, str] = field(default_factory=dict)
    coupon_type: dict[str, str] = field(default_factory=dict)
    goes_with: dict[str, list[str]] = field(default_factory=dict)
    refill_days: dict[str, int] = field(default_factory=dict)
    abuse: dict[str, str] = field(default_factory=dict)


@dataclass
class _Person:
    """One invented member's hidden habits."""

    id: str
    language: str
    city: str
    joined: date
    gap_days: float
    taste: "np.ndarray[Any, Any]"
    drifts_on: date | None
    coupon_type: str
    methods: list[tuple[str, str]]
    agrees: dict[str, bool]


def build(
    database: Database,
    rules: Program,
    *,
    today: date,
    lake_folder: Path,
    seed: int = SEED,
    members: int = MEMBERS,
    progress: Callable[[str], None] = lambda step: None,
) -> Truth:
    """Fill an empty, migrated database with the demo shop whose last day is `today`."""
    rng = np.random.default_rng(seed)
    texts = tomllib.loads((_SHELVES / "people.toml").read_text(encoding="utf-8"))
    progress("products")
    rows: Rows = defaultdict(list)
    goods = _Goods(rows, rng, today)
    progress("members")
    people = [_person(number, rng, texts, rows, goods, today) for number in range(members)]
    progress("orders and campaigns")
    sent = _campaigns(people, rng, texts, rows, today)
    shop = _Counter(rng, rows, goods, rules, today, texts)
    for person in people:
        shop.live(person, sent.get(person.id, []))
    progress("writing")
    truth = _truth(people, goods)
    truth.abuse = _abuse(shop, people, np.random.default_rng(seed + 1))
    with database.effect() as session:
        for table, mine in _settled(rows, goods).items():
            session.connection().execute(insert(table.__table__), mine)
        advance_ids(session, OrderLine)
        progress("points and tiers")
        replay.replay(session, [person.id for person in people], rules, until=today)
        _use_some_points(session, people, rng, rules, today)
    progress("views and carts")
    lake.write_events(lake_folder, pd.DataFrame(shop.events, columns=lake.SCHEMA.names))
    return truth


def save_truth(truth: Truth, path: Path) -> None:
    """Write what was planted as JSON, for tests and benchmarks."""
    path.write_text(json.dumps(asdict(truth), ensure_ascii=False, indent=1), encoding="utf-8")


# --- goods ------------------------------------------------------------------------------


class _Goods:
    """The catalogue as arrays: who is picked how often, in which month, with what."""

    def __init__(self, rows: Rows, rng: "np.random.Generator", today: date) -> None:
        shelves = sorted(path for path in _SHELVES.glob("*.json"))
        items = [item for path in shelves for item in json.loads(path.read_text(encoding="utf-8"))]
        self.items = items
        self.ids = [f"P-{1001 + n}" for n in range(len(items))]
        self.categories = sorted({item["category"] for item in items})
        self.category = np.array([self.categories.index(item["category"]) for item in items])
        self.season = np.array([item["season"] for item in items], dtype=float)
        self.popularity = np.array([item["popularity"] for item in items], dtype=float)
        place = {item["slug"]: n for n, item in enumerate(items)}
        self.pairs = [[place[slug] for slug in item["goes_with"] if slug in place] for item in items]
        self.variants: list[list[tuple[str, int]]] = []
        self.ratings: dict[str, list[int]] = defaultdict(list)
        for number, item in enumerate(items):
            self._add(number, item, rows, rng, today)

    def _add(self, number: int, item: dict[str, Any], rows: Rows, rng: "np.random.Generator", today: date) -> None:
        product_id = self.ids[number]
        names = ("name_en", "name_zh", "description_en", "description_zh", "category", "warranty_months", "weight_g")
        listed = today - timedelta(days=int(rng.integers(40, 900)))
        rows[Product].append({"id": product_id, **{n: item[n] for n in names}, "tags_en": item["tags"], "tags_zh": item["tags_zh"], "listed_on": listed})
        mine = []
        for index, (english, chinese, factor) in enumerate(_combinations(item["options"])):
            cents = round(item["price"] * factor * 20) * 5
            stock = 0 if rng.random() < 0.05 else int(rng.gamma(2.0, 14)) + 1
            variant_id = f"{product_id}-{index + 1}"
            rows[Variant].append(
                {
                    "id": variant_id,
                    "product_id": product_id,
                    "options_en": english,
                    "options_zh": chinese,
                    "price_cents": cents,
                    "stock": stock,
                    "available": True,
                }
            )
            mine.append((variant_id, cents))
        self.variants.append(mine)

    def weights(self, taste: "np.ndarray[Any, Any]", month: int) -> "np.ndarray[Any, Any]":
        """Chance of each product for a taste in a month, summing to one."""
        raw = self.popularity * self.season[:, month - 1] * taste[self.category]
        return raw / raw.sum()


def _combinations(options: dict[str, list[list[str]]]) -> list[tuple[dict[str, str], dict[str, str], float]]:
    """Every combination of option values; larger sizes and capacities cost more."""
    found: list[tuple[dict[str, str], dict[str, str], float]] = [({}, {}, 1.0)]
    chinese_kind = {"colour": "颜色", "size": "尺寸", "capacity": "容量", "flavour": "口味", "scent": "香味", "length": "长度"}
    for kind, values in options.items():
        step = 0.18 if kind in {"size", "capacity", "length"} else 0.0
        found = [
            ({**e, kind: en}, {**z, chinese_kind.get(kind, kind): zh}, factor * (1 + step * n)) for e, z, factor in found for n, (en, zh) in enumerate(values)
        ]
    return found


# --- people -----------------------------------------------------------------------------

# Two members whose logins the demo hands out: they always have something going on.
_HEROES = {0: ("Li Na", "en", "London", 24.0), 1: ("陈默", "zh", "Shanghai", 22.0)}


def _person(number: int, rng: "np.random.Generator", texts: dict[str, Any], rows: Rows, goods: _Goods, today: date) -> _Person:
    language = "zh" if rng.random() < 0.45 else "en"
    name = _name(rng, texts, language)
    city = _weighted(rng, texts[f"cities_{language}"])
    joined = today - timedelta(days=int(rng.integers(10, 1100)))
    gap = float(np.clip(rng.gamma(1.6, 55), 9, 420))
    drifts = today - timedelta(days=int(rng.integers(60, 540))) if rng.random() < 0.30 else None
    if number in _HEROES:
        name, language, city, gap = _HEROES[number]
        joined, drifts = today - timedelta(days=690 - 40 * number), None
    taste = rng.dirichlet(np.full(len(goods.categories), 0.35)) + 0.015
    coupon = str(rng.choice(list(COUPON_EFFECT), p=_COUPON_SHARE))
    member_id = f"M-{10001 + number}"
    country = "China" if city in texts["cities_zh"] else "United Kingdom"
    birthday = date(int(rng.integers(1955, 2006)), int(rng.integers(1, 13)), int(rng.integers(1, 28)))
    rows[Member].append({"id": member_id, "name": name, "language": language, "birthday": birthday, "joined_on": joined, "city": city, "country": country})
    _reach(member_id, number, language, country, rng, rows)
    _home(member_id, city, country, rng, texts, rows)
    agrees = {
        c: bool(rng.random() < p) for c, p in (("email", 0.8), ("sms", 0.45), ("wechat", 0.75 if language == "zh" else 0.08), ("phone", 0.2), ("push", 0.5))
    }
    rows[Consent].extend({"member_id": member_id, "channel": c, "granted": yes, "changed_on": joined} for c, yes in agrees.items())
    return _Person(member_id, language, city, joined, gap, taste / taste.sum(), drifts, coupon, _pay(member_id, language, rng, rows), agrees)


def _name(rng: "np.random.Generator", texts: dict[str, Any], language: str) -> str:
    if language == "zh":
        return str(rng.choice(texts["family_zh"])) + str(rng.choice(texts["given_zh"]))
    if rng.random() < 0.12:
        return f"{rng.choice(texts['family_pinyin'])} {rng.choice(texts['given_pinyin'])}"
    return f"{rng.choice(texts['given_en'])} {rng.choice(texts['family_en'])}"


def _weighted(rng: "np.random.Generator", shares: dict[str, int]) -> str:
    weights = np.array(list(shares.values()), dtype=float)
    return str(rng.choice(list(shares), p=weights / weights.sum()))


def _reach(member_id: str, number: int, language: str, country: str, rng: "np.random.Generator", rows: Rows) -> None:
    # Reserved by RFC 2606 and Ofcom's drama numbers: none of these reaches anybody.
    digits = f"861380013{number % 10000:04d}" if country == "China" else f"447700900{number % 1000:03d}"
    rows[Contact].append({"member_id": member_id, "kind": "email", "value": f"member{10001 + number}@example.org"})
    rows[Contact].append({"member_id": member_id, "kind": "phone", "value": digits})


def _home(member_id: str, city: str, country: str, rng: "np.random.Generator", texts: dict[str, Any], rows: Rows) -> None:
    number = int(rng.integers(1, 180))
    chinese = country == "China"
    line = f"{rng.choice(texts['streets_zh'])}{number}号" if chinese else f"{number} {rng.choice(texts['streets_en'])}"
    code = f"{int(rng.integers(100, 900))}000" if chinese else f"LS{int(rng.integers(1, 29))} {int(rng.integers(1, 9))}AB"
    place = {"line1": line, "line2": "", "city": city, "region": "", "postcode": code, "country": country}
    rows[Address].append({"member_id": member_id, "label": "home", "is_default": True, **place})


def _pay(member_id: str, language: str, rng: "np.random.Generator", rows: Rows) -> list[tuple[str, str]]:
    kinds = list(rng.choice(_METHODS[language], size=int(rng.integers(1, 3)), replace=False))
    found = []
    for kind in kinds:
        last = f"{int(rng.integers(1000, 9999))}"
        label = {"visa": f"Visa ··{last}", "mastercard": f"Mastercard ··{last}", "paypal": "PayPal", "alipay": "Alipay", "wechat_pay": "WeChat Pay"}[str(kind)]
        method_id = f"{member_id}-{kind}"
        rows[PaymentMethod].append({"id": method_id, "member_id": member_id, "kind": str(kind), "label": label, "balance_cents": None})
        found.append((method_id, label))
    return found


def _campaigns(people: list[_Person], rng: "np.random.Generator", texts: dict[str, Any], rows: Rows, today: date) -> dict[str, list[tuple[date, str, int]]]:
    """Send past campaigns to random audiences with a fifth held out; who got which coupon when."""
    sent: dict[str, list[tuple[date, str, int]]] = defaultdict(list)
    for number, campaign in enumerate(texts["campaigns"], start=1):
        on, campaign_id = today - timedelta(days=campaign["days_ago"]), f"C-{100 + number}"
        offer = {"kind": "percent", "percent": campaign["percent"]}
        rows[Campaign].append(
            {"id": campaign_id, "name_en": campaign["name_en"], "name_zh": campaign["name_zh"], "channel": campaign["channel"], "offer": offer, "sent_on": on}
        )
        able = [p for p in people if p.joined < on and p.agrees[campaign["channel"]]]
        for person in able:
            if rng.random() > 0.35:
                continue
            arm = "holdout" if rng.random() < 0.2 else "treated"
            rows[CampaignMember].append(
                {"campaign_id": campaign_id, "member_id": person.id, "arm": arm, "opened": bool(arm == "treated" and rng.random() < 0.42)}
            )
            if arm == "treated":
                sent[person.id].append((on, campaign_id, campaign["percent"]))
                ends = on + timedelta(days=30)
                code = f"{campaign_id}-{person.id[2:]}"
                rows[Coupon].append(
                    {
                        "code": code,
                        "member_id": person.id,
                        "kind": "percent",
                        "value": campaign["percent"],
                        "minimum_cents": 2000,
                        "starts_on": on,
                        "ends_on": ends,
                        "used_order_id": None,
                        "campaign_id": campaign_id,
                    }
                )
    return sent


# --- two years at the counter -----------------------------------------------------------


class _Counter:
    """Lets each member live through the months and writes what they leave behind."""

    def __init__(self, rng: "np.random.Generator", rows: Rows, goods: _Goods, rules: Program, today: date, texts: dict[str, Any]) -> None:
        self.rng, self.rows, self.goods, self.rules, self.today, self.texts = rng, rows, goods, rules, today, texts
        self.start = today - timedelta(days=DAYS - 1)
        self.homes = {place["member_id"]: place for place in rows[Address]}
        self.events: list[tuple[str, str, str, datetime]] = []
        self.order_number, self.line_number, self.note_number, self.ticket_number = 20000, 0, 500, 100

    def live(self, person: _Person, coupons: list[tuple[date, str, int]]) -> None:
        """All of one member's orders, in time order."""
        spends: list[tuple[date, int]] = []
        for on, refill, coupon in sorted(self._days(person, coupons), key=lambda day: day[0]):
            self._order(person, on, refill, coupon, spends)
        for _ in range(int(self.rng.poisson(6))):
            self._browse(person, self._instant(self._between(max(person.joined, self.start), self.today)))

    def _days(self, person: _Person, coupons: list[tuple[date, str, int]]) -> list[tuple[date, int | None, str]]:
        """Days of purchase: own rhythm thinned by season and drift, refills, and coupon reactions."""
        rng, days = self.rng, list[tuple[date, int | None, str]]()
        on = max(person.joined, self.start) + timedelta(days=int(rng.integers(0, 30)))
        while on <= self.today:
            if rng.random() < self._mood(person, on):
                days.append((on, None, ""))
            on += timedelta(days=max(1, int(rng.exponential(person.gap_days * 0.72))))
        for sent_on, campaign_id, _ in coupons:
            effect = COUPON_EFFECT[person.coupon_type]
            quiet = (sent_on, sent_on + timedelta(days=14))
            if effect < 0 and rng.random() < -effect * 3:
                days = [day for day in days if not quiet[0] <= day[0] <= quiet[1]]
            elif rng.random() < effect * min(1.0, self._mood(person, sent_on) * 1.6):
                reply = sent_on + timedelta(days=int(rng.integers(1, 13)))
                if reply <= self.today:
                    days.append((reply, None, campaign_id))
        if person.id in ("M-10001", "M-10002"):
            days += [(self.today - timedelta(days=back), None, "") for back in (1, 4, 23, 41)]
        return days

    def _mood(self, person: _Person, on: date) -> float:
        season = {11: 1.0, 12: 1.0, 10: 0.8, 1: 0.55, 2: 0.55}.get(on.month, 0.7)
        return season * (0.07 if person.drifts_on and on >= person.drifts_on else 1.0)

    def _order(self, person: _Person, on: date, refill: int | None, campaign_id: str, spends: list[tuple[date, int]]) -> None:
        if on > self.today:
            return
        rng, goods = self.rng, self.goods
        basket = [refill] if refill is not None else []
        wanted = 1 + int(rng.poisson(0.9)) - len(basket)
        if wanted > 0:
            basket += [int(n) for n in rng.choice(len(goods.ids), size=wanted, replace=False, p=goods.weights(person.taste, on.month))]
        basket += [int(rng.choice(goods.pairs[n])) for n in basket if goods.pairs[n] and rng.random() < _PAIR_CHANCE]
        self._book(person, on, list(dict.fromkeys(basket)), campaign_id, spends)
        for n in basket:
            days = goods.items[n]["repeat_days"]
            if days and rng.random() < _REFILL_CHANCE * (0.1 if person.drifts_on and on >= person.drifts_on else 1.0):
                self._order(person, on + timedelta(days=int(days * rng.uniform(0.8, 1.25))), n, "", spends)

    def _book(self, person: _Person, on: date, basket: list[int], campaign_id: str, spends: list[tuple[date, int]]) -> None:
        rng, rows = self.rng, self.rows
        self.order_number += 1
        order_id, at = f"O-{self.order_number}", self._instant(on)
        lines, value = [], 0
        for position, number in enumerate(basket, start=1):
            variant_id, cents = self.goods.variants[number][int(rng.integers(len(self.goods.variants[number])))]
            quantity = 2 if rng.random() < (0.25 if self.goods.items[number]["repeat_days"] else 0.06) else 1
            self.line_number += 1
            item = self.goods.items[number]
            head = {"id": self.line_number, "order_id": order_id, "position": position, "product_id": self.goods.ids[number], "variant_id": variant_id}
            lines.append(
                {**head, "kind": "product", "description": item[f"name_{person.language}"], "quantity": quantity, "unit_price_cents": cents, "returned": 0}
            )
            value += quantity * cents
            self._look(person, number, at)
        window = sum(cents for day, cents in spends if on - timedelta(days=self.rules.tiers.window_days) < day < on)
        tier = program.tier_for(max(0, window), self.rules)
        percent, code = tier.discount_percent, ""
        if campaign_id and value >= 2000:
            code = f"{campaign_id}-{person.id[2:]}"
            percent += next(c["value"] for c in rows[Coupon] if c["code"] == code)
        discount = value * percent // 100
        postage = program.postage_cents(value - discount, tier, self.rules)
        order = self._ship(person, order_id, at, value - discount + postage, discount, postage, code)
        rows[Order].append(order)
        rows[OrderLine].extend(lines)
        method_id, label = person.methods[int(rng.integers(len(person.methods)))]
        paid = {"order_id": order_id, "amount_cents": order["total_cents"], "method_id": method_id, "method_label": label}
        rows[Payment].append({**paid, "kind": "payment", "booked_on": on, "key": "payment"})
        if order["status"] == "cancelled":
            rows[Payment].append({**paid, "kind": "refund", "booked_on": order["cancelled_on"], "key": "refund"})
            return
        spends.append((on, value - discount))
        if order["status"] == "delivered":
            self._afterwards(person, order, lines, basket, method_id, label)

    def _ship(self, person: _Person, order_id: str, at: datetime, total: int, discount: int, postage: int, code: str) -> dict[str, Any]:
        rng, on = self.rng, at.date()
        age = (self.today - on).days
        shipped, took = on + timedelta(days=int(rng.integers(1, 3))), int(rng.integers(2, 5)) + (5 if rng.random() < 0.05 else 0)
        delivered = shipped + timedelta(days=took)
        status = "delivered" if delivered <= self.today else "shipped" if shipped < self.today and age >= 2 else "pending"
        if status == "delivered" and rng.random() < 0.02:
            status = "cancelled"
        place = self.homes[person.id]
        return {
            "id": order_id,
            "member_id": person.id,
            "status": status,
            "ordered_at": at,
            "promised_on": on + timedelta(days=5),
            "shipped_on": shipped if status in ("delivered", "shipped") else None,
            "delivered_on": delivered if status == "delivered" else None,
            "cancelled_on": on + timedelta(days=1) if status == "cancelled" else None,
            "cancel_reason": "changed_mind" if status == "cancelled" else "",
            "total_cents": total,
            "discount_cents": discount,
            "shipping_cents": postage,
            "coupon_code": code,
            "channel": str(rng.choice(["web", "app", "wechat"] if person.language == "zh" else ["web", "app"])),
            "ship_to": {k: place[k] for k in ("line1", "line2", "city", "region", "postcode", "country")},
            "tracking": [f"HP{int(rng.integers(10**8, 10**9))}"] if status in ("delivered", "shipped") else [],
        }

    def _afterwards(self, person: _Person, order: dict[str, Any], lines: list[dict[str, Any]], basket: list[int], method_id: str, label: str) -> None:
        """Returns, reviews and tickets of a delivered order."""
        rng = self.rng
        for line, number in zip(lines, basket, strict=True):
            true_rating = self.goods.items[number]["rating"]
            back_on = order["delivered_on"] + timedelta(days=int(rng.integers(2, 20)))
            if rng.random() < _RETURN_CHANCE * (6.0 - true_rating) / 1.5 and back_on <= self.today:
                self._return(person, order, line, back_on, method_id, label)
            elif rng.random() < 0.14:
                self._review(person, line, true_rating, order["delivered_on"] + timedelta(days=int(rng.integers(1, 25))))
        late = order["delivered_on"] > order["promised_on"]
        if rng.random() < (0.25 if late else 0.008):
            self._ticket(person, order, "late" if late else str(rng.choice(["damaged", "wrong_item", "refund", "points", "advice"])))

    def _return(self, person: _Person, order: dict[str, Any], line: dict[str, Any], on: date, method_id: str, label: str) -> None:
        self.note_number += 1
        cents = line["quantity"] * line["unit_price_cents"]
        goods_value = max(1, order["total_cents"] - order["shipping_cents"] + order["discount_cents"])
        # The discount is taken back in full: the refunds of all lines never exceed what was paid.
        refund = cents + (-cents * order["discount_cents"] // goods_value)
        line["returned"] = line["quantity"]
        head = {"credit_note": f"R-{self.note_number}", "position": 1, "line_id": line["id"], "order_id": order["id"], "member_id": person.id}
        reason = str(self.rng.choice(["not_as_pictured", "wrong_size", "damaged", "late", "changed_mind"]))
        self.rows[ReturnLine].append(
            {
                **head,
                "product_id": line["product_id"],
                "quantity": line["quantity"],
                "refund_cents": refund,
                "returned_at": datetime.combine(on, time(12)),
                "reason": reason,
            }
        )
        self.rows[Payment].append(
            {
                "order_id": order["id"],
                "kind": "refund",
                "amount_cents": refund,
                "method_id": method_id,
                "method_label": label,
                "booked_on": on,
                "key": f"refund:{line['id']}",
            }
        )

    def _review(self, person: _Person, line: dict[str, Any], true_rating: float, on: date) -> None:
        product_id = line["product_id"]
        seen = any(r["member_id"] == person.id and r["product_id"] == product_id for r in self.rows[Review][-40:])
        if on > self.today or seen:
            return
        stars = int(np.clip(round(self.rng.normal(true_rating, 0.8)), 1, 5))
        mood = "good" if stars >= 4 else "fair" if stars == 3 else "poor"
        text = str(self.rng.choice(self.texts[f"review_{person.language}"][mood]))
        self.rows[Review].append({"member_id": person.id, "product_id": product_id, "rating": stars, "text": text, "written_on": on})
        self.goods.ratings[product_id].append(stars)

    def _ticket(self, person: _Person, order: dict[str, Any], cause: str) -> None:
        self.ticket_number += 1
        opened = datetime.combine(order["delivered_on"], time(9)) + timedelta(hours=int(self.rng.integers(0, 10)))
        closed = opened + timedelta(hours=int(self.rng.integers(3, 90)))
        done = closed.date() < self.today
        body = self.texts["tickets"][cause][person.language]
        head = {"id": f"T-{self.ticket_number}", "member_id": person.id, "subject": cause, "body": body, "cause": cause, "status": "closed" if done else "open"}
        self.rows[Ticket].append({**head, "priority": 2, "order_id": order["id"], "opened_at": opened, "closed_at": closed if done else None})

    # Views and carts lead to what was bought, and sometimes to nothing.

    def _look(self, person: _Person, number: int, at: datetime) -> None:
        product_id = self.goods.ids[number]
        for _ in range(1 + int(self.rng.poisson(1.2))):
            self.events.append((person.id, "view", product_id, at - timedelta(minutes=int(self.rng.exponential(1500)) + 3)))
        self.events.append((person.id, "cart", product_id, at - timedelta(minutes=2)))

    def _browse(self, person: _Person, at: datetime) -> None:
        if person.drifts_on and at.date() >= person.drifts_on and self.rng.random() < 0.85:
            return
        weights = self.goods.weights(person.taste, at.month)
        for number in self.rng.choice(len(self.goods.ids), size=3, p=weights):
            self.events.append((person.id, "view", self.goods.ids[int(number)], at + timedelta(minutes=int(self.rng.integers(0, 30)))))
            if self.rng.random() < 0.12:
                self.events.append((person.id, "cart", self.goods.ids[int(number)], at + timedelta(minutes=31)))

    def _instant(self, on: date) -> datetime:
        hour = int(self.rng.choice(24, p=_HOURS))
        return datetime.combine(on, time(hour, int(self.rng.integers(60))))

    def _between(self, start: date, end: date) -> date:
        return start + timedelta(days=int(self.rng.integers(0, max(1, (end - start).days))))


_HOURS = np.array([1, 0.5, 0.3, 0.2, 0.2, 0.5, 1.5, 3, 4, 5, 6, 6, 7, 6, 5, 5, 5, 5, 6, 8, 10, 10, 7, 3])
_HOURS = _HOURS / _HOURS.sum()


# --- the end of the day -----------------------------------------------------------------


def _settled(rows: Rows, goods: _Goods) -> Rows:
    """Rows in the order their keys need, orders numbered as the shop took them."""
    taken = sorted(rows[Order], key=lambda order: (order["ordered_at"], order["id"]))
    number = {order["id"]: f"O-{20001 + n}" for n, order in enumerate(taken)}
    for order in taken:
        order["id"] = number[order["id"]]
    for table in (OrderLine, ReturnLine, Payment, Ticket):
        for row in rows[table]:
            row["order_id"] = number[row["order_id"]]
    used = {order["coupon_code"]: order["id"] for order in taken if order["coupon_code"]}
    for coupon in rows[Coupon]:
        coupon["used_order_id"] = used.get(coupon["code"])
    for product in rows[Product]:
        stars = goods.ratings.get(product["id"], [])
        product["rating"], product["rating_count"] = (round(sum(stars) / len(stars), 1), len(stars)) if stars else (None, 0)
    reviews = {(r["member_id"], r["product_id"], r["written_on"]): r for r in rows[Review]}
    rows[Order], rows[Review] = taken, list(reviews.values())
    order_of = (
        Member,
        Contact,
        Address,
        PaymentMethod,
        Consent,
        Product,
        Variant,
        Review,
        Order,
        OrderLine,
        ReturnLine,
        Payment,
        Coupon,
        Campaign,
        CampaignMember,
        Ticket,
    )
    return {table: rows[table] for table in order_of if rows[table]}


def _abuse(shop: "_Counter", people: list[_Person], rng: "np.random.Generator") -> dict[str, str]:
    """A few who send nearly everything back, and one address with many accounts; drawn apart, so that nobody else changes."""
    rows, found = shop.rows, dict[str, str]()
    mine: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for order in rows[Order]:
        if order["status"] == "delivered":
            mine[order["member_id"]].append(order)
    lines: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in rows[OrderLine]:
        lines[line["order_id"]].append(line)
    able = [p for p in people[len(_HEROES) :] if len(mine[p.id]) >= 6]
    shop.rng = rng
    for person in able[:: max(1, len(able) // _RETURNERS)][:_RETURNERS]:
        for order in mine[person.id]:
            back_on = order["delivered_on"] + timedelta(days=int(rng.integers(2, 20)))
            for line in lines[order["id"]]:
                if not line["returned"] and back_on <= shop.today and rng.random() < 0.8:
                    shop._return(person, order, line, back_on, *person.methods[0])
        found[person.id] = "returns"
    homes = [p for p in people[len(_HEROES) :] if p.id not in found][:_AT_ONE_DOOR] if len(people) > 50 else []
    if homes:
        door = shop.homes[homes[0].id]
        for person in homes:
            shop.homes[person.id].update({name: door[name] for name in ("line1", "line2", "city", "region", "postcode", "country")})
            found[person.id] = "shared_address"
    return found


def _use_some_points(session: Session, people: list[_Person], rng: "np.random.Generator", rules: Program, today: date) -> None:
    """A few members have lately turned points into money, so that the book shows all its kinds."""
    for person in people:
        if rng.random() > 0.12 and person.id not in ("M-10001", "M-10002"):
            continue
        booked = ledger.entries(session, person.id, limit=1)
        on = max([today - timedelta(days=int(rng.integers(1, 40))), *(e.booked_on for e in booked)])
        there = ledger.balance(session, person.id, as_of=on) // 2 // 100 * 100
        if there >= rules.redemption.minimum and on <= today:
            ledger.redeem(session, person.id, there, on=on, key="demo:redeem", rules=rules)


def _truth(people: list[_Person], goods: _Goods) -> Truth:
    return Truth(
        drifts_on={p.id: p.drifts_on.isoformat() for p in people if p.drifts_on},
        coupon_type={p.id: p.coupon_type for p in people},
        goes_with={goods.ids[n]: [goods.ids[m] for m in pairs] for n, pairs in enumerate(goods.pairs) if pairs},
        refill_days={goods.ids[n]: item["repeat_days"] for n, item in enumerate(goods.items) if item["repeat_days"]},
    )
