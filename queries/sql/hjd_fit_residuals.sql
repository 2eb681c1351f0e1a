-- How well the fit of the light-travel time served, by night and filter: its largest residual over
-- an image's rows, median and worst of the images, and which image that is.
--
-- Parameters
--   $night (DATE = null) only this night; null is all
--
-- Columns
--   night, filtercode, n_images, n_fitted, median_residual_us [us], max_residual_us [us],
--   worst_pid, n_iers_extrapolated
SELECT
    night, filtercode,
    count(*) AS n_images,
    count(hjd_residual_us) AS n_fitted,
    median(hjd_residual_us) AS median_residual_us,
    max(hjd_residual_us) AS max_residual_us,
    arg_max(pid, (hjd_residual_us, -pid)) FILTER (hjd_residual_us IS NOT NULL) AS worst_pid,
    count(*) FILTER (iers_extrapolated) AS n_iers_extrapolated
FROM images
WHERE $night::DATE IS NULL OR night = $night::DATE
GROUP BY night, fid, filtercode
ORDER BY night, fid;
