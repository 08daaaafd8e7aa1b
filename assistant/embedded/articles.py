"""Which articles of an order does a message mean, and what should come instead?

Names, option values and places in a list are matched against the order's own
articles and the variants that can be had; nothing is guessed that two articles
or two variants fit equally well.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jieba
from rapidfuzz import fuzz

from retrieval.words import gloss, has_han, normal

Article = dict[str, Any]
# Words behind which stands what should come instead.
_TARGET = re.compile(
    r"\b(?:to(?! (?:change|exchange|swap|get|have|return|order|replace|switch|modify|pay|make|be|the same address))|into|"
    r"for(?! (?:order|the (?:price )?difference|any (?:price )?difference|me\b|my order|#))|with(?! (?:my |the )?(?:pay ?pal|gift|card|visa|master))|"
    r"instead(?! of)|rather(?: have)?|prefer|in(?! (?:my |the |this |that )?(?:order|#)))\b"
    r"|→|->|(?:换|改|调|变)(?:成|为|到|一?[个件双条]|做)?|要(?!退|换|改)|想要"
)
_EVERYTHING = re.compile(
    r"\b(?:everything|all(?: of)?(?: (?:it|them|the items?))?|whole (?:order|thing|lot|parcel)|entire order|both|the lot|each of them)\b|全部|全都|所有|整单|都(?:退|换|要|不要)|两[件个样]都|一起退"
)
_SPARED = re.compile(r"\b(?:but(?: not)?|except(?: for)?|apart from|other than|without)\b|除了|不包括|不含")
_SAME = re.compile(
    r"\b(?:same (?:one|item|version|thing|model|variant)|identical|exact(?:ly)? the same|replacement|like[- ]for[- ]like)\b|同款|一样的|同样的|一模一样"
)
_CHEAP = re.compile(r"\bcheap(?:er|est)|less expensive|lowest price|最便宜|便宜")
_SEPARATORS = re.compile(r"[;；\n]|,\s*(?:and\s+)?|，|、|\band\b|\balso\b|\bplus\b|以及|还有|和|另外")
_UNITS = (
    (r"(\d+(?:\.\d+)?)\s*(?:inches|inch|in\b|英寸|寸|\")", r"\1inch"),
    (r"(\d+(?:\.\d+)?)\s*(?:feet|foot|ft|英尺)\b", r"\1ft"),
    (r"(\d+(?:\.\d+)?)\s*(?:litres?|liters?|l\b|升)", r"\1l"),
    (r"(\d+(?:\.\d+)?)\s*(?:(?:millilitres?|milliliters?|ml)\b|毫升)", r"\1ml"),
    (r"(\d+(?:\.\d+)?)\s*(?:cups?|杯)", r"\1cup"),
    (r"(\d+(?:\.\d+)?)\s*(?:pieces?|pcs?|片|件套)", r"\1piece"),
    (r"(\d+(?:\.\d+)?)\s*(?:gigabytes?|gb)\b", r"\1gb"),
    (r"(\d+(?:\.\d+)?)\s*(?:(?:millimet(?:er|re)s?|mm)\b|毫米)", r"\1mm"),
    (r"(\d+(?:\.\d+)?)\s*(?:bars?)\b", r"\1bar"),
    (r"(\d+(?:\.\d+)?)\s*(?:watts?|w)\b", r"\1w"),
)
_NUMBER_WORDS = {"one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "eight": "8", "ten": "10"}
_SPELLINGS = {"grey": "gray", "colour": "color", "extra large": "xl", "extra small": "xs", "large size": "large"}
_LETTERS = {"s": "small", "m": "medium", "l": "large"}


@dataclass(frozen=True)
class Meant:
    """An article of the order and the words that say what should come instead."""

    article: Article
    wanted: str


def canonical(text: str) -> str:
    """Words as they can be compared: lower case, units joined to their number, one spelling."""
    text = normal(text).lower()
    text = re.sub(r"[{}\[\]()'\"“”‘’:：，,。.!！?？;；/]+(?=\s|$)|[{}\[\]()'“”‘’:：，,。!！?？;；]", " ", text)
    for word, figure in _NUMBER_WORDS.items():
        text = re.sub(rf"\b{word}(?=[\s-]+(?:inch|inches|feet|foot|ft|litre|liter|cup|cups|piece|pieces|ml|gb)\b)", figure, text)
    text = re.sub(r"(?<=\d)-(?=[a-z])|(?<=[a-z])-(?=[a-z\d])", " ", text)
    for pattern, joined in _UNITS:
        text = re.sub(pattern, joined, text)
    for spelling, one in _SPELLINGS.items():
        text = re.sub(rf"\b{spelling}\b", one, text)
    return " ".join(text.split())


def says(text: str, value: str) -> bool:
    """Whether canonical words name an option value, as whole words."""
    wanted = canonical(value)
    if not wanted:
        return False
    if has_han(wanted):
        return wanted.replace(" ", "") in text.replace(" ", "")
    found = re.search(rf"(?<![\w.]){re.escape(wanted)}(?![\w]|\.\d)", text) is not None
    if not found and wanted in _LETTERS:
        return re.search(rf"\b{_LETTERS[wanted]}\b", text) is not None
    # “4 ft” is also said “4 foot tall”, “bluetooth” also “bluetooth one”: a plural or a bare head is the same word.
    return found or (len(wanted) > 3 and re.search(rf"(?<!\w){re.escape(wanted)}(?:s|ed|y)?(?!\w)", text) is not None)


def meant(text: str, articles: Sequence[Article], *, changing: bool, place: int | None = None) -> list[Meant]:
    """The articles a message names, each with the words about what should come instead.

    `place` is a position in the list shown last. Without any name, the only article is meant.
    """
    said = canonical(text)
    if place is not None and 0 < abs(place) <= len(articles):
        return [Meant(articles[place - 1 if place > 0 else place], _after_target(said) if changing else "")]
    spans = _mentions(said, articles)
    spared = _SPARED.search(said)
    if spared and not changing and _EVERYTHING.search(said[: spared.start()]):
        # “Everything but the tea”: what is named stays.
        kept = [a for m in _mentions(said[spared.end() :], articles) for a in m.articles]
        return [Meant(a, "") for a in articles if a not in kept]
    if not spans:
        if len(articles) == 1 or _EVERYTHING.search(said):
            return [Meant(article, _after_target(said) if changing else "") for article in articles]
        by_option = _by_options(said, articles, changing)
        return [Meant(by_option, _after_target(said) if changing else "")] if by_option else []
    found: list[Meant] = []
    for (start, end), names in zip(_segments(said, spans), spans, strict=True):
        old, new = _split(said[start:end], max(0, names.end - start)) if changing else (said[start:end], "")
        article = _one_of(old, [a for a in names.articles if not any(m.article is a for m in found)] or names.articles)
        if not changing and len(names.articles) > 1 and _plural(names, said):
            found += [Meant(a, "") for a in names.articles if not any(m.article is a for m in found)]
        elif not any(m.article is article for m in found):
            found.append(Meant(article, new))
    return found


def names_one(text: str, articles: Sequence[Article]) -> bool:
    """Whether the words name any of these articles."""
    return bool(_mentions(canonical(text), articles))


@dataclass(frozen=True)
class Mention:
    """Where a product's name stands, and the order's articles of that name."""

    start: int
    end: int
    articles: list[Article]


def _mentions(said: str, articles: Sequence[Article]) -> list[Mention]:
    """Names of the order's products in the words, the longest first where two overlap, in their order."""
    by_name: dict[str, list[Article]] = {}
    for article in articles:
        for name in _names(article):
            by_name.setdefault(name, [])
            if article not in by_name[name]:
                by_name[name].append(article)
    found: list[Mention] = []
    for name in sorted(by_name, key=len, reverse=True):
        pattern = re.escape(name) if has_han(name) else rf"(?<!\w){re.escape(name)}(?:e?s)?(?!\w)"
        for hit in re.finditer(pattern, said):
            if not any(m.start < hit.end() and hit.start() < m.end for m in found):
                found.append(Mention(hit.start(), hit.end(), by_name[name]))
    found = found or _fuzzy(said, by_name)
    kept: list[Mention] = []
    for mention in sorted(found, key=lambda m: m.start):
        # The same name again (“exchange the kettle … that kettle”) means the same article while there is only one.
        repeated = any(k.articles == mention.articles for k in kept) and len(mention.articles) <= sum(k.articles == mention.articles for k in kept)
        if not repeated:
            kept.append(mention)
    return kept


