-- Records that could not become rows, one row each, with the payload as received
--
-- The payload is in reject_rows, what became of the record in reject_states: that it became a row is written there alone.
SELECT
    r.source AS source, r.account AS account, r.owner_id AS owner_id, r.id AS id, r.stage AS stage,
    r.order_id AS order_id, r.window_start AS window_start, r.create_time AS create_time, r.reason AS reason,
    r.message AS message, r.raw AS raw, r.first_seen AS first_seen, greatest(r.last_seen, s.last_seen) AS last_seen,
    r.attempts AS attempts, r.next_attempt AS next_attempt,
    if(isNull(a.accepted_at), r.accepted_at, a.accepted_at) AS accepted_at,
    if(isNull(a.accepted_at), r.accepted_by, ifNull(a.accepted_by, '')) AS accepted_by,
    if(isNull(a.accepted_at), r.note, ifNull(a.note, '')) AS note,
    if(s.version > r.version, s.resolved, r.resolved) AS resolved, greatest(r.version, s.version) AS version,
    multiIf(resolved = 1, 'resolved', isNotNull(accepted_at), 'accepted', 'open') AS status
FROM
(
    SELECT * FROM reject_rows FINAL
) AS r
LEFT JOIN
(
    SELECT account, id, resolved, last_seen, version FROM reject_states FINAL
) AS s
ON s.account = r.account AND s.id = r.id
LEFT JOIN
(
    SELECT account, id, reason, payload, toNullable(accepted_at) AS accepted_at, accepted_by, note
    FROM reject_acceptances FINAL
) AS a
ON a.account = r.account AND a.id = r.id AND a.reason = r.reason AND a.payload = r.payload
