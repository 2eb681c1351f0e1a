-- How many rows each table of the archive has.
--
-- Columns
--   table_name, n_rows
SELECT 'detections' AS table_name, count(*) AS n_rows FROM detections
UNION ALL SELECT 'reference_sources', count(*) FROM reference_sources
UNION ALL SELECT 'images', count(*) FROM images
UNION ALL SELECT 'exposures', count(*) FROM exposures
UNION ALL SELECT 'nights', count(*) FROM nights
UNION ALL SELECT 'reference_images', count(*) FROM reference_images
UNION ALL SELECT 'refusals', count(*) FROM refusals;
