-- Types and names as osquery's users write them.
SELECT CAST(pid AS UNSIGNED BIGINT) FROM processes;
SELECT CAST('12abc' AS UNSIGNED BIG INT), CAST(' 7' AS BIG INT), CAST('x' AS UNSIGNED BIG INT);
SELECT CAST(3.9 AS LONG INTEGER), CAST(65 AS VARYING CHARACTER(20)), CAST('1.5' AS DOUBLE PRECISION);
SELECT CAST('2024-05-06' AS DATE), CAST('2024-05-06 01:02:03' AS DATETIME), CAST('3' AS DATE);
SELECT pid FROM processes WHERE CAST(uid AS UNSIGNED BIGINT) = 1000;
SELECT pid, name FROM main.processes WHERE uid = 0;
SELECT p.pid FROM main.processes AS p JOIN main.users u USING (uid);
SELECT main.processes.pid, processes.name FROM main.processes WHERE main.processes.uid = 1000;
SELECT processes.pid FROM Main.Processes WHERE pid IN (SELECT pid FROM main.listening_ports);

-- A table after IN
WITH names AS (SELECT 'bash' UNION SELECT 'sshd') SELECT pid FROM processes WHERE name IN names;
WITH names AS (SELECT 'bash' UNION SELECT 'sshd') SELECT pid FROM processes WHERE name NOT IN names AND uid = 0;
WITH ids(x) AS (VALUES (1), (100)) SELECT name, pid IN ids FROM processes;

-- A comma as a join
SELECT p.pid, u.username FROM processes p, users u ON p.uid = u.uid;
SELECT p.pid, username FROM processes p, users USING (uid) WHERE pid > 100;
SELECT t.id, u.id, e.id FROM t, u ON t.id = u.t_id LEFT JOIN empty e ON e.id = t.id;
SELECT t.id, u.id, x.pid FROM t JOIN u ON t.id = u.t_id, processes x ON x.pid = t.id, users;
SELECT p.pid FROM processes p, (SELECT uid FROM users) u ON p.uid = u.uid WHERE p.pid IN (SELECT l.pid FROM listening_ports l, t ON t.id = 1);

-- END and OFFSET as names
SELECT CASE WHEN end > start THEN 1 ELSE 2 END FROM words;
SELECT CASE WHEN m.end > m.start THEN m.end ELSE "end" END AS x FROM words m;
SELECT CASE end WHEN '0x10' THEN end ELSE start END, end FROM words;
SELECT CASE WHEN 1 THEN CASE WHEN end = '0x10' THEN end END ELSE 2 END end FROM words WHERE end IS NOT NULL;
SELECT pid AS offset, name FROM processes ORDER BY offset LIMIT 2 OFFSET 1;
SELECT offset.pid FROM processes AS offset WHERE offset.pid > 100;
SELECT offset.pid FROM processes offset JOIN users u ON u.uid = offset.uid LIMIT 3;
SELECT offset, offset + 1 FROM words WHERE offset BETWEEN offset AND 5;
SELECT id FROM t ORDER BY id LIMIT 2 OFFSET abs(-3);
SELECT struct.x, any, some, cube, rollup, trim FROM (SELECT 1 AS x, 2 AS any, 3 AS some, 4 AS cube, 5 AS rollup, 6 AS trim) AS struct;
SELECT struct, trim(trim) FROM (SELECT 1 AS struct, ' x ' AS trim) WHERE struct < 5 AND trim > '';
SELECT any FROM (SELECT 1 AS any UNION ALL SELECT 2) WHERE any = 2 GROUP BY any;

-- Constructs that only SQLite's grammar accepts
SELECT pid FROM processes WHERE name COLLATE nocase COLLATE binary = 'EVIL';
SELECT pid FROM processes WHERE name COLLATE binary COLLATE nocase = 'EVIL';
SELECT DISTINCT name COLLATE nocase COLLATE binary FROM processes WHERE pid >= 300;
SELECT id FROM t WHERE s || '' COLLATE nocase COLLATE nocase = 'ABC';

-- Set operations from left to right
SELECT 1 UNION SELECT 2 INTERSECT SELECT 3;
SELECT 1 UNION ALL SELECT 2 INTERSECT SELECT 2 UNION ALL SELECT 7;
SELECT 1 EXCEPT SELECT 2 INTERSECT SELECT 1;
SELECT uid FROM users UNION SELECT 7 INTERSECT SELECT uid FROM processes INTERSECT SELECT 1000;
SELECT 1 INTERSECT SELECT 1 UNION SELECT 2 EXCEPT SELECT 1;
SELECT count(*) FROM (SELECT uid FROM users UNION ALL SELECT uid FROM processes INTERSECT SELECT 0);

