-- The scale check image by image, the worst first: how far the pixel scale departs from its
-- prior's, and where on the chip. Images that were not checked, for want of a WCS, come last.
--
-- Parameters
--   $night (DATE = null) only this night; null is all
--   $limit (INTEGER = 20) how many images to show
--
-- Columns
--   pid, night, expid, field, filtercode, ccdid, qid, rcid, obsmjd [d], secz,
--   pixel_scale_arcsec [arcsec/pix], pct_scale_diff_min [10**-2], pct_scale_diff_max [10**-2],
--   pct_scale_diff_rms [10**-2], pct_scale_diff_worst [10**-2], scale_worst_x [pix],
--   scale_worst_y [pix], scale_prior, scale_infobit16, infobits, is_bad, bad_reason, input_file
SELECT
    pid, night, expid, field, filtercode, ccdid, qid, rcid, obsmjd, secz, pixel_scale_arcsec,
    pct_scale_diff_min, pct_scale_diff_max, pct_scale_diff_rms, pct_scale_diff_worst,
    scale_worst_x, scale_worst_y, scale_prior, scale_infobit16, infobits, is_bad, bad_reason,
    input_file
FROM images
WHERE $night::DATE IS NULL OR night = $night::DATE
ORDER BY abs(pct_scale_diff_worst) DESC NULLS LAST, pid
LIMIT $limit;
