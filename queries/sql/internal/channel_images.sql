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
--   seeing [pix], limitmag [mag], infobits, reference_checksum, recipe, match_recipe
SELECT field, fid, ccdid, qid, pid, expid, obsmjd, exptime, programid, filefracday, ra, dec, airmass,
       magzp, magzpunc, magzprms, clrcoeff, clrcounc, pcolor, seeing, limitmag, infobits,
       reference_checksum, recipe, match_recipe
FROM images
WHERE ($field IS NULL OR field = $field) AND ($fid IS NULL OR fid = $fid)
  AND ($ccdid IS NULL OR ccdid = $ccdid) AND ($qid IS NULL OR qid = $qid)
ORDER BY field, fid, ccdid, qid, obsmjd, expid;
