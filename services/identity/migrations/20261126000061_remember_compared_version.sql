-- A code of a sign-in counts only while the password that was compared before it and the phone that it went to are those of the account:
-- it remembers the version of the account at which they were read. One without a version, from before, counts no more.

ALTER TABLE one_time_code ADD COLUMN compared_version bigint;
