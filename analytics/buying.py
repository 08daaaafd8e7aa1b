"""How often does a member buy while they are a customer, and for how much?

BG/NBD (Fader, Hardie and Lee 2005, "Counting Your Customers the Easy Way") and
Gamma-Gamma (Fader and Hardie 2013) by maximum likelihood. A member is described
by x repeat days, t_x the time of the last one and T the time observed, both
since the first purchase, in weeks; money is the mean of the repeat days.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import gammaln, hyp2f1

from analytics.history import History

Numbers = NDArray[np.float64]
WEEK = 7.0


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """x, t_x, T (weeks) and the mean repeat day in minor units from feature rows of buyers."""
    repeats = rows["order_days"] - 1
    money = (rows["spend"] - rows["first_cents"]) / repeats.where(repeats > 0)
    return pd.DataFrame(
        {"x": repeats, "t_x": (rows["first_days"] - rows["recency_days"]) / WEEK, "T": rows["first_days"] / WEEK, "money": money}, index=rows.index
    )


@dataclass(frozen=True)
class BGNBD:
    """Purchase rates differ as Gamma(r, alpha), leaving after a purchase as Beta(a, b). Time in weeks."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float = float("nan")

    @classmethod
    def fit(cls, seen: pd.DataFrame) -> "BGNBD":
        """The parameters under which what was seen is likeliest. Raises ValueError without anyone who came back."""
        if not (seen["x"] > 0).any():
            raise ValueError("Nobody bought on a second day: there is no rhythm to learn.")
        # Equal members weigh together: a large shop has few different rows.
        same = seen[["x", "t_x", "T"]].round(6).value_counts()
        x, t_x, observed = (same.index.get_level_values(n).to_numpy(float) for n in range(3))
        weight = same.to_numpy(float)
        least = _least(
            lambda p: -float((weight * _log_likelihood(np.exp(p), x, t_x, observed)).sum()) / weight.sum(), [(0.0, 1.0, 0.0, 1.0), (-1.0, 2.0, 0.0, 1.0)]
        )
        r, alpha, a, b = (float(v) for v in np.exp(np.clip(least.x, -9, 9)))
        return cls(r, alpha, a, b, -float(least.fun) * float(weight.sum()))

    def alive(self, seen: pd.DataFrame) -> Numbers:
        """Chance that each member is still a customer."""
        x, t_x, observed = (seen[name].to_numpy(float) for name in ("x", "t_x", "T"))
        log_odds = np.log(self.a) - np.log(self.b + np.maximum(x, 1) - 1) + (self.r + x) * (np.log(self.alpha + observed) - np.log(self.alpha + t_x))
        return np.where(x > 0, 1 / (1 + np.exp(np.clip(log_odds, -700, 700))), 1.0)

    def expected(self, seen: pd.DataFrame, *, weeks: float) -> Numbers:
        """Repeat days each member is expected to have in the coming weeks."""
        x, t_x, observed = (seen[name].to_numpy(float) for name in ("x", "t_x", "T"))
        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        # Near a = 1 the closed form is 0/0; a hair beside it the value is the same to six digits.
        a = a + 1e-6 if abs(a - 1) < 1e-6 else a
        shrunk = ((alpha + observed) / (alpha + observed + weeks)) ** (r + x)
        held = hyp2f1(r + x, b + x, a + b + x - 1, weeks / (alpha + observed + weeks))
        found: Numbers = (a + b + x - 1) / (a - 1) * (1 - shrunk * held) * self.alive(seen)
        return np.maximum(found, 0.0)

    def usual_gap(self, seen: pd.DataFrame) -> Numbers:
        """Weeks between two of a member's purchase days while they are a customer: 1 / posterior mean rate."""
        return (self.alpha + seen["T"].to_numpy(float)) / (self.r + seen["x"].to_numpy(float))


