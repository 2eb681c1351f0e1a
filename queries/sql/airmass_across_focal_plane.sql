-- Airmass across the focal plane: the recomputed airmass of each image's centre against the one
-- value that the header gives the whole exposure, and how much it differs within the exposure.
--
-- Parameters
--   $night (DATE = null) only this night; null is all
--   $expid (BIGINT = null) only this exposure; null is all
--
-- Columns
--   night, expid, obsmjd [d], field, filtercode, ccdid, qid, rcid, airmass, secz,
--   secz_less_airmass, exposure_min_secz, exposure_max_secz
SELECT
    night, expid, obsmjd, field, filtercode, ccdid, qid, rcid, airmass, secz,
    secz - airmass AS secz_less_airmass,
    min(secz) OVER (PARTITION BY expid) AS exposure_min_secz,
    max(secz) OVER (PARTITION BY expid) AS exposure_max_secz
FROM images
WHERE ($night::DATE IS NULL OR night = $night::DATE)
    AND ($expid::BIGINT IS NULL OR expid = $expid::BIGINT)
ORDER BY obsmjd, expid, rcid;
