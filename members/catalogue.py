"""What does the shop sell, and for how much?

Products with their variants, one at a time or all of them in pieces. Finding
the right one for a wish is retrieval's work.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlmodel import Session, col, func, select

from members.errors import NotFound
from members.tables import Product, Review, Variant


@dataclass(frozen=True)
class Offer:
    """A product with what can be bought of it."""

    product: Product
    variants: tuple[Variant, ...]

    @property
    def least_cents(self) -> int:
        """The lowest price among variants that can be bought, else among all."""
        return min((v.price_cents for v in self.sold() or self.variants), default=0)

    @property
    def most_cents(self) -> int:
        """The highest price."""
        return max((v.price_cents for v in self.sold() or self.variants), default=0)

    @property
    def stock(self) -> int | None:
        """Pieces in stock over all variants; None where the shop does not count."""
        counts = [v.stock for v in self.variants if v.stock is not None]
        return sum(counts) if counts else None

    @property
    def in_stock(self) -> bool:
        """Whether anything of it can be bought now."""
        return bool(self.sold())

    def sold(self) -> tuple[Variant, ...]:
        """The variants that can be bought now."""
        return tuple(v for v in self.variants if v.available and v.stock != 0)

    def name(self, language: str) -> str:
        """The name in a language, or in the other one."""
        names = (self.product.name_zh, self.product.name_en)
        return next((n for n in (names if language == "zh" else names[::-1]) if n), self.product.id)


def get(session: Session, product_id: str) -> Offer:
    """One product. Raises NotFound."""
    found = some(session, [product_id])
    if not found:
        raise NotFound(f"There is no product {product_id.strip()[:40]}.", instead="search_products")
    return found[0]


def some(session: Session, product_ids: list[str]) -> list[Offer]:
    """Products in the order asked for; unknown ids are left out."""
    products = {p.id: p for p in session.exec(select(Product).where(col(Product.id).in_(product_ids)))}
    variants: dict[str, list[Variant]] = {}
    for variant in session.exec(select(Variant).where(col(Variant.product_id).in_(product_ids)).order_by(Variant.id)):
        variants.setdefault(variant.product_id, []).append(variant)
    return [Offer(products[p], tuple(variants.get(p, ()))) for p in product_ids if p in products]


def every(session: Session, *, at_once: int = 500) -> Iterator[Offer]:
    """The whole catalogue, read in pieces."""
    last = ""
    while ids := list(session.exec(select(Product.id).where(Product.id > last).order_by(Product.id).limit(at_once))):
        yield from some(session, ids)
        last = ids[-1]


def reviews(session: Session, product_id: str, *, limit: int = 3) -> list[Review]:
    """The newest reviews with words."""
    query = select(Review).where(Review.product_id == product_id, Review.text != "")
    return list(session.exec(query.order_by(col(Review.written_on).desc(), col(Review.id).desc()).limit(limit)))


def size(session: Session) -> int:
    """How many products there are."""
    return session.exec(select(func.count()).select_from(Product)).one()


def ids_of(session: Session, category: str) -> list[str]:
    """Every product of a category."""
    return list(session.exec(select(Product.id).where(Product.category == category).order_by(Product.id)))
