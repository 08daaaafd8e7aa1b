"""How does a message to many read, without a language model?

Puts a message together from lines that copywriters wrote for its occasion, tone
and channel (prompts/copy), the facts handed in and nothing else. Three variants
are built on three plans (the scene first, the offer first, the shortest way),
share no line, and fit their channel. What they may say is asked in
prompts/compliance.
"""

import hashlib
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

import prompts
from assistant.embedded.excerpt import sentences
from prompts import formats, personal

_LONG = ("email", "wechat", "in_app")
# 3GPP TS 23.038 for a text message; what a phone shows of a push at a glance.
_ROOM = {("sms", "en"): 160, ("sms", "zh"): 70, ("push", "en"): 120, ("push", "zh"): 50}
_OPT_OUT = {
    ("sms", "en"): " Reply STOP to opt out",
    ("sms", "zh"): " 退订回T",
    ("email", "en"): "\n\nNo more of these? {unsubscribe}",
    ("email", "zh"): "\n\n不想再收到此类邮件：{unsubscribe}",
}
_OCCASIONS = ("offer", "win_back", "new_arrival", "back_in_stock", "thank_you", "points", "birthday", "season")


@cache
def _lines(language: str) -> dict[str, Any]:
    return tomllib.loads((prompts.FOLDER / "copy" / f"{language}.toml").read_text(encoding="utf-8"))


_COUPON = re.compile(r"券|\b(?:coupon|voucher)s?\b", re.IGNORECASE)


@dataclass
class _Hand:
    """Draws lines so that none is used twice in one answer; the same facts draw the same lines."""

    rng: np.random.Generator
    values: dict[str, str]
    used: set[str] = field(default_factory=set)
    # Whether there is a coupon that a line may speak of.
    coupon: bool = True

    def draw(self, lines: Sequence[str], *, shortest: bool = False) -> str:
        """A line whose every field is known, filled; empty where there is none."""
        lines = [line for line in lines if self.coupon or not _COUPON.search(line)]
        fit = [line for line in lines if line not in self.used and all(self.values.get(name) or name in personal.FIELDS for name, _ in personal.fields(line))]
        if not fit:
            fit = [line for line in lines if all(self.values.get(name) or name in personal.FIELDS for name, _ in personal.fields(line))]
        if not fit:
            return ""
        line = min(fit, key=len) if shortest else fit[int(self.rng.integers(len(fit)))]
        self.used.add(line)
        return _filled(line, self.values)


@dataclass(frozen=True)
class _Part:
    """A line of a message; what is not `needed` may go when there is no room."""

    text: str
    needed: bool = False
    term: bool = False


def write(facts: dict[str, Any]) -> list[dict[str, str]]:
    """Three variants for the channel, tone and language in `facts`; `seed` gives other ones for the same facts."""
    language, channel = facts["language"], facts["channel"]
    digest = hashlib.sha256(repr(sorted((k, str(v)) for k, v in facts.items())).encode()).digest()
    hand = _Hand(np.random.default_rng(int.from_bytes(digest[:8], "big")), _values(facts), coupon=bool(facts.get("percent") or facts.get("amount")))
    plans = (_scene_first, _offer_first, _briefly)
    made = []
    for plan in plans:
        parts = [part for part in plan(facts, hand) if part.text]
        text = _fitted(parts, channel, language, _compact(hand.values, language)) + _OPT_OUT.get((channel, language), "")
        variant = {"text": personal.with_fallback(text.strip(), language), "written_by": "embedded"}
        if channel == "email":
            occasion = _lines(language)["occasion"][_occasion(facts)][facts["tone"]]
            for part in ("subject", "preheader"):
                variant[part] = personal.with_fallback(hand.draw(occasion[part]), language)
        made.append(variant)
    return made


# --- plans ------------------------------------------------------------------------------