-- NULL as the first member's item
SELECT x FROM (SELECT NULL AS x UNION ALL SELECT uid FROM users) WHERE x IN (0, 1);
SELECT x + 1 FROM (SELECT NULL AS x UNION ALL SELECT uid FROM users);
SELECT sum(x), min(x), count(x) FROM (SELECT NULL AS x UNION ALL SELECT uid FROM users);
SELECT x || '!', typeof(x) FROM (SELECT NULL AS x UNION ALL SELECT username FROM users);
SELECT x FROM (SELECT NULL AS x UNION ALL SELECT r FROM t) WHERE x > 2;
SELECT x, y FROM (SELECT NULL AS x, 1 AS y UNION SELECT NULL, 2 UNION SELECT uid, NULL FROM users) WHERE y IS NULL OR x IS NULL;
WITH v(x) AS (VALUES (NULL), (1), (2)) SELECT x, x + 1 FROM v WHERE x > 1;
SELECT column1 + 1 FROM (VALUES (NULL), (1), (2)) WHERE column1 > 1;
WITH RECURSIVE up(pid, child) AS (SELECT 300, NULL UNION ALL SELECT p.parent, p.name FROM processes p JOIN up ON p.pid = up.pid WHERE p.parent > 0) SELECT pid, child FROM up;
WITH RECURSIVE up(pid, child) AS (SELECT 300, NULL UNION ALL SELECT p.parent, p.pid FROM processes p JOIN up ON p.pid = up.pid WHERE p.parent > 0) SELECT pid, child + 1 FROM up;

-- IS DISTINCT FROM
SELECT pid FROM processes WHERE uid IS DISTINCT FROM 0 AND parent IS NOT DISTINCT FROM 201;
SELECT pid, uid IS DISTINCT FROM 0 OR 0, uid IS NOT DISTINCT FROM NULL FROM processes;
SELECT NULL IS DISTINCT FROM NULL, 1 IS NOT DISTINCT FROM NULL, 1 IS DISTINCT FROM 1 = 0;

-- Operator precedence
SELECT -pid || ':x' FROM processes;
SELECT ~2 * 3, ~1 + 1, - 2 * 3, -2 || 3, ~-1, -~1, +-+2, - - 3;
SELECT 4 | 1 & 2, 1 & 3 << 1, 1 << 1 | 1, 8 >> 1 & 6, 1 | 2 << 3, 1 + 1 << 2, 6 & 3 | 8;
SELECT 2 = 1 < 3, 1 < 2 = 1, 3 > 2 > 1, 1 = 2 <= 3, 1 <> 2 < 1, 2 BETWEEN 1 AND 3 < 0;
SELECT 3 IS NOT NULL - 1, 3 IS NULL + 1, NULL IS NULL || 'x', 1 IS TRUE + 0, 2 IS TRUE, 2 IS NOT FALSE, 1 IS NULL = 0;
SELECT 1 < 2 IS 1, 1 = 1 IS NOT 0, 1 IN (1) < 2, 5 LIKE 5 < 0, 1 < 2 LIKE 1, NOT 1 = 2, NOT 1 < 2 = 1;
SELECT 'a' || 1 * 2, 2 * 1 || 2, 1 || 2 || 3 + 1, -'1' || '2', 10 - 2 || 3;
SELECT '[1,2' || ']' -> 1, '{"a":{"b":5}}' -> 'a' ->> 'b' || 'x', -('[1]' ->> 0), 1 + '[3]' ->> 0;
SELECT id FROM t WHERE -id COLLATE nocase = -3;
SELECT pid FROM processes WHERE +pid = '1';
SELECT pid FROM processes WHERE +pid = 1;
SELECT pid FROM processes WHERE + name = 'bash' OR +pid IN ('100', 1);
SELECT id FROM t WHERE +n = 10;
SELECT count(*), +g FROM t GROUP BY +g;
SELECT hash.md5 FROM hash WHERE +md5 = '900150983cd24fb0d6963f7d28e17f72';
SELECT id FROM t ORDER BY +s, +id;
SELECT id FROM t WHERE a & 1 = 0 AND a | 1 > 5 ORDER BY -id;
SELECT id FROM t WHERE s LIKE 'a' || '%' AND id + 1 BETWEEN 1 | 2 AND 7 & 15;
