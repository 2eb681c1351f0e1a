-- Some objects about a place, with the statistics of their light curves.
--
-- Parameters
--   $oids (BIGINT[]) object ids
--   $ra, $dec (DOUBLE) centre of a circle that holds them, degrees, ICRS
--   $radius_arcsec (DOUBLE) its radius
--
-- Columns
--   oid
SELECT * EXCLUDE (_healpix_29, rfid)
FROM objects
WHERE cone(ra, dec, $ra, $dec, $radius_arcsec) AND oid IN (SELECT unnest($oids::BIGINT[]));
