"""What is wanted, in the words that are left?

Takes function words and what typed readers already took out of a message, so
that the article, person or audience it names remains.
"""

import re
from typing import Any

import prompts
from assistant.embedded import dates, places, slots
from assistant.embedded.slots import Slots
from assistant.embedded.turn import Turn
from retrieval.numbers import EN_NUMERAL, chinese
from retrieval.words import has_han, kind_of, normal, synonyms

_FILLER_EN = re.compile(
    r"\b(?:hi|hello|hey|please|pls|plz|thanks?|thank you|cheers|can|could|would|will|may|might|shall|should|do|does|did|is|are|was|were|be|been|being|am|have|has|had|having|i|i'm|i'd|i've|i'll|im|ive|me|my|mine|you|your|yours|"
    r"u|ur|we|us|our|it|its|it's|this|that|these|those|the|a|an|any|some|of|to|in|on|at|with|and|or|but|so|if|then|than|about|there|here|from|what|what's|whats|which|who|when|where|why|how|much|many|more|"
    r"show|find|search|look|looking|for|get|got|give|need|want|wanna|like|love|buy|buying|sell|see|tell|know|check|help|let|go|going|recommend|suggest|suggestions?|recommendations?|idea|ideas|something|anything|thing|things|"
    r"stuff|one|ones|item|items|product|products|shop|store|stock|available|availability|order|ordered|orders|purchase|purchased|bought|cancel|cancelled|status|track|tracking|arrive|arrived|arrives|delivered|delivery|shipped|parcel|package|"
    r"price|prices|cost|costs|costing|expensive|cheap|cheaper|cheapest|budget|under|over|below|above|less|max|maximum|around|roughly|up|between|pounds?|quid|dollars?|gbp|now|still|yet|just|really|maybe|also|too|only|back|again|"
    r"last|latest|recent|first|second|third|nice|good|great|best|decent|new|right|ok|okay|well|actually|sorry|no|not|don't|dont|doesn't|isn't|hasn't|haven't|wasn't|think|thinking|wondering|guys|lot|bit|kind|sort|"
    r"come|comes|size|sizes|colou?rs?|weigh|weight|heavy|warranty|guarantee|review|reviews|rated|rating|details?|info|information|describe|mean|meant|please\?|by|mistake|changed|mind|accident|wrong|anymore|longer|today|yesterday)\b"
)
_FILLER_ZH = re.compile(
    "请问|麻烦|帮我|帮忙|给我|替我|我想要|我想|想要|想买|想找|想看|想|要买|要|买过|买的|买了|买|找一下|找找|找|看看|看一下|看|推荐|介绍|有没有|有没(?=$|[？?吗呢啊])|有什么|有哪些|有吗|有|没有|卖不卖|卖|你们|你家|咱家|咱们|您|你|我的|我|店里|家里|一下|"
    "一些|一个|一款|几款|几个|点儿|点|什么|怎么样|怎么|哪个|哪些|哪|多少钱|价格|价钱|贵吗|贵不贵|便宜|预算|以内|以下|之内|左右|上下|大概|的话|吗|呢|吧|啊|呀|嘛|哦|哈|了|的|是不是|是|在哪|在|这个|那个|这款|那款|这|那|它|还有货|"
    "有货|现货|库存|缺货|还有|还|可以|能不能|能|会|适合|合适|取消|订单|下单|那单|那笔|这单|单子|单|笔|到哪|到了|送到|发货|物流|快递|状态|上次|上回|最近|最新|刚才|刚刚|刚|不想要|不要|不含|不带|别|东西|商品|产品|用的|用来|用|"
    "送给|送|块钱|块|元|镑|英镑|不超过|最多|至少|颜色|尺寸|重量|多重|保修|评价|好用|好不好|质量|详细|信息|谢谢|你好|您好|急|快|里面|里|和|跟|吗？|买点|来点|来个|来|都|就|也|再|又|很|太|好|先|吧|啦|个"
)
_POINTING = re.compile(
    r"\b(?:the|that|this|number|no\.?|option)\s+(?:first|second|third|fourth|fifth|last|\d|1st|2nd|3rd|4th|5th)\b|\b(?:first|second|third|fourth|fifth|last|1st|2nd|3rd|4th)\s+one\b|^\s*(?:and\s+)?(?:the\s+)?(?:first|second|third|fourth|fifth|last)\b|"
    r"第\s*[一二两三四五六七八九十\d]|最后(?:那)?(?:一)?[个件款单]|^\s*(?:number\s+|no\.?\s*|#)?\d\s*[.!?。]?$"
)
_BACK = re.compile(
    r"\b(?:it|that one|this one|that order|this order|the same one|same one|that product)\b|它|这个|那个|这一?款|那一?款|这一?单|那一?单|这一?笔|那一?笔|刚才那|上面那"
)
_CONTINUES = re.compile(
    r"^[^，,。]{1,8}呢[？?]?$|^\s*(?:and\b|only\b|but\b|also\b|what about|how about|now\b|just\b|instead|make it|same\b|add\b|with\b|without\b|in\b|那|再|还|只|改成|换成|加上|如果|换|要是|其中|同样)",
    re.IGNORECASE,
)
_PERSON_FILLER_EN = re.compile(
    r"\b(?:find|look|up|for|search|who|who's|is|are|was|member|members|customer|customers|client|show|me|the|a|an|of|please|pls|can|could|you|get|pull|open|bring|record|records|profile|account|details?|info|about|tell|what|what's|how|doing|"
    r"orders?|ordered|bought|buy|buys|purchases?|history|her|his|their|them|him|she|he|they|recent|latest|last|all|any|pending|delivered|cancelled|shipped|returns?|returned|risk|at|leaving|churn|worth|value|valuable|why|and|in|on|to|do|"
    r"we|have|has|had|did|does|this|that|with|named?|called|named|someone|somebody|lady|guy|mr|mrs|ms|miss|dr|i|need|want|would|like|likes|from|been|lately|still|happy|so|far|much|many|spent|spend|spends|points?|tier|been|check|see|know|"
    r"should|offer|give|us|summary|overview|rundown|quick|background|story|case|caller|line|phone|email|my|it|one|good|bad|going|go|drifting|away|active|month|year|week|us\b|there|any|anybody|anyone|by|name|surname|first|please)\b"
)
_PERSON_FILLER_ZH = re.compile(
    "会不会|不会来|不来了|不来|下回|下次|下一次|下单|可能性|可能|大概|多久|想走|要跑|跑了|留住|挽回|离开|异常|可疑|买点|点什么|贡献|划算|优惠|电话那头|说他|说她|客人|账号|账户|账上|手机|苗头|请|帮我|帮忙|查一下|查查|查|找一下|找找|找|搜一下|搜|看一下|看看|看|会员|客户|顾客|用户|这位|那位|这个|那个|的|是谁|谁|叫|名字|姓名|资料|档案|信息|情况|近况|最近|怎么样|咋样|如何|订单|买了什么|买过什么|买了|买过|买|消费|记录|历史|历次|"
    "有没有|有|吗|呢|一下|她|他|流失|风险|价值|值|多少|为什么|是不是|要走|会不会|喜欢|什么|积分|等级|还|给我|我|了|吧|啊|分析|画像|调出来|调|打开|全部|所有|都|退货|退过|哪些|几单|介绍|说说|讲讲|概况|总结|先生|女士|小姐|活跃|现在|先|把|拉|出来|和|里|在"
)


