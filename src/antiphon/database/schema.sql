CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
CREATE TABLE calls (
    id TEXT NOT NULL,
    time BIGINT NOT NULL,
    operation TEXT NOT NULL,
    model TEXT NOT NULL,
    outcome TEXT NOT NULL,
    target TEXT NOT NULL,
    provider TEXT NOT NULL,
    key_id TEXT NOT NULL,
    status INTEGER NOT NULL,
    error TEXT NOT NULL,
    stream BOOLEAN NOT NULL,
    input BIGINT,
    cache_read BIGINT,
    cache_write BIGINT,
    audio_input BIGINT,
    image_input BIGINT,
    output BIGINT,
    reasoning BIGINT,
    audio_output BIGINT,
    estimated BOOLEAN,
    cost BIGINT,
    price_version TEXT NOT NULL,
    first_output_us BIGINT,
    duration_us BIGINT NOT NULL,
    cache_write_long BIGINT,
    audio_cache_read BIGINT,
    image_output BIGINT,
    images BIGINT,
    seconds BIGINT,
    characters BIGINT,
    searches BIGINT,
    service_tier TEXT,
    PRIMARY KEY (id)
);
CREATE INDEX calls_by_time ON calls (time);
CREATE TABLE attempts (
    call_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    target TEXT NOT NULL,
    outcome TEXT NOT NULL,
    status INTEGER NOT NULL,
    error TEXT NOT NULL,
    first_output_us BIGINT,
    duration_us BIGINT NOT NULL,
    PRIMARY KEY (call_id, number),
    FOREIGN KEY(call_id) REFERENCES calls (id) ON DELETE CASCADE
)
 WITHOUT ROWID;
CREATE TABLE keys (
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    models TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT,
    admin BOOLEAN NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (digest)
);
CREATE TABLE revision (
    name TEXT NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (name)
);
CREATE TABLE positions (
    writer TEXT NOT NULL,
    segment BIGINT NOT NULL,
    "offset" BIGINT NOT NULL,
    PRIMARY KEY (writer)
);
CREATE TABLE responses (
    id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    previous TEXT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX responses_by_expiry ON responses (expires);
CREATE TABLE items (
    key_id TEXT NOT NULL,
    id TEXT NOT NULL,
    response TEXT NOT NULL,
    PRIMARY KEY (key_id, id)
);
CREATE INDEX items_by_response ON items (response);
CREATE TABLE background (
    response TEXT NOT NULL,
    owner TEXT NOT NULL,
    lease BIGINT NOT NULL,
    cancel BOOLEAN NOT NULL,
    PRIMARY KEY (response)
);
CREATE INDEX background_by_owner ON background (owner);
INSERT INTO alembic_version (version_num) VALUES ('0005');
