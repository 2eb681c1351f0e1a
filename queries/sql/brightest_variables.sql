-- The brightest objects that vary: whose magnitudes scatter $min_ratio times as much as those of
-- other objects of their filter and brightness (bins of half a magnitude) do, by the median. From
-- `objects`, as of the last nightlake build.
--
-- Parameters
--   $filtercode (VARCHAR = null) only this filter: zg, zr, zi; null is all
--   $min_ratio (DOUBLE = 3) least ratio of magrms to the median magrms of its bin
--   $min_epochs (INTEGER = 10) good epochs that an object must have; others do not count in a bin
--   $limit (INTEGER = 50) how many objects to show
--
-- Columns
--   oid, group_id, filtercode, ra [deg], dec [deg], medianmag [mag], magrms [mag], rms_ratio,
--   reduced_chi2, stetsonj, vonneumannratio, ngoodobs, n_covered
SELECT
    oid, group_id, ['zg', 'zr', 'zi'][fid] AS filtercode, ra, dec, medianmag, magrms, rms_ratio,
    chi2::DOUBLE / (ngoodobs - 1) AS reduced_chi2, stetsonj, vonneumannratio, ngoodobs, n_covered
FROM (
    SELECT
        *,
        magrms::DOUBLE
            / nullif(median(magrms) OVER (PARTITION BY fid, floor(medianmag * 2)), 0) AS rms_ratio
    FROM objects
    WHERE ngoodobs >= greatest($min_epochs, 2)
        AND ($filtercode::VARCHAR IS NULL OR ['zg', 'zr', 'zi'][fid] = $filtercode)
)
WHERE rms_ratio >= $min_ratio
ORDER BY medianmag, oid
LIMIT $limit;
