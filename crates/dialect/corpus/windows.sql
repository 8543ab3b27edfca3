-- Window functions.

SELECT id, row_number() OVER (ORDER BY id) FROM t;
SELECT id, rank() OVER (ORDER BY g) FROM t;
SELECT id, dense_rank() OVER (ORDER BY g) FROM t;
SELECT id, sum(a) OVER (ORDER BY id) FROM t;
SELECT id, sum(a) OVER (PARTITION BY g) FROM t;
SELECT id, sum(a) OVER (PARTITION BY g ORDER BY id) FROM t;
SELECT id, count(*) OVER () FROM t;
SELECT id, avg(a) OVER (PARTITION BY g) FROM t;
SELECT id, lag(a) OVER (ORDER BY id) FROM t;
SELECT id, lead(a) OVER (ORDER BY id) FROM t;
SELECT id, lag(a, 2) OVER (ORDER BY id) FROM t;
SELECT id, lag(a, 1, 0) OVER (ORDER BY id) FROM t;
SELECT id, first_value(a) OVER (PARTITION BY g ORDER BY id) FROM t;
SELECT id, last_value(a) OVER (PARTITION BY g ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM t;
SELECT id, nth_value(a, 2) OVER (ORDER BY id) FROM t;
SELECT id, ntile(3) OVER (ORDER BY id) FROM t;
SELECT id, percent_rank() OVER (ORDER BY id) FROM t;
SELECT id, cume_dist() OVER (ORDER BY g) FROM t;
SELECT id, max(a) OVER (ORDER BY id ROWS 2 PRECEDING) FROM t;
SELECT id, min(a) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM t;
SELECT id, total(a) OVER (PARTITION BY g) FROM t;
SELECT id, sum(a) OVER w FROM t WINDOW w AS (ORDER BY id);
SELECT id, count(*) FILTER (WHERE a > 5) OVER (PARTITION BY g) FROM t;
SELECT * FROM (SELECT id, row_number() OVER (PARTITION BY g ORDER BY id DESC) AS rn FROM t) WHERE rn = 1;
SELECT g, sum(count(*)) OVER () FROM t GROUP BY g;
SELECT id, row_number() OVER (ORDER BY a, id) FROM t;
SELECT id, row_number() OVER (ORDER BY a DESC, id) FROM t;
SELECT id, sum(a > 5) OVER (ORDER BY id) FROM t;
SELECT id, group_concat(g) OVER (ORDER BY id) FROM t;
SELECT id, sum(b) OVER (ORDER BY g) FROM t;
SELECT id, lag(a, 1, id) OVER (ORDER BY id), lead(s, 2, n || 'x') OVER (PARTITION BY g ORDER BY id) FROM t ORDER BY id;
SELECT pid, start_time - lag(start_time, 1, start_time) OVER (ORDER BY start_time, pid) AS gap FROM processes ORDER BY start_time, pid;
SELECT id, lag(a, 1, b + 1) OVER w FROM t WINDOW w AS (PARTITION BY g ORDER BY id DESC) ORDER BY id;

-- DISTINCT with windows and limits.
WITH w(env) AS (VALUES ('a'),('b'),('a')) SELECT DISTINCT env, count(*) OVER (PARTITION BY env) AS n FROM w ORDER BY env LIMIT 30;
WITH w(env) AS (VALUES ('a'),('b'),('a')) SELECT count(*) FROM (SELECT DISTINCT env, count(*) OVER (PARTITION BY env) AS n FROM w LIMIT 30);
WITH w(env, x) AS (VALUES ('a', 1),('b', 2),('a', 3)) SELECT count(*) FROM (SELECT DISTINCT env, sum(x) OVER (PARTITION BY env) AS s, row_number() OVER (ORDER BY x) AS r FROM w LIMIT 2);
WITH w(env, x) AS (VALUES ('a', 1),('b', 2),('a', 3)) SELECT DISTINCT env, rank() OVER (ORDER BY env) AS r FROM w ORDER BY r DESC LIMIT 1 OFFSET 1;
SELECT count(*) FROM (SELECT DISTINCT g, count(*) OVER (PARTITION BY g) AS n FROM t LIMIT 2 OFFSET 1);
SELECT count(*) FROM (SELECT DISTINCT g FROM (SELECT g, row_number() OVER (PARTITION BY g ORDER BY id) AS r FROM t) WHERE r = 1 LIMIT 3);
SELECT count(*) FROM (SELECT g, n FROM (SELECT g, count(*) OVER (PARTITION BY g) AS n FROM t) GROUP BY g, n LIMIT 3);
SELECT DISTINCT count(*) OVER () AS n FROM t LIMIT 5;
SELECT DISTINCT g, first_value(g) OVER (PARTITION BY g ORDER BY id) AS f, max(a) OVER (ORDER BY g) AS m FROM t ORDER BY 1, 2, 3 LIMIT 10;