def of_product(text: str, found: Slots) -> str:
    """The article or use a message names, in its own words; empty when it names none."""
    text = _without_amounts(normal(text))
    for word in found.without:
        text = re.sub(
            rf"(?:not\s+|no\s+|without\s+|anything but\s+|except\s+(?:for\s+)?|other than\s+|不要|不含|不带|除了|别是|不是){re.escape(word)}(?:的|以外|之外)?",
            " ",
            text,
        )
    return _left(text)


def phrased(text: str, found: Slots) -> str:
    """The wish as it was put, without price and exclusions: vectors read phrases better than loose words."""
    text = _without_amounts(normal(text))
    for word in found.without:
        text = re.sub(
            rf"\b(?:but\s+)?(?:not|no|without|anything but|except(?: for)?|other than)\s+(?:in\s+|made of\s+)?{re.escape(word)}|(?:但是?)?(?:不要|不含|不带|除了|别是|不是){re.escape(word)}的?",
            " ",
            text,
        )
    return re.sub(r"^(?:an?|the|some)\s+", "", " ".join(text.strip(" ,，.。?？!！").split()))[:200]


def cheaper(text: str) -> bool:
    """Whether something less dear than what was shown is wanted."""
    return re.search(r"\bcheaper|less expensive|lower price|too (?:dear|expensive|much)\b|便宜|太贵", text.lower()) is not None


