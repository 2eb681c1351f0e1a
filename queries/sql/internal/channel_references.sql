-- The reference images of all channels, with what of them a matchfile tells.
--
-- Columns
--   field, fid, ccdid, qid, magzp [mag], magzpunc [mag], input_checksum
SELECT field, fid, ccdid, qid, magzp, magzpunc, input_checksum
FROM reference_images
ORDER BY field, fid, ccdid, qid;