def _names(article: Article) -> list[str]:
    """What an article may be called: its names, without their sizes, and the last word or two of the English one."""
    names = {canonical(article.get("name_en", "")), canonical(article.get("name_zh", ""))}
    words = [word for word in canonical(article.get("name_en", "")).split() if not re.search(r"\d", word)]
    names |= {" ".join(words), " ".join(words[-2:]), words[-1]} if words else set()
    chinese = re.sub(r"[\d.]+\S*|[（(].*", "", canonical(article.get("name_zh", ""))).strip()
    names |= {chinese, chinese[-3:], chinese[-2:]} if has_han(chinese) else set()
    return [name for name in names if len(name) > 2 or (has_han(name) and len(name) > 1)]


def _fuzzy(said: str, by_name: dict[str, list[Article]]) -> list[Mention]:
    """A name said in part, misspelt, or in the other language: the article it fits alone."""
    if has_han(said):
        return _in_chinese(said, by_name)
    articles = [a for mine in by_name.values() for a in mine]
    words = said.split()
    # The last word of “tea pods” says what it is: later words are tried first.
    for at, word in reversed(list(enumerate(words))):
        bare = word.removesuffix("s")
        fitting = {id(a): a for a in articles if len(bare) > 2 and bare in [w.removesuffix("s") for w in canonical(a.get("name_en", "")).split()]}
        if len({_key(a) for a in fitting.values()}) == 1 and bare.isalpha():
            start = len(" ".join(words[:at])) + bool(at)
            return [Mention(start, start + len(word), list(fitting.values())[:1])]
    best: tuple[float, str, int] = (0.0, "", 0)
    for name in by_name:
        size = len(name.split())
        for at in range(max(0, len(words) - size + 1)):
            best = max(best, (fuzz.ratio(name, " ".join(words[at : at + size])), name, at))
    if best[0] < 84 or len(best[1]) < 5:
        return []
    start = len(" ".join(words[: best[2]]))
    return [Mention(start, start + len(best[1]), by_name[best[1]])]


