-- A request of the EIOTCLUB door is known by its path and signature, which covers time and nonce: path|time|nonce|SIGNATURE becomes
-- path|SIGNATURE. Where two become one, the one with an answer stays, else the older.
DELETE FROM idempotency WHERE door = 'eiotclub' AND (account_id, request_key) IN (
  SELECT account_id, request_key FROM (
    SELECT account_id, request_key, ROW_NUMBER() OVER (
      PARTITION BY account_id, substr(request_key, 1, instr(request_key, '|')), substr(request_key, -40)
      ORDER BY answer = '', created_at, request_key
    ) AS nth FROM idempotency WHERE door = 'eiotclub'
  ) AS ranked WHERE nth > 1
);
UPDATE idempotency SET request_key = substr(request_key, 1, instr(request_key, '|')) || substr(request_key, -40)
WHERE door = 'eiotclub' AND request_key LIKE '%|%|%|%';
UPDATE order_answer SET request_key = substr(request_key, 1, instr(request_key, '|')) || substr(request_key, -40)
WHERE door = 'eiotclub' AND request_key LIKE '%|%|%|%';
