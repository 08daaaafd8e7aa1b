"""What of a message must be there, must not be there, or must be shorter?

Fields that may come out empty, a person's own data, the way to stop and the length.
Does not know whether a link works, or whose number stands in a text beyond the words before it.
"""

import re
from collections.abc import Iterator

from prompts.compliance.facts import Facts, Lines
from prompts.compliance.findings import Hit, Part, breach
from prompts.compliance.reading import Read

_PERSONAL = re.compile(
    r"[a-z0-9._%+-]{1,64}@[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}|\b[a-z0-9._-]++(?: dot [a-z0-9]+)*\s?(?:\(at\)|\[at\]| at )\s?[a-z0-9-]+(?:\s?(?:\(dot\)|\[dot\]| dot )\s?[a-z0-9]+)+\b|[a-z0-9._-]{2,}+\s?(?:艾特|#at#|\(a\))\s?[a-z0-9-]+(?:\.|\s?点\s?)[a-z]{2,}"
    r"|(?:\b(?:oh|zero|nought|one|two|three|four|five|six|seven|eight|nine|double[ -](?:oh|zero|\w+)|triple[ -]\w+|\d{1,4})[\s,-]+){4,60}(?:oh|zero|one|two|three|four|five|six|seven|eight|nine|\d{2,4})\b(?<=[a-z\d])|(?<![\d一二三四五六七八九零幺])[一幺1][三四五六七八九3-9](?:[\s-]?[零〇一二三四五六七八九幺\d]){9}(?![\d一二三四五六七八九])"
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


def personal_data(read: Read, facts: Facts, lines: Lines) -> Iterator[Hit]:
    """Mail addresses, telephone, card and identity numbers and homes that are not the shop's."""
    for match in _PERSONAL.finditer(read.lower):
        said, before = match[0], read.lower[max(0, match.start() - 28) : match.start()]
        mobile = re.match(r"(?:\+?86[\s-]?)?1[3-9]|(?:\+44\s?\(?0?\)?\s?|0)7", said)
        ours = (
            _SHOP_BOX.match(said)
            or (not mobile and "@" not in said and _SHOP_LINE.search(before))
            or re.search(r"(?:/|单号|订单|order|tracking|isbn|barcode|条码)[\s:号no.#]*$", before)
        )
        if not ours:
            yield breach("personal_data", *match.span(), "personal", lines.either("delete it", "删去"))


# --- fields, opt-out, brand, length -------------------------------------------------------

_FIELD = re.compile(
    r"\{\{.*?\}\}?|\{[^{}\n]{0,40}\}|\$?\{\w*(?:\|\w*)?|\w*+\}|｛[^｝\n]{0,40}｝?|\[(?:first[ _]?name|name|city|customer|tier|points|insert [^\]]*|姓名|昵称|名字|城市|会员名)\]|<(?:name|first_?name|姓名|昵称)>|%[a-zA-Z_]{3,20}%|\*\|[^|\n]{1,20}\|\*|【(?:姓名|昵称|会员名|客户名|名字|城市)】",
    re.IGNORECASE,
)


def fields_left(original: str, language: str, facts: Facts) -> Iterator[Hit]:
    """Fields that are unknown, broken, or empty for some without a fallback."""
    for match in _FIELD.finditer(original):
        well = re.fullmatch(r"\{([a-z_]+)(?:\|([^|]*))?\}", match[0])
        name = well[1] if well else ""
        if well and (name == "unsubscribe" or (name in facts.fields and (name in facts.filled or (well[2] or "").strip()))):
            continue
        known = name or next((one for one in sorted(facts.fields) if one in match[0].lower()), "")
        instead = {"en": {"name": "friend", "city": "your town"}, "zh": {"name": "朋友", "city": "您的城市"}}["zh" if language == "zh" else "en"]
        shown = f"{{{known}}}" if known in facts.filled else f"{{{known}|{instead.get(known, '…')}}}"
        case = "field" if well and name in facts.fields else "unknown_field"
        yield breach("empty_field", *match.span(), case, shown if known in facts.fields else Lines(language, facts).either("delete it", "删去"))


# The whole message is searched, however long, so no step may grow with it: a part of a domain's name has at most 63 characters (RFC 1035).
_OPT_OUT = {
    "sms": re.compile(
        r"\bSTOP\b|\{unsubscribe\}|退订\S{0,4}(?:回|发|T\b|TD|链接|请|点|戳|https?:|\w{1,63}\.\w)|回复?\s?[“\"']?\w{1,3}[”\"']?\s?(?:即可)?(?:退订|拒收|取消)|拒收\S{0,3}(?:回|发|R\b)|(?i:unsub(?:scribe)?|opt[ -]?out|stop texts?)[^\n.]{0,24}?(?:\w{1,63}\.\w|\bto \d{5}|reply|text|https?:)"
    ),
    "email": re.compile(
        r"\{unsubscribe\}|(?i:unsubscribe|opt[ -]?out)[^\n]{0,60}?(?:https?://|www\.|\w{1,63}\.\w{2,63}/|\[|<|account|preferences|settings|\bhere\b|\blink\b)|(?<!\S)(?>\S*?(?:https?://|www\.|\w\.\w{2,63}/))\S*(?i:unsub|optout|opt-out|tuiding|td\b)|(?i:account|preferences|link|click|click here)[^\n]{0,40}(?i:to unsubscribe|unsubscribe)|退订[^\n]{0,30}?(?:https?:|www\.|\w{1,63}\.\w{2}|链接|点击|点此|账户|设置)|(?:点击|点此|链接|账户|设置)[^\n]{0,20}(?:退订|取消订阅)|取消订阅[^\n]{0,20}?(?:https?:|www\.|\w{1,63}\.\w{2}|链接|点)"
    ),
}


def says_how_to_stop(text: str, channel: str) -> bool:
    """Whether a message tells how to stop; true on a channel that needs no such line."""
    return channel not in _OPT_OUT or _OPT_OUT[channel].search(text) is not None


def opt_out_line(channel: str, language: str) -> str:
    """A line that tells how to stop."""
    if channel == "sms":
        return "退订回T" if language == "zh" else "Reply STOP to opt out."
    return "退订：{unsubscribe}" if language == "zh" else "Unsubscribe: {unsubscribe}"


# GSM 03.38: the characters of a 160-character text message; those of the second line count twice.
_GSM = frozenset("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà")
_GSM_TWICE = frozenset("^{}\\[~]|€")


def too_long(original: str, part: Part, channel: str, language: str, *, read_to: int) -> Iterator[Hit]:
    """Characters beyond what the channel shows, in its own way of counting, and, as an error, all from `read_to`, which nobody checked."""
    if unread := len(original) - read_to:
        instead = f"删去{unread}个字符" if language == "zh" else f"cut {unread} characters"
        yield breach("length", read_to, len(original), "unread", instead, most=read_to, size=len(original))._replace(level="error")
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
        yield breach("length", min(most, len(original) - 1), len(original), "length", instead, most=most, size=size)
