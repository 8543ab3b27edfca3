-- about: placeholder
SELECT 1
