"""Who has earned the extra points that a campaign promised?

A campaign whose offer is points promises them with an order: once, to whoever it
wrote to, for a delivered order of its days, from its basket on and of its category.
Knows nothing of the points an order earns by itself; those come back when it does.
"""

from datetime import date, datetime, time, timedelta

from sqlmodel import Session, col, select

from members import ledger
from members.campaigns import DAYS, Offer
from members.program import Program
from members.tables import Campaign, CampaignMember, Member, Order, OrderLine, PointsEntry, Product

# An order of the offer's last day may arrive weeks later.
_ARRIVES_WITHIN_DAYS = 90


def credit(session: Session, *, on: date, rules: Program) -> int:
    """Book what is owed as of `on` and was not booked; how many members got points. Repeated, it books nothing twice."""
    sent = select(Campaign).where(Campaign.status == "sent", col(Campaign.sent_on) <= on).order_by(Campaign.id)
    got = 0
    for campaign in session.exec(sent):
        offer, begun = Offer.of(campaign), campaign.sent_on
        if offer.kind != "points" or offer.value <= 0 or begun is None:
            continue
        last = offer.until or begun + timedelta(days=DAYS)
        if on - timedelta(days=_ARRIVES_WITHIN_DAYS) > last:
            continue
        key = f"campaign:{campaign.id}"
        for member_id in _owed(session, campaign, offer, key, begun, min(last, on)):
            got += ledger.earn(session, member_id, offer.value, on=on, key=key, rules=rules, reason="campaign")
    return got


def _owed(session: Session, campaign: Campaign, offer: Offer, key: str, begun: date, last: date) -> list[str]:
    booked = select(PointsEntry.id).where(PointsEntry.member_id == CampaignMember.member_id, PointsEntry.key == key).exists()
    wanted = (
        select(CampaignMember.member_id)
        .join(Member, col(Member.id) == CampaignMember.member_id)
        .join(Order, col(Order.member_id) == CampaignMember.member_id)
        .where(CampaignMember.campaign_id == campaign.id, CampaignMember.arm == "treated", col(Member.left_on).is_(None), ~booked)
        .where(Order.status == "delivered", Order.total_cents >= offer.minimum_cents)
        .where(col(Order.ordered_at).between(datetime.combine(begun, time.min), datetime.combine(last, time.max)))
    )
    if offer.category:
        line = select(OrderLine.id).join(Product, col(Product.id) == OrderLine.product_id)
        wanted = wanted.where(line.where(OrderLine.order_id == Order.id, Product.category == offer.category).exists())
    return sorted(set(session.exec(wanted)))
