-- What the figure of pixel scale against airmass is drawn from: each image's mean pixel scale, and
-- the recomputed airmass of its centre. Refraction makes the scale grow with the airmass.
--
-- Parameters
--   $night (DATE = null) only this night; null is all
--
-- Columns
--   pid, night, expid, field, fid, filtercode, rcid, obsmjd [d], ra [deg], dec [deg], airmass,
--   secz, pixel_scale_arcsec [arcsec/pix], scale_prior, is_bad
SELECT
    pid, night, expid, field, fid, filtercode, rcid, obsmjd, ra, dec, airmass, secz,
    pixel_scale_arcsec, scale_prior, is_bad
FROM images
WHERE pixel_scale_arcsec IS NOT NULL AND secz IS NOT NULL
    AND ($night::DATE IS NULL OR night = $night::DATE)
ORDER BY obsmjd, rcid;