def _scene_first(facts: dict[str, Any], hand: _Hand) -> Iterator[_Part]:
    long = facts["channel"] in _LONG
    yield _Part(_opening(facts, hand, long=long))
    if long and facts["tone"] not in ("plain", "urgent"):
        yield _Part(_scene(facts, hand))
    yield _Part(_offer(facts, hand), needed=True)
    if long:
        yield _Part(_about(facts, hand, 0))
    yield from _terms(facts, hand)
    yield _Part(_close(facts, hand))


def _offer_first(facts: dict[str, Any], hand: _Hand) -> Iterator[_Part]:
    yield _Part(_offer(facts, hand, tier=True), needed=True)
    if facts["channel"] in _LONG:
        yield _Part(_about(facts, hand, 1))
        yield _Part(_scene(facts, hand))
    else:
        yield _Part(_fragment(facts, hand))
    yield from _terms(facts, hand)
    yield _Part(_close(facts, hand))


def _briefly(facts: dict[str, Any], hand: _Hand) -> Iterator[_Part]:
    if facts["channel"] in _LONG:
        yield _Part(_opening(facts, hand, long=False))
        yield _Part(_offer(facts, hand), needed=True)
        yield from _terms(facts, hand)
        yield _Part(_close(facts, hand))
        return
    yield _Part(_fragment(facts, hand))
    yield _Part(_offer(facts, hand), needed=True)
    yield from _terms(facts, hand)


def _fitted(parts: list[_Part], channel: str, language: str, compact: str) -> str:
    """The parts as one text; on a small screen what is not needed goes, the last first, until the rest fits; the terms in the fewest words at last."""
    glue = " " if language == "en" else ""
    room = _ROOM.get((channel, language))
    if room is None:
        texts = [part.text for part in parts]
        return _paragraphs(texts, glue) if channel in _LONG else glue.join(texts)
    room -= len(_OPT_OUT.get((channel, language), ""))
    kept = list(parts)
    while _length(kept, glue) > room and (spare := [n for n, part in enumerate(kept) if not part.needed]):
        kept.pop(spare[-1])
    if compact and _length(kept, glue) > room:
        kept = [*(part for part in kept if not part.term), _Part(compact)]
    return glue.join(part.text for part in kept)


def _length(parts: Sequence[_Part], glue: str) -> int:
    # A name is longer than its field, a code than its own.
    return len(glue.join(part.text for part in parts)) + sum(4 * ("{name}" in part.text) + 8 * ("{code}" in part.text) for part in parts)


def _paragraphs(parts: list[str], glue: str) -> str:
    """An opening by itself, the rest below: a letter, not a slab."""
    return parts[0] if len(parts) < 3 else parts[0] + "\n\n" + glue.join(parts[1:-1]) + "\n\n" + parts[-1]


# --- pieces -----------------------------------------------------------------------------


def _occasion(facts: dict[str, Any]) -> str:
    named = str(facts.get("occasion") or "")
    if named in _OCCASIONS:
        return named
    gives = facts.get("percent") or facts.get("amount") or facts.get("points") or facts.get("benefit")
    return "offer" if gives else "thank_you" if facts.get("tier") and facts["tone"] == "warm" else "season" if facts["tone"] == "festive" else "new_arrival"


def _opening(facts: dict[str, Any], hand: _Hand, *, long: bool) -> str:
    return hand.draw(_lines(facts["language"])["occasion"][_occasion(facts)][facts["tone"]]["long" if long else "short"])


def _scene(facts: dict[str, Any], hand: _Hand) -> str:
    shelf = _lines(facts["language"])["category"].get(facts.get("category") or "")
    return hand.draw(shelf["scenes"]) if shelf else ""


def _fragment(facts: dict[str, Any], hand: _Hand) -> str:
    shelf = _lines(facts["language"])["category"].get(facts.get("category") or "")
    return hand.draw(shelf["short"]) if shelf else ""


def _about(facts: dict[str, Any], hand: _Hand, place: int) -> str:
    """A sentence of the catalogue's own about the product."""
    told = [s for s in sentences(facts.get("product_text") or "") if 12 <= len(s) <= 160]
    return told[place % len(told)] if told else ""


