"""May this message go out?

Holds a campaign message against what the law, the brand and the shop's own facts allow: rules of words stand in
copy/compliance.toml, rules of figures here. Reads through tricks such as 最*好, N0.1 or ch3ap.
Knows nothing of who gets the message or whether they agreed to it, and of no product but those in the facts.
"""

import re
import tomllib
import unicodedata
from calendar import monthrange
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from prompts import formats

COPY = Path(__file__).parent / "copy"
PARTS: tuple["Part", ...] = ("subject", "preheader", "text")
Part = Literal["text", "subject", "preheader"]
Level = Literal["error", "warning"]
RULES = (
    *("superlative", "health_claim", "finance_claim", "missing_opt_out", "price_basis", "untrue_urgency", "empty_field"),
    *("coupon_terms", "wrong_fact", "brand_word", "profanity", "personal_data", "length"),
)


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


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: `place` is what stands from `start` to `end` in the part as it was handed in."""

    rule: str
    level: Level
    part: Part
    start: int
    end: int
    place: str
    reason_en: str
    reason_zh: str
    suggestion: str


@dataclass(frozen=True)
class BrandWord:
    """A word the brand does not use, and what it says instead in each language."""

    pattern: re.Pattern[str]
    instead_en: str
    instead_zh: str


@dataclass(frozen=True)
class Brand:
    """The words a brand does not use."""

    words: tuple[BrandWord, ...]


class _Hit(NamedTuple):
    """A finding in places of the text as read, with the `case` whose reason stands in the file."""

    rule: str
    start: int
    end: int
    reason: tuple[str, str]
    instead: str


def check(
    text: str, *, channel: str, language: str, facts: Facts, subject: str | None = None, preheader: str | None = None, brand: Brand | None = None
) -> list[Finding]:
    """Everything wrong with a message, subject first, by place; the packaged brand words unless a brand is handed in."""
    shown = {"subject": subject, "preheader": preheader, "text": text}
    found: list[Finding] = []
    for part in PARTS:
        original = shown[part]
        if original:
            read = _read(original)
            hits = [*_words(read, language, facts), *_figures(read, language, facts), *_brand_words(read, language, facts, brand or _packaged_brand())]
            found += [_finding(hit, part, original, read) for hit in _merged(hits, read.lower)]
            found += [_finding(hit, part, original, None) for hit in (*_fields(original, language, facts), *_length(original, part, channel, language))]
    if channel in ("sms", "email") and not _OPT_OUT[channel].search(text):
        found.append(_finding(_hit("missing_opt_out", len(text), len(text), "opt_out", _opt_out_line(channel, language)), "text", text, None))
    return sorted(found, key=lambda one: (PARTS.index(one.part), one.start, one.end, one.rule))


def _finding(hit: _Hit, part: Part, original: str, read: "_Read | None") -> Finding:
    start, end = read.place(hit.start, hit.end) if read else (hit.start, hit.end)
    level: Level = "warning" if hit.rule in _file()["level"] else "error"
    return Finding(hit.rule, level, part, start, end, original[start:end], *hit.reason, hit.instead)


# Rules whose claims are spun out over a sentence: what stands this near, in characters, is one claim.
_SPUN = {"health_claim": (40, 12), "finance_claim": (40, 12)}


def _merged(hits: Iterable[_Hit], text: str) -> list[_Hit]:
    """Findings of one rule that overlap, or spin out one claim, are one."""
    kept: list[_Hit] = []
    for hit in sorted(hits, key=lambda h: (h.rule, h.start, -h.end)):
        if kept and kept[-1].rule == hit.rule and _is_one(kept[-1], hit, text):
            kept[-1] = kept[-1]._replace(end=max(kept[-1].end, hit.end))
        else:
            kept.append(hit)
    # A figure that is part of another finding, such as a promised income, is no price of the product.
    return [one for one in kept if one.rule != "wrong_fact" or not any(o.rule != one.rule and o.start < one.end and one.start < o.end for o in kept)]


def _is_one(first: _Hit, then: _Hit, text: str) -> bool:
    if then.start < first.end:
        return True
    between = text[first.end : then.start]
    apart = _SPUN.get(first.rule, (0, 0))[_HAN.search(text[first.start : then.end]) is not None]
    return len(between) < apart and not re.search(r"[.。！？!?\n]", between)


def _hit(rule: str, start: int, end: int, case: str, instead: str, **values: object) -> _Hit:
    english, chinese = _file()["said"][case]["reason"]
    return _Hit(rule, start, end, (english.format(**values), chinese.format(**values)), instead)


# --- reading ----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Read:
    """A text as it is read, in `lower` case and as `cased`, and where each of its characters stands in the original."""

    lower: str
    cased: str
    at: tuple[int, ...]

    def place(self, start: int, end: int) -> tuple[int, int]:
        """Where a stretch of the text as read stands in the original."""
        return (self.at[start], self.at[end - 1] + 1) if start < end else (self.at[start - 1] + 1 if start else 0,) * 2


_LOOKALIKES = str.maketrans("’‘＇´`“”–—‑‐−аеорсхіуАЕОРСХІ。", "'''''\"\"-----aeopcxiyAEOPCXI。")
_SIMPLE = str.maketrans(
    "價優國級頂極絕無雙療癒減賺穩險專櫃網類個萬現買賣後僅剩時點這裡體歷證純見靈藥養壓風財資領終場價標殺後將結還會員錢過續來當沒與爆瘋親寶貝買舊漲專爲",
    "价优国级顶极绝无双疗愈减赚稳险专柜网类个万现买卖后仅剩时点这里体历证纯见灵药养压风财资领终场价标杀后将结还会员钱过续来当没与爆疯亲宝贝买旧涨专为",
)
_HAN = re.compile(r"[\u3400-\u9fff]")
_BETWEEN_HAN = re.compile(r"(?<=[\u3400-\u9fff])(?:[ \t]|[ \t]*[*·•._\-|/\\~^+#=&@]{1,3}[ \t]*)(?=[\u3400-\u9fff])")
_SPELT = re.compile(r"(?<![a-z0-9])[a-z](?:([ .*_\-·])[a-z])(?:\1[a-z])+(?![a-z0-9])")
_LEET = re.compile(r"(?<![\w£$€¥.])(?=\w*[a-z])(?=[a-z@$!*]*[0134578@$!*])[a-z0-9@$!*€]{4,}(?![a-z0-9])")
_LEET_OF = {"0": "o", "1": "il", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "@": "a", "$": "s", "!": "i", "€": "e"}


def _read(original: str) -> _Read:
    """Full width, accents, look-alikes and invisible characters undone; separators inside words and leetspeak, too."""
    cased: list[str] = []
    at: list[int] = []
    for place, char in enumerate(original):
        if char.isascii():
            cased.append(char)
            at.append(place)
            continue
        for one in unicodedata.normalize("NFKD", char):
            if unicodedata.category(one) not in ("Mn", "Cf", "Me"):
                cased.append(one)
                at.append(place)
    told = "".join(cased).translate(_LOOKALIKES).translate(_SIMPLE)
    lower = "".join(low if len(low := c.lower()) == 1 else c for c in told)
    drop = {n for m in _BETWEEN_HAN.finditer(lower) for n in range(*m.span())}
    drop |= {n for m in _SPELT.finditer(lower) for n in range(*m.span()) if lower[n] == m[1]}
    for match in _split_words().finditer(lower):
        if not match[1]:
            drop |= {n for n in range(*match.span()) if not lower[n].isalpha()}
            continue
        head, tail = re.search(r"[a-z]*$", lower[: match.start()]), re.match(r"[a-z]*", lower[match.end() :])
        twice = f"{head[0] if head else ''}{match[1] * 2}{tail[0] if tail else ''}" in _masked()
        drop |= set(range(match.start() + 1 + twice, match.end()))
    if drop:
        kept = [n for n in range(len(lower)) if n not in drop]
        lower, told, at = "".join(lower[n] for n in kept), "".join(told[n] for n in kept), [at[n] for n in kept]
    return _Read(_LEET.sub(lambda m: _unmasked(m[0]), lower), told, tuple(at))


@cache
def _split_words() -> re.Pattern[str]:
    """The masked words with one separator somewhere inside, or a letter more than twice."""
    cuts = (f"{word[:n]}[ .*_·-]{word[n:]}" for word in _masked() for n in range(1, len(word)) if word[n:] not in ("s", "ed", "er", "est"))
    return re.compile(rf"(?<![a-z0-9'])(?:{'|'.join(re.escape(cut).replace(re.escape('[ .*_·-]'), '[ .*_·-]') for cut in cuts)})(?![a-z0-9])|([a-z])\1{{2,}}")


def _unmasked(word: str) -> str:
    """A masked word as the one of the file it hides, of the same length; itself where it hides none."""
    shape = "".join("[a-z]" if c == "*" else f"[{_LEET_OF[c]}]" if c in _LEET_OF else re.escape(c) for c in word)
    return next((known for known in _masked() if len(known) == len(word) and re.fullmatch(shape, known)), word)


# --- rules of words ---------------------------------------------------------------------


@dataclass(frozen=True)
class _Group:
    """Patterns of one rule with one reason, each perhaps needing another near it; `true_when` names the facts under which their words are true."""

    rule: str
    patterns: tuple[tuple[re.Pattern[str], re.Pattern[str] | None], ...]
    reason: tuple[str, str]
    instead: tuple[str, str]
    true_when: str | None


@cache
def _file() -> dict[str, Any]:
    return tomllib.loads((COPY / "compliance.toml").read_text(encoding="utf-8"))


@cache
def _masked() -> tuple[str, ...]:
    return tuple(_file()["masked"].split())


@cache
def _groups() -> tuple[_Group, ...]:
    return tuple(
        _Group(rule, _pairs(group), tuple(group["reason"]), tuple(group["instead"]), group.get("true_when"))
        for rule in RULES
        for group in _file().get(rule, ())
    )


@cache
def _fine() -> dict[str, tuple[re.Pattern[str], ...]]:
    return {rule: _compiled([p for group in _file()[rule] for p in group.get("fine", ())]) for rule in RULES if rule in _file()}


def _pairs(group: Mapping[str, Any]) -> tuple[tuple[re.Pattern[str], re.Pattern[str] | None], ...]:
    """A group's patterns by language, each with what must stand in the same sentence, if anything."""
    return tuple(
        (pattern, next(iter(_compiled(group.get(f"near_{language}", []))), None)) for language in ("en", "zh") for pattern in _compiled(group.get(language, []))
    )


