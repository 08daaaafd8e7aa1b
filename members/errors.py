"""Why was a request not carried out?

Only these become text for a person or a model; every other exception is a bug
and surfaces as a fault with an id.
"""


class Refusal(Exception):
    """A request the rules turn down, with a sentence a person can act on.

    `fact` is the reason in the shop's words, `instead` what is possible, and
    `passage` the id of the policy passage that says so.
    """

    code = "refused"

    def __init__(self, fact: str, *, instead: str = "", passage: str = "", **details: object) -> None:
        """Keep the sentence, the way out and any values a face may word by itself."""
        super().__init__(fact)
        self.fact, self.instead, self.passage, self.details = fact, instead, passage, details


class NotFound(Refusal):
    """Nothing of the caller's has that id; a foreign record reads exactly the same."""

    code = "not_found"


class NotAllowed(Refusal):
    """The caller's role may not do this."""

    code = "not_allowed"


class RuleBroken(Refusal):
    """A rule of the shop or the club forbids it as things stand."""

    code = "rule_broken"


class BadInput(Refusal):
    """What was given cannot be read as what was asked for."""

    code = "bad_input"