def _key(article: Article) -> str:
    """What an article is: lists of orders name its product, an order's own articles their variant."""
    return str(article.get("variant_id") or article["product_id"])


_GOODS_OF_ONE = set("茶碗锅刀杯盘壶灯床伞包笔书香油酒鞋帽裤衣绳锤被枕")


def _in_chinese(said: str, by_name: dict[str, list[Article]]) -> list[Mention]:
    """The one article whose name holds a word's characters in order (蜡烛 in 蜂蜡长烛), or whose English name its gloss says."""
    articles = {id(a): a for mine in by_name.values() for a in mine}.values()
    scored: dict[int, int] = {}
    for word in jieba.cut(said):
        if not has_han(word) or (len(word) < 2 and word not in _GOODS_OF_ONE):
            continue
        for article in articles:
            letters = iter(article.get("name_zh", ""))
            if all(c in letters for c in word):
                scored[id(article)] = scored.get(id(article), 0) + len(word)
    best = [a for a in articles if scored.get(id(a), 0) == max(scored.values(), default=0) and scored.get(id(a))]
    if len({_key(a) for a in best}) == 1:
        return [Mention(0, 0, best[:1])]
    glossed = canonical(gloss(said))
    hits = [name for name in by_name if not has_han(name) and re.search(rf"(?<!\w){re.escape(name)}s?(?!\w)", glossed)]
    longest = max(hits, key=len, default=None)
    return [Mention(0, 0, by_name[longest])] if longest else []


def _segments(said: str, mentions: Sequence[Mention]) -> list[tuple[int, int]]:
    """The stretch of words each mention stands in: two neighbours part at the last separator between them."""
    cuts = [0]
    for before, after in zip(mentions, mentions[1:], strict=False):
        between = list(_SEPARATORS.finditer(said, before.end, after.start))
        cuts.append(between[-1].end() if between else after.start)
    return list(zip(cuts, [*cuts[1:], len(said)], strict=True))


def _split(piece: str, name_ends: int = 0) -> tuple[str, str]:
    """Words about what there is, and about what should come: parted at the first such word behind the name."""
    hits = [hit for hit in _TARGET.finditer(piece) if piece[hit.end() :].strip()]
    behind = [hit for hit in hits if hit.start() >= name_ends] or hits[-1:]
    if not behind:
        return piece, piece[name_ends:]
    return piece[: behind[0].start()], piece[behind[0].end() :]


