"""Is the product called by its name, and its stock given rightly?

Sizes, colours, kinds and how many are left.
Knows nothing of prices, and of no product but those in the facts.
"""

import re
from collections.abc import Iterator

from prompts.compliance.facts import Facts, Lines
from prompts.compliance.figures import EN_NUMBER, ZH_NUMBER, value_of
from prompts.compliance.findings import Hit, breach
from prompts.compliance.reading import Read, in_a_name, name_as_read, spelling

_THINGS = r"(?:(?!in\\b|on\\b|stock\\b|minutes?|hours?|days?|weeks?|months?|years?|nights?|seconds?|steps?|ingredients|miles?|people|things|words?|reasons|grams?|pounds|pence|points?|%|per|for|of|and|more (?:days|hours|minutes)|cups? of|degrees|stops?|clicks?|left feet)[a-z-]+)"
_STOCK = re.compile(
    rf"(?P<only>\b(?:only|just|(?:the |our |these )?(?:very )?(?:last|final)|a mere|barely|fewer than|under|down to(?: (?:the|our) last)?)\s)?(?:have |there are |got )?(?P<n1>{EN_NUMBER})(?:\s{_THINGS}){{0,4}}?\s(?P<left>left\b(?! over)|remain(?:ing|s)?\b|to go\b|still here)"
    rf"|(?P<only2>\b(?:only|just)\s)?(?P<n2>{EN_NUMBER})(?:\s{_THINGS}){{0,3}}?\s(?:in stock|on (?:the|our) shel(?:f|ves)|available|in the (?:shop|warehouse|stockroom)|ready to (?:go|post|ship)|waiting|to hand)\b|\bstock(?:ed)?(?: of|:| is| stands at)?\s(?P<n3>\d+)\b"
    rf"|(?P<only4>\b(?:only|just|(?:the |our |these )?(?:very )?(?:last|final)|a mere)\s)(?:have |got |made )?(?P<n4>{EN_NUMBER})\s(?:tins?|pieces?|boxes|jars?|copies|pairs?|sets?|pots?|bottles?|packs?|packets?|units?|items?|pans?|knives|candles?|kettles?|mugs?|lamps?|books?|beds?|bags?|sacks?|bundles?|hampers?|throws?|teapots?|bowls?|kits?|puzzles?|cakes?|tubes?|caddies|were made|made|will be made|ever made|in the (?:country|uk|world))\b"
    rf"|(?P<only5>仅[剩余存有]?|[只就][剩余]|[只就]有(?=[^，。,.!！]{1, 5}(?:[,，。！!了]|$))|最后|[还仅只]?剩下?|余下?|不到|不足|还有|只要最后)(?:最后|下|了|下最后)?[:\s]?(?P<n5>{ZH_NUMBER})\s?(?:件|个(?!小时|月|钟|步|问题)|盒|罐|套|只|把|份|本|支|条|瓶|包|双|张|块|饼|箱|台|口|盏|袋|桶|盆|棵|株|枚|组|床|幅|根|座|对|卷|提|单)(?!起|装|减|折|包邮|以上|入|一套|打|钱)"
    rf"|(?:库存|现货|存货|现存|在库|(?:仓库|库房|货架|架上|店里)(?:里|上)?(?:还|正)?(?:躺着|放着|摆着|堆着|有|备了|存着|剩))(?:还有|仅|剩|仅剩|余|只有|共|只剩|充足)?[:,，\s]?(?P<n6>{ZH_NUMBER})\s?(?:多|余)?(?:件|个|盒|罐|套|只|把|份|本|支|条|瓶|包|双|张|块|饼|箱|台|口|盏|袋|桶|盆|棵|株|枚|组|床|幅|根|座|对|卷|提)"
)


def stocks(read: Read, facts: Facts, lines: Lines) -> Iterator[Hit]:
    """Pieces left other than the stock on record."""
    for match in _STOCK.finditer(read.lower):
        number = next(name for name in ("n1", "n2", "n3", "n4", "n5", "n6") if match[name])
        if value_of(match[number]) == facts.stock or in_a_name(read, *match.span(), facts) or in_a_name(read, *match.span(number), facts):
            continue
        urgent = any(match[name] for name in ("only", "left", "only2", "only4", "only5")) and match["only5"] != "还有"
        yield breach("untrue_urgency" if urgent else "wrong_fact", *match.span(), "stock", lines.stock)


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


def names(read: Read, facts: Facts, lines: Lines) -> Iterator[Hit]:
    """The product under a name or size that it has not."""
    if not facts.product:
        return
    name, text = name_as_read(facts.product), read.lower
    sizes = {(m[1], _UNITS.get(m[2], m[2])) for one in facts.all_names for m in _SIZE.finditer(name_as_read(one))}
    head = re.split(r"[\d(,:|]", name)[0].strip()
    for match in _SIZE.finditer(text):
        unit = _UNITS.get(match[2], match[2])
        near = text[max(0, match.start() - 24) : match.start()].strip(" ,(:，、")
        if any(u == unit for _, u in sizes) and (match[1], unit) not in sizes and head and near.endswith(head[-max(2, min(len(head), 12)) :]):
            yield breach("wrong_fact", *match.span(), "product", facts.product)
    for start, end in (*_renamed(name, text), *_other_kinds(name, text)):
        if not any(other in text[max(0, start - 40) : end + 40] for other in map(name_as_read, facts.all_names)):
            yield breach("wrong_fact", start, end, "product", facts.product)


def _renamed(name: str, text: str) -> Iterator[tuple[int, int]]:
    """Where the end of the product's name stands behind other words than its own: Assam tea 100 g for Ceylon tea 100 g."""
    words = name.split()
    if len(words) >= 3 and words[0] not in text:
        tail = " ".join(words[1:])
        for match in re.finditer(rf"([a-z][a-z'-]++) {re.escape(tail)}", text):
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
        own = [kind for kind in kinds if re.search(spelling(kind), name)]
        if len(own) == 1 and not re.search(spelling(own[0]), text):
            yield from (m.span() for kind in kinds if kind not in own for m in re.finditer(spelling(kind), text))
