"""May this message go out?

Holds a campaign message against what the law, the brand and the shop's own facts allow: rules of words stand in
copy/compliance.toml, rules of figures in the modules beside. Reads through tricks such as 最*好, N0.1 or ch3ap.
Knows nothing of who gets the message or whether they agreed to it, and of no product but those in the facts.
"""

from collections.abc import Iterator

from prompts.compliance.claims import Brand, BrandWord, brand_words, claims_made, load_brand, packaged_brand
from prompts.compliance.days import deadlines
from prompts.compliance.facts import Facts, Lines
from prompts.compliance.fields import fields_left, opt_out_line, personal_data, says_how_to_stop, too_long
from prompts.compliance.figures import codes, money, percents
from prompts.compliance.findings import PARTS, RULES, Finding, Hit, Level, Part, breach, finding, merged
from prompts.compliance.products import names, stocks
from prompts.compliance.reading import Read, as_read


def check(
    text: str, *, channel: str, language: str, facts: Facts, subject: str | None = None, preheader: str | None = None, brand: Brand | None = None
) -> list[Finding]:
    """Everything wrong with a message, subject first, by place; the packaged brand words unless a brand is handed in."""
    shown = {"subject": subject, "preheader": preheader, "text": text}
    found: list[Finding] = []
    for part in PARTS:
        original = shown[part]
        if original:
            read = as_read(original)
            hits = [*claims_made(read, language, facts), *_figures(read, language, facts), *brand_words(read, language, facts, brand or packaged_brand())]
            found += [finding(hit, part, original, read) for hit in merged(hits, read.lower)]
            found += [
                finding(hit, part, original, None)
                for hit in (*fields_left(original[: read.end], language, facts), *too_long(original, part, channel, language, read_to=read.end))
            ]
    if not says_how_to_stop(text, channel):
        found.append(finding(breach("missing_opt_out", len(text), len(text), "opt_out", opt_out_line(channel, language)), "text", text, None))
    return sorted(found, key=lambda one: (PARTS.index(one.part), one.start, one.end, one.rule))


def _figures(read: Read, language: str, facts: Facts) -> Iterator[Hit]:
    lines = Lines(language, facts)
    for find in (money, percents, codes, deadlines, stocks, names, personal_data):
        yield from find(read, facts, lines)


__all__ = ["PARTS", "RULES", "Brand", "BrandWord", "Facts", "Finding", "Level", "Part", "check", "load_brand"]
