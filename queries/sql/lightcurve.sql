-- Light curve of one object: its detections in the order of time, with what their images say. Those
-- of images that were judged bad are left out unless they are asked for.
--
-- Parameters
--   $oid (BIGINT) object id
--   $all_images (BOOLEAN = false) whether detections of bad images are shown too
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
WHERE d.oid = $oid AND ($all_images OR i.is_bad IS NOT TRUE)
ORDER BY d.hmjd, d.expid, d.rcid, d.sourceid;
