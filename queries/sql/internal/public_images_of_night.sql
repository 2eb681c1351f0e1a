-- The quadrant images of one night that are of some programmes, in the order they were taken.
--
-- Parameters
--   $night (DATE) night
--   $programs (INTEGER[] = null) programmes; null is all
--
-- Columns
--   pid, expid, night, field, filtercode, ccdid, qid, rcid, obsmjd [d], exptime [s], programid,
--   ra [deg], dec [deg], airmass, secz, magzp [mag], seeing [pix], limitmag [mag], infobits,
--   is_bad, bad_reason, reference_state, n_published, n_refused, n_matched, matched_fraction
SELECT
    pid, expid, night, field, filtercode, ccdid, qid, rcid, obsmjd, exptime, programid, ra, dec,
    airmass, secz, magzp, seeing, limitmag, infobits, is_bad, bad_reason, reference_state,
    n_published, n_refused, n_matched, n_matched / nullif(n_published, 0) AS matched_fraction
FROM images
WHERE night = $night
    AND ($programs::INTEGER[] IS NULL OR programid IN (SELECT unnest($programs::INTEGER[])))
ORDER BY obsmjd, rcid;
