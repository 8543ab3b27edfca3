-- HAVING may use an aggregate's alias in a subquery.
SELECT a, count(*) AS many FROM t GROUP BY a HAVING EXISTS (SELECT 1 FROM u WHERE u.id = many);
SELECT g, count(*) AS many FROM t GROUP BY g HAVING EXISTS (SELECT 1 FROM u WHERE u.id = many);
SELECT g, count(*) AS many FROM t GROUP BY g HAVING many = (SELECT max(id) FROM u WHERE id <= many AND id > 1);
SELECT g, sum(a) AS total, count(*) AS many FROM t GROUP BY g HAVING total > (SELECT min(v) FROM u WHERE v < total + 500 * many);
SELECT g, count(*) AS many FROM t GROUP BY g HAVING many IN (SELECT id FROM u WHERE id < many + 1);
SELECT g, count(*) + 1 AS many FROM t GROUP BY g HAVING (SELECT count(*) FROM u WHERE u.id < many) > 2;
SELECT g, count(*) AS many, max(a) AS m FROM t GROUP BY g HAVING EXISTS (SELECT 1 FROM u WHERE u.id = many AND u.v > m);
SELECT count(*) AS many FROM t HAVING EXISTS (SELECT 1 FROM u WHERE u.id < many);
SELECT g, count(*) AS MANY FROM t GROUP BY g HAVING EXISTS (SELECT 1 FROM u WHERE u.id = many);
SELECT g, count(*) AS many FROM t GROUP BY g HAVING EXISTS (SELECT 1 FROM u WHERE u.id = many AND EXISTS (SELECT 1 FROM t AS x WHERE x.id = many));
SELECT g, count(*) AS many FROM t GROUP BY g HAVING NOT EXISTS (SELECT 1 FROM u WHERE u.id = many) AND many > 1 ORDER BY many, g;
SELECT g, count(*) AS id FROM t GROUP BY g HAVING EXISTS (SELECT 1 FROM u WHERE u.v = id);
SELECT * FROM (SELECT g, count(*) AS many FROM t GROUP BY g HAVING EXISTS (SELECT 1 FROM u WHERE u.id = many)) WHERE many > 2;
SELECT g, count(*) AS many, a FROM t GROUP BY g HAVING EXISTS (SELECT 1 FROM u WHERE u.id = many AND u.v > a);
