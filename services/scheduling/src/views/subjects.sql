CREATE TABLE IF NOT EXISTS subject (
    -- Two digits.
    province text    NOT NULL,
    stage    integer NOT NULL,
    name     text    NOT NULL COLLATE "C",
    -- Of the province's own, not of the nation.
    own      boolean NOT NULL,
    is_on    boolean NOT NULL,
    -- Position of the first word on it.
    position bigint  NOT NULL,
    PRIMARY KEY (province, stage, name)
);
