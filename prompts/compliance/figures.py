"""Do the money, the per cents and the codes in a text agree with the facts?

Reads numbers in digits and in words of both languages. A figure is judged by what stands next to it.
Knows nothing of days and stock (days.py, products.py), and does not see a figure that is only implied.
"""

import re
from collections.abc import Iterator
from decimal import Decimal

from prompts.compliance.facts import Facts, Lines
from prompts.compliance.findings import Hit, breach
from prompts.compliance.reading import Read, clause, in_a_name

_ONES = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = {word: 10 * n for n, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
_WORD_NUMBERS = {w: n for n, w in enumerate(_ONES, 1)} | _TENS | {"a dozen": 12, "a hundred": 100, "a couple": 2}
_HAN_DIGITS = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
EN_NUMBER = rf"(?:(?<![\d.,])\d+(?:,\d{3})*(?:\.\d+)?|\b(?:(?:{'|'.join(_TENS)})[ -](?:{'|'.join(_ONES[:9])})|{'|'.join(_WORD_NUMBERS)})\b)"
# Nothing that follows a number begins with a digit: it is never read in part, or a run of digits takes its square in steps.
ZH_NUMBER = r"(?:\d++(?:,\d{3})*+(?:\.\d++)?+|[一二两三四五六七八九十][一二两三四五六七八九十百千零]*+)"


def value_of(said: str) -> Decimal:
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


_MONEY = re.compile(
    rf"(?P<sign>hk\$|[£€$¥])\s?(?P<a>\d+(?:,\d{3})*(?:\.\d+)?)|(?P<b>{EN_NUMBER}|{ZH_NUMBER})\s?(?P<unit>元|块(?!木|布|茶|饼|香|手|板|空|地|石|糖|砖|表|毛)|rmb|pounds?\b(?! (?:of\b|lighter|in weight|heavier|down|gone|slimmer))|quid|euros?|dollars?|p(?![a-z])|[€£](?!\d))"
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
    r"(?:\b(?:was|were|originally|usually|normally|formerly|previously|before|instead of|(?:down|reduced|cut|slashed|marked down|dropped) from|rrp|m?srp|list(?: price)?|regular(?:ly)?|full price|old price|usual price|original price|normal price|used to (?:be|cost)|not|once|original|ordinarily|once cost|would be)[\s:]*(?:only |at |of |is |the |price )*|(?:(?:原|以前|从前)来?|现在不是|平[时日常]|日常|划线|之前|此前|以前|过去|市场|专柜|门店|吊牌|官方|零售|上市|首发|常规|指导|本来|曾经?卖?|从|(?:正|标|老|旧|本)(?=价))价?(?:格)?(?:是|为|要|卖|高达|:)?\s*)$"
)
# The figure on the price tag is the price of today as well as the one crossed out.
_TAG_BEFORE = re.compile(r"标价(?:是|为)?[:\s]*$")
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


def money(read: Read, facts: Facts, lines: Lines) -> Iterator[Hit]:
    """Amounts that are no price, saving, reduction or minimum on record."""
    text = read.lower
    for match in _MONEY.finditer(text):
        start, end = match.span()
        if in_a_name(read, start, end, facts):
            continue
        amount = value_of((match["a"] or match["b"] or match["c"]).rstrip("多"))
        amount = amount / 100 if match["unit"] == "p" else amount
        before, after = clause(text[max(0, start - 32) : start], last=True), text[end : end + 30]
        hit = _judged(amount, before, clause(after), facts, lines)
        if hit is None and match["unit"] != "p" and _CURRENCY.get(match["sign"] or match["unit"] or "", facts.currency) != facts.currency:
            hit = ("wrong_fact", "price", lines.price)
        if hit:
            yield breach(hit[0], start, end, hit[1], hit[2])


def _judged(amount: Decimal, before: str, after: str, facts: Facts, lines: Lines) -> tuple[str, str, str] | None:
    """Which rule an amount breaks where it stands, with the reason's case and a suggestion; None where it is right."""
    saved = {facts.was - facts.price} if facts.was is not None and facts.price is not None else set()
    if _WAS_BEFORE.search(before) and not (amount == facts.price and _TAG_BEFORE.search(before)):
        # Until the offer takes something off, the price of today is the one before it.
        before_offer = facts.price if facts.percent is not None or facts.amount_off is not None else None
        return None if amount in {facts.was, before_offer} else ("price_basis", "was", lines.price)
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


_PERCENT = re.compile(rf"(?P<n>{EN_NUMBER}|{ZH_NUMBER})\s?(?:%|per ?cent)|百分之(?P<b>[一二三四五六七八九十]+)")
_PERCENT_AFTER = re.compile(r"\s?(?:off\b|discount|less\b|cheaper|reduction|savings?\b|saved|(?:的)?(?:优惠|折扣)|立减|voucher|coupon|code\b|lower|back\b)")
_PERCENT_BEFORE = re.compile(
    r"(?:sav(?:e|es|ing|ings of)|take|get|extra|discount of|(?:reduced|cut|dropped|slashed|down|lowered) by|minus|less|立减|直减|再减|减|省|直降|降|优惠|便宜|享|返)\s*(?:up to |of |an extra |another |an? |over |you |高达|最高|约|近)*$"
)
_FOLDS = re.compile(
    r"(?P<z>\d(?:\.\d)?|\d\d|[一二三四五六七八九](?:点?[一二三四五六七八九])?)\s?折(?!叠|腾|磨|痕|纸|射|断|返|服|合|戟|椅|页|枝|线|旧|子|刀|伞|扇|角|边|耳|桌|弯|起|成|柜|凳|床|架|梯|过|好|回|花|千|带)"
)
_FREE_ONE = re.compile(
    r"\b(?:bogof|buy (?:one|two|three|1|2|3),? get (?:one|two|another|a second|the (?:second|third)|1|2)(?: \w+)?(?: free| half price)?|(?:two|three|four|2|3|4) for (?:the price of )?(?:one|two|three|1|2|3))\b|买[一二三123]送[一二三123]|第[二三2]件(?:半价|免费|\d折|0元)"
)


def percents(read: Read, facts: Facts, lines: Lines) -> Iterator[Hit]:
    """Reductions in per cent, tenths or pieces for free that the offer does not have."""
    text = read.lower
    shares = {facts.percent}
    if facts.price is not None and facts.was:
        exact = 100 * (facts.was - facts.price) / facts.was
        shares |= {Decimal(int(exact)), exact.quantize(Decimal(1)), exact.quantize(Decimal("0.1"))}
    found = [(m, 100 - _fold(m["z"])) for m in _FOLDS.finditer(text)]
    for match in _PERCENT.finditer(text):
        before, after = text[max(0, match.start() - 24) : match.start()], text[match.end() : match.end() + 12]
        if _PERCENT_AFTER.match(after) or _PERCENT_BEFORE.search(before):
            found.append((match, value_of(match["n"] or match["b"])))
    for match in re.finditer(r"\ba (?:(quarter)|(third)|(fifth)|(tenth)) off\b", text):
        found.append((match, Decimal((25, 33, 20, 10)[(match.lastindex or 1) - 1])))
    for match, percent in found:
        start, end = match.span()
        if percent in shares or in_a_name(read, start, end, facts):
            continue
        saves = _SAVE_BEFORE.search(text[max(0, start - 24) : start]) or _SAVE_AFTER.match(text[end : end + 12])
        if saves and facts.percent is None:
            yield breach("price_basis", start, end, "saving", lines.price)
        else:
            yield breach("coupon_terms", start, end, "coupon" if facts.percent is not None else "no_coupon", lines.offer)
    for match in _FREE_ONE.finditer(text):
        yield breach("coupon_terms", *match.span(), "no_coupon", lines.offer)
    if facts.minimum is not None:
        for match in re.finditer(r"\bno minimum(?: spend| order)?|无门槛|(?:不限|没有|无)(?:最低)?(?:消费|金额|门槛)", text):
            yield breach("coupon_terms", *match.span(), "coupon", lines.offer)


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


def codes(read: Read, facts: Facts, lines: Lines) -> Iterator[Hit]:
    """Coupon codes other than the offer's."""
    for match in _CODE.finditer(read.cased):
        group = "a" if match["a"] else "b"
        start, end = match.span(group)
        said = match[group]
        if said == (facts.code or "").upper() or _NO_CODE.match(said) or in_a_name(read, start, end, facts):
            continue
        yield breach("coupon_terms", start, end, "coupon" if facts.code else "no_coupon", lines.offer)