def newest(text: str) -> bool:
    """Whether the latest order is meant."""
    return (
        re.search(r"\b(?:last|latest|newest|most recent)\b(?! (?:week|month|year))|最新|最近(?:的)?(?:一|那)|上一[单笔]|刚(?:才|刚)?(?:下|买)", text.lower())
        is not None
    )


def wants_sending(text: str) -> bool:
    """Whether a message is to be sent rather than written."""
    asks = re.search(r"\b(?:send|blast|fire off|shoot)\b|群发|发给(?:全体|所有|大家)|发出去|现在就.*发", text.lower())
    return asks is not None and re.search(r"\bwrite|draft|word|compose\b|写|拟|文案", text.lower()) is None


def names_topic(text: str) -> bool:
    """Whether a follow-up names another thing to write about."""
    return re.search(r"\b(?:about|for|on|instead)\b|关于|推|写", text.lower()) is not None


def means_somebody(text: str) -> bool:
    """Whether it speaks of one person: “she”, “this member”, 她."""
    return (
        re.search(r"\b(?:he|she|they|him|her|his|hers|their|them|this (?:one|member|customer|person)|same)\b|[她他]|这位|该会员|这个人|这个会员", text.lower())
        is not None
    )


def of_order(text: str) -> str:
    """The article an order is named by: “the kettle order”, 买茶壶的那单; empty when none is."""
    text = normal(text)
    text = slots._ORDER_WORD.sub(" ", text)
    text = slots._ORDER.sub(" ", text)
    text = re.sub(
        r"\b(?:in|since|from|during|until|before|last|this|past)\s+(?:the\s+)?(?:\w+\s+)?(?:january|february|march|april|may|june|july|august|september|october|november|december|jan|feb|mar|apr|jun|jul|aug|sep|oct|nov|dec|week|month|year|spring|summer|autumn|winter|days?|weeks?|months?|years?)\b",
        " ",
        text,
    )
    text = re.sub(r"[一二三四五六七八九十\d]+月(?:份|底)?|上个?月|这个?月|去年|今年|上周|本周|这周|[一二两三四五六七八九十\d]+个?(?:天|周|月)", " ", text)
    left = _left(_without_amounts(text), also=_ORDER_TALK)
    return left if len(left) <= 90 and len(left.split()) <= 10 else ""


