-- The images whose ids and colour terms are not those that the references which stand now would
-- give: `nightlake rematch` publishes them anew. As a view it is asked like a table.
--
-- Columns
--   night, pid, field, filtercode, ccdid, qid, rcid, rfid, reference_checksum, match_recipe,
--   current_recipe
WITH channels AS (
    SELECT
        field, ccdid, qid,
        left(max(input_checksum) FILTER (fid = 1), 16) AS zg,
        left(max(input_checksum) FILTER (fid = 2), 16) AS zr,
        left(max(input_checksum) FILTER (fid = 3), 16) AS zi
    FROM reference_images
    GROUP BY field, ccdid, qid
), expected AS (
    SELECT
        i.night, i.pid, i.field, i.filtercode, i.ccdid, i.qid, i.rcid, i.rfid,
        i.reference_checksum, i.match_recipe,
        CASE WHEN i.fid = 3 THEN 'zi=' || coalesce(c.zi, 'none')
            ELSE 'zg=' || coalesce(c.zg, 'none') || ' zr=' || coalesce(c.zr, 'none')
        END || ' radius=' || i.match_radius_arcsec AS current_recipe
    FROM images AS i
    LEFT JOIN channels AS c ON c.field = i.field AND c.ccdid = i.ccdid AND c.qid = i.qid
)
SELECT
    night, pid, field, filtercode, ccdid, qid, rcid, rfid, reference_checksum, match_recipe,
    current_recipe
FROM expected
WHERE match_recipe IS DISTINCT FROM current_recipe
ORDER BY night, pid;
