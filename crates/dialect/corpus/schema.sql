-- SQLite's tables about tables.

SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name;
SELECT count(*) FROM sqlite_schema;
SELECT m.name, m.tbl_name FROM sqlite_master AS m WHERE m.name LIKE 'h%';
SELECT type, count(*) FROM sqlite_master GROUP BY type;
SELECT name FROM pragma_table_info('t');
SELECT cid, name, "notnull", pk FROM pragma_table_info('processes') WHERE cid > 2;
SELECT p.name FROM pragma_table_info('u') AS p ORDER BY p.cid DESC;
SELECT count(*) FROM pragma_table_xinfo('t');
SELECT count(*) FROM pragma_table_info('nosuch');
SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'users');