def _compiled(patterns: list[str]) -> tuple[re.Pattern[str], ...]:
    """English patterns as whole words, Chinese ones as they are."""
    han = [p for p in patterns if _HAN.search(p)]
    latin = [re.sub(" (?=[?*+{])", lambda _: r"\s", p).replace(" ", r"\s+") for p in patterns if p not in han]
    found = [re.compile(rf"(?<![a-z0-9])(?:{'|'.join(latin)})(?![a-z0-9])")] if latin else []
    return (*found, *([re.compile("|".join(han))] if han else []))


def _words(read: _Read, language: str, facts: Facts) -> Iterator[_Hit]:
    fine: dict[str, list[tuple[int, int]]] = {}
    lines, has_han = _Lines(language, facts), _HAN.search(read.lower) is not None
    for group in _groups():
        if group.true_when and _TRUE[group.true_when](facts):
            continue
        wanted = (pair for pair in group.patterns if has_han or not _HAN.search(pair[0].pattern))
        for start, end in (span for pattern, near in wanted for span in _spans(pattern, near, read.lower)):
            if group.rule not in fine:
                fine[group.rule] = [m.span() for pattern in _fine()[group.rule] for m in pattern.finditer(read.lower)]
            if start < end and not _within(start, end, fine[group.rule]) and not _in_a_name(read.lower, start, end, facts):
                yield _Hit(group.rule, start, end, group.reason, lines.fill(group.instead[language == "zh"]))


# How far apart, in characters, two expressions of one sentence still speak of one another.
_NEAR = {True: 70, False: 24}


def _spans(pattern: re.Pattern[str], near: re.Pattern[str] | None, text: str) -> Iterator[tuple[int, int]]:
    """Where a pattern stands; with a second one, where both stand in one sentence, from the first to the last of the two."""
    for match in pattern.finditer(text):
        start, end = match.span()
        if near is None:
            yield start, end
            continue
        reach = _NEAR[match[0].isascii()]
        before, after = _sentence(text[max(0, start - reach) : start], last=True), _sentence(text[end : end + reach])
        if found := near.search(after):
            yield start, end + found.end()
        elif found := near.search(before):
            yield start - len(before) + found.start(), end


def _sentence(text: str, *, last: bool = False) -> str:
    """The stretch of a text within its sentence: after the last full stop, or before the first."""
    return re.split(r"[。！？!?;；\n]|\.(?=\s|$)", text)[-1 if last else 0]


def _within(start: int, end: int, spans: list[tuple[int, int]]) -> bool:
    """Whether at least half of a stretch lies in one of the spans."""
    return any(2 * (min(end, b) - max(start, a)) >= end - start for a, b in spans)


# The title of a work is quoted, not claimed.
_TITLE = re.compile(r"《[^》\n]*》|\"[^\"\n]{3,60}\",? (?:by|edited|translated) ")


def _in_a_name(text: str, start: int, end: int, facts: Facts) -> bool:
    """Whether words are part of a product's own name: more of the name stands around them, or they are all of it; or of another title."""
    words = text[start:end].strip()
    if any(m.start() <= start and end <= m.end() for m in _TITLE.finditer(text)):
        return True
    for name in map(_name_read, facts.all_names):
        at = name.find(words)
        while at >= 0:
            before, after = at, at + len(words)
            left, right = start, start + len(words)
            while before and left and name[before - 1] == text[left - 1]:
                before, left = before - 1, left - 1
            while after < len(name) and right < len(text) and name[after] == text[right]:
                after, right = after + 1, right + 1
            shared = name[before:after]
            around = shared.replace(words, " ", 1)
            if shared == name or re.search(r"[\u3400-\u9fff]{2}", around) or re.search(r"\b[a-z]{4,}\b", around):
                return True
            at = name.find(words, at + 1)
    return False


@cache
def _name_read(name: str) -> str:
    return _read(name).lower


def _soon(facts: Facts, days: int) -> bool:
    return facts.valid_until is not None and 0 <= (facts.valid_until - facts.today).days <= days


# What makes words of urgency or of a reduction true. Stock under 20 and an end within a week are this shop's own bounds.
_TRUE: dict[str, Callable[[Facts], bool]] = {
    "half": lambda f: f.percent == 50 or (f.was is not None and f.price is not None and 2 * f.price <= f.was),
    "reduced": lambda f: f.was is not None and f.price is not None and f.price < f.was,
    "ends": lambda f: f.valid_until is not None and f.valid_until >= f.today,
    "ends_soon": lambda f: _soon(f, 7),
    "ends_today": lambda f: _soon(f, 0),
    "few_left": lambda f: f.stock is not None and f.stock <= 20,
}


