-- Statistics of the light curves of some objects about a place, as of the last build.
--
-- Parameters
--   $oids (BIGINT[] = null) object ids; null is all
--   $ra, $dec (DOUBLE) centre of a circle that holds them, degrees, ICRS
--   $radius_arcsec (DOUBLE) its radius
--
-- Columns
--   oid, group_id, nobs, ngoodobs, n_covered, firsthmjd [d], lasthmjd [d], meanmag [mag], minmag
--   [mag], maxmag [mag], medianmag [mag], magquantile_5 [mag], magquantile_10 [mag],
--   magquantile_17_5 [mag], magquantile_25 [mag], magquantile_32_5 [mag], magquantile_40 [mag],
--   magquantile_60 [mag], magquantile_67_5 [mag], magquantile_75 [mag], magquantile_82_5 [mag],
--   magquantile_90 [mag], magquantile_95 [mag], weightedmeanmag [mag], weightedmeanmagerr [mag],
--   medmagerr [mag], magrms [mag], medianabsdev [mag], robustrms [mag], weightedmagrms [mag],
--   chi2, chisq, stetsonj, stetsonk, skewness, smallkurtosis, vonneumannratio, lineartrend
--   [mag/d], lineartrenderr [mag/d], maxslope [mag/d], con, npairposslope, nmedianbufferrange,
--   nabovemeanbystd_1, nabovemeanbystd_3, nabovemeanbystd_5, nbelowmeanbystd_1,
--   nbelowmeanbystd_3, nbelowmeanbystd_5, nconsecabovemeanbystd_1, nconsecabovemeanbystd_3,
--   nconsecabovemeanbystd_5, nconsecbelowmeanbystd_1, nconsecbelowmeanbystd_3,
--   nconsecbelowmeanbystd_5, nconsecfrommeanbystd_1, nconsecfrommeanbystd_3,
--   nconsecfrommeanbystd_5, astrometricrms [arcsec]
SELECT
    oid, group_id, nobs, ngoodobs, n_covered, firsthmjd, lasthmjd, meanmag, minmag, maxmag,
    medianmag, magquantile_5, magquantile_10, magquantile_17_5, magquantile_25,
    magquantile_32_5, magquantile_40, magquantile_60, magquantile_67_5, magquantile_75,
    magquantile_82_5, magquantile_90, magquantile_95, weightedmeanmag, weightedmeanmagerr,
    medmagerr, magrms, medianabsdev, robustrms, weightedmagrms, chi2, chisq, stetsonj, stetsonk,
    skewness, smallkurtosis, vonneumannratio, lineartrend, lineartrenderr, maxslope, con,
    npairposslope, nmedianbufferrange, nabovemeanbystd_1, nabovemeanbystd_3, nabovemeanbystd_5,
    nbelowmeanbystd_1, nbelowmeanbystd_3, nbelowmeanbystd_5, nconsecabovemeanbystd_1,
    nconsecabovemeanbystd_3, nconsecabovemeanbystd_5, nconsecbelowmeanbystd_1,
    nconsecbelowmeanbystd_3, nconsecbelowmeanbystd_5, nconsecfrommeanbystd_1,
    nconsecfrommeanbystd_3, nconsecfrommeanbystd_5, astrometricrms
FROM objects
WHERE cone(ra, dec, $ra, $dec, $radius_arcsec)
    AND ($oids::BIGINT[] IS NULL OR oid IN (SELECT unnest($oids::BIGINT[])))
ORDER BY oid;
