"""How do Alembic's revisions reach the record? Over the connection handed in, or the configured URL."""

from alembic import context
from sqlalchemy import create_engine
from sqlmodel import SQLModel

from members import tables  # noqa: F401  (fills the metadata)


def run(connection: object) -> None:
    """Apply the pending revisions in one transaction."""
    context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)  # type: ignore[arg-type]
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with create_engine(context.config.get_main_option("sqlalchemy.url") or "sqlite://").connect() as fresh:
        run(fresh)
