-- Records that could not become rows, one row each, with the payload as received
SELECT
    r.source AS source, r.account AS account, r.owner_id AS owner_id, r.id AS id, r.stage AS stage,
    r.order_id AS order_id, r.window_start AS window_start, r.create_time AS create_time, r.reason AS reason,
    r.message AS message, r.raw AS raw, r.first_seen AS first_seen, r.last_seen AS last_seen, r.attempts AS attempts,
    r.next_attempt AS next_attempt,
    if(isNull(a.accepted_at), r.accepted_at, a.accepted_at) AS accepted_at,
    if(isNull(a.accepted_at), r.accepted_by, ifNull(a.accepted_by, '')) AS accepted_by,
    if(isNull(a.accepted_at), r.note, ifNull(a.note, '')) AS note,
    r.resolved AS resolved, r.version AS version,
    multiIf(r.resolved = 1, 'resolved', isNotNull(accepted_at), 'accepted', 'open') AS status
FROM
(
    SELECT * FROM reject_rows FINAL
) AS r
LEFT JOIN
(
    SELECT account, id, reason, payload, toNullable(accepted_at) AS accepted_at, accepted_by, note
    FROM reject_acceptances FINAL
) AS a
ON a.account = r.account AND a.id = r.id AND a.reason = r.reason AND a.payload = r.payload
