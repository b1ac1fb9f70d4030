CREATE TABLE IF NOT EXISTS plan (
    plan_id   uuid   PRIMARY KEY,
    province  text   NOT NULL,
    -- Position of its publication: the newest one is the province's current plan.
    published bigint NOT NULL,
    -- Version of its newest event: who has an older state in memory reads on.
    version   bigint NOT NULL
);
