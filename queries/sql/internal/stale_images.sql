-- The images whose ids and colour terms are not those that the references which stand now would
-- give: `nightlake rematch` publishes them anew. As a view it is asked like a table.
--
-- Columns
--   night, pid, field, filtercode, ccdid, qid, rcid, rfid, reference_checksum, match_recipe,
--   current_recipe
WITH quadrants AS (
    SELECT
        field, ccdid, qid,
        left(max(input_checksum) FILTER (fid = 1), 16) AS zg,
        left(max(input_checksum) FILTER (fid = 2), 16) AS zr,
        left(max(input_checksum) FILTER (fid = 3), 16) AS zi
    FROM reference_images
    GROUP BY field, ccdid, qid
), channels AS (
    -- Once for each channel, not for each image: strings are dear.
    SELECT
        i.field, i.ccdid, i.qid, i.fid, i.match_radius_arcsec,
        CASE WHEN i.fid = 3 THEN 'zi=' || coalesce(zi, 'none')
            ELSE 'zg=' || coalesce(zg, 'none') || ' zr=' || coalesce(zr, 'none')
        END || ' radius=' || i.match_radius_arcsec AS current_recipe
    FROM (SELECT DISTINCT field, ccdid, qid, fid, match_radius_arcsec FROM images) AS i
    LEFT JOIN quadrants AS q ON q.field = i.field AND q.ccdid = i.ccdid AND q.qid = i.qid
)
SELECT
    night, pid, field, filtercode, ccdid, qid, rcid, rfid, reference_checksum, match_recipe,
    current_recipe
FROM images
JOIN channels USING (field, ccdid, qid, fid, match_radius_arcsec)
WHERE match_recipe IS DISTINCT FROM current_recipe
ORDER BY night, pid;
