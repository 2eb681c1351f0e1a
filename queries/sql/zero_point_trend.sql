-- Zero points from night to night: how far the good images of a night lie from the median of
-- their channel (field, filter, quadrant) over all nights. Below zero, light was lost: clouds, or
-- a higher airmass, which is given beside it.
--
-- Parameters
--   $filtercode (VARCHAR = null) only this filter: zg, zr, zi; null is all
--   $first_night, $last_night (DATE = null) nights to show; the medians are of all nights
--
-- Columns
--   night, filtercode, n_images, median_magzp [mag], magzp_change [mag], magzp_scatter [mag],
--   median_magzprms [mag], median_clrcoeff, median_airmass
WITH changes AS (
    SELECT
        night, filtercode, magzp, magzprms, clrcoeff, airmass,
        magzp - median(magzp) OVER (PARTITION BY field, fid, rcid) AS magzp_change
    FROM images
    WHERE NOT is_bad AND magzp IS NOT NULL
        AND ($filtercode::VARCHAR IS NULL OR filtercode = $filtercode)
)
SELECT
    night, filtercode,
    count(*) AS n_images,
    median(magzp) AS median_magzp,
    median(magzp_change) AS magzp_change,
    -- Of a normal distribution, 1.4826 median absolute deviations are one sigma.
    1.4826 * mad(magzp_change) AS magzp_scatter,
    median(magzprms) AS median_magzprms,
    median(clrcoeff) AS median_clrcoeff,
    median(airmass) AS median_airmass
FROM changes
WHERE ($first_night::DATE IS NULL OR night >= $first_night::DATE)
    AND ($last_night::DATE IS NULL OR night <= $last_night::DATE)
GROUP BY night, filtercode
ORDER BY night, filtercode;
