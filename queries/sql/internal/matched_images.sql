-- The images of one channel whose detections have object ids, and whether these are of the
-- reference catalogue that stands: is_current is false where it was replaced since.
--
-- Parameters
--   $field (SMALLINT) survey field
--   $fid (TINYINT) filter: 1 = g, 2 = r, 3 = i
--   $ccdid (TINYINT) CCD, 1–16
--   $qid (TINYINT) quadrant of the CCD, 1–4
--
-- Columns
--   night, is_current, ra [deg], dec [deg]
SELECT
    i.night, i.reference_checksum IS NOT DISTINCT FROM r.input_checksum AS is_current, i.ra, i.dec
FROM images AS i
LEFT JOIN reference_images AS r
    ON r.field = i.field AND r.fid = i.fid AND r.ccdid = i.ccdid AND r.qid = i.qid
WHERE i.field = $field AND i.fid = $fid AND i.ccdid = $ccdid AND i.qid = $qid
    AND i.reference_checksum IS NOT NULL
ORDER BY i.pid, i.night;
