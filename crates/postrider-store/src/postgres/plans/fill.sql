-- Enough rows, over four days, that no plan is as good as one with the right index.

CREATE FUNCTION pg_temp.id(day bigint, number bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex(1700000000000 + day * 86400000 + number), 12, '0') || '70008'
        || lpad(to_hex(number), 15, '0'))::uuid
$$;

INSERT INTO application (id, organization, record)
SELECT pg_temp.id(0, number), CASE WHEN number <= 200 THEN 'org' ELSE 'org_' || number END, '{}'
FROM generate_series(1, 4000) AS number;

INSERT INTO endpoint (application, id, record)
SELECT pg_temp.id(0, 1 + number % 200), pg_temp.id(0, number),
    '{"url":"https://example.com/' || number || '"}' || repeat(' ', 300)
FROM generate_series(1, 4000) AS number;

INSERT INTO message (application, id, event_type, targets, details, body, body_until)
SELECT pg_temp.id(0, 1 + number % 200), pg_temp.id(day, number), 'a',
    ARRAY[pg_temp.id(0, number % 4000)], decode(repeat('00', 300), 'hex'),
    decode(repeat('00', 100), 'hex'), 1700000000000 + (day + 30) * 86400000::bigint + number
FROM generate_series(0, 3) AS day, generate_series(1, 10000) AS number;

INSERT INTO attempt (application, endpoint, id, message, number, manual, status, details)
SELECT pg_temp.id(0, 1 + number % 200), pg_temp.id(0, number % 4000), pg_temp.id(day, number),
    pg_temp.id(day, number), 1, false, 200, decode(repeat('00', 300), 'hex')
FROM generate_series(0, 3) AS day, generate_series(1, 10000) AS number;

INSERT INTO delivery (application, endpoint, message, state, attempts)
SELECT pg_temp.id(0, 1 + number % 200), pg_temp.id(0, number % 4000), pg_temp.id(day, number),
    CASE WHEN number % 50 = 0 THEN 2 WHEN number % 50 = 1 THEN 3 ELSE 1 END,
    ARRAY[pg_temp.id(day, number)]
FROM generate_series(0, 3) AS day, generate_series(1, 10000) AS number;

-- What one dead endpoint has, what others have, and what is held.
INSERT INTO queue (application, endpoint, message, attempt, manual, reported, due_at, free_at,
    holder, turn, position, attempts)
SELECT pg_temp.id(0, 1 + number % 200),
    pg_temp.id(0, CASE WHEN number % 2 = 0 THEN 1 ELSE number % 4000 END),
    pg_temp.id(4, number), 1, false, false, 1700000000000 + number, 1700000000000 + number,
    CASE WHEN number % 7 = 0 THEN 1 END, CASE WHEN number % 11 = 0 THEN 2 ELSE 0 END,
    CASE WHEN number % 11 = 0 THEN number END, '{}'
FROM generate_series(1, 40000) AS number;

INSERT INTO lane (application, endpoint, due_at)
SELECT pg_temp.id(0, 1 + number % 200), pg_temp.id(0, number),
    CASE WHEN number % 2 = 0 THEN 1700000000000 + number END
FROM generate_series(1, 4000) AS number;

INSERT INTO event_id (application, event_id, message)
SELECT pg_temp.id(0, 1 + number % 200), 'event ' || number, pg_temp.id(0, number)
FROM generate_series(1, 20000) AS number;

INSERT INTO idempotency (application, digest, message)
SELECT pg_temp.id(0, 1 + number % 200), decode(md5(number::text), 'hex'), pg_temp.id(0, number)
FROM generate_series(1, 20000) AS number;

INSERT INTO reservation (digest, fingerprint, holder, until, answered_at)
SELECT decode(md5(number::text), 'hex'), '', 1, 1700000000000, 1700000000000 + number
FROM generate_series(1, 20000) AS number;

INSERT INTO source (id, organization, application, token_digest, record)
SELECT pg_temp.id(0, number), 'org ' || number % 20, pg_temp.id(0, 1 + number % 200),
    decode(md5(number::text), 'hex'), repeat(' ', 300)
FROM generate_series(1, 4000) AS number;

INSERT INTO rejection (source, id, at, details)
SELECT pg_temp.id(0, 1 + number % 40), pg_temp.id(0, number), 1700000000000 + number,
    decode(repeat('00', 300), 'hex')
FROM generate_series(1, 40000) AS number;

INSERT INTO dead_letter (id, consumer, record)
SELECT pg_temp.id(0, number), pg_temp.id(0, 1 + number % 40), repeat(' ', 300)
FROM generate_series(1, 40000) AS number;

INSERT INTO audit_log (id, organization, record_id, principal, operation, entry)
SELECT pg_temp.id(0, number), 'org_' || number % 20, 'ep_' || number % 4000, 'key_' || number % 50,
    'v1.endpoint.' || number % 30, repeat(' ', 300)
FROM generate_series(1, 40000) AS number;

INSERT INTO api_key (id, organization, digest, record)
SELECT pg_temp.id(0, number), 'org_' || number % 20, decode(md5(number::text), 'hex'), repeat(' ', 300)
FROM generate_series(1, 4000) AS number;

INSERT INTO rollup (resolution, start, subject, problems, counters)
SELECT number % 3, 1700000000000 / 60000 * 60000 + number / 100 * 60000,
    decode(replace(pg_temp.id(0, number % 100)::text, '-', ''), 'hex'), number % 5,
    decode(repeat('00', 40), 'hex')
FROM generate_series(1, 40000) AS number;

INSERT INTO task (id, organization, ended, record)
SELECT pg_temp.id(0, number), 'org ' || number % 20, number % 1000 > 0, repeat(' ', 300)
FROM generate_series(1, 40000) AS number;

-- Rows in no day's partition, as an import of old ones leaves them.
INSERT INTO message (application, id, event_type, targets, details, body, body_until)
SELECT pg_temp.id(0, 1 + number % 200), pg_temp.id(-90, number), 'a',
    ARRAY[pg_temp.id(0, number % 4000)], decode(repeat('00', 300), 'hex'),
    decode(repeat('00', 100), 'hex'), 1700000000000 + number
FROM generate_series(1, 10000) AS number;

INSERT INTO attempt (application, endpoint, id, message, number, manual, status, details)
SELECT pg_temp.id(0, 1 + number % 200), pg_temp.id(0, number % 4000), pg_temp.id(-90, number),
    pg_temp.id(-90, number), 1, false, 200, decode(repeat('00', 300), 'hex')
FROM generate_series(1, 10000) AS number;

INSERT INTO delivery (application, endpoint, message, state, attempts)
SELECT pg_temp.id(0, 1 + number % 200), pg_temp.id(0, number % 4000), pg_temp.id(-90, number),
    1, '{}'
FROM generate_series(1, 10000) AS number;

-- Not of the days to come, which nobody has looked at yet when they begin.
VACUUM ANALYZE application, endpoint, queue, lane, event_id, idempotency, reservation, source, rejection, dead_letter, audit_log, api_key, rollup, task,
    message_rest, message_20231114, message_20231115, message_20231116, message_20231117,
    attempt_rest, attempt_20231114, attempt_20231115, attempt_20231116, attempt_20231117,
    delivery_rest, delivery_20231114, delivery_20231115, delivery_20231116, delivery_20231117;

-- A vacuum cannot mark pages as visible to all while another test has an older snapshot, but the
-- plans must not depend on that.
UPDATE pg_class SET relallvisible = relpages
WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r';