@dataclass(frozen=True)
class _Lines:
    """What the facts at hand allow to be said instead."""

    language: str
    facts: Facts

    def fill(self, instead: str) -> str:
        """A suggestion with its lines filled in."""
        return instead.format(price_line=self.price, until_line=self.until, stock_line=self.stock) if "{" in instead else instead

    def _one(self, english: str, chinese: str) -> str:
        return chinese if self.language == "zh" else english

    @property
    def price(self) -> str:
        """The price, with the earlier one where it is documented."""
        facts = self.facts
        if facts.price is None:
            return self._one("delete it", "删去")
        now = formats.money(str(facts.price), facts.currency)
        if facts.was is None or facts.was <= facts.price:
            return now
        was = formats.money(str(facts.was), facts.currency)
        return self._one(f"{now}, was {was}", f"现价{now}，原价{was}")

    @property
    def until(self) -> str:
        """The last day."""
        if self.facts.valid_until is None:
            return self._one("delete it: no last day is set", "删去：没有截止日期")
        day = formats.day(self.facts.valid_until, self.language, self.facts.today)
        return self._one(f"until {day}", f"{day}前有效")

    @property
    def stock(self) -> str:
        """How many there are, where few enough to say."""
        if self.facts.stock is None or self.facts.stock > 20:
            return self._one("while stocks last", "数量有限")
        return self._one(f"{self.facts.stock} in stock", f"库存{self.facts.stock}件")

    @property
    def offer(self) -> str:
        """The offer's terms."""
        facts, said = self.facts, []
        if facts.percent is not None:
            said.append(self._one(f"{facts.percent}% off", f"减{facts.percent}%"))
        if facts.amount_off is not None:
            amount = formats.money(str(facts.amount_off), facts.currency)
            said.append(self._one(f"{amount} off", f"减{amount}"))
        if facts.minimum is not None:
            least = formats.money(str(facts.minimum), facts.currency)
            said.append(self._one(f"over {least}", f"满{least}"))
        if facts.code:
            said.append(self._one(f"with code {facts.code}", f"优惠码{facts.code}"))
        if facts.valid_until:
            said.append(self.until)
        return self._one(" ", "，").join(said) or self._one("delete it", "删去")


# --- rules of figures -------------------------------------------------------------------

