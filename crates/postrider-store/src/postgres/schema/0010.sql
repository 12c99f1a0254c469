-- Analysis of a long queue took a fifth of a second of CPU, every few seconds under load. The plans
-- of its statements do not depend on its statistics, so a tenth of the sample is enough.
ALTER TABLE queue
    ALTER COLUMN application SET STATISTICS 10,
    ALTER COLUMN endpoint SET STATISTICS 10,
    ALTER COLUMN message SET STATISTICS 10,
    ALTER COLUMN attempt SET STATISTICS 10,
    ALTER COLUMN manual SET STATISTICS 10,
    ALTER COLUMN reported SET STATISTICS 10,
    ALTER COLUMN due_at SET STATISTICS 10,
    ALTER COLUMN free_at SET STATISTICS 10,
    ALTER COLUMN holder SET STATISTICS 10,
    ALTER COLUMN turn SET STATISTICS 10,
    ALTER COLUMN position SET STATISTICS 10,
    ALTER COLUMN attempts SET STATISTICS 10,
    ALTER COLUMN resume_at SET STATISTICS 10;