def _offer(facts: dict[str, Any], hand: _Hand, *, tier: bool = False) -> str:
    has = hand.values.get
    if facts.get("points"):
        kind = "points"
    elif facts.get("amount"):
        kind = "amount"
    elif facts.get("benefit"):
        kind = "shipping" if facts["benefit"] == "free_shipping" else "benefit"
    elif has("product"):
        kind = "_".join(name for name in ("product", "price", "percent") if has(name))
    elif has("shelf"):
        kind = "shelf_percent" if has("percent") else "shelf"
    else:
        kind = "percent" if has("percent") else "none"
    table = _lines(facts["language"])["offer"][kind][facts["tone"]]
    small = (facts["channel"], facts["language"]) in _ROOM
    named = hand.draw(table["lines_tier"], shortest=small) if tier and has("tier") else ""
    line = named or hand.draw(table["lines"], shortest=small and len(hand.values.get("product", "")) > 12)
    if kind == "amount" and has("product") and hand.values["product"] not in line:
        # An amount off a product is told beside the product.
        line = f"{hand.draw(_lines(facts['language'])['offer']['product'][facts['tone']]['lines'])}{' ' if facts['language'] == 'en' else ''}{line}"
    return line


def _terms(facts: dict[str, Any], hand: _Hand) -> Iterator[_Part]:
    lines, tone = _lines(facts["language"]), facts["tone"]
    for name in ("code", "minimum", "until"):
        if hand.values.get(name):
            yield _Part(hand.draw(lines[name][tone]["lines"], shortest=facts["channel"] in ("sms", "push")), needed=True, term=True)


def _compact(values: dict[str, str], language: str) -> str:
    """Code, least basket and last day as bare as can be."""
    code, minimum, until = (values.get(name) for name in ("code", "minimum", "until"))
    if language == "zh":
        parts = [f"码 {code}" if code else "", f"满 {minimum}" if minimum else "", f"至 {until}" if until else ""]
        return "，".join(part for part in parts if part) + "。" if any(parts) else ""
    parts = [f"Code {code}" if code else "", f"from {minimum}" if minimum else "", f"until {until}" if until else ""]
    said = ", ".join(part for part in parts if part)
    return f"{said[:1].upper()}{said[1:]}." if said else ""


def _close(facts: dict[str, Any], hand: _Hand) -> str:
    return hand.draw(_lines(facts["language"])["close"][facts["channel"]][facts["tone"]]["lines"])


def _values(facts: dict[str, Any]) -> dict[str, str]:
    language, currency = facts["language"], facts["currency"]
    percent = facts.get("percent")
    told = {
        "product": facts.get("product"),
        "shelf": facts.get("shelf"),
        "price": formats.money(facts["price"], currency) if facts.get("price") else None,
        "percent": f"{percent}%" if percent else None,
        # 九五折 is what five per cent off is called.
        "zhe": f"{(100 - percent) / 10:g} 折" if percent else None,
        "amount": formats.money(facts["amount"], currency).removesuffix(".00") if facts.get("amount") else None,
        "points": formats.number(facts["points"]) if facts.get("points") else None,
        "benefit": facts.get("benefit_text"),
        "tier": facts.get("tier"),
        "code": facts.get("code"),
        "minimum": formats.money(facts["minimum"], currency).removesuffix(".00") if facts.get("minimum") else None,
        "until": formats.day(facts["until"], language, facts["until"]) if facts.get("until") else None,
    }
    if language == "zh" and told["zhe"]:
        told["percent"] = told["zhe"]
    return {name: str(value) for name, value in told.items() if value}


def _filled(line: str, values: dict[str, str]) -> str:
    """Known facts filled in; fields of a person stay, as each has their own."""
    for name, value in values.items():
        line = line.replace(f"{{{name}}}", value)
    return line[:1].upper() + line[1:]