_ORDER_TALK = re.compile(
    r"\b(?:my|stuff|everything|list|history|past|previous|pending|open|unshipped|delivered|cancelled|all|placed|made|pay|paid|payment|late|missing|waiting|wait|since|ago|days?|weeks?|months?|years?|long|takes?|taking|supposed|expected|due|when|"
    r"eta|update|news|happened|happening|postman|courier|driver|post|mail|box|sent|send|dispatched|dispatch|moved|moving|stuck|yet|soon|come|coming|refund|refunded|money|card|bank|account|never|nothing|showed|turn|turned|said|says|saying|"
    r"wife|husband|kids?|called|number|id|please|quick|quickly|asap|stop|cancelling|cancellation|put|want|undo|call|off|scrap|forget|drop|remove|instead|found|elsewhere|decided|double|twice|duplicate|two|both|after|before|until|whole|"
    r"haven't|hasn't|received|receive|seen|tomorrow|morning|afternoon|evening|night|monday|tuesday|wednesday|thursday|friday|saturday|sunday|christmas|home|work|out|way|transit|far|near|close|left|leave|leaves|he|she|they|them|him|her|"
    r"previously|ever|total|recently|couple|few|several|minute|minutes|hour|hours|ago|early|earlier|later|spent|make|made|it's|isn't|can't|cant|couldn't|didn't|didnt|won't|wont|yes|no|hang|hello|oh|god|ffs|wtf|lol|omg|thx|ta|mate|love|dear)\b"
    "|怎么还没|还没|没到|没收到|收到|到货|为什么|什么时候|几天|多久|查一下|查查|查询|查|全部|所有|历史|记录|以前|之前|过去|待发货|未发货|已发货|已取消|列表|列|退款|退钱|钱|卡|编号|号|晚了|催|帮|着急|等了|等|一直|昨天|今天|前天|明天|早上|晚上|"
    "付款|付了|拍的|拍了|拍错|下错|下的|下了|下|点错|手滑|误拍|后悔|算了|撤了|撤销|撤|退掉|退了|退|重复|两次|多|赶紧|赶快|马上|啥|咋|到底|一共|总共|哪天|哪里|哪儿|调出来|出来|路上|签收|派送|客服|不|没|去|得|着|让|把|被|对|说|我们|他们|她|他"
)


_SHORT_FORMS = re.compile(r"\b(?:i|you|we|they|it|that|what|where|there|he|she|who)'(?:m|d|ve|ll|s|re)\b")


def _left(text: str, also: re.Pattern[str] | None = None) -> str:
    if has_han(text):
        for pattern in (also, _FILLER_ZH):
            text = pattern.sub(" ", text) if pattern else text
        # Pieces of one character are crumbs of cut words.
        parts = [p for p in re.split(r"[\s,，.。!！?？、;；:：~～()（）“”\"'…-]+", text) if len(p) > 1 or p in _ONE_CHARACTER_GOODS]
        return " ".join(parts)
    text = _SHORT_FORMS.sub(" ", text)
    for pattern in (also, _FILLER_EN):
        text = pattern.sub(" ", text) if pattern else text
    text = re.sub(r"[^a-z0-9'&/ -]+", " ", text)
    return " ".join(word for word in text.split() if len(word) > 1 and word not in ("'s", "'re", "'ve", "'d", "'ll", "--"))


_ONE_CHARACTER_GOODS = set("茶碗锅刀杯盘壶灯床伞包笔书香")


def _without_amounts(text: str) -> str:
    for pattern in (slots._BETWEEN, slots._MOST, slots._MOST_AFTER, slots._LEAST, slots._AMOUNT, slots._PERCENT):
        text = pattern.sub(" ", text)
    return text


def of_person(text: str) -> str:
    """The name a staff message gives, as far as words tell."""
    plain = re.sub(r"['’]s\b", " ", text)
    if has_han(plain):
        left = _PERSON_FILLER_ZH.sub(" ", normal(plain))
        parts = [p for p in re.split(r"[^\u3400-\u9fffa-z]+", left) if 2 <= len(p) <= 4 or (p.isascii() and len(p) > 1)]
        return " ".join(parts[:2]) if parts else ""
    told = re.search(r"\b(?:name(?:['’]s| is)?|called|named)\s+([a-z]+\s+[a-z]+)", plain.lower())
    if told:
        return told[1]
    capitals = re.findall(r"\b[A-Z][a-z]+(?:\s+[A-Z][a-z]+)+\b", plain)
    kept = [name for name in capitals if not _PERSON_FILLER_EN.fullmatch(name.split()[0].lower())]
    if kept:
        return str(kept[0])
    left = _PERSON_FILLER_EN.sub(" ", normal(plain))
    parts = re.findall(r"[a-z][a-z'-]+", left)
    return " ".join(parts[:3]) if 0 < len(parts) <= 3 else ""


