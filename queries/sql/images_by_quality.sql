-- Images, the worst first: those that were judged bad, then the others by how much less deep they
-- are than the good images of their filter, of all nights. Unknown depths come last.
--
-- Parameters
--   $night (DATE = null) only this night; null is all
--   $filtercode (VARCHAR = null) only this filter: zg, zr, zi; null is all
--   $limit (INTEGER = 20) how many images to show
--
-- Columns
--   pid, night, expid, field, filtercode, rcid, obsmjd [d], is_bad, bad_reason, airmass,
--   seeing [pix], limitmag [mag], limitmag_change [mag], magzp [mag], magzprms [mag], infobits,
--   n_published, matched_fraction, input_file
SELECT
    pid, night, expid, field, filtercode, rcid, obsmjd, is_bad, bad_reason, airmass, seeing,
    limitmag, limitmag_change, magzp, magzprms, infobits, n_published,
    n_matched / nullif(n_published, 0) AS matched_fraction, input_file
FROM (
    SELECT
        *,
        limitmag - median(limitmag) FILTER (NOT is_bad) OVER (PARTITION BY fid) AS limitmag_change
    FROM images
)
WHERE ($night::DATE IS NULL OR night = $night::DATE)
    AND ($filtercode::VARCHAR IS NULL OR filtercode = $filtercode)
ORDER BY is_bad DESC, limitmag_change NULLS LAST, pid
LIMIT $limit;
