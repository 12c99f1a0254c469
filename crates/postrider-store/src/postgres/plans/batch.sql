-- What a batch meets: a row of everything for each of its members, all of one application.

CREATE FUNCTION pg_temp.id(day bigint, number bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex(1700000000000 + day * 86400000 + number), 12, '0') || '70008'
        || lpad(to_hex(number), 15, '0'))::uuid
$$;

CREATE FUNCTION pg_temp.ids(day bigint, length bigint) RETURNS uuid[] LANGUAGE sql AS $$
    SELECT array_agg(pg_temp.id(day, number) ORDER BY number)
    FROM generate_series(1, length) AS number
$$;

CREATE FUNCTION pg_temp.numbers(length bigint) RETURNS bigint[] LANGUAGE sql AS $$
    SELECT array_agg(number) FROM generate_series(1, length) AS number
$$;

CREATE FUNCTION pg_temp.digests(kind text, length bigint) RETURNS bytea[] LANGUAGE sql AS $$
    SELECT array_agg(decode(md5(kind || number), 'hex') ORDER BY number)
    FROM generate_series(1, length) AS number
$$;

CREATE FUNCTION pg_temp.fill(first bigint, last bigint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO endpoint (application, id, record)
    SELECT pg_temp.id(0, 1), pg_temp.id(0, number), '{}'
    FROM generate_series(first, last) AS number;

    -- Day 3 waits, day 4 is held by a node that is gone, half of both in order.
    INSERT INTO queue (application, endpoint, message, attempt, manual, reported, due_at, free_at,
        holder, turn, position, attempts)
    SELECT pg_temp.id(0, 1), pg_temp.id(0, number), pg_temp.id(day, number), 1, false, false,
        1700000000000 + number, 1700000000000 + number, CASE WHEN day = 4 THEN 1 END,
        number % 2 * 2, CASE WHEN number % 2 = 1 THEN number * 4 + day END, '{}'
    FROM generate_series(3, 4) AS day, generate_series(first, last) AS number;

    INSERT INTO lane (application, endpoint, due_at, turn, owner)
    SELECT pg_temp.id(0, 1), pg_temp.id(0, number), 1700000000000 + number, number % 2 * 2,
        CASE WHEN number % 2 = 1 THEN 1 END
    FROM generate_series(first, last) AS number;

    INSERT INTO message (application, id, event_type, event_id, targets, details, body, body_until)
    SELECT pg_temp.id(0, 1), pg_temp.id(day, number), 'a', 'event ' || number,
        ARRAY[pg_temp.id(0, number)], '', '{}', 1700000000000 + number
    FROM generate_series(1, 4) AS day, generate_series(first, last) AS number;

    -- Of one endpoint, and of one for each message.
    INSERT INTO delivery (application, endpoint, message, state, attempts)
    SELECT pg_temp.id(0, 1), pg_temp.id(0, CASE WHEN day = 1 THEN 1 ELSE number END),
        pg_temp.id(day, number), 2, '{}'
    FROM generate_series(1, 2) AS day, generate_series(first, last) AS number;

    INSERT INTO attempt (application, endpoint, id, message, number, manual, status, details)
    SELECT pg_temp.id(0, 1), pg_temp.id(0, number), pg_temp.id(2, number), pg_temp.id(2, number),
        1, false, 500, ''
    FROM generate_series(first, last) AS number;

    INSERT INTO event_id (application, event_id, message)
    SELECT pg_temp.id(0, 1), number::text, pg_temp.id(2, number)
    FROM generate_series(first, last) AS number;

    INSERT INTO idempotency (application, digest, message)
    SELECT pg_temp.id(0, 1), decode(md5('old' || number), 'hex'), pg_temp.id(2, number)
    FROM generate_series(first, last) AS number;

    INSERT INTO rollup (resolution, start, subject, problems, counters)
    SELECT 1, number, 'a', 0, '' FROM generate_series(first, last) AS number;

    INSERT INTO source (id, organization, application, token_digest, record)
    SELECT pg_temp.id(0, number), 'org', pg_temp.id(0, 1), decode(md5(number::text), 'hex'), '{}'
    FROM generate_series(first, last) AS number;
$$;