def _after_target(said: str) -> str:
    """What should come instead, where no article is named: behind the last such word."""
    hits = [hit for hit in _TARGET.finditer(said) if said[hit.end() :].strip()]
    return said[hits[-1].end() :] if hits else said


def _one_of(said: str, articles: Sequence[Article]) -> Article:
    """The article whose options are named most; the first when none is."""
    return max(articles, key=lambda a: sum(says(said, v) for v in _values(a)))


def _by_options(said: str, articles: Sequence[Article], changing: bool) -> Article | None:
    """The one article that the named options point to (“the blue one”); none when two do."""
    old = _split(said)[0] if changing else said
    scores = [sum(says(old, v) for v in _values(a)) for a in articles]
    best = max(scores, default=0)
    return articles[scores.index(best)] if best and scores.count(best) == 1 else None


def _values(article: Article) -> list[str]:
    return [*article.get("options_en", {}).values(), *article.get("options_zh", {}).values()]


def _plural(mention: Mention, said: str) -> bool:
    return said[mention.start : mention.end].endswith("s") or _EVERYTHING.search(said) is not None


# --- what should come instead -----------------------------------------------------------


@dataclass(frozen=True)
class Picked:
    """The variant that fits, or those that fit equally well; `none_fits` when what was named cannot be had."""

    variant: Article | None
    tied: list[Article]
    none_fits: bool = False


def variant(wanted: str, article: Article) -> Picked:
    """Which variant the words ask for: options named must match, the others stay as they are."""
    choices: list[Article] = article["variants"]
    said = canonical(wanted)
    own = article["variant_id"]
    if _SAME.search(said):
        same = [c for c in choices if c["variant_id"] == own]
        return Picked(same[0] if same else None, [] if same else choices, not same)
    # What was said later replaces what was said of the same option before.
    named: dict[str, set[str]] = {}
    for line in wanted.split("\n"):
        named |= _named(canonical(line), article)
    others = [c for c in choices if c["variant_id"] != own]
    # “Ink rather than chalk” names what there is, too.
    named = {k: v - {article["options_en"].get(k, "")} if len(v) > 1 else v for k, v in named.items()}
    if not named:
        if _CHEAP.search(said) and others:
            return Picked(min(others, key=lambda c: float(c["price"])), [])
        # Only “another one” leaves nothing to guess; a word nobody knows may mean what cannot be had.
        free = re.search(r"\b(?:another|other|different)\b|别的|其他|另一|换个|换一", said) is not None
        return Picked(others[0] if free and len(others) == 1 else None, others)
    fitting = [c for c in choices if all(c["options_en"].get(k) in v for k, v in named.items())]
    if not fitting:
        near = [c for c in others if any(c["options_en"].get(k) in v for k, v in named.items())]
        return Picked(None, near or others, none_fits=True)
    kept = [sum(c["options_en"].get(k) == v for k, v in article["options_en"].items() if k not in named) for c in fitting]
    best = [c for c, n in zip(fitting, kept, strict=True) if n == max(kept)]
    if len(best) > 1 and _CHEAP.search(said):
        best = [min(best, key=lambda c: float(c["price"]))]
    return Picked(best[0] if len(best) == 1 else None, best)


def _named(said: str, article: Article) -> dict[str, set[str]]:
    """Option values the words name, by option; a value of two options counts where its option's name stands near."""
    values: dict[str, dict[str, str]] = {}
    for each in [article, *article["variants"]]:
        for key, value in each["options_en"].items():
            values.setdefault(key, {})[value] = each.get("options_zh", {}).get(key, "") or _twin(each, key)
    found = {key: {value for value, chinese in mine.items() if _says_it(said, key, value) or (chinese and says(said, chinese))} for key, mine in values.items()}
    found = {key: _longest(hits) for key, hits in found.items() if hits}
    for key, hits in list(found.items()):
        rivals = [other for other in found if other != key and found[other] & hits]
        near = {k: max(_beside(said, k, value) for value in hits) for k in (key, *rivals)}
        if rivals and near[key] < max(near.values()):
            found[key] = hits - set().union(*(found[r] for r in rivals if near[r] > near[key]))
    return {key: hits for key, hits in found.items() if hits}


