"""The tables, on SQLite and PostgreSQL alike. Instants are Unix seconds, prices decimal text.

No password, token or one-time code stands here in clear but the seed of the second factor, which
checking a code needs.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

METADATA = MetaData()
# SQLite numbers rows by itself only where the key is an INTEGER.
ROW_ID = BigInteger().with_variant(Integer, "sqlite")

VERSION = Table("schema_version", METADATA, Column("version", Integer, nullable=False))

# The customer system: what a large supplier replaces.
CUSTOMER = Table(
    "customer",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("login", String(254), nullable=False, unique=True),
    Column("password", String(200), nullable=False),
    Column("totp_secret", String(64)),
    Column("display_name", String(200), nullable=False),
)
TARIFF = Table(
    "tariff",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("display_name", String(200), nullable=False),
    Column("structure", String(16), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("schedule", Text, nullable=False),
)
CONTRACT = Table(
    "contract",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("customer_id", String(64), ForeignKey("customer.id"), nullable=False, index=True),
    Column("display_name", String(200), nullable=False),
    Column("timezone", String(64), nullable=False),
    Column("direction", String(6), nullable=False),
    Column("address", Text, nullable=False),
)
TERM = Table(
    "contract_term",
    METADATA,
    Column("contract_id", String(64), ForeignKey("contract.id"), primary_key=True),
    Column("start_at", BigInteger, primary_key=True),
    Column("end_at", BigInteger),
    Column("tariff_id", String(64), ForeignKey("tariff.id"), nullable=False),
)
PRICE = Table(
    "price",
    METADATA,
    Column("tariff_id", String(64), ForeignKey("tariff.id"), primary_key=True),
    Column("start_at", BigInteger, primary_key=True),
    Column("end_at", BigInteger, nullable=False),
    Column("value", String(32), nullable=False),
)

# What the integration itself keeps.
SESSION = Table(
    "session",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("step", String(16), nullable=False),
    Column("browser_hash", String(64), nullable=False),
    Column("token_hash", String(64), unique=True),
    Column("context", Text, nullable=False),
    Column("customer_id", String(64)),
    Column("contract_id", String(64)),
    Column("wrong", Integer, nullable=False, default=0),
    Column("outcome", String(16)),
    Column("claimed_at", BigInteger),
    Column("expires_at", BigInteger, nullable=False, index=True),
)
GRANT = Table(
    "consent",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("session_id", String(64), nullable=False, index=True),
    Column("customer_id", String(64), nullable=False, index=True),
    Column("contract_id", String(64), nullable=False),
    Column("account_name", String(200), nullable=False),
    Column("given_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Column("polled_at", BigInteger),
)
TOKEN = Table(
    "token",
    METADATA,
    Column("hash", String(64), primary_key=True),
    Column("grant_id", String(64), ForeignKey("consent.id"), nullable=False, index=True),
    Column("kind", String(8), nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("used_at", BigInteger),
)
THROTTLE = Table(
    "throttle",
    METADATA,
    Column("key", String(80), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("until", BigInteger, nullable=False, index=True),
)
USED_CODE = Table(
    "used_code",
    METADATA,
    Column("customer_id", String(64), primary_key=True),
    Column("time_step", BigInteger, nullable=False),
)
AUDIT = Table(
    "audit",
    METADATA,
    Column("id", ROW_ID, primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("event", String(32), nullable=False),
    Column("session", String(12), nullable=False),
    Column("customer_id", String(64), nullable=False),
    Column("contract_id", String(64), nullable=False),
    Column("account_name", String(200), nullable=False),
    Column("address", String(64), nullable=False),
    Column("detail", String(200), nullable=False),
    Index("audit_at", "at"),
)
