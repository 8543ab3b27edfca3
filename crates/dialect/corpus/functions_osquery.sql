-- The functions that osquery adds, with results by its rules.

-- answer: a
SELECT split('a/b/c', '/', 0);
-- answer: c
SELECT split('a/b/c', '/', 2);
-- answer: b
SELECT split('/a//b/', '/', 1);
-- answer: c
SELECT split('a,b;c', ',;', 2);
-- answer: b
SELECT split(' a , b ', ',', 1);
-- answer: abc
SELECT split('abc', ',', 0);
-- answer: NULL
SELECT split('abc', ',', 1);
-- answer: NULL
SELECT split('abc', ',', -1);
-- answer: NULL
SELECT split(NULL, ',', 0);
-- answer: NULL
SELECT split('abc', NULL, 0);
-- answer: NULL
SELECT split('', ',', 0);
-- answer: b
SELECT regex_split('a1b2c', '[0-9]', 1);
-- answer: 
SELECT regex_split('a12b', '[0-9]', 1);
-- answer: NULL
SELECT regex_split('a', ',', 3);
-- answer: NULL
SELECT regex_split(NULL, ',', 0);
-- answer: l
SELECT regex_match('hello world', 'wor(.)d', 1);
-- answer: world
SELECT regex_match('hello world', 'wor(.)d', 0);
-- answer: NULL
SELECT regex_match('hello', 'x', 0);
-- answer: 
SELECT regex_match('hello', 'h(x)?e', 1);
-- answer: NULL
SELECT regex_match('hello', 'h', 5);
-- answer: NULL
SELECT regex_match(NULL, 'h', 0);
-- answer: NULL
SELECT regex_match('hello', NULL, 0);
-- answer: curl
SELECT regex_match('/usr/bin/curl', '.*/(.*)', 1);
-- answer: ab1
SELECT concat('a', 'b', 1);
-- answer: ac
SELECT concat('a', NULL, 'c');
-- answer: NULL
SELECT concat(NULL);
-- answer: NULL
SELECT concat();
-- answer: 1.5x
SELECT concat(1.5, 'x');
-- answer: a,b
SELECT concat_ws(',', 'a', NULL, 'b');
-- answer: ab
SELECT concat_ws(NULL, 'a', 'b');
-- answer: a,
SELECT concat_ws(',', 'a', NULL);
-- answer: 1-2-3
SELECT concat_ws('-', 1, 2, 3);
-- answer: 2130706433
SELECT inet_aton('127.0.0.1');
-- answer: NULL
SELECT inet_aton('::1');
-- answer: NULL
SELECT inet_aton('x');
-- answer: NULL
SELECT inet_aton(NULL);
-- answer: NULL
SELECT inet_aton('256.1.1.1');
-- answer: 0
SELECT version_compare('1.0', '1.0');
-- answer: 1
SELECT version_compare('1.10', '1.9');
-- answer: -1
SELECT version_compare('1.0', '1.0.1');
-- answer: -1
SELECT version_compare('1.0~rc1', '1.0', 'DPKG');
-- answer: 1
SELECT version_compare('2:1.0', '1:9.0', 'DPKG');
-- answer: 1
SELECT in_cidr_block('192.168.0.0/24', '192.168.0.5');
-- answer: 0
SELECT in_cidr_block('192.168.0.0/24', '192.168.1.5');
-- answer: 0
SELECT in_cidr_block('192.168.0.0/24', '192.168.0.0');
-- answer: 0
SELECT in_cidr_block('192.168.0.0/24', '192.168.0.255');
-- answer: 1
SELECT in_cidr_block('10.0.0.1/32', '10.0.0.1');
-- answer: 1
SELECT in_cidr_block('2001:db8::/32', '2001:db8::1');
-- answer: d41d8cd98f00b204e9800998ecf8427e
SELECT md5('');
-- answer: 900150983cd24fb0d6963f7d28e17f72
SELECT md5('abc');
-- answer: NULL
SELECT md5(NULL);
-- answer: a9993e364706816aba3e25717850c26c9cd0d89d
SELECT sha1('abc');
-- answer: NULL
SELECT sha1(NULL);
-- answer: NULL
SELECT sha256(NULL);
-- answer: aGVsbG8=
SELECT to_base64('hello');
-- answer: NULL
SELECT to_base64(NULL);
-- answer: hello
SELECT from_base64('aGVsbG8=');
-- answer: NULL
SELECT from_base64(NULL);
-- answer: plain
SELECT conditional_to_base64('plain');
-- answer: AQ==
SELECT conditional_to_base64(char(1));
-- answer: 3.0
SELECT sqrt(9);
-- answer: NULL
SELECT sqrt(NULL);
-- answer: 0.0
SELECT log(1);
-- answer: 2.0
SELECT log10(100);
-- answer: 1.0
SELECT exp(0);
-- answer: 8.0
SELECT power(2, 3);
-- answer: 2
SELECT ceil(1.1);
-- answer: -1
SELECT ceil(-1.1);
-- answer: 1
SELECT floor(1.9);
-- answer: -2
SELECT floor(-1.1);
-- answer: 5
SELECT ceil(5);
-- answer: 0.0
SELECT degrees(0);
-- answer: 0.0
SELECT radians(0);
-- answer: 0.0
SELECT sin(0);
-- answer: 1.0
SELECT cos(0);
-- answer: 0.0
SELECT tan(0);
-- answer: 0.0
SELECT asin(0);
-- answer: 0.0
SELECT acos(1);
-- answer: 0.0
SELECT atan(0);
-- answer: NULL
SELECT sin(NULL);
-- answer: /a
SELECT parent_directory('/a/b');
-- answer: 
SELECT parent_directory('/a');
-- answer: NULL
SELECT parent_directory('a');
-- answer: 1
SELECT 'abc' REGEXP '^a.c$';
-- answer: 0
SELECT 'abc' REGEXP 'x';
-- answer: 1
SELECT 'abc' NOT REGEXP 'x';
-- answer: NULL
SELECT NULL REGEXP 'x';
-- answer: 1:LQU9qZlK+B5F3KDmev6m5PMibrg=
SELECT community_id_v1('128.232.110.120', '66.35.250.204', 34855, 80, 6);
-- answer: NULL
SELECT community_id_v1('x', '66.35.250.204', 34855, 80, 6);
-- answer: bash~curl
SELECT name FROM processes WHERE path REGEXP '^/usr/bin/' ORDER BY name;
-- answer: curl
SELECT regex_match(path, '/usr/bin/(c.*)', 1) AS n FROM processes WHERE n IS NOT NULL;
-- answer: 300
SELECT pid FROM processes WHERE regex_match(cmdline, 'listen=([0-9]+)', 1) = '4444';
-- answer: 300
SELECT pid FROM processes WHERE CAST(regex_match(cmdline, 'listen=([0-9]+)', 1) AS INTEGER) = 4444;
-- answer: /usr/bin~/usr/bin~/usr/lib/systemd~/usr/sbin
SELECT parent_directory(path) AS d FROM processes WHERE path LIKE '/usr/%' ORDER BY d;

-- An earlier condition excludes values for which a function would fail
SELECT id FROM t WHERE s IS NOT NULL AND version_compare(n, '1') > 0 AND n IS NOT NULL;
SELECT id FROM t WHERE n IS NOT NULL AND version_compare(n, '9') >= 0;
SELECT id FROM t WHERE n IS NULL OR version_compare(n, '9') >= 0;
SELECT id FROM (SELECT id, '10.0.0.' || id AS address FROM t WHERE id < 5 UNION ALL SELECT id, s FROM t) WHERE address LIKE '10.%' AND in_cidr_block('10.0.0.0/30', address);
WITH found AS (SELECT id, CASE WHEN id > 4 THEN '10.0.0.' || id ELSE '' END AS address FROM t) SELECT id FROM found WHERE address != '' AND in_cidr_block('10.0.0.0/29', address) = 1;
