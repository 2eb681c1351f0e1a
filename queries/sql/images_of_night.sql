-- The quadrant images of one night, in the order they were taken.
--
-- Parameters
--   $night (DATE) night
--
-- Columns
--   pid, expid, night, field, filtercode, ccdid, qid, rcid, obsmjd [d], exptime [s], ra [deg],
--   dec [deg], airmass, secz, magzp [mag], seeing [pix], limitmag [mag], infobits, is_bad,
--   bad_reason, reference_state, n_published, n_refused, n_matched, matched_fraction, input_file
SELECT
    pid, expid, night, field, filtercode, ccdid, qid, rcid, obsmjd, exptime, ra, dec, airmass,
    secz, magzp, seeing, limitmag, infobits, is_bad, bad_reason, reference_state, n_published,
    n_refused, n_matched, n_matched / nullif(n_published, 0) AS matched_fraction, input_file
FROM images
WHERE night = $night
ORDER BY obsmjd, rcid;
