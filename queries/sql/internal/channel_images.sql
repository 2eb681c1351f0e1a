-- The images of a channel, or of all channels one after the other, in order of time.
--
-- Parameters
--   $field (SMALLINT = null) only this field
--   $fid (TINYINT = null) only this filter
--   $ccdid, $qid (TINYINT = null) only this quadrant
--
-- Columns
--   field, fid, ccdid, qid, pid, expid, obsmjd [d], exptime [s], programid, filefracday, ra [deg],
--   dec [deg], airmass, magzp [mag], magzpunc [mag], magzprms [mag], clrcoeff, clrcounc, pcolor,
--   seeing [pix], limitmag [mag], infobits, earth_x_s [s], earth_y_s [s], earth_z_s [s],
--   reference_checksum, recipe, match_recipe
SELECT i.field, i.fid, i.ccdid, i.qid, i.pid, i.expid, i.obsmjd, i.exptime, i.programid,
       i.filefracday, i.ra, i.dec, i.airmass, i.magzp, i.magzpunc, i.magzprms, i.clrcoeff,
       i.clrcounc, i.pcolor, i.seeing, i.limitmag, i.infobits, e.earth_x_s, e.earth_y_s,
       e.earth_z_s, i.reference_checksum, i.recipe, i.match_recipe
FROM images AS i
LEFT JOIN exposures AS e
    ON e.expid = i.expid AND e.night = i.night AND e.field = i.field AND e.fid = i.fid
WHERE ($field IS NULL OR i.field = $field) AND ($fid IS NULL OR i.fid = $fid)
  AND ($ccdid IS NULL OR i.ccdid = $ccdid) AND ($qid IS NULL OR i.qid = $qid)
ORDER BY i.field, i.fid, i.ccdid, i.qid, i.obsmjd, i.expid;
