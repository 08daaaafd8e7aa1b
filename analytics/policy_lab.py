"""What if the rules were others?

Plays the club forward month by month under the rules in force and under
proposed ones, with the same luck for both, and says who moves between tiers, what
benefits cost, what becomes of points and money, and who wins or loses. How
people react to rules nobody has tried is not known: each such reaction is a stated
assumption with a range, and the ranges' ends are played as well. What members
earned under the old rules they keep as long as those would have let them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.club import MONTH_DAYS, PAST, POINT_MONTHS, Club
from members.program import Program

_BLOCK = 50_000
_GROUPS = 1_000
_RESAMPLES = 400
MONTHS = 12
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Assumption:
    """How people may react, as low, likely and high; `source` says whether it was measured or assumed."""

    key: str
    low: float
    likely: float
    high: float
    source: str


def assumptions(club: Club) -> dict[str, Assumption]:
    """What is assumed of people, the use of points as this club showed it.

    response: per cent more spend for each per cent of spend that benefits are worth more. loss: share of spend that goes when a tier is lost
    to the new rules. pull: share more spent while the next tier is near (within a fifth of its threshold). leaving: how many times likelier they
    leave after such a loss. used: share of points at hand used in a month. lapsing: share of points in their last two months that is used in time.
    """
    used = club.used_monthly
    return {
        one.key: one
        for one in (
            Assumption("response", 0.5, 1.5, 3.0, "assumed"),
            Assumption("loss", 0.0, 0.06, 0.15, "assumed"),
            Assumption("pull", 0.0, 0.03, 0.08, "assumed"),
            Assumption("leaving", 1.0, 1.15, 1.5, "assumed"),
            Assumption("used", used * 0.6, used, min(0.9, used * 1.6), "measured"),
            Assumption("lapsing", 0.05, 0.2, 0.4, "assumed"),
        )
    }


MEASURES = (
    "revenue_cents",
    "discount_cents",
    "postage_cents",
    "gift_cents",
    "points_cost_cents",
    "benefit_cents",
    "net_cents",
    "points_issued",
    "points_used",
    "points_lapsed",
    "points_open",
    "active",
    "left",
    "tier_share",
)


@dataclass(frozen=True)
class Range:
    """A figure with the bounds of its 95% interval (members drawn again)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Side:
    """One rule book played for `months`: totals by measure, and how many stand in each tier at the end, rank by rank."""

    version: str
    totals: dict[str, Range]
    tiers: tuple[int, ...]


@dataclass(frozen=True)
class Comparison:
    """Two rule books on the same members with the same luck.

    `moves[a][b]`: members in tier a at the end under the present rules and in b under the proposed ones. `now[a][b]`: from today's tier a
    to b at the end, proposed. `change`: proposed less present by measure. `reach`: for each assumption the change of net value at its low and
    high end. `groups`: winners and losers by tier today and by segment: (members, better, worse, mean change of benefits in minor units).
    """

    members: int
    months: int
    present: Side
    proposed: Side
    change: dict[str, Range]
    moves: NDArray[np.int64]
    now: NDArray[np.int64]
    reach: dict[str, tuple[float, float]]
    groups: dict[str, dict[str, tuple[int, int, int, float]]]
    downgraded_share: float
    upgraded_share: float
    history: NDArray[np.int64]


