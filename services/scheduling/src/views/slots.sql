CREATE TABLE IF NOT EXISTS slot_capacity (
    point_id uuid     NOT NULL,
    date     date     NOT NULL,
    -- Number of the API's enumeration.
    half_day integer  NOT NULL,
    capacity integer  NOT NULL,
    PRIMARY KEY (point_id, date, half_day)
);

-- Live bookings, and those of people who did not come.
CREATE TABLE IF NOT EXISTS slot_booking (
    booking_id       uuid    NOT NULL,
    enrolment_number text    NOT NULL COLLATE "C",
    point_id         uuid    NOT NULL,
    date             date    NOT NULL,
    half_day         integer NOT NULL,
    seat             integer NOT NULL,
    no_show          boolean NOT NULL,
    PRIMARY KEY (booking_id, enrolment_number)
);
CREATE INDEX IF NOT EXISTS slot_booking_by_slot ON slot_booking (point_id, date, half_day, enrolment_number);
CREATE INDEX IF NOT EXISTS slot_booking_missed ON slot_booking (enrolment_number) WHERE no_show;
