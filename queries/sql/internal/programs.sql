-- The programmes that images are of.
--
-- Columns
--   programid
SELECT DISTINCT programid
FROM images
ORDER BY programid;