def is_pointing(text: str) -> bool:
    """Whether a place in a list is what the message is about: “the second one”, 第二个, “2”."""
    return _POINTING.search(normal(text)) is not None and len(text) < 80


def points_back(text: str) -> bool:
    """Whether it refers to what was just talked about."""
    return _BACK.search(normal(text)) is not None


def continues(text: str) -> bool:
    """Whether it goes on from the last question: “and in London?”, 那北京呢."""
    return _CONTINUES.search(text) is not None and len(text) < 80


def bare_number(text: str) -> float | None:
    """A number without unit: “if I spend 300”."""
    text = slots._DAYS.sub(" ", normal(text))
    found = re.search(r"(?<![\w-])(\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?)(k)?(?![\w%])", text, re.ASCII)
    if found:
        return float(found[1].replace(",", "")) * (1000 if found[2] else 1)
    spelled = re.search(r"[一二两三四五六七八九]?[百千万][零一二三四五六七八九百千十]*", text)
    if spelled:
        value = chinese(spelled.group())
        return None if value is None else float(value)
    return None


def how_many(text: str) -> int | None:
    """How many orders are asked for: “last three orders”, 最近五单."""
    found = re.search(
        rf"\b(?:last|latest|past|recent)\s+(\d+|{EN_NUMERAL})\s*(?:orders?|purchases?)|(?:最近|近|前|最后)(?:的)?([一二两三四五六七八九十\d]+)(?:个|笔|单)",
        normal(text),
    )
    if not found:
        return None
    raw = (found[1] or found[2]).strip()
    names = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
    value = int(raw) if raw.isdigit() else names.get(raw) or chinese(raw)
    return min(10, value) if value else None


# --- marketing --------------------------------------------------------------------------


def audience(turn: Turn) -> dict[str, Any]:
    """Typed conditions named in a marketer's sentence."""
    text, found = normal(turn.text), turn.slots
    asked: dict[str, Any] = {
        "tiers": list(found.tiers),
        "cities": _cities(turn, text),
        "countries": _countries(turn),
        "categories": _categories(text, turn),
        "consent": found.channel,
    }
    if re.search(r"chinese[- ]speak|speak chinese|in chinese|中文|说中文", text):
        asked["languages"] = ["zh"]
    elif re.search(r"english[- ]speak|speak english|英文|英语", text):
        asked["languages"] = ["en"]
    if found.days:
        joined = re.search(r"join|signed up|new (?:member|face|customer|people|one)|newcomer|registered|入会|加入|注册|新会员|新人", text)
        quiet = found.days_negated or re.search(
            r"inactive|silent|dormant|lapsed|quiet|last (?:order|purchase|bought).{0,20}(?:ago|over|more)|沉默|沉睡|流失|未购|没下单|没买", text
        )
        asked["joined_within_days" if joined else "not_bought_for_days" if quiet else "bought_within_days"] = found.days
    money = re.search(r"spen[dt]|spending|worth|value|消费|花了|花过|买了|满", text)
    if money and found.days and (found.amounts or found.most or found.least) and "bought_within_days" in asked:
        # “Over 500 in the last 90 days”: the days are the spend's window.
        asked["spent_within_days"] = asked.pop("bought_within_days")
    if money and not found.percent:
        bare = bare_number(text) if not found.days else None
        amount = found.amounts[0] if found.amounts else None
        asked["spent_at_most"] = found.most
        asked["spent_at_least"] = found.least if found.least is not None else (amount if found.most is None else None) or (bare if found.most is None else None)
    return {name: value for name, value in asked.items() if value not in (None, [], "")}


