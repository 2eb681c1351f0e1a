-- The reference sources around a place, the nearest first: what a finder chart shows.
--
-- Parameters
--   $ra, $dec (DOUBLE) centre, degrees, ICRS
--   $radius_arcsec (DOUBLE = 30) radius, edge included
--   $limit (INTEGER = 1000) how many to show
--
-- Columns
--   oid, field, filtercode, rcid, ra [deg], dec [deg], separation_arcsec [arcsec], mag [mag],
--   magerr [mag]
SELECT
    oid, field, ['zg', 'zr', 'zi'][fid] AS filtercode, rcid, ra, dec,
    separation(ra, dec, $ra, $dec) AS separation_arcsec, mag, magerr
FROM reference_sources
WHERE cone(ra, dec, $ra, $dec, $radius_arcsec)
ORDER BY separation_arcsec, oid
LIMIT $limit;
