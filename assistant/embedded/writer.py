"""How does a message to many read, without a language model?

Builds three wordings from the phrase file and the facts handed in, and nothing
else: a line is only used when every fact it names is there.
"""

import tomllib
from functools import cache
from typing import Any

import prompts
from assistant.embedded.excerpt import sentences
from prompts import formats

_LONG = ("email", "wechat", "in_app")


@cache
def _lines() -> dict[str, Any]:
    return tomllib.loads((prompts.FOLDER / "copy" / "embedded.toml").read_text(encoding="utf-8"))


def write(facts: dict[str, Any]) -> list[dict[str, str]]:
    """Three variants for the channel, tone and language in `facts`."""
    lines = _lines()[facts["language"]]
    said = _said(facts)
    body = next(
        name
        for name in ("product_price_percent", "product_percent", "product_price", "product", "percent", "none")
        if all(said.get(f) for f in name.split("_") if f != "none")
    )
    end = "until" if said.get("until") else "open"
    glue = " " if facts["language"] == "en" else ""
    variants = []
    for n in range(3):
        parts = [lines["openers"][facts["tone"]][n], lines["bodies"][body][n]]
        if facts["channel"] in _LONG and said.get("about"):
            parts.append(said["about"][n % len(said["about"])])
        parts.append(lines["ends"][end][n])
        text = glue.join(_filled(part, said) for part in parts) + lines["optout"].get(facts["channel"], "")
        variant = {"text": text.strip(), "written_by": "embedded"}
        if facts["channel"] == "email":
            subject = "product" if said.get("product") else "percent" if said.get("percent") else "none"
            variant["subject"] = _filled(lines["subjects"][subject][n], said)
        variants.append(variant)
    return variants


def _said(facts: dict[str, Any]) -> dict[str, Any]:
    language, tier = facts["language"], facts.get("tier")
    about = [s for s in sentences(facts.get("product_text") or "") if 12 <= len(s) <= 160]
    return {
        "product": facts.get("product"),
        "price": formats.money(facts["price"], facts["currency"]) if facts.get("price") else None,
        "percent": facts.get("percent"),
        "until": formats.day(facts["until"], language, facts["until"]) if facts.get("until") else None,
        "about": about[:3],
        "to_tier": f", for our {tier} members" if tier else "",
        "tier_name": f"{tier}会员，" if tier else "",
    }


def _filled(line: str, said: dict[str, Any]) -> str:
    text = line.format(**{name: value for name, value in said.items() if value is not None})
    return text[:1].upper() + text[1:]
