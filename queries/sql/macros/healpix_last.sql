-- The largest _healpix_29 in pixel npix of an order, NESTED.
CREATE MACRO healpix_last(healpix_order, npix) AS
    ((npix::BIGINT + 1) << (2 * (29 - healpix_order::INTEGER))) - 1;
