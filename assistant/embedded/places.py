"""Which address does a message give? English, American and Chinese ways of writing one."""

import re

from retrieval.words import has_han

_AFTER = re.compile(
    r"(?:(?:new|delivery|shipping|home|default|work|office)?\s*address(?: on (?:it|my account|file))?(?: (?:is|to|should be|will be)(?: now)?)?|deliver(?:ed)?(?: it| that| this)? to|"
    r"send(?: it| that| this| them)? to|ship(?:ped)?(?: it| that| this| them)? to|(?:we|i)(?:['’]ve)?(?: have)? moved to|move[d]? to|live at|go(?:es)? to|"
    r"(?:change|update|switch|redirect)[^,:]{0,60}?\bto|地址(?:改|换|变更)?(?:成|为|到|是)?|(?:改|寄|送|发|换|搬)(?:成|到|去|至|为)(?:了)?)\s*[:：]?\s*",
    re.IGNORECASE,
)
_UK = re.compile(r"\b([A-Z]{1,2}\d[A-Z\d]?)\s*(\d[A-Z]{2})\b", re.IGNORECASE)
_US = re.compile(r"(?<![\d#])(\d{5})(?:-\d{4})?(?!\d)")
_CN = re.compile(r"(?<!\d)(\d{6})(?!\d)")
_UNIT = re.compile(r"^(?:apt|apartment|suite|ste|unit|flat|floor|room|building|#)\b", re.IGNORECASE)
COUNTRIES = {
    "usa": "USA",
    "us": "USA",
    "united states": "USA",
    "states": "USA",
    "america": "USA",
    "uk": "United Kingdom",
    "united kingdom": "United Kingdom",
    "england": "United Kingdom",
    "scotland": "United Kingdom",
    "wales": "United Kingdom",
    "china": "China",
    "中国": "China",
    "ireland": "Ireland",
    "germany": "Germany",
    "france": "France",
    "英国": "United Kingdom",
    "美国": "USA",
    "爱尔兰": "Ireland",
    "德国": "Germany",
    "法国": "France",
}
_KIND = (
    "street|road|lane|avenue|drive|close|terrace|row|way|court|place|square|boulevard|crescent|grove|hill|park|view|green|mews|walk|gardens?|quay|wharf|"
    "house|highway|circle|trail|st|rd|ave|dr|blvd|ln|ct"
)
_STREET = re.compile(rf"\d+[a-z]?\s+\w+|\b(?:{_KIND})\b|[路街道巷弄号]", re.IGNORECASE)
# Without a postcode only a word for a street tells an address from “5 ft, wood”.
_SURE = re.compile(rf"\b(?:{_KIND})\b|[路街道巷弄号]", re.IGNORECASE)
_END = re.compile(
    r"\s*(?:[.!?。！？](?:\s|$)|,?\s*(?:please|thanks|thank you|cheers|instead|pls|from now on|and (?:also )?(?:change|cancel|return|exchange|modify|pay|use|tell)\b).*$|(?:谢谢|麻烦|可以吗|行吗|好吗|吧|了).*$)",
    re.IGNORECASE | re.DOTALL,
)


def read(text: str) -> dict[str, str] | None:
    """The address a message gives, by parts; None when it holds none with a street and a town."""
    place = _chinese(text) if has_han(text) and re.search(r"[路街道巷弄号]", text) else _western(text)
    sure = place and place["line1"] and place["city"] and (place["postcode"] or _SURE.search(place["line1"]))
    return place if sure else None


def _western(text: str) -> dict[str, str] | None:
    for hit in [*_AFTER.finditer(text), None]:
        tail = text[hit.end() :] if hit else text
        found = _parts(_END.sub("", tail.strip(), count=1))
        if found and found["line1"] and found["city"]:
            return found
    return None


def _parts(tail: str) -> dict[str, str] | None:
    """Street, flat, town, region, postcode and country of comma-separated words."""
    made = dict.fromkeys(("line1", "line2", "city", "region", "postcode", "country"), "")
    pieces = [p.strip(" .;") for p in re.split(r"[,，\n]", tail) if p.strip(" .;")]
    start = next((n for n, piece in enumerate(pieces) if _STREET.search(piece) and not _UNIT.match(piece)), None)
    if start is None:
        return None
    if start and _UNIT.match(pieces[start - 1]):
        made["line2"] = pieces[start - 1]
    street = re.search(r"\d+[a-z]?\s+[^,]+$", pieces[start], re.IGNORECASE)
    made["line1"] = (street.group() if street and start == 0 else pieces[start]).strip()
    for piece in pieces[start + 1 :]:
        _place_piece(piece, made)
    if not made["city"]:
        _town_in_street(made)
    return made


def _place_piece(piece: str, made: dict[str, str]) -> None:
    country = COUNTRIES.get(piece.lower())
    if country:
        made["country"] = country
        return
    if _UNIT.match(piece) and not made["line2"]:
        made["line2"] = piece
        return
    for pattern in (_UK, _US, _CN):
        code = pattern.search(piece)
        if code and not made["postcode"]:
            made["postcode"] = code.group().upper() if pattern is _UK else code[1]
            piece = (piece[: code.start()] + piece[code.end() :]).strip()
            break
    region = re.search(r"\b([A-Z]{2})$", piece)
    if region and not made["region"]:
        made["region"], piece = region[1], piece[: region.start()].strip()
    piece = re.sub(r"\b(?:postcode|post code|zip(?: code)?)\b:?", "", piece, flags=re.IGNORECASE).strip()
    if piece and not made["city"]:
        made["city"] = piece
    elif piece and piece.lower() in COUNTRIES:
        made["country"] = COUNTRIES[piece.lower()]


def _town_in_street(made: dict[str, str]) -> None:
    """“14 Mill Lane York YO1 7AB” has no commas: what follows the kind of street is the town."""
    for pattern in (_UK, _US):
        code = pattern.search(made["line1"])
        if code and code.start() > 6:
            made["postcode"] = made["postcode"] or (code.group().upper() if pattern is _UK else code[1])
            made["line1"] = (made["line1"][: code.start()] + made["line1"][code.end() :]).strip()
            break
    kind = re.match(
        rf"(.*\b(?:{_KIND})\.?)\s+((?!(?:{_KIND})\b)[A-Z][\w' -]+)$",
        made["line1"],
        re.IGNORECASE,
    )
    if kind:
        made["line1"], made["city"] = kind[1], kind[2].strip()


def _chinese(text: str) -> dict[str, str] | None:
    hits = list(_AFTER.finditer(text))
    tail = text[hits[-1].end() :] if hits else text
    code = _CN.search(tail)
    tail = re.sub(r"(?:邮编|邮政编码)?[:：]?\s*\d{6}", "", tail)
    tail = _END.sub("", tail.strip(), count=1).strip(" ，,。.")
    found = re.search(
        r"(?:(?P<region>[\u4e00-\u9fff]{2,8}?省))?(?P<city>[\u4e00-\u9fff]{2,6}?市|北京|上海|天津|重庆|广州|深圳|杭州|南京|成都|苏州|武汉|西安)(?P<line1>.+)",
        tail,
    )
    if not found:
        return None
    city = found["city"].removesuffix("市")
    return {
        "line1": found["line1"].strip(" ，,"),
        "line2": "",
        "city": city,
        "region": found["region"] or "",
        "postcode": code[1] if code else "",
        "country": "China",
    }
