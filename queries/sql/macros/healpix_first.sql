-- The smallest _healpix_29 in pixel npix of an order, NESTED.
CREATE MACRO healpix_first(healpix_order, npix) AS
    npix::BIGINT << (2 * (29 - healpix_order::INTEGER));
