-- A request of the EIOTCLUB door is known by its path and its signature, which covers time and nonce; all paths that buy are one, 'order'. What
-- was path|time|nonce|SIGNATURE is path|SIGNATURE, and the path stands before the body's hash. Where two become one, the one with an answer
-- stays, else the older.
DELETE FROM idempotency WHERE door = 'eiotclub' AND (account_id, request_key) IN (
  SELECT account_id, request_key FROM (
    SELECT account_id, request_key, ROW_NUMBER() OVER (
      PARTITION BY account_id, CASE WHEN substr(request_key, 1, instr(request_key, '|') - 1) IN ('package/orderPackage', 'cloudesim/purchase', 'esim/purchase') THEN 'order' ELSE substr(request_key, 1, instr(request_key, '|') - 1) END, substr(request_key, -40)
      ORDER BY answer = '', created_at, request_key
    ) AS nth FROM idempotency WHERE door = 'eiotclub'
  ) AS ranked WHERE nth > 1
);
UPDATE idempotency SET body_hash = substr(request_key, 1, instr(request_key, '|') - 1) || '|' || body_hash, request_key = CASE WHEN substr(request_key, 1, instr(request_key, '|') - 1) IN ('package/orderPackage', 'cloudesim/purchase', 'esim/purchase') THEN 'order' ELSE substr(request_key, 1, instr(request_key, '|') - 1) END || '|' || substr(request_key, -40)
WHERE door = 'eiotclub';
UPDATE order_answer SET body_hash = substr(request_key, 1, instr(request_key, '|') - 1) || '|' || body_hash, request_key = CASE WHEN substr(request_key, 1, instr(request_key, '|') - 1) IN ('package/orderPackage', 'cloudesim/purchase', 'esim/purchase') THEN 'order' ELSE substr(request_key, 1, instr(request_key, '|') - 1) END || '|' || substr(request_key, -40)
WHERE door = 'eiotclub';