def _twin(each: Article, key: str) -> str:
    """The Chinese value at the same place, where the options are named in Chinese, too."""
    place = list(each["options_en"]).index(key)
    chinese = list(each.get("options_zh", {}).values())
    return str(chinese[place]) if place < len(chinese) else ""


def _says_it(said: str, key: str, value: str) -> bool:
    if has_han(said) and not has_han(value):
        said = f"{said} {canonical(gloss(said))}"
    bare = canonical(value)
    if re.fullmatch(r"\d+", bare) or bare in ("yes", "no", "none"):
        # A bare figure or a yes counts only beside its option's name.
        return _beside(said, key, value) > 0 or (bare not in ("yes", "no", "none") and len(said.split()) <= 6 and says(said, value))
    return says(said, value)


def _beside(said: str, key: str, value: str) -> int:
    """How near an option's name stands to the value: 2 for the whole name (“dial color black”), 1 for a word of it (“black dial”), 0 for not at all."""
    bare, name = re.escape(canonical(value)), re.escape(canonical(key))
    if re.search(rf"\b{name}s?\b\W*(?:is |of |in |: ?)?{bare}(?!\w)|(?<!\w){bare}\W+(?:in )?{name}\b", said):
        return 2
    # The last word of “frame color” and “lens color” tells nothing apart.
    words = canonical(key).split()
    telling = words[:-1] if len(words) > 1 and words[-1] in ("color", "size", "type", "material") else words
    return int(
        any(
            re.search(rf"\b{re.escape(w)}s?\b\W*(?:\w+\W+){{0,2}}?{bare}(?!\w)|(?<!\w){bare}\W+(?:\w+\W+){{0,1}}?{re.escape(w)}", said)
            for w in telling
            if len(w) > 2
        )
    )


def _longest(hits: set[str]) -> set[str]:
    """“Stainless steel” also says “steel”: a value inside another one was not named by itself."""
    return {h for h in hits if not any(h != other and canonical(h) in canonical(other).split(" ") + [canonical(other)[: len(canonical(h))]] for other in hits)}


# --- how it is paid ---------------------------------------------------------------------

_KINDS = {
    "paypal": r"pay ?pal|贝宝",
    "gift_card": r"gift ?card|礼品卡|购物卡",
    "credit_card": r"credit ?card|\bcard\b|visa|master ?card|amex|信用卡|银行卡|储蓄卡",
    "alipay": r"ali ?pay|支付宝",
    "wechat_pay": r"we ?chat(?: ?pay)?|微信(?:支付)?",
}
_OTHER = re.compile(r"\b(?:other|another|different|instead)\b|另外?一|别的|换一")


def method(text: str, methods: Sequence[Article]) -> tuple[Article | None, list[Article]]:
    """The payment method a message names, and those it may mean when it is not clear."""
    said = normal(text).lower()
    by_id = [m for m in methods if m["method_id"].lower() in said]
    if by_id:
        return by_id[-1], []
    by_digits = [m for m in methods if (tail := re.search(r"\d{4}$", m["label"])) and tail.group() in said]
    if len(by_digits) == 1:
        return by_digits[0], []
    plain = re.sub(_KINDS["gift_card"], " ", said)
    named = [m for m in methods if (kind := _kind(m)) and re.search(_KINDS[kind], said if kind == "gift_card" else plain)]
    brands = [m for m in named if _kind(m) == "credit_card" and m["label"].split(" ")[0].lower() in said]
    named = brands or named
    if len(named) > 1 and _OTHER.search(said):
        named = [m for m in named if not m["used_here"]] or named
    if not named and _OTHER.search(said) and re.search(r"card|method|account|卡|方式", said):
        named = [m for m in methods if not m["used_here"]]
    return (named[0], []) if len(named) == 1 else (None, named)


def _kind(method: Article) -> str | None:
    """A method's kind; shops that only name it are read by the name."""
    if method["kind"] in _KINDS:
        return str(method["kind"])
    return next((kind for kind, pattern in _KINDS.items() if re.search(pattern, f"{method['kind']} {method['label']}".lower())), None)


def names_method(text: str) -> bool:
    """Whether a message names a kind of payment method at all."""
    said = normal(text).lower()
    return (
        any(re.search(pattern, said) for kind, pattern in _KINDS.items() if kind != "credit_card")
        or re.search(r"credit ?card|visa|master ?card|信用卡", said) is not None
    )
