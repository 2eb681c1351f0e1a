-- The scale check night by night: how many images were checked, by which priors, how many it
-- judged bad, and the image that is worst.
--
-- Parameters
--   $first_night, $last_night (DATE = null) nights to show; null is all
--
-- Columns
--   night, n_images, n_checked, n_given, n_archive, n_ideal, n_scale_bad, n_infobit16,
--   median_pixel_scale [arcsec/pix], median_scale_rms [10**-2], max_scale_diff [10**-2], worst_pid
SELECT
    night,
    count(*) AS n_images,
    count(scale_prior) AS n_checked,
    count(*) FILTER (scale_prior = 'given') AS n_given,
    count(*) FILTER (scale_prior = 'archive') AS n_archive,
    count(*) FILTER (scale_prior = 'ideal') AS n_ideal,
    count(*) FILTER (is_bad AND bad_reason LIKE '%pixel scale%') AS n_scale_bad,
    count(*) FILTER (scale_infobit16) AS n_infobit16,
    median(pixel_scale_arcsec) AS median_pixel_scale,
    median(pct_scale_diff_rms) AS median_scale_rms,
    max(abs(pct_scale_diff_worst)) AS max_scale_diff,
    arg_max(pid, (abs(pct_scale_diff_worst), -pid))
        FILTER (pct_scale_diff_worst IS NOT NULL) AS worst_pid
FROM images
WHERE ($first_night::DATE IS NULL OR night >= $first_night::DATE)
    AND ($last_night::DATE IS NULL OR night <= $last_night::DATE)
GROUP BY night
ORDER BY night;