def compare(
    club: Club,
    present: Program,
    proposed: Program,
    *,
    months: int = MONTHS,
    seed: int = 0,
    told: Mapping[str, Assumption] | None = None,
    reach: bool = True,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> Comparison:
    """Play both rule books. Assumptions' ends are played on a sample of the members."""
    told = dict(told or assumptions(club))
    likely = {key: one.likely for key, one in told.items()}
    played = _play(club, present, proposed, months=months, seed=seed, likely=likely, progress=lambda done, total: progress("members", done, total))
    return Comparison(
        members=len(club),
        months=months,
        present=played.side(0, present.version),
        proposed=played.side(1, proposed.version),
        change=played.change(),
        moves=played.flow(played.end[0], played.end[1]),
        now=played.flow(club.tier, played.end[1]),
        reach=_reach(club.sampled(20_000), present, proposed, told, months=months, seed=seed, scale=len(club), progress=progress) if reach else {},
        groups=_groups(club, played, present),
        downgraded_share=float((played.end[1] < played.end[0]).mean()),
        upgraded_share=float((played.end[1] > played.end[0]).mean()),
        history=replayed(club, present, proposed),
    )


def replayed(club: Club, present: Program, proposed: Program) -> NDArray[np.int64]:
    """The past year's tiers had the proposed rules been there all along: members by today's tier and the one they would stand in."""
    mine = _ranks(club.spent[:, : _window(proposed)].sum(1), _marks(proposed))
    kept = _ranks(club.spent[:, _grace(proposed) : _grace(proposed) + _window(proposed)].sum(1), _marks(proposed)) if _grace(proposed) < PAST else mine
    # Within the grace a tier outlives its spend.
    return _flow(club.tier, np.maximum(mine, kept), len(present.tiers.levels))


# --- playing ----------------------------------------------------------------------------


@dataclass
class _Played:
    """Sums by group of members, measure and side, and each member's end."""

    sums: Numbers
    sizes: Numbers
    end: tuple[NDArray[np.int8], NDArray[np.int8]]
    given: Numbers
    levels: int

    def side(self, which: int, version: str) -> Side:
        totals = self.sums[:, :, which]
        tiers = tuple(int(n) for n in np.bincount(self.end[which], minlength=self.levels))
        return Side(version, {name: _ranged(totals[:, place]) for place, name in enumerate(MEASURES)}, tiers)

    def change(self) -> dict[str, Range]:
        return {name: _ranged(self.sums[:, place, 1] - self.sums[:, place, 0]) for place, name in enumerate(MEASURES)}

    def flow(self, before: NDArray[Any], after: NDArray[Any]) -> NDArray[np.int64]:
        return _flow(before, after, self.levels)


def _ranged(by_group: Numbers) -> Range:
    """A sum with the interval of drawing its groups of members again (a group is a random handful, so this is the members' bootstrap)."""
    total = float(by_group.sum())
    if len(by_group) < 2:
        return Range(total, total, total)
    low, high = np.quantile(_draws(len(by_group)) @ by_group, [0.025, 0.975])
    return Range(total, float(low), float(high))


@lru_cache(maxsize=2)
def _draws(groups: int) -> Numbers:
    """How often each group is drawn in each resample: the same for every figure."""
    return np.random.default_rng(0).multinomial(groups, np.full(groups, 1 / groups), size=_RESAMPLES).astype(float)


def _flow(before: NDArray[Any], after: NDArray[Any], levels: int) -> NDArray[np.int64]:
    return np.bincount(before.astype(np.int64) * levels + after, minlength=levels * levels).reshape(levels, levels)


@dataclass
class _State:
    """Where one side stands in a month: tiers, months below the tier, points by bucket, and the months spent so far, the latest first."""

    rules: Program
    tier: NDArray[np.int8]
    below: NDArray[np.int8]
    points: NDArray[np.float32]
    spent: NDArray[np.float32]


def _play(
    club: Club,
    present: Program,
    proposed: Program,
    *,
    months: int,
    seed: int,
    likely: Mapping[str, float],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> _Played:
    n = len(club)
    groups = min(_GROUPS, max(1, n))
    rng = np.random.default_rng([seed, 1])
    group = rng.permutation(n) % groups
    sums = np.zeros((groups, len(MEASURES), 2))
    ends = (np.zeros(n, np.int8), np.zeros(n, np.int8))
    given = np.zeros((n, 2))
    for start in range(0, n, _BLOCK):
        some = slice(start, min(n, start + _BLOCK))
        found, tiers, benefits = _play_block(
            club.take(np.arange(some.start, some.stop)), present, proposed, months, likely, np.random.default_rng([seed, 2, start])
        )
        for which in (0, 1):
            ends[which][some] = tiers[which]
            given[some, which] = benefits[which]
            for place in range(len(MEASURES)):
                sums[:, place, which] += np.bincount(group[some], weights=found[which][:, place], minlength=groups)
        progress(some.stop, n)
    return _Played(sums, np.bincount(group, minlength=groups).astype(float), ends, given, len(present.tiers.levels))


def _play_block(club: Club, present: Program, proposed: Program, months: int, likely: Mapping[str, float], rng: np.random.Generator) -> tuple[Any, Any, Any]:
    n = len(club)
    found = [np.zeros((n, len(MEASURES)), np.float32) for _ in (0, 1)]
    states = [_State(rules, club.tier.copy(), np.zeros(n, np.int8), club.points.copy(), club.spent[:, : PAST - 1].copy()) for rules in (present, proposed)]
    start = club.spent
    shape = np.float32(1 / max(club.order_cv, 0.05) ** 2)
    here = rng.random(n, np.float32) >= club.gone
    stays = [here.copy(), here.copy()]
    low_tier = [state.tier for state in states]
    for month in range(months):
        # The month that follows the day is the one the past counts as eleven back.
        season = club.season[(club.as_of.month + month) % 12]
        orders = rng.poisson(club.orders_a_month * season).astype(np.float32)
        value = rng.standard_gamma(np.where(orders > 0, orders * shape, 1.0).astype(np.float32)) * (club.order_cents / shape)
        luck = rng.random(n, np.float32)
        before = [_worth(state, club) for state in states]
        # Both sides spend from the same prices, though the present side's tiers move before the proposed side buys.
        unreduced = 1 - _rate(present, states[0], "discount_percent") / 100
        near = [_near(state) for state in states]
        for which, state in enumerate(states):
            lost = (low_tier[1] < low_tier[0]) if which else np.zeros(n, bool)
            move = 1 + likely["response"] * (before[which] - before[0]) + likely["pull"] * (near[which] - near[0].astype(np.float32)) - likely["loss"] * lost
            active = stays[which] & (orders > 0)
            full = np.where(active, value * np.clip(move, 0.2, 3.0) / unreduced, 0).astype(np.float32)
            _book(state, club, full, np.where(active, orders, 0), stays[which], month, likely, found[which], start)
            stays[which] &= luck >= club.leaving * np.where(lost, likely["leaving"], 1.0)
        low_tier = [state.tier for state in states]
    for which, state in enumerate(states):
        found[which][:, MEASURES.index("points_open")] = state.points.sum(1)
        found[which][:, MEASURES.index("active")] = stays[which]
        found[which][:, MEASURES.index("left")] = here & ~stays[which]
        found[which][:, MEASURES.index("tier_share")] = state.tier > 0
    # What a member has of the club: benefits used, points at their worth whether used yet or not.
    given = [
        f[:, MEASURES.index("discount_cents")]
        + f[:, MEASURES.index("postage_cents")]
        + f[:, MEASURES.index("gift_cents")]
        + f[:, MEASURES.index("points_issued")] * 100 / s.rules.redemption.points_per_unit
        for f, s in zip(found, states, strict=True)
    ]
    return found, [state.tier for state in states], given


def _book(
    state: _State,
    club: Club,
    full: NDArray[np.float32],
    orders: NDArray[np.float32],
    there: NDArray[np.bool_],
    month: int,
    likely: Mapping[str, float],
    found: NDArray[np.float32],
    start: NDArray[np.float32],
) -> None:
    """One month of one side: what was paid and given, points earned, used and lapsed, the tier afterwards."""
    rules = state.rules
    discount = full * _rate(rules, state, "discount_percent") / 100
    paid = (full - discount).astype(np.float32)
    each = np.divide(paid, orders, out=np.zeros_like(paid), where=orders > 0)
    postage = _postage(rules, state, each) * orders
    gift = np.where(there, _rate(rules, state, "birthday_gift_cents") / 12, 0)
    used, lapsed = _spend_points(state, paid, likely)
    issued = paid / 100 * rules.earning.points_per_unit * _rate(rules, state, "earning") * (1 + _favoured(rules, club))
    state.points[:, min(rules.expiry.months, POINT_MONTHS - 1)] += issued
    cost = used * 100 / rules.redemption.points_per_unit
    benefit = discount + postage + gift + cost
    revenue = paid - cost
    net = full * rules.campaigns.gross_margin - benefit
    parts = {
        "revenue_cents": revenue,
        "discount_cents": discount,
        "postage_cents": postage,
        "gift_cents": gift,
        "points_cost_cents": cost,
        "benefit_cents": benefit,
        "net_cents": net,
        "points_issued": issued,
        "points_used": used,
        "points_lapsed": lapsed,
    }
    for name, values in parts.items():
        found[:, MEASURES.index(name)] += values
    _retier(state, paid, month, club, start)


def _retier(state: _State, paid: NDArray[np.float32], month: int, club: Club, start: NDArray[np.float32]) -> None:
    """Move members up at once and down after the grace; what they had before the rules began counts by the rules of then."""
    rules = state.rules
    state.spent = np.concatenate([paid[:, None], state.spent[:, :-1]], axis=1)
    reached = _ranks(state.spent[:, : _window(rules)].sum(1), _marks(rules))
    for old, ended in _earlier(rules, club.as_of):
        kept = _ranks(start[:, ended : max(ended, _window(old) - month - 1)].sum(1), _marks(old))
        reached = np.maximum(reached, np.minimum(kept, club.tier))
    up, low = reached > state.tier, reached < state.tier
    state.below = np.where(low, state.below + 1, 0).astype(np.int8)
    down = low & (state.below > _grace(rules))
    state.tier = np.where(up | down, reached, state.tier).astype(np.int8)
    state.below[down] = 0


def _earlier(rules: Program, as_of: date) -> Iterator[tuple[Program, int]]:
    """Each earlier rule book, with the months since it ended: what was spent in these is no spend of its days."""
    while rules.before is not None:
        yield rules.before, 0 if rules.since is None else max(0, round((as_of - rules.since).days / MONTH_DAYS))
        rules = rules.before


def _spend_points(state: _State, paid: NDArray[np.float32], likely: Mapping[str, float]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Points used by those who buy, the soonest to lapse first; then a month passes. Returns used and lapsed, (N,) each."""
    rule = state.rules.redemption
    have = state.points.sum(1)
    most = paid / 100 * rule.basket_share * rule.points_per_unit
    # Whoever sees points about to lapse uses some of them besides.
    wish = likely["used"] * have + likely["lapsing"] * state.points[:, :2].sum(1) / 2
    used = np.where((have >= rule.minimum) & (paid > 0), np.minimum(np.minimum(wish * 2, have), most), 0).astype(np.float32)
    left = used.copy()
    for bucket in range(POINT_MONTHS):
        column = state.points[:, bucket]
        take = np.minimum(column, left)
        column -= take
        left -= take
        if not left.any():
            break
    lapsed = state.points[:, 0].copy()
    state.points[:, :-1] = state.points[:, 1:]
    state.points[:, -1] = 0
    return used, lapsed


def _marks(rules: Program) -> NDArray[np.float32]:
    return np.array([level.threshold_cents for level in rules.tiers.levels], np.float32)


def _ranks(spent: NDArray[Any], marks: NDArray[Any]) -> NDArray[np.int8]:
    found: NDArray[np.int8] = (np.searchsorted(marks, spent, side="right") - 1).clip(0).astype(np.int8)
    return found


def _window(rules: Program) -> int:
    return min(PAST - 1, max(1, round(rules.tiers.window_days / MONTH_DAYS)))


def _grace(rules: Program) -> int:
    return round(rules.tiers.grace_days / MONTH_DAYS)


def _rate(rules: Program, state: _State, name: str) -> NDArray[np.float32]:
    """A benefit of each member's tier."""
    return np.array([float(getattr(level, name) or 0) for level in rules.tiers.levels], np.float32)[state.tier]


def _favoured(rules: Program, club: Club) -> NDArray[np.float32]:
    """What categories that earn more add to a member's points, as a share."""
    factors = np.array([rules.earning.categories.get(name, 1.0) - 1 for name in club.categories], np.float32)
    found: NDArray[np.float32] = club.shares @ factors if len(factors) else np.zeros(len(club), np.float32)
    return found


def _postage(rules: Program, state: _State, each: NDArray[np.float32]) -> NDArray[np.float32]:
    """Postage a tier saves on an order of that value, beyond what everybody gets."""
    free = np.array(
        [rules.shipping.free_from_cents if level.free_shipping_from_cents is None else level.free_shipping_from_cents for level in rules.tiers.levels]
    )
    saved = (each > 0) & (each >= free[state.tier]) & (each < rules.shipping.free_from_cents)
    return np.where(saved, np.float32(rules.shipping.standard_cents), np.float32(0))


def _worth(state: _State, club: Club) -> NDArray[np.float32]:
    """What a member's tier gives back, as a share of what they spend."""
    rules = state.rules
    points = rules.earning.points_per_unit * _rate(rules, state, "earning") * (1 + _favoured(rules, club)) / rules.redemption.points_per_unit
    # Points that lapse soon are worth less to whoever gets them.
    lives = min(1.0, (rules.expiry.months / 12) ** 0.25) if rules.expiry.months < 12 else 1.0
    typical = np.maximum(club.order_cents, 1)
    found: NDArray[np.float32] = (_rate(rules, state, "discount_percent") / 100 + points * lives + _postage(rules, state, club.order_cents) / typical).astype(
        np.float32
    )
    return found


def _near(state: _State) -> NDArray[np.float32]:
    """1 for whoever misses less than a fifth of the next threshold."""
    marks = np.append(_marks(state.rules), np.float32(np.inf))
    ahead = marks[state.tier + 1]
    window = state.spent[:, : _window(state.rules)].sum(1)
    return ((window < ahead) & (window >= 0.8 * ahead)).astype(np.float32)


# --- ranges and groups ------------------------------------------------------------------


def _reach(
    club: Club,
    present: Program,
    proposed: Program,
    told: Mapping[str, Assumption],
    *,
    months: int,
    seed: int,
    scale: int,
    progress: Callable[[str, int, int], None],
) -> dict[str, tuple[float, float]]:
    net, size = MEASURES.index("net_cents"), scale / len(club)
    likely = {key: one.likely for key, one in told.items()}
    found = {}
    for place, (key, one) in enumerate(told.items()):
        ends = []
        for value in (one.low, one.high):
            sums = _play(club, present, proposed, months=months, seed=seed, likely={**likely, key: value}).sums
            ends.append(float((sums[:, net, 1] - sums[:, net, 0]).sum()) * size)
        found[key] = (ends[0], ends[1])
        progress("assumptions", place + 1, len(told))
    return found


def _groups(club: Club, played: _Played, present: Program) -> dict[str, dict[str, tuple[int, int, int, float]]]:
    change = played.given[:, 1] - played.given[:, 0]
    # Below half a unit of money nobody would notice.
    better, worse = change > 50, change < -50
    tiers = np.array([level.key for level in present.tiers.levels])[club.tier]
    found: dict[str, dict[str, tuple[int, int, int, float]]] = {}
    for name, values in (("tier", tiers), ("segment", club.segment)):
        parts = {}
        for value in sorted(set(values.tolist()) - {""}):
            mine = values == value
            parts[value] = (int(mine.sum()), int(better[mine].sum()), int(worse[mine].sum()), float(change[mine].mean()))
        found[name] = parts
    return found


# --- searching --------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """The best thresholds under the constraints, by tier key in minor units, with what they would do; and how many were tried."""

    thresholds: dict[str, int]
    net_cents: float
    benefit_cents: float
    downgraded_share: float
    tried: int
    feasible: int


def search(
    club: Club,
    present: Program,
    *,
    budget_cents: float | None = None,
    downgraded_most: float = 0.05,
    step_cents: int = 10_000,
    rounds: int = 3,
    months: int = MONTHS,
    seed: int = 0,
    progress: Callable[[int], None] = lambda tried: None,
) -> Found:
    """Thresholds that leave most over in a year, within a budget for benefits and with at most so many members a tier lower than under the present rules.

    Walks one threshold at a time over ever finer steps from the present ones, on a sample of 10,000 members with the same luck every time;
    the sample's figures are scaled to the whole club.
    """
    sample = club.sampled(10_000)
    size = len(club) / len(sample)
    likely = {key: one.likely for key, one in assumptions(club).items()}
    levels = present.tiers.levels
    seen: dict[tuple[int, ...], tuple[float, float, float]] = {}

    def tried(marks: tuple[int, ...]) -> tuple[float, float, float]:
        if marks not in seen:
            played = _play(sample, present, _with(present, marks), months=months, seed=seed, likely=likely)
            net = float(played.sums[:, MEASURES.index("net_cents"), 1].sum()) * size
            cost = float(played.sums[:, MEASURES.index("benefit_cents"), 1].sum()) * size
            seen[marks] = (net, cost, float((played.end[1] < played.end[0]).mean()))
            progress(len(seen))
        return seen[marks]

    def rank(marks: tuple[int, ...]) -> tuple[float, float]:
        net, cost, lower = tried(marks)
        over = max(0.0, cost - budget_cents) if budget_cents is not None else 0.0
        # What breaks a constraint is only better than what breaks it more.
        return (-(over + 1e12 * max(0.0, lower - downgraded_most)), net)

    best = tuple(level.threshold_cents for level in levels[1:])
    for wide in (0.3, 0.12, 0.05)[:rounds]:
        moved = True
        while moved:
            moved = False
            for place in range(len(best)):
                for factor in (1 - wide, 1 + wide):
                    other = list(best)
                    other[place] = max(step_cents, round(best[place] * factor / step_cents) * step_cents)
                    if all(a < b for a, b in zip(other, other[1:], strict=False)) and rank(tuple(other)) > rank(best):
                        best, moved = tuple(other), True
    net, cost, lower = tried(best)
    fits = [one for one in seen.values() if one[2] <= downgraded_most and (budget_cents is None or one[1] <= budget_cents)]
    return Found({level.key: mark for level, mark in zip(levels[1:], best, strict=True)}, net, cost, lower, len(seen), len(fits))


def _with(present: Program, marks: Sequence[int]) -> Program:
    levels = (
        present.tiers.levels[0],
        *(level.model_copy(update={"threshold_cents": mark}) for level, mark in zip(present.tiers.levels[1:], marks, strict=True)),
    )
    return present.model_copy(update={"tiers": present.tiers.model_copy(update={"levels": levels}), "version": "proposed", "before": present})


def begun(proposed: Program, present: Program) -> Program:
    """The proposed rules as they would begin: what was earned under the present ones is kept."""
    return proposed.model_copy(update={"before": present})
