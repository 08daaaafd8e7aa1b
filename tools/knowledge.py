"""What does the shop's written policy say?"""

from typing import Annotated

from pydantic import Field

from members.access import Role
from retrieval.search import answers
from retrieval.words import has_han
from tools.bench import Bench, Record
from tools.gateway import ShortText, tool


class Passage(Record):
    """A section of a policy document, with how to cite it."""

    passage_id: str
    citation: str
    text: str
    score: float


class Policy(Record):
    """The passages that bear on a question, best first; none when the policy is silent."""

    question: str
    passages: list[Passage]


@tool(Role.MEMBER, Role.SUPPORT, Role.MARKETER)
def ask_policy(bench: Bench, question: Annotated[ShortText, Field(description="the question in the person's own words and language")]) -> Policy:
    """Look up the shop's written rules: returns, shipping, warranty, points, tiers, coupons, payment, privacy, account, gift cards, complaints, leaving."""
    language = "zh" if has_han(question) else "en"
    hits = bench.means.search(question, kind="policy", limit=3)
    strong = [h for h in hits if answers(h, question, "policy")]
    passages = [Passage(passage_id=h.entry.id, citation=h.entry.citation(language), text=h.entry.text(language), score=round(h.score, 3)) for h in strong]
    return Policy(question=question, passages=passages)
