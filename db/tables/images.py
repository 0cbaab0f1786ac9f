"""Result images, input images and fingerprints."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text

from db.columns import UtcDateTime, id_column, metadata, partial_index

pictures = Table(
    "pictures",
    metadata,
    id_column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("sha256", String(64), nullable=False),
    Column("media_type", String(32), nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("stored_at", UtcDateTime, nullable=False),
    Column("removed_at", UtcDateTime),
    # Hexadecimal. None for older images and for plain ones, and once the job is deleted.
    Column("fingerprint", String(64)),
)
Index("ix_pictures_sha256", pictures.c.sha256)
partial_index("ix_pictures_stored_at", pictures.c.stored_at, where=pictures.c.removed_at.is_(None))

# An index of the fingerprints by each of their parts: copies share at least one, but for one bit.
fingerprint_keys = Table(
    "fingerprint_keys",
    metadata,
    Column("key", Integer, primary_key=True, autoincrement=False),
    id_column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
)
Index("ix_fingerprint_keys_job_id", fingerprint_keys.c.job_id)

# Input images. `url` is a secret and erased when the job ends; so is the address from which a provider may fetch an
# image: `provider_url` if the image is published, else one of ours, of whose token only the hash is stored.
inputs = Table(
    "inputs",
    metadata,
    id_column("job_id", ForeignKey("jobs.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("url", Text),
    id_column("parent_id"),
    Column("parent_picture", Integer),
    Column("sha256", String(64)),
    Column("media_type", String(32)),
    Column("width", Integer),
    Column("height", Integer),
    Column("size", BigInteger),
    Column("token_hash", String(64)),
    Column("stored_at", UtcDateTime),
    Column("removed_at", UtcDateTime),
    Column("changes", String(64)),
    Column("provider_url", Text),
)
Index("ix_inputs_sha256", inputs.c.sha256)
partial_index("ix_inputs_token_hash", inputs.c.token_hash, unique=True, where=inputs.c.token_hash.is_not(None))
partial_index("ix_inputs_url", inputs.c.job_id, where=inputs.c.url.is_not(None))
partial_index("ix_inputs_provider_url", inputs.c.job_id, where=inputs.c.provider_url.is_not(None))
partial_index("ix_inputs_stored_at", inputs.c.stored_at, where=inputs.c.removed_at.is_(None))
# The jobs that were made from a picture.
_HAS_PARENT = inputs.c.parent_id.is_not(None)
partial_index("ix_inputs_parent_id", inputs.c.parent_id, inputs.c.parent_picture, where=_HAS_PARENT)
