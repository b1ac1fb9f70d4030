-- The audit trail: who called what, when, from where and with which result. Written behind the answers, read by auditors alone.

CREATE TABLE public.audit_record (
    called_at timestamptz NOT NULL,
    -- The order of calls at one instant.
    sequence  bigint      GENERATED ALWAYS AS IDENTITY,
    -- Who called, or has signed in by this call; NULL where nobody was signed in.
    person    uuid,
    session   uuid,
    -- The service that acted for the person; NULL where the person called.
    service   text,
    -- Where the person's roles held at the time, six digits each; none of an applicant.
    divisions text[]      NOT NULL,
    -- Full name: package.Service/Method.
    method    text        NOT NULL,
    -- Personal data: gone once the person is forgotten, unless they acted as staff.
    origin    inet,
    -- OK, or why not: the gRPC code and the stable reason.
    code      text        NOT NULL,
    reason    text        NOT NULL,
    trace     text,
    PRIMARY KEY (called_at, sequence)
);
CREATE INDEX audit_record_of_person ON public.audit_record (person, called_at, sequence);
CREATE INDEX audit_record_of_method ON public.audit_record (method, called_at, sequence);
CREATE INDEX audit_record_to_forget ON public.audit_record (person) WHERE origin IS NOT NULL AND divisions = '{}';

-- Whatever a service is told to do, it removes nothing before its time.
CREATE FUNCTION public.keep_audit_record() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.called_at > clock_timestamp() - interval '180 days' THEN
        RAISE EXCEPTION 'audit records are kept for 180 days' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN OLD;
END
$$;

CREATE TRIGGER audit_record_is_kept BEFORE DELETE ON public.audit_record
    FOR EACH ROW EXECUTE FUNCTION public.keep_audit_record();

-- The service has the name of its database as its role. It changes no record, but for the address.
DO $$
DECLARE
    service text := current_database();
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = service) THEN
        EXECUTE format('REVOKE ALL ON public.audit_record FROM %I', service);
        EXECUTE format('GRANT SELECT, INSERT, DELETE, UPDATE (origin) ON public.audit_record TO %I', service);
    END IF;
END
$$;
