-- The reference source that an object id stands for.
--
-- Parameters
--   $oid (BIGINT) object id
--
-- Columns
--   oid, rfid, field, fid, ccdid, qid, rcid, sourceid, ra [deg], dec [deg], mag [mag],
--   magerr [mag], chi, sharp, catflags
SELECT
    oid, rfid, field, fid, ccdid, qid, rcid, sourceid, ra, dec, mag, magerr, chi, sharp, catflags
FROM reference_sources
WHERE oid = $oid;