def _cities(turn: Turn, text: str) -> list[str]:
    """Cities named; one the shop has no member in is passed on, so that it is not silently dropped."""
    named = [*turn.slots.cities, *(city for city in _in_chinese(text, turn.cities()) if city not in turn.slots.cities)]
    if named:
        return named
    capital = re.search(r"\b(?:in|from|around)\s+([A-Z][a-z]{2,}(?:\s[A-Z][a-z]+)?)\b", turn.text)
    if capital and capital[1].lower() in {country.lower() for country in (*turn.countries(), *places.COUNTRIES)}:
        return []
    if capital and not dates.read(capital.group(), turn.today) and not slots.read(capital[1], turn.today).tiers:
        return [capital[1]]
    foreign = [text[n : n + size] for n in range(len(text)) for size in (4, 3, 2) if kind_of(text[n : n + size]) == "city"]
    return foreign[:1]


def _countries(turn: Turn) -> list[str]:
    """Countries named: by the shop's own name or another of the same. China cups are no country, nor is “tell us”."""
    there = {country.lower(): country for country in turn.countries()}
    names = {**dict.fromkeys(there), **places.COUNTRIES}
    found = []
    for name in names:
        said = re.escape(name if has_han(name) else name.upper() if len(name) <= 3 else name.title())
        lands = (
            rf"(?:in|from|across|around|throughout|of) (?:(?:the )?[A-Z]\w*(?: [A-Z]\w*)*(?:, (?:or |and )?| or | and ))*(?:the )?{said}\b"
            if len(name) > 3
            else rf"\b{said}\b"
        )
        where = re.search(
            _zh_land(said) if has_han(name) else rf"{lands}|\b{said} (?:members|customers|people|shoppers|buyers|based)|\b{said}-based", turn.text
        )
        if where:
            known = places.COUNTRIES.get(name, name)
            found.append(
                there.get(name)
                or there.get(known.lower())
                or next((there[alias] for alias, same in places.COUNTRIES.items() if same == known and alias in there), known)
            )
    return list(dict.fromkeys(found))


def _zh_land(said: str) -> str:
    """A country where members are; 英国茶 is a tea."""
    people = "会员|顾客|客户|用户|买家|客人"
    return rf"(?:在|来自|住|位于){said}|{said}(?:有|境内|本土|地区|那边|这边|人|的[^的，,]{{0,6}}?(?:{people})|[金银铜钻黄白石级卡普通新老]{{0,4}}(?:{people}))"


def _in_chinese(text: str, cities: list[str]) -> list[str]:
    """Cities named in Chinese, as the record writes them."""
    there = {city.lower(): city for city in cities}
    named = [there[english.lower()] for n in range(len(text)) for size in (2, 3, 4) for english in synonyms(text[n : n + size]) if english.lower() in there]
    return list(dict.fromkeys(named))


def _categories(text: str, turn: Turn) -> list[str]:
    """Categories of the catalogue that a text names."""
    return [key for key in turn.categories() if prompts.names_category(key, text)]


def copy(turn: Turn) -> dict[str, Any]:
    """What a message should be written for: channel, tone, language, offer and product."""
    text, found = normal(turn.text), turn.slots
    until = (
        found.ahead.end.isoformat()
        if found.ahead
        and found.ahead.end >= turn.today
        and re.search(r"until|\btil+|ends?|before|by |runs? |through|up to|valid|last(?:s|ing)? |截止|到|前|为止|有效", text)
        else None
    )
    speech = "zh" if re.search(r"chinese|中文", text) else "en" if re.search(r"english|英文", text) else None
    product = _copy_product(_GIVES_POINTS.sub(" ", _FREE_SHIPPING.sub(" ", text)), turn)
    named = _categories(product or "", turn)
    # “Tea” or “fishing gear” is the shelf, “breakfast tea” a product.
    plain = re.sub(r"\b(?:gear|stuff|things|goods|equipment|products?)\b|用品|商品|产品|类", "", product or "").strip()
    if named and product and len(plain) <= 8 and not (has_han(plain) and len(plain) > 4 and turn.sells(plain)):
        product = named[0]
    asked = {
        "channel": found.channel if found.channel != "phone" else None,
        "tone": found.tone,
        "language": speech or turn.language,
        "product": product,
        "offer_percent": found.percent,
        "extra_points": extra_points(text),
        "free_shipping": True if _FREE_SHIPPING.search(text) else None,
        "valid_until": until,
        "tier": found.tiers[0] if found.tiers else None,
    }
    return {name: value for name, value in asked.items() if value not in (None, "")}


