-- Repeatability: how much the magnitudes of one object scatter, against its brightness, by filter.
-- Of clean detections alone (catflags 0), and of objects that have at least $min_epochs of them.
--
-- Parameters
--   $night (DATE = null) only this night; null is all
--   $filtercode (VARCHAR = null) only this filter: zg, zr, zi; null is all
--   $min_epochs (INTEGER = 5) clean detections that an object must have, 2 or more
--   $bin_mag (DOUBLE = 0.5) width of the bins, magnitudes
--
-- Columns
--   filtercode, mag_bin [mag], n_objects, n_epochs, median_rms [mag], p16_rms [mag], p84_rms [mag],
--   median_magerr [mag], rms_over_magerr
WITH curves AS (
    SELECT
        fid,
        count(*) AS n_epochs,
        avg(mag::DOUBLE) AS mean_mag,
        stddev_samp(mag::DOUBLE) AS rms,
        sqrt(avg(pow(magerr::DOUBLE, 2))) AS rms_magerr
    FROM detections
    WHERE oid IS NOT NULL AND mag IS NOT NULL AND coalesce(catflags, 0) = 0
        AND ($night::DATE IS NULL OR night = $night::DATE)
        AND ($filtercode::VARCHAR IS NULL OR ['zg', 'zr', 'zi'][fid] = $filtercode)
    GROUP BY oid, fid
    HAVING count(*) >= greatest($min_epochs, 2)
)
SELECT
    ['zg', 'zr', 'zi'][fid] AS filtercode,
    floor(mean_mag / $bin_mag) * $bin_mag AS mag_bin,
    count(*) AS n_objects,
    sum(n_epochs)::BIGINT AS n_epochs,
    median(rms) AS median_rms,
    quantile_cont(rms, 0.16) AS p16_rms,
    quantile_cont(rms, 0.84) AS p84_rms,
    median(rms_magerr) AS median_magerr,
    median(rms / nullif(rms_magerr, 0)) AS rms_over_magerr
FROM curves
GROUP BY fid, mag_bin
ORDER BY fid, mag_bin;
