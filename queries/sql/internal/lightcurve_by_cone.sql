-- Light curves around a place: every detection in the cone, matched or not, bad ones included, with
-- what its image says; objects one after the other, detections without an object last.
--
-- Parameters
--   $ra, $dec (DOUBLE) centre, degrees, ICRS
--   $radius_arcsec (DOUBLE) radius, edge included
--   $first, $last (BIGINT) smallest and largest _healpix_29 that the cone touches
--   $fids (TINYINT[]) filters: 1 = g, 2 = r, 3 = i; null is all
--
-- Columns
--   oid, expid, hjd [d], hmjd [d], obsmjd [d], mag [mag], magerr [mag], clrcorr [mag], catflags,
--   filtercode, ra [deg], dec [deg], chi, sharp, filefracday, field, fid, ccdid, qid, rcid,
--   limitmag [mag], magzp [mag], magzprms [mag], clrcoeff, clrcounc, exptime [s], airmass, secz,
--   programid, match_arcsec [arcsec], night, seeing [pix], infobits, is_bad, bad_reason
SELECT
    d.oid, d.expid, d.hmjd + 2400000.5 AS hjd, d.hmjd, i.obsmjd, d.mag, d.magerr, d.clrcorr,
    d.catflags, i.filtercode, d.ra, d.dec, d.chi, d.sharp, i.filefracday, d.field, d.fid, d.ccdid,
    d.qid, d.rcid, i.limitmag, i.magzp, i.magzprms, i.clrcoeff, i.clrcounc, i.exptime, i.airmass,
    d.secz, i.programid, d.match_arcsec, d.night, i.seeing, i.infobits, i.is_bad, i.bad_reason
FROM detections AS d
LEFT JOIN images AS i ON i.night = d.night AND i.expid = d.expid AND i.rcid = d.rcid
WHERE d._healpix_29 BETWEEN $first AND $last
    AND ($fids::TINYINT[] IS NULL OR list_contains($fids::TINYINT[], d.fid))
    -- Half chords, squared, not cosines: 1 - cos(x) loses every digit at an arcsecond.
    AND pow(sin(radians(d.dec - $dec) / 2), 2)
        + cos(radians(d.dec)) * cos(radians($dec)) * pow(sin(radians(d.ra - $ra) / 2), 2)
        <= pow(sin(radians($radius_arcsec / 3600) / 2), 2)
ORDER BY d.fid, d.oid NULLS LAST, d.hmjd, d.expid, d.rcid, d.sourceid;
