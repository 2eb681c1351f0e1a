-- How deep each field was seen, quadrant by quadrant and filter by filter: limiting magnitudes of
-- the good images, and of all of them stacked with the weight of their depth.
--
-- Parameters
--   $night (DATE = null) only this night; null is all
--   $filtercode (VARCHAR = null) only this filter: zg, zr, zi; null is all
--
-- Columns
--   field, filtercode, ccdid, qid, rcid, ra [deg], dec [deg], n_images, n_bad_images,
--   total_exptime [s], median_limitmag [mag], best_limitmag [mag], stacked_limitmag [mag],
--   first_night, last_night
SELECT
    field, filtercode, ccdid, qid, rcid,
    arg_min(ra, pid) AS ra,
    arg_min(dec, pid) AS dec,
    count(*) AS n_images,
    count(*) FILTER (is_bad) AS n_bad_images,
    sum(exptime) FILTER (NOT is_bad) AS total_exptime,
    median(limitmag) FILTER (NOT is_bad) AS median_limitmag,
    max(limitmag) FILTER (NOT is_bad) AS best_limitmag,
    -- Noise is proportional to 10^(-0.4 limitmag), and inverse variances add.
    1.25 * log10(sum(pow(10, 0.8 * limitmag)) FILTER (NOT is_bad)) AS stacked_limitmag,
    min(night) AS first_night,
    max(night) AS last_night
FROM images
WHERE ($night::DATE IS NULL OR night = $night::DATE)
    AND ($filtercode::VARCHAR IS NULL OR filtercode = $filtercode)
GROUP BY field, fid, filtercode, ccdid, qid, rcid
ORDER BY field, fid, rcid;