@dataclass(frozen=True)
class GammaGamma:
    """What a member's days bring on average: Gamma(p, nu) about a mean whose nu differs as Gamma(q, gamma)."""

    p: float
    q: float
    gamma: float

    @classmethod
    def fit(cls, seen: pd.DataFrame) -> "GammaGamma":
        """Learned from members who came back. Raises ValueError when fewer than ten did."""
        back = seen[(seen["x"] > 0) & (seen["money"] > 0)]
        if len(back) < 10:
            raise ValueError("Fewer than ten members came back: there are no habits of spending to learn.")
        x, money = back["x"].to_numpy(float), back["money"].to_numpy(float) / 100
        scale = float(np.mean(money))
        least = _least(lambda p: -float(np.mean(_money_likelihood(np.exp(p), x, money / scale))), [(0.5, 0.5, 0.0), (1.0, 1.0, 0.0)])
        p, q, gamma = (float(v) for v in np.exp(np.clip(least.x, -9, 9)))
        return cls(p, q, gamma * scale)

    def mean_cents(self, seen: pd.DataFrame, *, otherwise: float) -> Numbers:
        """What a coming day of each member is expected to bring, in minor units; `otherwise` where q ≤ 1 has no mean."""
        x, money = seen["x"].to_numpy(float), np.nan_to_num(seen["money"].to_numpy(float)) / 100
        if self.q <= 1:
            return np.where(x > 0, money * 100, otherwise)
        return 100 * self.p * (self.gamma + x * money) / (self.p * x + self.q - 1)


def _log_likelihood(p: Numbers, x: Numbers, t_x: Numbers, observed: Numbers) -> Numbers:
    r, alpha, a, b = p
    buying = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    leaving = gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    stays = -(r + x) * np.log(alpha + observed)
    left = np.where(x > 0, np.log(a) - np.log(b + np.maximum(x, 1) - 1) - (r + x) * np.log(alpha + t_x), -np.inf)
    found: Numbers = buying + leaving + np.logaddexp(stays, left)
    return found


def _money_likelihood(p: Numbers, x: Numbers, money: Numbers) -> Numbers:
    shape, q, gamma = p
    px = shape * x
    head = gammaln(px + q) - gammaln(px) - gammaln(q) + q * np.log(gamma)
    found: Numbers = head + (px - 1) * np.log(money) + px * np.log(x) - (px + q) * np.log(gamma + x * money)
    return found


def _least(loss: Any, starts: list[tuple[float, ...]]) -> Any:
    """The lowest of a few searches; parameters are logarithms, so that they stay positive."""

    def guarded(p: Numbers) -> float:
        value = loss(np.clip(p, -12, 12))
        return value if np.isfinite(value) else 1e12

    found = [
        minimize(guarded, np.array(start), method="Nelder-Mead", options={"maxiter": 6000, "maxfev": 6000, "xatol": 1e-6, "fatol": 1e-10}) for start in starts
    ]
    return min(found, key=lambda one: float(one.fun))


def habits(history: History, as_of: date) -> tuple[BGNBD | None, GammaGamma | None]:
    """The rhythm and the money habits of a shop's buyers as of a day; None where too few came back."""

    def fit() -> tuple[BGNBD | None, GammaGamma | None]:
        seen = summary(history.buyers(as_of))
        try:
            rhythm = BGNBD.fit(seen)
        except ValueError:
            return None, None
        try:
            return rhythm, GammaGamma.fit(seen)
        except ValueError:
            return rhythm, None

    found: tuple[BGNBD | None, GammaGamma | None] = history.once("habits", as_of, fit)
    return found


def parameters(buying: BGNBD, money: GammaGamma | None) -> Mapping[str, float]:
    """What was fitted, by the papers' names; time in weeks, money in whole units of the currency."""
    told = {"r": buying.r, "alpha": buying.alpha, "a": buying.a, "b": buying.b}
    return told if money is None else {**told, "p": money.p, "q": money.q, "gamma": money.gamma}