_ONES = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = {word: 10 * n for n, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
_WORD_NUMBERS = {w: n for n, w in enumerate(_ONES, 1)} | _TENS | {"a dozen": 12, "a hundred": 100, "a couple": 2}
_HAN_DIGITS = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_EN_N = rf"(?:(?<![\d.,])\d+(?:,\d{3})*(?:\.\d+)?|\b(?:(?:{'|'.join(_TENS)})[ -](?:{'|'.join(_ONES[:9])})|{'|'.join(_WORD_NUMBERS)})\b)"
_ZH_N = r"(?:\d+(?:,\d{3})*(?:\.\d+)?|[一二两三四五六七八九十][一二两三四五六七八九十百千零]*)"


def _value(said: str) -> Decimal:
    """12,345.6, five, 二十五 as a number."""
    said = said.strip().replace(",", "")
    if said.isascii() and said[0].isalpha():
        return Decimal(_WORD_NUMBERS[said] if said in _WORD_NUMBERS else sum(_WORD_NUMBERS[one] for one in re.split("[ -]", said)))
    if re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", said):
        return Decimal(said)
    total, digit = 0, 0
    for char in said:
        if char in "十百千":
            total, digit = total + (digit or 1) * {"十": 10, "百": 100, "千": 1000}[char], 0
        else:
            digit = _HAN_DIGITS.get(char, 0)
    return Decimal(total + digit)


def _figures(read: _Read, language: str, facts: Facts) -> Iterator[_Hit]:
    lines = _Lines(language, facts)
    for find in (_money, _percents, _codes, _deadlines, _stocks, _names, _personal):
        yield from find(read, facts, lines)


_MONEY = re.compile(
    rf"(?P<sign>hk\$|[£€$¥])\s?(?P<a>\d+(?:,\d{3})*(?:\.\d+)?)|(?P<b>{_EN_N}|{_ZH_N})\s?(?P<unit>元|块(?!木|布|茶|饼|香|手)|rmb|pounds?\b(?! (?:of\b|lighter|in weight|heavier|down|gone|slimmer))|quid|euros?|dollars?|p(?![a-z])|[€£](?!\d))"
    r"|(?:(?<=[价满减省降卖要付收])|(?<=[价满减省降卖要付][:\s])|(?<=到手)|(?<=原来|本来|现在|以前|之前|平时))(?P<c>\d+(?:\.\d+)?|(?:[一二两三四五六七八九]?[百千十][一二两三四五六七八九十百零]*|[一二两三四五六七八九]百[一二三四五六七八九十零]*)多?)(?![\d.]*\s?(?:%|件|天|折|年|月|日|号|小?时|分钟|k?g|克|ml|米|岁|双|套|个|盒|款|人|次|本|积分|分|秒|颗|杯|包|罐|条|把|张|支|瓶|期|元|块|[-/:]))"
)
_CURRENCY = {"£": "GBP", "€": "EUR", "$": "USD", "¥": "CNY", "元": "CNY", "块": "CNY", "rmb": "CNY", "pound": "GBP", "pounds": "GBP", "quid": "GBP", "p": "GBP"}
_OFF_AFTER = re.compile(
    r"\s?(?:off\b|discount|vouchers?|coupons?|gift ?(?:card|voucher)|credit|welcome|(?:无门槛|满减|现金|会员|生日)?(?:优惠|代金|抵扣|抵用|立减|现金)?券|红包|的?优惠|无门槛|立减)"
)
_OFF_BEFORE = re.compile(
    r"(?:立减|直减|满减|(?<!加)减免?|优惠|立?抵扣?|领取?|券|返现?|送|红包|take (?:an? (?:extra )?)?|get|discount of|knock|less|minus|优惠券)[:\s]*$"
)
_LEAST_BEFORE = re.compile(
    r"(?:满|over|spend(?:ing)?(?: just| only| at least)?|above|min(?:imum)?\.?(?: spend| order)?(?: of| is|:)?|orders? (?:of|from)|more than|at least|low(?:est)? spend|(?:最低|低)消费?|purchases? of|baskets? of|spend of|门槛)[:\s为]*$"
)
_LEAST_AFTER = re.compile(r"\s?(?:or (?:more|over)|and over|and above|\+|以上|起用|起可用|可用|minimum|min\b|spend)")
_WAS_BEFORE = re.compile(
    r"(?:\b(?:was|were|originally|usually|normally|formerly|previously|before|instead of|(?:down|reduced|cut|slashed|marked down|dropped) from|rrp|m?srp|list(?: price)?|regular(?:ly)?|full price|old price|usual price|original price|normal price|used to (?:be|cost)|not|once|original|ordinarily|once cost|would be)[\s:]*(?:only |at |of |is |the |price )*|(?:(?:原|本|以前|从前)来?|现在不是|平[时日常]|日常|划线|之前|此前|以前|过去|市场|专柜|门店|吊牌|官方|零售|正|标|老|旧|上市|首发|常规|指导|本来|曾经?卖?|从)价?(?:格)?(?:是|为|要|卖|高达|:)?\s*)$"
)
_SAVE_BEFORE = re.compile(
    r"(?:\bsav(?:e|es|ing|ings)(?: of| you| yourself| up to| over| a whopping| an extra| more than| at least)*|cheaper by|(?:reduced|cut|down|dropped|slashed|lowered) by|you keep|(?:立|节|能|可|直|狂|再|就|怒|最高|共|一?下子?)?省(?:下|了|出)?|便宜(?:了)?|直降|立降|降(?:价|了)?|少花|少付)[:\s]*(?:约|近|高达)?$"
)
_SAVE_AFTER = re.compile(r"\s?(?:cheaper|less than|less\b|savings?|saved|below|便宜|的差价|under the)")
_ELSEWHERE = re.compile(
    r"\b(?:department stores?|high street|supermarkets?|elsewhere|everywhere else|anywhere else|other shops?|garden centres?|boutiques?|rivals?|competitors?|the shops|round the corner|down the road)\b|商场|专柜|超市|别家|别处|外[面头边]|实体店|隔壁|别人家|楼下|市面|代购|同行"
)
_OTHER = re.compile(
    r"(?:delivery|shipping|postage|p&p|donat\w*|charity|raise[ds]?|运费|邮费|捐|配送费|押金|deposit|包邮|免运|免邮|free (?:uk )?(?:delivery|shipping|postage)|refund|退款?|\b(?:earn|make|pocket)\b|gift wrap\w*|包装费)"
)


def _money(read: _Read, facts: Facts, lines: _Lines) -> Iterator[_Hit]:
    text = read.lower
    for match in _MONEY.finditer(text):
        start, end = match.span()
        if _in_a_name(text, start, end, facts):
            continue
        amount = _value((match["a"] or match["b"] or match["c"]).rstrip("多"))
        amount = amount / 100 if match["unit"] == "p" else amount
        before, after = _clause(text[max(0, start - 32) : start], last=True), text[end : end + 30]
        hit = _judged(amount, before, _clause(after), facts, lines)
        if hit is None and match["unit"] != "p" and _CURRENCY.get(match["sign"] or match["unit"] or "", facts.currency) != facts.currency:
            hit = ("wrong_fact", "price", lines.price)
        if hit:
            yield _hit(hit[0], start, end, hit[1], hit[2])


def _judged(amount: Decimal, before: str, after: str, facts: Facts, lines: _Lines) -> tuple[str, str, str] | None:
    """Which rule an amount breaks where it stands, with the reason's case and a suggestion; None where it is right."""
    saved = {facts.was - facts.price} if facts.was is not None and facts.price is not None else set()
    if _WAS_BEFORE.search(before):
        return None if amount == facts.was else ("price_basis", "was", lines.price)
    if _SAVE_BEFORE.search(before) or _SAVE_AFTER.match(after):
        return None if amount in saved | {facts.amount_off} else ("price_basis", "saving", lines.price)
    if _ELSEWHERE.search(before) or _ELSEWHERE.search(after):
        return "price_basis", "was", lines.price
    if _OTHER.search(before + after):
        return None
    if _OFF_AFTER.match(after) or _OFF_BEFORE.search(before):
        case = "coupon" if facts.amount_off is not None else "no_coupon"
        return None if amount in saved | {facts.amount_off} else ("coupon_terms", case, lines.offer)
    if _LEAST_BEFORE.search(before) or _LEAST_AFTER.match(after):
        case = "coupon" if facts.minimum is not None else "no_coupon"
        return None if amount == facts.minimum else ("coupon_terms", case, lines.offer)
    return None if amount in _prices(facts) else ("wrong_fact", "price", lines.price)


def _prices(facts: Facts) -> set[Decimal | None]:
    """Amounts that may stand as a price: the price, the earlier one, and what the offer makes of the price."""
    told: set[Decimal | None] = {facts.price, facts.was, facts.amount_off, facts.minimum}
    if facts.price is not None:
        less = [facts.price - (facts.amount_off or 0)]
        if facts.percent is not None:
            exact = facts.price * (100 - facts.percent) / 100
            less += [exact, exact.quantize(Decimal("0.01")), exact.quantize(Decimal("0.1")), exact.quantize(Decimal(1))]
        told |= {*less, *(facts.price * n for n in range(2, 7))}
    return told - {None}


def _clause(text: str, *, last: bool = False) -> str:
    """The stretch of a text within its clause: after the last stop, or before the first."""
    pieces = re.split(r"[。！？!?;；\n]|(?<=[a-z\u3400-\u9fff])[.,，](?=\s|[\u3400-\u9fff])", text)
    return pieces[-1] if last else pieces[0]


_PERCENT = re.compile(rf"(?P<n>{_EN_N}|{_ZH_N})\s?(?:%|per ?cent)|百分之(?P<b>[一二三四五六七八九十]+)")
_PERCENT_AFTER = re.compile(r"\s?(?:off\b|discount|less\b|cheaper|reduction|savings?\b|saved|(?:的)?(?:优惠|折扣)|立减|voucher|coupon|code\b|lower|back\b)")
_PERCENT_BEFORE = re.compile(
    r"(?:sav(?:e|es|ing|ings of)|take|get|extra|discount of|(?:reduced|cut|dropped|slashed|down|lowered) by|minus|less|立减|直减|再减|减|省|直降|降|优惠|便宜|享|返)\s*(?:up to |of |an extra |another |an? |over |you |高达|最高|约|近)*$"
)
_FOLDS = re.compile(
    r"(?P<z>\d(?:\.\d)?|\d\d|[一二三四五六七八九](?:点?[一二三四五六七八九])?)\s?折(?!叠|腾|磨|痕|纸|射|断|返|服|合|戟|椅|页|枝|线|旧|子|刀|伞|扇|角|边|耳|桌|弯|起|成|柜|凳|床|架|梯|过|好|回|花|千)"
)
_FREE_ONE = re.compile(
    r"\b(?:bogof|buy (?:one|two|three|1|2|3),? get (?:one|two|another|a second|the (?:second|third)|1|2)(?: \w+)?(?: free| half price)?|(?:two|three|four|2|3|4) for (?:the price of )?(?:one|two|three|1|2|3))\b|买[一二三123]送[一二三123]|第[二三2]件(?:半价|免费|\d折|0元)"
)


def _percents(read: _Read, facts: Facts, lines: _Lines) -> Iterator[_Hit]:
    text = read.lower
    shares = {facts.percent}
    if facts.price is not None and facts.was:
        exact = 100 * (facts.was - facts.price) / facts.was
        shares |= {Decimal(int(exact)), exact.quantize(Decimal(1)), exact.quantize(Decimal("0.1"))}
    found = [(m, 100 - _fold(m["z"])) for m in _FOLDS.finditer(text)]
    for match in _PERCENT.finditer(text):
        before, after = text[max(0, match.start() - 24) : match.start()], text[match.end() : match.end() + 12]
        if _PERCENT_AFTER.match(after) or _PERCENT_BEFORE.search(before):
            found.append((match, _value(match["n"] or match["b"])))
    for match in re.finditer(r"\ba (?:(quarter)|(third)|(fifth)|(tenth)) off\b", text):
        found.append((match, Decimal((25, 33, 20, 10)[(match.lastindex or 1) - 1])))
    for match, percent in found:
        start, end = match.span()
        if percent in shares or _in_a_name(text, start, end, facts):
            continue
        saves = _SAVE_BEFORE.search(text[max(0, start - 24) : start]) or _SAVE_AFTER.match(text[end : end + 12])
        if saves and facts.percent is None:
            yield _hit("price_basis", start, end, "saving", lines.price)
        else:
            yield _hit("coupon_terms", start, end, "coupon" if facts.percent is not None else "no_coupon", lines.offer)
    for match in _FREE_ONE.finditer(text):
        yield _hit("coupon_terms", *match.span(), "no_coupon", lines.offer)
    if facts.minimum is not None:
        for match in re.finditer(r"\bno minimum(?: spend| order)?|无门槛|(?:不限|没有|无)(?:最低)?(?:消费|金额|门槛)", text):
            yield _hit("coupon_terms", *match.span(), "coupon", lines.offer)


def _fold(said: str) -> Decimal:
    """What is left to pay in per cent: 8, 85, 8.5, 八五, 八点五."""
    digits = said.replace("点", "").replace(".", "")
    digits = "".join(str(_HAN_DIGITS.get(c, c)) for c in digits)
    return Decimal(digits) * (10 if len(digits) == 1 else 1)


_CODE = re.compile(
    r"(?:(?:\b(?i:code|voucher|coupon|use|using|enter|quote|with|apply|promo|type(?: in)?|pop in|word)(?i: code| the code| is| word)?|优惠码|折扣码|优惠口令|口令|券码|暗号|输入|输码|输|填写?|填入|凭|码|报上?|使用|用|代码|code)[\s:是为“”\"'「『【]{0,3})(?P<a>[A-Z][A-Z0-9]{2,14}|[A-Z0-9]*\d[A-Z0-9]*[A-Z][A-Z0-9]*)(?![a-z])"
    r"|(?<![A-Za-z0-9-])(?P<b>[A-Z]{3,12}\d{1,4})(?![A-Za-z0-9-])"
)
_NO_CODE = re.compile(
    r"(?:SPF|USB|ISO|LED|PVC|MP|UPF|IPX|COVID|SKU|PH|DIN|BPA|FSC|STOP|HDMI|ISBN|UK|EU|RRP|PDF|QR|TV|DIY|CAP|FAQ|PIN|VAT|NO|TOP|VIP|APP|TD|BBQ|DVD|LP|UV|GMO|RSPB|OK|AAA?|SMS)\d*$"
)


def _codes(read: _Read, facts: Facts, lines: _Lines) -> Iterator[_Hit]:
    for match in _CODE.finditer(read.cased):
        group = "a" if match["a"] else "b"
        start, end = match.span(group)
        said = match[group]
        if said == (facts.code or "").upper() or _NO_CODE.match(said) or _in_a_name(read.lower, start, end, facts):
            continue
        yield _hit("coupon_terms", start, end, "coupon" if facts.code else "no_coupon", lines.offer)


# --- last days ---

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_MONTH = rf"(?:{'|'.join(_MONTHS)})[a-z]*\.?"
_DAYS = "mon tue wed thu fri sat sun".split()
_DAY = re.compile(
    rf"(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?\s(?:of\s)?(?P<m1>{_MONTH})(?![a-z])(?:,?\s(?P<y1>20\d\d))?|\b(?P<m2>{_MONTH})\s(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?(?![\d:])(?:,?\s(?P<y2>20\d\d))?"
    rf"|(?:(?P<y3>20\d\d)年)?(?P<m3>\d{{1,2}}|[一二三四五六七八九十]+)月(?P<d3>\d{{1,2}}|[一二三四五六七八九十]+)[日号]?|(?P<y4>20\d\d)[-/.](?P<m4>\d{{1,2}})[-/.](?P<d4>\d{{1,2}})|(?<![\d/.])(?P<e5>\d{{1,2}})(?:/|\.(?=\d{{1,2}}\s?[日号]?[前止晚]))(?P<f5>\d{{1,2}})(?:/(?:20)?\d\d)?(?![\d/.])"
    r"|(?:本月|这个?月)?(?<![\d月])(?P<d6>\d{1,2})[日号](?![线楼机召称铁店])|\bthe\s(?P<d7>\d{1,2})(?:st|nd|rd|th)\b"
    r"|\b(?:(?:this|coming|next)\s)?(?P<w1>mon|tues|wednes|thurs|fri|satur|sun)day(?:\s(?:night|evening))?(?!,?\s(?:the\s)?\d)|(?P<next>下)?(?:[本这个]{0,2})(?:周|星期|礼拜)(?P<w2>[一二三四五六日天])(?!五|六|次)"
    r"|(?P<tomorrow>\btomorrow(?:\s(?:night|evening))?|明[天日晚]|明早)|(?P<after>后天)|(?P<weekend>\b(?:the|this)\sweekend|\bsunday\snight|(?:本|这个?)?周末)|(?:\b(?:the\s)?end\sof\s(?P<em>jan|feb|mar|apr|may|june?|july?|aug|sep|oct|nov|dec)[a-z]*)|(?P<month>\bmonth(?:'s)?[ -]end|\bend\sof\s(?:the\s|this\s)?month|(?:本月|这个?月|11月)?月?底|本月末|月末)"
    rf"|(?P<n1>{_EN_N})\s(?:more\s)?(?P<u1>days?)\s(?:left|to\sgo|only|remain)|(?:last|final|only|just|ends?\sin|over\sin|expires?\sin|for)\s(?:the\s)?(?:just\s|only\s)?(?P<n2>{_EN_N})\s(?:more\s)?(?P<u2>days?)(?!\s(?:of|later|trip|old|to\s(?:brew|arrive|dry|make|deliver)))|\b(?P<h>48|72|36)[\s-]?hours?"
    rf"|(?:最后|仅剩|只剩|还剩|还有|只有|仅有|倒数|剩下?|仅限|限时|仅|只)(?P<n3>{_ZH_N})天|(?P<n4>{_ZH_N})天(?:后|内)(?=[\u3400-\u9fff]{{0,4}}(?:结束|截止|到期|失效|恢复|涨|过期))|(?P<h2>48|72|36)个?小时"
)
_ENDS_BEFORE = re.compile(
    r"(?:\b(?:until|till?|'til|by|before|end(?:s|ing)?|through|thru|to|expir(?:es?|ing|y)|valid|close[sd]?|closing|finish(?:es)?|deadline|last (?:day|orders?|date|chance)|final day|over|gone|use[sd]? (?:it )?by|runs?|up|cut[ -]off|back to (?:full|normal) price)|[-~到至]|--|截[止至]|止于|期限|有效期|限于|最后一天|限|即日起|持续|延长到)(?:[\s:,(]|\b(?:on|at|the|of|end|is|from|midnight|and|including|close|this|it|all|just|noon|only|night|\d{1,2}(?:[:.]\d\d)?\s?[ap]m|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b|[是为在于到至日期]|周.|\d\d:\d\d)*$"
)
_ENDS_AFTER = re.compile(
    r"\s?(?:\([^)]{0,6}\))?(?:[\d:点时分整]*)(?:晚上?|零点|午夜|当[天晚]|24点|一过|一到|深夜|夜里|中午)?(?:[\d:点时分整]*)(?:之?前|[止截]|结束|到期|失效|过期|为止|下架|有效|恢复|涨价|收官|关闭|打烊前|最后一天|作废|就|is (?:the|your) (?:last|final)|is when|it (?:ends|closes)|midnight|at midnight|only\b|deadline|everything|,? (?:prices?|it|the price) goes?)"
)
_NOT_AN_END = re.compile(
    r"(?:\bpoints?\b|gift cards?|积分|礼品卡|放假|春节|圣诞|过年|除夕|开学|高考|降温|生日|deliver\w*|dispatch\w*|arriv\w*|\bships?\b|shipp\w*|\bposted?\b|at your door|best[ -]before|\bopen\b|\bbook\b|rsvp|collect|for christmas|restock|back in stock|harvest\w*|in season|delivered|送达|发货|到货|赏味|保质|营业|预约|开课|收到|寄出|上门|补货|到家|出发|送到|return|退货|退换|开业|上新|采摘|生产|brew|steep|keeps? for|lasts? |dry|续航|泡|腌|发酵)"
)


def _deadlines(read: _Read, facts: Facts, lines: _Lines) -> Iterator[_Hit]:
    text = read.lower
    for match in _DAY.finditer(text):
        start, end = match.span()
        before, after = _clause(text[max(0, start - 40) : start], last=True), text[end : end + 14]
        counted = any(match[name] for name in ("n1", "n2", "n3", "n4", "h", "h2"))
        if not counted and not _ENDS_BEFORE.search(before) and not _ENDS_AFTER.match(after):
            continue
        days = _days_meant(match, facts, lines.language)
        around = _clause(text[max(0, start - 40) : start], last=True) + _clause(text[start : end + 40])
        if not days or facts.valid_until in days or _NOT_AN_END.search(around) or _in_a_name(text, start, end, facts):
            continue
        if counted or any(match[name] for name in ("tomorrow", "after", "weekend")):
            yield _hit("untrue_urgency", start, end, "ends", lines.until)
        else:
            yield _hit("coupon_terms", start, end, "no_coupon" if facts.valid_until is None else "coupon", lines.until)


def _days_meant(match: re.Match[str], facts: Facts, language: str) -> set[date]:
    """The days that an expression may mean; none where it is no day at all."""
    said, today = match.groupdict(), facts.today
    if said["w1"] or said["w2"]:
        name = said["w1"][:3] if said["w1"] else _DAYS["一二三四五六日".index(said["w2"].replace("天", "日"))]
        first = today + timedelta(days=(_DAYS.index(name) - today.weekday()) % 7)
        return {first + timedelta(days=7)} if said["next"] else {first, first + timedelta(days=7)} if "next" in match[0] else {first}
    if said["tomorrow"] or said["after"]:
        return {today + timedelta(days=1 if said["tomorrow"] else 2)}
    if said["weekend"]:
        return {today + timedelta(days=(n - today.weekday()) % 7) for n in (5, 6)}
    if said["em"]:
        year, month = today.year, _MONTHS.index(said["em"][:3]) + 1
        year += month < today.month
        return {date(year, month, monthrange(year, month)[1])}
    if said["month"]:
        return {today.replace(day=monthrange(today.year, today.month)[1])}
    if said["h"] or said["h2"]:
        days = int(said["h"] or said["h2"]) // 24
        return {today + timedelta(days=days), today + timedelta(days=days - 1)}
    number = next((said[name] for name in ("n1", "n2", "n3", "n4") if said[name]), None)
    if number:
        days = min(int(_value(number)), 9999)
        return {today + timedelta(days=days), today + timedelta(days=days - 1)}
    return _dated(said, today, language)


def _dated(said: Mapping[str, str | None], today: date, language: str) -> set[date]:
    month = next((said[name] for name in ("m1", "m2", "m3", "m4") if said[name]), None)
    day = next((said[name] for name in ("d1", "d2", "d3", "d4", "d6", "d7") if said[name]), None)
    year = next((said[name] for name in ("y1", "y2", "y3", "y4") if said[name]), None)
    if said["e5"] and said["f5"]:
        day, month = (said["f5"], said["e5"]) if language == "zh" else (said["e5"], said["f5"])
    if day is None:
        return set()
    number = int(_value(day))
    months = [today.month, today.month % 12 + 1] if month is None else [_MONTHS.index(month[:3]) + 1 if month[:3] in _MONTHS else int(_value(month))]
    years = [int(year)] if year else [today.year, today.year + 1]
    found = sorted(date(y, m, number) for y in years for m in months if 1 <= m <= 12 and 1 <= number <= monthrange(y, m)[1])
    return {next((one for one in found if one >= today), found[-1])} if found else set()


# --- stock, name ---

_THINGS = r"(?:(?!in\\b|on\\b|stock\\b|minutes?|hours?|days?|weeks?|months?|years?|nights?|seconds?|steps?|ingredients|miles?|people|things|words?|reasons|grams?|pounds|pence|points?|%|per|for|of|and|more (?:days|hours|minutes)|cups? of|degrees|stops?|clicks?|left feet)[a-z-]+)"
_STOCK = re.compile(
    rf"(?P<only>\b(?:only|just|(?:the |our |these )?(?:very )?(?:last|final)|a mere|barely|fewer than|under|down to(?: (?:the|our) last)?)\s)?(?:have |there are |got )?(?P<n1>{_EN_N})(?:\s{_THINGS}){{0,4}}?\s(?P<left>left\b(?! over)|remain(?:ing|s)?\b|to go\b|still here)"
    rf"|(?P<only2>\b(?:only|just)\s)?(?P<n2>{_EN_N})(?:\s{_THINGS}){{0,3}}?\s(?:in stock|on (?:the|our) shel(?:f|ves)|available|in the (?:shop|warehouse|stockroom)|ready to (?:go|post|ship)|waiting|to hand)\b|\bstock(?:ed)?(?: of|:| is| stands at)?\s(?P<n3>\d+)\b"
    rf"|(?P<only4>\b(?:only|just|(?:the |our |these )?(?:very )?(?:last|final)|a mere)\s)(?:have |got |made )?(?P<n4>{_EN_N})\s(?:tins?|pieces?|boxes|jars?|copies|pairs?|sets?|pots?|bottles?|packs?|packets?|units?|items?|pans?|knives|candles?|kettles?|mugs?|lamps?|books?|beds?|bags?|sacks?|bundles?|hampers?|throws?|teapots?|bowls?|kits?|puzzles?|cakes?|tubes?|caddies|were made|made|will be made|ever made|in the (?:country|uk|world))\b"
    rf"|(?P<only5>仅[剩余存有]?|[只就][剩余]|[只就]有(?=[^，。,.!！]{1, 5}(?:[,，。！!了]|$))|最后|[还仅只]?剩下?|余下?|不到|不足|还有|只要最后)(?:最后|下|了|下最后)?[:\s]?(?P<n5>{_ZH_N})\s?(?:件|个(?!小时|月|钟|步|问题)|盒|罐|套|只|把|份|本|支|条|瓶|包|双|张|块|饼|箱|台|口|盏|袋|桶|盆|棵|株|枚|组|床|幅|根|座|对|卷|提|单)(?!起|装|减|折|包邮|以上|入|一套|打|钱)"
    rf"|(?:库存|现货|存货|现存|在库|(?:仓库|库房|货架|架上|店里)(?:里|上)?(?:还|正)?(?:躺着|放着|摆着|堆着|有|备了|存着|剩))(?:还有|仅|剩|仅剩|余|只有|共|只剩|充足)?[:,，\s]?(?P<n6>{_ZH_N})\s?(?:多|余)?(?:件|个|盒|罐|套|只|把|份|本|支|条|瓶|包|双|张|块|饼|箱|台|口|盏|袋|桶|盆|棵|株|枚|组|床|幅|根|座|对|卷|提)"
)


def _stocks(read: _Read, facts: Facts, lines: _Lines) -> Iterator[_Hit]:
    for match in _STOCK.finditer(read.lower):
        said = next(match[name] for name in ("n1", "n2", "n3", "n4", "n5", "n6") if match[name])
        if _value(said) == facts.stock or _in_a_name(read.lower, *match.span(), facts):
            continue
        urgent = any(match[name] for name in ("only", "left", "only2", "only4", "only5")) and match["only5"] != "还有"
        yield _hit("untrue_urgency" if urgent else "wrong_fact", *match.span(), "stock", lines.stock)


_SIZE = re.compile(
    r"(?<![\d.])(\d+(?:\.\d+)?)\s?(kg|g|mg|ml|cl|l|cm|mm|m|oz|inch(?:es)?|litres?|pieces?|pcs|克|千克|公斤|斤|毫升|升|厘米|毫米|寸|英寸|片|支|只|件|粒|泡|包|枚|抽|卷|双|块|色|袋|罐|瓶|根|把|层|门|人份)(?:装)?(?![a-z])"
)
_UNITS = {
    "克": "g",
    "千克": "kg",
    "公斤": "kg",
    "毫升": "ml",
    "升": "l",
    "厘米": "cm",
    "毫米": "mm",
    "litre": "l",
    "litres": "l",
    "pieces": "piece",
    "pcs": "piece",
}


def _names(read: _Read, facts: Facts, lines: _Lines) -> Iterator[_Hit]:
    """The product under a name or size that it has not."""
    if not facts.product:
        return
    name, text = _name_read(facts.product), read.lower
    sizes = {(m[1], _UNITS.get(m[2], m[2])) for one in facts.all_names for m in _SIZE.finditer(_name_read(one))}
    head = re.split(r"[\d(,:|]", name)[0].strip()
    for match in _SIZE.finditer(text):
        unit = _UNITS.get(match[2], match[2])
        near = text[max(0, match.start() - 24) : match.start()].strip(" ,(:，、")
        if any(u == unit for _, u in sizes) and (match[1], unit) not in sizes and head and near.endswith(head[-max(2, min(len(head), 12)) :]):
            yield _hit("wrong_fact", *match.span(), "product", facts.product)
    for start, end in (*_renamed(name, text), *_other_kinds(name, text)):
        if not any(other in text[max(0, start - 40) : end + 40] for other in map(_name_read, facts.all_names)):
            yield _hit("wrong_fact", start, end, "product", facts.product)


def _renamed(name: str, text: str) -> Iterator[tuple[int, int]]:
    """Where the end of the product's name stands behind other words than its own: Assam tea 100 g for Ceylon tea 100 g."""
    words = name.split()
    if len(words) >= 3 and words[0] not in text:
        tail = " ".join(words[1:])
        for match in re.finditer(rf"([a-z][a-z'-]+) {re.escape(tail)}", text):
            if match[1] not in ("the", "our", "your", "this", "of", "a", "and", "new", "that", "for", "with", "same"):
                yield match.span()


# Of each set a product has at most one; another one in the text, without its own, is another product.
_KINDS = tuple(
    tuple(kinds.split())
    for kinds in (
        "大号 中号 小号 特大号 加大号",
        "large medium small",
        "单人 双人",
        "walnut oak beech ash bamboo pine",
        "胡桃木 榉木 橡木 竹制 樱桃木 松木",
        "红色 蓝色 绿色 白色 黑色 黄色 粉色 灰色",
        "blue red green white black yellow pink grey",
        "绿茶 红茶 白茶 乌龙 普洱 黑茶 黄茶",
    )
)


def _other_kinds(name: str, text: str) -> Iterator[tuple[int, int]]:
    for kinds in _KINDS:
        own = [kind for kind in kinds if re.search(_spelling(kind), name)]
        if len(own) == 1 and not re.search(_spelling(own[0]), text):
            yield from (m.span() for kind in kinds if kind not in own for m in re.finditer(_spelling(kind), text))


_PERSONAL = re.compile(
    r"[a-z0-9._%+-]{1,64}@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}|\b[a-z0-9._-]+(?: dot [a-z0-9]+)*\s?(?:\(at\)|\[at\]| at )\s?[a-z0-9-]+(?:\s?(?:\(dot\)|\[dot\]| dot )\s?[a-z0-9]+)+\b|[a-z0-9._-]{2,}\s?(?:艾特|#at#|\(a\))\s?[a-z0-9-]+(?:\.|\s?点\s?)[a-z]{2,}"
    r"|(?:\b(?:oh|zero|nought|one|two|three|four|five|six|seven|eight|nine|double[ -](?:oh|zero|\w+)|triple[ -]\w+|\d{1,4})[\s,-]+){4,}(?:oh|zero|one|two|three|four|five|six|seven|eight|nine|\d{2,4})\b(?<=[a-z\d])|(?<![\d一二三四五六七八九零幺])[一幺1][三四五六七八九3-9](?:[\s-]?[零〇一二三四五六七八九幺\d]){9}(?![\d一二三四五六七八九])"
    r"|(?<![\d.])(?:\+?86[\s-]?)?1[3-9]\d(?:[\s-]?\d{4}){2}(?!\d)|(?<![\d.])1[3-9]\d{2}[\s-]?\d{3}[\s-]?\d{4}(?!\d)|(?<![\d])(?:\+44\s?\(?0?\)?\s?|0)7\d{3}[\s-]?\d{3}[\s-]?\d{3}(?!\d)|(?<!\d)(?:\+44\s?\(?0?\)?\s?|0)7\d{2}[\s-]?\d{3}[\s-]?\d{4}(?!\d)"
    r"|(?<![\d.])\+44\s?\(?0?\)?\s?[12]\d{1,4}[\s-]?\d{3,4}[\s-]?\d{3,4}(?!\d)|(?<![\d.])\(?0(?:1\d{2,4}|2\d)\)?[\s-]?\d{3,4}[\s-]?\d{3,4}(?!\d)|(?<!\d)\+(?:1|33|49|34|39|353)[\s-]?\(?\d{1,4}\)?(?:[\s-]?\d{2,4}){2,4}(?!\d)|(?<!\d)\(\d{3}\)\s?\d{3}-\d{4}(?!\d)"
    r"|(?<!\d)0\d{2,3}-\d{7,8}(?!\d)|(?<![\da-z])[1-8]\d{5}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dx](?![\da-z])|(?<!\d)\d{6}[*]{4,}\w{2,4}(?!\d)|(?<!\d)\d{4}([\s-]?)\d{4}\1\d{4}\1\d{3,4}(?:\1\d{1,3})?(?!\d)|(?<!\d)\d{2}-\d{2}-\d{2}[\s,]*(?:account|acc|a/c)?[\s\w:.]{0,12}?\d{8}(?!\d)|\b[a-z]{2}\d{2}[\s]?[a-z]{4}(?:\s?\d{4}){3,4}(?:\s?\d{1,2})?\b|\b[a-ceghj-prstw-z]{2}\s?\d{2}\s?\d{2}\s?\d{2}\s?[a-d]\b"
    r"|(?:\b(?:flat|apartment|apt|unit)\s?\w{1,4},\s)?\b\d{1,4}[a-z]?\s(?:[a-z'-]+\s){1,3}(?:street|st|road|rd|lane|avenue|ave|close|drive|crescent|terrace|gardens?|place|way|court|row|hill|grove|mews|square|walk|park)\b(?:,\s[a-z' -]+?){0,3},?\s[a-z]{1,2}\d[a-z\d]?\s?\d[a-z]{2}\b|\b\d{1,4}[a-z]?\s(?:[a-z'-]+\s){1,3}(?:street|road|lane|avenue|close|drive|crescent|terrace|gardens|mews|way|row),\s[a-z]+|\bflat\s\w{1,4},\s\d{1,4}[a-z]?\s[a-z' ]+"
    r"|[\u3400-\u9fff]{2,12}(?:省|市|区|县|镇|乡)?[\u3400-\u9fff]{1,10}?(?:路|街|道|巷|弄|胡同|大街|里|村|苑|园|小区|花园)\d+(?:号|弄|幢|栋)?(?:[\u3400-\u9fff]{0,8}?\d+(?:-\d+)*(?:号楼?|栋|幢|单元|室|楼|座|户))+|[\u3400-\u9fff]{2,10}(?:小区|花园|公寓|苑|家园|新村|里|[东西南北中]园|[一二三四五六]区)\d+(?:-\d+)*(?:号楼?|栋|幢|单元)[\d\u3400-\u9fff单元室]{0,10}"
)
_SHOP_BOX = re.compile(
    r"(?:info|hello|hi|hallo|help|service|services|support|care|contact|shop|store|team|orders?|sales|enquir\w*|office|kefu|customer\w*|mail|post|news|no-?reply|returns?|press|privacy|unsubscribe|stop|optout|ask|talk|studio|feedback|cs|vip|marketing|club|members?)@"
)
_SHOP_LINE = re.compile(
    r"(?:call us|ring us|our (?:shop|helpline|line|phone|number|team|customer)|customer (?:service|care)|helpline|freephone|phone us|客服|热线|服务电话|visit (?:us|our)|our (?:shop|store|address)|门店地址|本店地址|店址|门店|shop:|store:)"
)


def _personal(read: _Read, facts: Facts, lines: _Lines) -> Iterator[_Hit]:
    for match in _PERSONAL.finditer(read.lower):
        said, before = match[0], read.lower[max(0, match.start() - 28) : match.start()]
        mobile = re.match(r"(?:\+?86[\s-]?)?1[3-9]|(?:\+44\s?\(?0?\)?\s?|0)7", said)
        ours = (
            _SHOP_BOX.match(said)
            or (not mobile and "@" not in said and _SHOP_LINE.search(before))
            or re.search(r"(?:/|单号|订单|order|tracking|isbn|barcode|条码)[\s:号no.#]*$", before)
        )
        if not ours:
            yield _hit("personal_data", *match.span(), "personal", lines._one("delete it", "删去"))


# --- fields, opt-out, brand, length -------------------------------------------------------

_FIELD = re.compile(
    r"\{\{.*?\}\}?|\{[^{}\n]{0,40}\}|\$?\{\w*(?:\|\w*)?|\w*\}|｛[^｝\n]{0,40}｝?|\[(?:first[ _]?name|name|city|customer|tier|points|insert [^\]]*|姓名|昵称|名字|城市|会员名)\]|<(?:name|first_?name|姓名|昵称)>|%[a-zA-Z_]{3,20}%|\*\|[^|\n]{1,20}\|\*|【(?:姓名|昵称|会员名|客户名|名字|城市)】",
    re.IGNORECASE,
)


def _fields(original: str, language: str, facts: Facts) -> Iterator[_Hit]:
    for match in _FIELD.finditer(original):
        well = re.fullmatch(r"\{([a-z_]+)(?:\|([^|]*))?\}", match[0])
        name = well[1] if well else ""
        if well and (name == "unsubscribe" or (name in facts.fields and (name in facts.filled or (well[2] or "").strip()))):
            continue
        known = name or next((one for one in sorted(facts.fields) if one in match[0].lower()), "")
        instead = {"en": {"name": "friend", "city": "your town"}, "zh": {"name": "朋友", "city": "您的城市"}}["zh" if language == "zh" else "en"]
        shown = f"{{{known}}}" if known in facts.filled else f"{{{known}|{instead.get(known, '…')}}}"
        case = "field" if well and name in facts.fields else "unknown_field"
        yield _hit("empty_field", *match.span(), case, shown if known in facts.fields else _Lines(language, facts)._one("delete it", "删去"))


_OPT_OUT = {
    "sms": re.compile(
        r"\bSTOP\b|\{unsubscribe\}|退订\S{0,4}(?:回|发|T\b|TD|链接|请|点|戳|https?:|\w+\.\w+)|回复?\s?[“\"']?\w{1,3}[”\"']?\s?(?:即可)?(?:退订|拒收|取消)|拒收\S{0,3}(?:回|发|R\b)|(?i:unsub(?:scribe)?|opt[ -]?out|stop texts?)[^\n.]{0,24}?(?:\w+\.\w+/?|\bto \d{5}|reply|text|https?:)"
    ),
    "email": re.compile(
        r"\{unsubscribe\}|(?i:unsubscribe|opt[ -]?out)[^\n]{0,60}?(?:https?://|www\.|\w+\.\w{2,}/|\[|<|account|preferences|settings|\bhere\b|\blink\b)|(?:https?://|www\.|\w\.\w{2,}/)\S*(?i:unsub|optout|opt-out|tuiding|td\b)|(?i:account|preferences|link|click|click here)[^\n]{0,40}(?i:to unsubscribe|unsubscribe)|退订[^\n]{0,30}?(?:https?:|www\.|\w+\.\w{2,}|链接|点击|点此|账户|设置)|(?:点击|点此|链接|账户|设置)[^\n]{0,20}(?:退订|取消订阅)|取消订阅[^\n]{0,20}(?:https?:|www\.|\w+\.\w{2,}|链接|点)"
    ),
}


def _opt_out_line(channel: str, language: str) -> str:
    if channel == "sms":
        return "退订回T" if language == "zh" else "Reply STOP to opt out."
    return "退订：{unsubscribe}" if language == "zh" else "Unsubscribe: {unsubscribe}"


# GSM 03.38: the characters of a 160-character text message; those of the second line count twice.
_GSM = frozenset("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà")
_GSM_TWICE = frozenset("^{}\\[~]|€")


def _length(original: str, part: Part, channel: str, language: str) -> Iterator[_Hit]:
    sent = original if part != "text" else re.sub(r"\{(\w+)(?:\|([^{}|]*))?\}", lambda m: m[2] or "x" * 6, original)
    size = len(sent)
    if part == "subject":
        most = 30 if language == "zh" else 60
    elif part == "text" and channel == "sms":
        plain = all(c in _GSM or c in _GSM_TWICE for c in sent)
        most = 160 if plain else 70
        size = sum(2 if c in _GSM_TWICE else 1 for c in sent) if plain else sum(2 if ord(c) > 0xFFFF else 1 for c in sent)
    elif part == "text" and channel == "push":
        most = 50 if language == "zh" else 120
    else:
        return
    if size > most:
        instead = f"删去{size - most}个字符" if language == "zh" else f"cut {size - most} characters"
        yield _hit("length", min(most, len(original) - 1), len(original), "length", instead, most=most, size=size)


def _brand_words(read: _Read, language: str, facts: Facts, brand: Brand) -> Iterator[_Hit]:
    for word in brand.words:
        for match in word.pattern.finditer(read.lower):
            if match["word"] and not _in_a_name(read.lower, *match.span("word"), facts):
                yield _hit("brand_word", *match.span("word"), "brand", word.instead_zh if language == "zh" else word.instead_en)


@cache
def _packaged_brand() -> Brand:
    return load_brand(COPY / "brand.toml")


def load_brand(path: Path) -> Brand:
    """The brand's words from a TOML file of [[word]] tables. Raises ValueError naming the file, the word and what is wrong with it."""
    try:
        told = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ValueError(f"{path}: {error}") from error
    words = told.get("word")
    if set(told) != {"word"} or not isinstance(words, list):
        raise ValueError(f"{path}: it must hold [[word]] tables and nothing else.")
    return Brand(tuple(_brand_word(path, number, word) for number, word in enumerate(words, 1)))


def _brand_word(path: Path, number: int, word: Any) -> BrandWord:
    where = f"{path}, word {number}"
    if not isinstance(word, dict):
        raise ValueError(f"{where}: it must be a table.")
    for key in ("avoid", "instead_en", "instead_zh"):
        if not isinstance(word.get(key), str) or not word[key].strip():
            raise ValueError(f"{where}: “{key}” is missing or no text.")
    if unknown := set(word) - {"avoid", "also", "fine", "instead_en", "instead_zh"}:
        raise ValueError(f"{where} ({word['avoid']}): “{sorted(unknown)[0]}” is not known.")
    for key in ("also", "fine"):
        if not isinstance(word.get(key, []), list) or not all(isinstance(one, str) and one.strip() for one in word.get(key, [])):
            raise ValueError(f"{where} ({word['avoid']}): “{key}” must be a list of words.")
    said = sorted((_spelling(one) for one in (word["avoid"], *word.get("also", ()))), key=len, reverse=True)
    fine = sorted((_spelling(one) for one in word.get("fine", ())), key=len, reverse=True)
    # What is fine is read first and passed over.
    pattern = "|".join((*fine, f"(?P<word>{'|'.join(said)})"))
    return BrandWord(re.compile(pattern), word["instead_en"], word["instead_zh"])


@cache
def _spelling(word: str) -> str:
    read = re.escape(_read(word.strip()).lower).replace(r"\ ", r"\s+")
    return rf"(?<![a-z0-9]){read}(?![a-z0-9])" if read[0].isascii() else read


__all__ = ["Brand", "BrandWord", "Facts", "Finding", "check", "load_brand"]
