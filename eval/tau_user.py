"""How would a person ask for what a task asks for?

Turns the instruction of a synthetic task into what somebody would type, in one
message or piece by piece, and says yes to the right card alone. Wordings are
chosen by the task's number, so a run can be repeated.
"""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass

_RETURN = re.compile(r"Return (#W\d+) via (\w+): ((?:(?!Return |For |Cancel )[^;{}]+; ?)+)")
_SWAP = re.compile(r"For (#W\d+), (exchange|modify) (.+?); via (\w+?)\.(?= |$)")
_CANCEL = re.compile(r"Cancel order (#W\d+) because ([\w ]+?)\.(?= |$)")
_ADDRESS = re.compile(r"For (#W\d+), change address to (\{.*?\})(?: \(same as (#W\d+)\))?\.")
_PAYMENT = re.compile(r"For (#W\d+), change payment to (\w+)\.")
_ITEM = re.compile(r"(?P<name>[^;{}]+?) (?P<old>\{[^}]*\}) to (?P<new>\{[^}]*\})")


@dataclass(frozen=True)
class Wish:
    """One thing a person wants: in pieces, and the whole in one sentence for when the pieces were not understood."""

    kind: str
    order_id: str
    pieces: tuple[str, ...]
    whole: str


def wishes(instruction: str, methods: Mapping[str, str], seed: int) -> list[Wish]:
    """What the instruction asks for, in its order; `methods` words each payment method by its id."""
    found: list[tuple[int, Wish]] = []
    for pattern, build in ((_RETURN, _return), (_SWAP, _swap), (_CANCEL, _cancel), (_ADDRESS, _address), (_PAYMENT, _payment)):
        for place, hit in enumerate(pattern.finditer(instruction)):
            found.append((hit.start(), build(hit, methods, seed + place)))
    return [wish for _, wish in sorted(found, key=lambda one: one[0])] or [_free(instruction)]


def _return(hit: re.Match[str], methods: Mapping[str, str], seed: int) -> Wish:
    order, method = hit[1], methods.get(hit[2], hit[2])
    names = [name.strip() for name in hit[3].split(";") if name.strip()]
    goods = _listed([f"the {name.lower()}" for name in names])
    whole = f"I'd like to return {goods} from order {order}. Please refund it to {method}."
    ways = (
        (whole,),
        (f"Hi, I need to send something back from {order}", f"{goods}", f"and put the money on {method} please"),
        (f"{goods} from order {order} didn't work out for me, can I send {'it' if len(names) == 1 else 'them'} back? money back to {method}",),
        (f"I want to return {goods}, that was order {order}", f"refund to {method}"),
    )
    return Wish("return", order, ways[seed % len(ways)], whole)


def _swap(hit: re.Match[str], methods: Mapping[str, str], seed: int) -> Wish:
    order, verb, method = hit[1], hit[2], methods.get(hit[4], hit[4])
    verb = "exchange" if verb == "exchange" else "change"
    items = [(m["name"].strip(" ;").lower(), ast.literal_eval(m["old"]), ast.literal_eval(m["new"])) for m in _ITEM.finditer(hit[3])]
    told = [f"the {name} ({_words(old, seed)}) {'for' if verb == 'exchange' else 'to'} {_wanted(new, seed)}" for name, old, new in items]
    whole = f"For order {order} I'd like to {verb} {'; '.join(told)}. Use {method} for the difference."
    one_by_one = [f"the {name} ({_words(old, seed)}): I'd rather have {_wanted(new, seed)}" for name, old, new in items]
    ways = (
        (whole,),
        (f"I want to {verb} something in order {order}", *_together(one_by_one), f"use {method} for the price difference"),
        (f"Could you {verb} {', and '.join(told)} in my order {order}? {method} for any difference",),
    )
    return Wish(verb, order, ways[seed % len(ways)], whole)


def _together(told: list[str]) -> tuple[str, ...]:
    # All articles in one message: they can only be changed once, and people are told so.
    return ("; ".join(told),)


def _cancel(hit: re.Match[str], methods: Mapping[str, str], seed: int) -> Wish:
    order, mistake = hit[1], "mistake" in hit[2]
    whole = f"Please cancel order {order}, " + ("I ordered it by mistake" if mistake else "I don't need it any more")
    ways = (
        (whole,),
        (f"{order} was a mistake, can you cancel it?",) if mistake else (f"no longer need {order}, cancel it pls",),
        (f"I placed {order} by accident and want it cancelled",) if mistake else (f"I'd like to cancel {order}, turns out I don't need those things",),
    )
    return Wish("cancel", order, ways[seed % len(ways)], whole)


def _address(hit: re.Match[str], methods: Mapping[str, str], seed: int) -> Wish:
    order, place = hit[1], ast.literal_eval(hit[2])
    line = ", ".join(str(place[k]) for k in ("address1", "address2", "city") if place.get(k)) + f", {place['state']} {place['zip']}, {place['country']}"
    whole = f"Please change the delivery address of order {order} to {line}."
    ways = ((whole,), (f"I need {order} sent somewhere else", line), (f"can you send {order} to {line} instead",))
    return Wish("address", order, ways[seed % len(ways)], whole)


def _payment(hit: re.Match[str], methods: Mapping[str, str], seed: int) -> Wish:
    order, method = hit[1], methods.get(hit[2], hit[2])
    whole = f"I'd like to pay for order {order} with {method} instead."
    ways = ((whole,), (f"can I change how {order} is paid?", f"with {method}"), (f"switch the payment of {order} to {method} please",))
    return Wish("payment", order, ways[seed % len(ways)], whole)


def _free(instruction: str) -> Wish:
    """An instruction in prose, told in the first person, sentence by sentence."""
    text = re.sub(r"^Your name is .*?(?<!\.com)\. (?:You are [^.]*\. )?", "", instruction)
    for pattern, word in (
        (r"\bYou've\b", "I've"), (r"\byou've\b", "I've"), (r"\bYou're\b", "I'm"), (r"\byou're\b", "I'm"), (r"\bYou'd\b", "I'd"), (r"\byou'd\b", "I'd"),
        (r"\b[Yy]ou'll\b", "I'll"), (r"\byourself\b", "myself"), (r"\b[Yy]our\b", "my"), (r"\bare you\b", "am I"), (r"\b[Yy]ou\b", "I"), (r"\bI are\b", "I am"),
    ):  # fmt: skip
        text = re.sub(pattern, word, text)
    pieces = tuple(part.strip() for part in re.split(r"(?<=[.!?])\s+(?=[A-Z])", text) if part.strip())
    return Wish("free", "", pieces, text)


# --- wording ----------------------------------------------------------------------------


def _words(options: dict[str, str], seed: int) -> str:
    """What there is, by its values; figures and yes or no with their name."""
    told = [_option(key, value) for key, value in options.items()]
    return ", ".join(told[seed % len(told) :] + told[: seed % len(told)]) if told else "as it is"


def _wanted(options: dict[str, str], seed: int) -> str:
    if not options:
        return "the same one again"
    return f"{'one that is ' if seed % 2 else ''}{_words(options, seed)}"


def _option(key: str, value: str) -> str:
    if re.fullmatch(r"\d+|yes|no|none", value) or key in ("lens color", "frame color", "dial color", "color temperature", "size", "kit size"):
        return f"{key} {value}"
    return value


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
