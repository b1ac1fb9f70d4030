-- Rows that were rejected since a register was read from the beginning: as long as there are any, not all of it was brought.
ALTER TABLE public.source_place ADD COLUMN rejected bigint NOT NULL DEFAULT 0;
UPDATE public.source_place SET rejected = (SELECT coalesce(sum(rejected), 0) FROM public.source_run WHERE NOT dry_run)
WHERE register = 'certificates';