_GIVES_POINTS = re.compile(
    r"(?:(?:with|for|give|giving|and|plus|get|earn|offer(?:ing)?)\s+)?(?:them |you |everyone )?(?:an?\s+)?(?:extra |bonus |another )?(?P<en>\d[\d,]*)\s*(?:extra |bonus |more )*(?:points?|pts)\b(?: (?:for|to) (?:them|you|everyone|each))?"
    r"|[多再额外加]*(?:送|赠送?|给|加|返)(?:他们|她们|大家|每人|你们?|您|额外|多)*(?P<zh>\d[\d,]*)\s*(?:个|点)?积?分"
)
_FREE_SHIPPING = re.compile(r"\bfree (?:uk )?(?:shipping|delivery|postage|p&p)\b|\b(?:ships?|delivered) free\b|包邮|免运费|免邮费?|免配送费")


def extra_points(text: str) -> int | None:
    """The points a message is to promise: “150 extra points”, 多送150积分; nothing where points are only spoken of."""
    found = _GIVES_POINTS.search(text)
    return int((found["en"] or found["zh"]).replace(",", "")) if found else None


_COPY_TALK = re.compile(
    r"\b(?:write|draft|compose|create|copy|message|messages|sms|text|texts|e-?mails?|newsletter|wechat|push|notification|in-app|banner|subject|line|campaign|promo|promotion|promoting|advert|ad|post|caption|announce|announcing|offer|offers|"
    r"discount|off|percent|members?|customers?|audience|gold|silver|bronze|platinum|diamond|vip|playful|fun|cheeky|warm|friendly|festive|plain|formal|urgent|simple|short|long|tone|style|version|versions|variants?|english|chinese|people|"
    r"who|haven't|hasn't|bought|days?|weeks?|months?|until|till|ends?|sunday|monday|friday|everyone|all|our|three|two|few|some|words|wording|inviting|invite|tempt|tempting|remind|reminder|reminding|win|back|them|sale|special|week|weekend|"
    r"christmas|lapsed|quiet|inactive|regulars|code|little|til|same|version|short|launch|launching|new|arrival|arrivals|range|line)\b"
    "|封|过节|味儿|写一条|写一封|写个|写一个|写|帮我|文案|短信|邮件|微信|推送|公众号|朋友圈|站内信|通知|活动|促销|优惠|折扣|打折|会员|黄金|白银|青铜|铂金|钻石|语气|风格|俏皮|活泼|温暖|亲切|正式|简洁|喜庆|紧迫|中文|英文|版本|三个|一版|一条|一封|截止|推广|"
    "面向|针对|主推|力推|推荐|推一?下?|给|发给|发|关于|主题|标题|吸引|召回|唤醒|老客|新客|顾客|客户|天没买|没买|百分之|折|上新|新品|周末|圣诞|春节"
)


def _copy_product(text: str, turn: Turn) -> str | None:
    found = re.search(r"\bp-\d{3,6}\b", text)
    if found:
        return found.group().upper()
    for city in turn.cities():
        text = text.replace(city.lower(), " ")
    period = dates.read(text, turn.today, ahead=True)
    text = text[: period.span[0]] + " " + text[period.span[1] :] if period else text
    left = _left(_COPY_TALK.sub(" ", _without_amounts(slots._DAYS.sub(" ", text))))
    return left if left and len(left) <= 60 else None
