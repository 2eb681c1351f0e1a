-- The statistics of the objects around a place, the nearest first. From `objects`, as of the last
-- nightlake build.
--
-- Parameters
--   $ra, $dec (DOUBLE) centre, degrees, ICRS
--   $radius_arcsec (DOUBLE = 5) radius, edge included
--
-- Columns
--   oid, group_id, field, filtercode, rcid, ra [deg], dec [deg], separation_arcsec [arcsec], nobs,
--   ngoodobs, n_covered, medianmag [mag], magrms [mag], robustrms [mag], medmagerr [mag],
--   reduced_chi2, stetsonj, stetsonk, skewness, vonneumannratio
SELECT
    oid, group_id, field, ['zg', 'zr', 'zi'][fid] AS filtercode, rcid, ra, dec,
    separation(ra, dec, $ra, $dec) AS separation_arcsec, nobs, ngoodobs, n_covered, medianmag,
    magrms, robustrms, medmagerr, chi2::DOUBLE / nullif(ngoodobs - 1, 0) AS reduced_chi2, stetsonj,
    stetsonk, skewness, vonneumannratio
FROM objects
WHERE cone(ra, dec, $ra, $dec, $radius_arcsec)
ORDER BY separation_arcsec, oid;
