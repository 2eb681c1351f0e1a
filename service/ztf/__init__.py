"""The light-curve API that clients of ZTF's public archive speak: `nph_light_curves`."""
